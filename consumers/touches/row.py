"""One hit → one row of `touches`: the query parsed, the device named, the match keys made. Pure."""

import re
from typing import Any

import msgspec

from consumers.costs.stated import Stated, read_stated
from consumers.touches.country import Countries
from consumers.touches.data_centres import DataCentres
from consumers.touches.user_agent import from_hints, parse
from consumers.touches.validity import findings
from schemas import keys
from schemas.addresses import Network, parse_address, touch_network
from schemas.devices import OTHER
from schemas.events import Hit
from schemas.identifiers import device_ids, is_no_id, stored_digests
from schemas.query import parse_query

COLUMNS = (
    "id",
    "kind",
    "mode",
    "link",
    "app",
    "touched_us",
    "click_id",
    "external_click_id",
    "ip",
    "ua",
    "os",
    "os_version",
    "brand",
    "model",
    "browser",
    "language",
    "country",
    "query",
    "headers",
    "flags",
    "device_sha1_key",
    "device_md5_key",
    "click_key",
    "external_click_key",
    "print_key",
)

ID_CHARS_MAX = 1024
_NO_HEADERS: dict[str, str] = {}
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")
_encode = msgspec.json.Encoder().encode


class TouchRow(msgspec.Struct, frozen=True, gc=False):
    """The values of COLUMNS, and the keys of further identifiers."""

    values: tuple[Any, ...]
    more_keys: list[int]
    touched_us: int
    stated: Stated | None
    """What it costs by its partner's word."""


def touch_row(hit: Hit, countries: Countries, data_centres: DataCentres) -> TouchRow:
    """Never raises for a decoded hit: what cannot be understood is stored raw and empty."""
    parameters = parse_query(hit.query)
    ua = parameters.get("device_ua", "") if hit.mode == "s2s" and not hit.ua else hit.ua
    agent = parse(ua)
    network = parse_address(hit.ip) if hit.ip else None
    # an S2S request carries its server's headers, not the device's
    headers = hit.headers if hit.mode != "s2s" else _NO_HEADERS
    found = findings(ua, bot=agent.bot, network=network, headers=headers, data_centres=data_centres)
    agent = from_hints(headers, agent)
    ip, print_network, country = _place(network, countries) if network else (None, None, None)
    sha1_key, md5_key, more_keys = _device_keys(hit, parameters)
    click_id = parameters.get("click_id") or parameters.get("clickId") or None
    external_click_id = parameters.get("external_click_id") or None
    language = _language(hit, parameters)
    stated, bad_cost = read_stated(hit.kind, parameters)
    values = (
        hit.id,
        hit.kind,
        hit.mode,
        hit.link,
        hit.app,
        hit.touched_us,
        click_id,
        external_click_id,
        ip,
        ua,
        agent.os,
        agent.os_version,
        agent.device_brand,
        agent.device_model,
        agent.browser,
        language,
        country,
        hit.query,
        _encode(hit.headers).decode() if hit.headers else "{}",
        [*hit.flags, *found, *bad_cost] if found or bad_cost else hit.flags,
        sha1_key,
        md5_key,
        _click_key(hit, click_id),
        _click_key(hit, external_click_id),
        keys.print_key(hit.app, hit.kind, agent.os, print_network) if print_network and agent.os != OTHER else None,
    )
    return TouchRow(values, more_keys, hit.touched_us, stated)


def _place(network: Network, countries: Countries) -> tuple[str, str | None, str | None]:
    """The canonical text, the network whose key a touch from there has, the country."""
    text = network.text
    wider = touch_network(network)
    return text, text if wider is network else wider and wider.text, countries.country(network)


def _device_keys(hit: Hit, parameters: dict[str, str]) -> tuple[int | None, int | None, list[int]]:
    """The first identifier fills the touch's own columns, all others go to `touch_more_keys`."""
    own: list[int | None] = [None, None]
    more: list[int] = []
    first_kind = None
    for one in device_ids(parameters):
        first_kind = first_kind or one.kind
        for column, digest in enumerate(stored_digests(one)):
            if digest is None:
                continue
            key = keys.device_key(hit.app, hit.kind, one.kind, digest)
            if one.kind == first_kind and own[column] is None:
                own[column] = key
            elif key not in own:
                more.append(key)
    return own[0], own[1], more


def _click_key(hit: Hit, click_id: str | None) -> int | None:
    if click_id is None or is_no_id(click_id) or len(click_id) > ID_CHARS_MAX:
        return None
    return keys.click_id_key(hit.app, hit.kind, click_id)


def _language(hit: Hit, parameters: dict[str, str]) -> str:
    """The device's first language; an S2S sender may say it in the query."""
    stated = parameters.get("device_locale") or parameters.get("locale") or parameters.get("language") or ""
    text = stated.replace("_", "-") if hit.mode == "s2s" else hit.headers.get("accept-language", "")
    if not text:
        return ""
    found = _LANGUAGE.match(text.strip())
    return found[0] if found else ""
