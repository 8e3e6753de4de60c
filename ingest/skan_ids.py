"""`/skadnetworkids.json` and `.xml`: the ids of the networks that advertise here, for apps that show their ads.

Formats: IAB Tech Lab's SKAdNetwork extension of OpenRTB; the XML is the part of an app's Info.plist.
"""

import plistlib
from pathlib import Path

import msgspec
from aiohttp import web

from ingest import answer
from schemas.errors import ConfigError
from schemas.settings import Settings
from schemas.skan.lists import Entry, IdList, network_id, parse_list
from schemas.skan.web_ads import host_of


class SkanIds:
    """Made once: the list changes with a restart."""

    def __init__(self, ids: IdList) -> None:
        self._json, self._xml = msgspec.json.encode(ids), plist(ids)

    async def json(self, _: web.Request) -> web.Response:
        """GET /skadnetworkids.json"""
        return _file(self._json, "application/json")

    async def xml(self, _: web.Request) -> web.Response:
        """GET /skadnetworkids.xml"""
        return _file(self._xml, "application/xml")


def read_ids(settings: Settings) -> IdList:
    """The list of the operator, else that of the networks whose ads are signed, which may be none.

    Raises ConfigError, which names the setting and the field.
    """
    if settings.skan_ids:
        try:
            return parse_list(Path(settings.skan_ids).read_bytes())
        except OSError as error:
            raise ConfigError(f"TOUCHLINE_SKAN_IDS={settings.skan_ids!r} cannot be read: {error.strerror}") from None
        except ValueError as error:
            raise ConfigError(f"TOUCHLINE_SKAN_IDS={settings.skan_ids!r} is not usable: {error}") from None
    networks = dict.fromkeys(signer.network for signer in settings.skan_networks)
    for network in networks:
        if network_id(network) is None:
            raise ConfigError(f"TOUCHLINE_SKAN_NETWORKS: {network[:60]!r} is no network's id")
    entries = tuple(Entry(skadnetwork_id=network) for network in networks)
    return IdList(company_domain=host_of(settings.printed_url()), entries=entries)


def plist(ids: IdList) -> bytes:
    """As an app's Info.plist has them, each once."""
    names = dict.fromkeys(entry.skadnetwork_id for entry in ids.entries)
    return plistlib.dumps({"SKAdNetworkItems": [{"SKAdNetworkIdentifier": name} for name in names]})


def _file(content: bytes, content_type: str) -> web.Response:
    return web.Response(body=content, content_type=content_type, headers=answer.EVERYWHERE)
