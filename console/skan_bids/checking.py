"""The object that a bid has already: whether an exchange would take it. Pure."""

import base64
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from console.skan_bids import values
from console.skan_bids.asked import Asked, is_listed, not_listed, source_app
from console.skan_bids.making import Tools, campaign_id, item_of, source_identifier
from console.skan_bids.objects import FLAT, Overlay, Signed, Skadn, object_of
from console.skan_bids.reasons import InvalidObject
from schemas.skan.ads import Ad, ad_string
from schemas.skan.signed import Version

TIMESTAMP_DIGITS = (10, 13)
"""Seconds, as the extension's own examples have them, or milliseconds; what stands there is what was signed."""


class Checked(NamedTuple):
    """An object that is good, in the spelling that it should have."""

    object: Skadn
    signature_checked: bool
    """False: of a network whose key is not ours."""


class _Signature(NamedTuple):
    fidelity: int | None
    nonce: UUID
    timestamp: int
    signature: str


def check(asked: Asked, object: Any, bundle: Any, tools: Tools) -> Checked:
    """`bundle`: of the bid. Raises InvalidObject."""
    if not isinstance(object, dict):
        raise InvalidObject("bad_skadn", f"bid.ext.skadn: {values.shown(object)} is no object.")
    version = _version(asked, object)
    network = values.network(object.get("network"))
    if network is None:
        raise InvalidObject("bad_network", _said("network", object.get("network"), "no ad network's id"))
    if not is_listed(asked, network, tools.numbers):
        raise not_listed(asked, (network,), tools.numbers)
    source = _source(asked, object)
    item = object.get("itunesitem")
    items = item if isinstance(item, list) else [item] if values.is_said(item) else []
    advertised = item_of(tuple(items), bundle if items else None)  # a bundle alone is no itunesitem
    ads = _ads(object, version, network, source, advertised)
    made = object_of(
        ads[0].ad,
        ads,
        items=tuple(str(values.store_number(one)) for one in items) if isinstance(item, list) else None,
        productpageid=_product_page(object),
        skoverlay=_overlay(object),
    )
    key = tools.keys.get(network)
    if key is not None:
        for one in ads:
            _verify(key.public_key(), one)
    return Checked(made, key is not None)


def _version(asked: Asked, object: dict[str, Any]) -> Version:
    found = values.version(object.get("version"))
    if found is None:
        raise InvalidObject("bad_version", _said("version", object.get("version"), "no version from 2.0 to 4.0"))
    if found not in asked.versions:
        known = ", ".join(asked.versions) or "none"
        raise InvalidObject(
            "bad_version", f"bid.ext.skadn.version: {found} is not in imp.ext.skadn.versions ({known})."
        )
    return found


def _source(asked: Asked, object: dict[str, Any]) -> int:
    wanted = source_app(asked)
    found = values.store_number(object.get("sourceapp"))
    if found is None:
        raise InvalidObject("bad_sourceapp", _said("sourceapp", object.get("sourceapp"), "no number of an app"))
    if found != wanted:
        said = f"bid.ext.skadn.sourceapp: {found} is not the request's, {wanted}."
        raise InvalidObject("sourceapp_mismatch", said)
    return found


def _ads(object: dict[str, Any], version: Version, network: str, source: int, advertised: int) -> list[Signed]:
    """What each signature covers."""
    identifier = campaign = None
    if version == "4.0":
        identifier = source_identifier("bid.ext.skadn.sourceidentifier", object.get("sourceidentifier"))
    else:
        campaign = campaign_id("bid.ext.skadn.campaign", object.get("campaign"))
    return [
        Signed(
            Ad(
                version=version,
                network=network,
                campaign_id=campaign,
                source_identifier=identifier,
                itunes_item_id=advertised,
                nonce=one.nonce,
                source_app_id=source,
                fidelity=one.fidelity,
                timestamp_ms=one.timestamp,
            ),
            one.signature,
        )
        for one in _signatures(version, object)
    ]


def _signatures(version: Version, object: dict[str, Any]) -> list[_Signature]:
    if version in FLAT:
        return [_signature(object, "bid.ext.skadn", None)]
    each = object.get("fidelities")
    if not isinstance(each, list) or not each:
        raise InvalidObject(
            "bad_fidelities", _said("fidelities", each, "no array with a signature for each type of ad")
        )
    found: list[_Signature] = []
    for number, one in enumerate(each):
        where = f"bid.ext.skadn.fidelities[{number}]"
        fidelity = values.whole(values.mapping(one).get("fidelity"))
        if fidelity not in (0, 1) or any(fidelity == other.fidelity for other in found):
            raise InvalidObject("bad_fidelities", f"{where}.fidelity: is not 0 or 1, or is there a second time.")
        found.append(_signature(one, where, fidelity))
    return found


def _signature(of: dict[str, Any], where: str, fidelity: int | None) -> _Signature:
    nonce, signature = values.uuid(of.get("nonce")), of.get("signature")
    if nonce is None:
        raise InvalidObject("bad_nonce", _said("nonce", of.get("nonce"), "no UUID", where))
    timestamp = values.whole(of.get("timestamp"))
    if timestamp is None or len(str(timestamp)) not in TIMESTAMP_DIGITS:
        said = _said("timestamp", of.get("timestamp"), "no time in milliseconds, 13 digits", where)
        raise InvalidObject("bad_timestamp", said)
    if not isinstance(signature, str) or not _is_base64(signature):
        raise InvalidObject("bad_signature", _said("signature", signature, "no base64", where))
    return _Signature(fidelity, nonce, timestamp, signature)


def _verify(key: ec.EllipticCurvePublicKey, signed: Signed) -> None:
    ad = signed.ad
    try:
        key.verify(base64.b64decode(signed.signature), ad_string(ad).encode(), ec.ECDSA(SHA256()))
    except InvalidSignature:
        of = "" if ad.fidelity is None else f" of fidelity {ad.fidelity}"
        said = f"bid.ext.skadn: the signature{of} is not {ad.network}'s of these values."
        raise InvalidObject("wrong_signature", said) from None


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except ValueError:
        return False


def _product_page(object: dict[str, Any]) -> str | None:
    said = object.get("productpageid")
    if not values.is_said(said):
        return None
    found = values.uuid(said)
    if found is None:
        raise InvalidObject("bad_productpageid", _said("productpageid", said, "no UUID"))
    return str(found)


def _overlay(object: dict[str, Any]) -> Overlay | None:
    said = object.get("skoverlay")
    if said is None:
        return None
    found = {name: value for name, value in values.mapping(said).items() if name in Overlay.__struct_fields__}
    stated = {name: values.whole(value) for name, value in found.items() if value is not None}
    try:
        if not isinstance(said, dict) or None in stated.values():
            raise ValueError
        return msgspec.convert(stated, Overlay)
    except ValueError:  # msgspec's is one
        raise InvalidObject(
            "bad_skoverlay", _said("skoverlay", said, "no delays in seconds and flags 0 or 1")
        ) from None


def _said(field: str, value: Any, what: str, where: str = "bid.ext.skadn") -> str:
    """One sentence; `what` says what a wrong value is."""
    return f"{where}.{field}: {f'{values.shown(value)} is {what}' if values.is_said(value) else 'it is missing'}."
