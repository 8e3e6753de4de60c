"""Ads on websites, SKAdNetwork 4.0: a nonce for an ad's link, which the edge answers with the signed ad."""

import html
from datetime import datetime
from uuid import uuid4

import asyncpg
import msgspec

from console.manage.skan_fields import ID_MAX, Number, checked_site, network_of, no_key_of, number
from schemas.settings import Settings
from schemas.skan.web_ads import KEPT_DAYS, host_of, source_nonce
from schemas.sql import load


class NewWebAd(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An ad that a website will show once."""

    ad_network_id: str | None = None
    """May be left out where one network has a key."""
    source_identifier: Number
    """Up to four digits."""
    itunes_item_id: Number
    """The advertised app's number in the App Store."""
    source_domain: str | None = None
    """Of the only website for which it is signed."""


class WebAd(msgspec.Struct, frozen=True, kw_only=True):
    """What the ad's link needs."""

    nonce: str
    source_nonce: str
    """The nonce as it stands in the link."""
    ad_network_id: str
    source_identifier: int
    itunes_item_id: int
    source_domain: str | None
    attribution_destination: str = msgspec.field(name="attributionDestination")
    """Where the device asks for the signed ad."""
    attribution_source_nonce: str = msgspec.field(name="attributionSourceNonce")
    link: str
    """To the App Store."""
    html: str
    """The start of the link, ready to copy."""
    expires_at: datetime
    remarks: tuple[str, ...]
    """Why it might not work as it stands."""


async def issue_web_ad(connection: asyncpg.Connection, settings: Settings, asked: NewWebAd) -> WebAd:
    """Raises Refused. It is data as touches are: the audit does not hold it."""
    network = network_of(settings, asked.ad_network_id)
    source = number("source_identifier", asked.source_identifier, 0, 9999)
    item = number("itunes_item_id", asked.itunes_item_id, 1, ID_MAX)
    domain = None if asked.source_domain is None else checked_site("source_domain", asked.source_domain)
    if network not in {signer.network for signer in settings.skan_networks}:
        no_key_of(network)
    nonce = uuid4()
    expires_at = await connection.fetchval(
        load("skan_web")["put_web_ad"], nonce, network, source, item, domain, KEPT_DAYS
    )
    host = host_of(settings.printed_url())
    destination, link = f"https://{host}", f"https://apps.apple.com/app/id{item}"
    attributes = {"href": link, "attributionDestination": destination, "attributionSourceNonce": source_nonce(nonce)}
    stated = " ".join(f'{name}="{html.escape(value)}"' for name, value in attributes.items())
    return WebAd(
        nonce=str(nonce),
        source_nonce=source_nonce(nonce),
        ad_network_id=network,
        source_identifier=source,
        itunes_item_id=item,
        source_domain=domain,
        attribution_destination=destination,
        attribution_source_nonce=source_nonce(nonce),
        link=link,
        html=f"<a {stated}>",
        expires_at=expires_at,
        remarks=_remarks(host, public=bool(settings.public_url)),
    )


def _remarks(host: str, *, public: bool) -> tuple[str, ...]:
    if not public:
        return ("TOUCHLINE_PUBLIC_URL is empty: no device asks this machine.",)
    if host.count(".") > 1:
        return (f"Devices ask the registrable domain of {host}: it has to lead to the edge.",)
    return ()
