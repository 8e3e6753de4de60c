"""The object for a bid, made and signed: the highest version that both sides know. Pure."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from console.skan_bids import values
from console.skan_bids.asked import Asked, Numbers, is_listed, not_listed, source_app
from console.skan_bids.objects import FLAT, SOURCE_DIGITS, FidelityType, Overlay, Signed, Skadn, object_of
from console.skan_bids.reasons import InvalidObject, NothingToDo
from schemas.skan.ads import Ad, ad_string, sign
from schemas.skan.signed import Version

Keys = Mapping[str, ec.EllipticCurvePrivateKey]
"""Network of ours → its key, in the order of preference."""

CAMPAIGNS = range(1, 101)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the ad server wants the object to say; numbers may be texts."""

    network: str | None = None
    """Of ours; None: the first that the request lists."""
    campaign_id: int | str | None = None
    source_identifier: int | str | None = None
    items: tuple[int | str, ...] = ()
    """The advertised app; several: the bundle is one of them."""
    bundle: Any = None
    """The bid's; None: the item."""
    fidelities: tuple[FidelityType, ...] = (0, 1)
    productpageid: UUID | None = None
    skoverlay: Overlay | None = None


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer is made with."""

    keys: Keys
    numbers: Numbers
    now_ms: int
    new_nonce: Callable[[], UUID]


def make(asked: Asked, wanted: Wanted, tools: Tools) -> Skadn:
    """Raises NoObject."""
    if not tools.keys:
        raise NothingToDo("no_networks", "TOUCHLINE_SKAN_NETWORKS names no ad network of ours: nothing can be signed.")
    version = _version(asked, wanted)
    source = source_app(asked)
    network = _network(asked, wanted, tools)
    is_4 = version == "4.0"
    ad = Ad(
        version=version,
        network=network,
        campaign_id=None if is_4 else campaign_id("campaign_id", wanted.campaign_id),
        source_identifier=source_identifier("source_identifier", wanted.source_identifier) if is_4 else None,
        itunes_item_id=item_of(wanted.items, wanted.bundle),
        nonce=tools.new_nonce(),
        source_app_id=source,
        timestamp_ms=tools.now_ms,
    )
    ads = [ad]
    if version not in FLAT:
        further = (msgspec.structs.replace(ad, nonce=tools.new_nonce()) for _ in wanted.fidelities[1:])
        each = zip(sorted(wanted.fidelities), (ad, *further), strict=True)
        ads = [msgspec.structs.replace(one, fidelity=fidelity) for fidelity, one in each]
    return object_of(
        ad,
        [Signed(one, sign(tools.keys[network], ad_string(one))) for one in ads],
        productpageid=str(wanted.productpageid) if wanted.productpageid and asked.has_product_page else None,
        skoverlay=wanted.skoverlay if asked.has_overlay else None,
    )


def _version(asked: Asked, wanted: Wanted) -> Version:
    """The highest that the request knows and that can be signed with what was given."""
    if not asked.versions:
        raise NothingToDo("no_version", "imp.ext.skadn.versions: names no version from 2.0 to 4.0.")
    for version in reversed(asked.versions):
        given = wanted.source_identifier if version == "4.0" else wanted.campaign_id
        if given is not None and (version not in FLAT or 1 in wanted.fidelities):
            return version
    raise NothingToDo(
        "no_version",
        f"imp.ext.skadn.versions: {', '.join(asked.versions)} cannot be signed with what was given: campaign_id is for"
        " 2.0 to 3.0, source_identifier for 4.0, and view-through alone (fidelities 0) for 2.2 and later.",
    )


def _network(asked: Asked, wanted: Wanted, tools: Tools) -> str:
    networks = tuple(tools.keys) if wanted.network is None else (wanted.network,)
    for network in networks:
        if is_listed(asked, network, tools.numbers):
            return network
    raise not_listed(asked, networks, tools.numbers)


def campaign_id(field: str, value: Any) -> int:
    """Up to 3.0. Raises InvalidObject."""
    found = values.whole(value)
    if found is None or found not in CAMPAIGNS:
        what = f"{values.shown(value)} is no number from 1 to 100" if values.is_said(value) else "it is missing"
        raise InvalidObject("bad_campaign", f"{field}: {what}; versions up to 3.0 need it.")
    return found


def source_identifier(field: str, value: Any) -> int:
    """From 4.0 on; zeros before it count as digits, and are not signed. Raises InvalidObject."""
    found = values.whole(value)
    digits = value.strip() if isinstance(value, str) else str(found)
    if found is None or len(digits) != SOURCE_DIGITS:
        what = f"{values.shown(value)} has not four digits" if values.is_said(value) else "it is missing"
        raise InvalidObject("bad_sourceidentifier", f"{field}: {what}; version 4.0 needs it.")
    return found


def item_of(items: tuple[Any, ...], bundle: Any) -> int:
    """The advertised app: the item that the bundle names. Raises InvalidObject."""
    numbers = [values.store_number(one) for one in items]
    for item, number in zip(items, numbers, strict=True):
        if number is None:
            said = f"itunesitem: {values.shown(item)} is no number of an app in the App Store."
            raise InvalidObject("bad_itunesitem", said)
    if values.is_text_or_number(bundle):
        found = values.store_number(bundle)
        if found is None:
            said = f"bundle: {values.shown(bundle)} is no number of an app in the App Store, which itunesitem must be."
            raise InvalidObject("itunesitem_mismatch", said)
        if numbers and found not in numbers:
            said = f"itunesitem: {', '.join(map(str, numbers[:5]))} does not name the bid's bundle, {found}."
            raise InvalidObject("itunesitem_mismatch", said)
        return found
    if not numbers or numbers[0] is None:
        raise InvalidObject(
            "bad_itunesitem", "itunesitem: it is missing: the advertised app's number in the App Store."
        )
    if len(set(numbers)) > 1:
        raise InvalidObject("bad_itunesitem", "itunesitem: it names several apps, and no bundle says which of them.")
    return numbers[0]
