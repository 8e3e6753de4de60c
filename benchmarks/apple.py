"""Postbacks signed by keys of ours: what Apple's devices would send, for tests and loads."""

import base64
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from schemas.settings import SkanKey
from schemas.skan.ads import impression_jws, sign
from schemas.skan.keys import AppleKeys
from schemas.skan.signed import POSTBACK_ORDER, Version, signed_string

KID = "tests/0"
P256 = ec.derive_private_key(7, ec.SECP256R1())
P192 = ec.derive_private_key(7, ec.SECP192R1())


def public(key: ec.EllipticCurvePrivateKey) -> str:
    """As TOUCHLINE_SKAN_KEYS takes it."""
    return base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


SETTING = f"{public(P256)},{public(P192)},{KID}={public(P256)}"
KEYS = AppleKeys([SkanKey(None, public(P256)), SkanKey(None, public(P192)), SkanKey(KID, public(P256))])


def fields(version: Version = "4.0", **changes: Any) -> dict[str, Any]:
    """All that a postback of the version signs, and a value; `source_app_id=None` leaves that out."""
    known = {
        "version": version,
        "ad-network-id": "example123.skadnetwork",
        "campaign-id": 42,
        "source-identifier": "5239",
        "app-id": 525463029,
        "transaction-id": str(uuid4()),
        "redownload": False,
        "source-app-id": 1234567891,
        "fidelity-type": 1,
        "did-win": True,
        "postback-sequence-index": 0,
    }
    body = {name: known[name] for name in POSTBACK_ORDER[version] if name in known}
    if version != "1.0":
        body["conversion-value"] = 20
    body |= {name.replace("_", "-"): value for name, value in changes.items()}
    return {name: value for name, value in body.items() if value is not None}


def signed(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body with its signature, under the key that its version asks for."""
    version: Version = body.get("version", "1.0")
    key = P192 if version in ("1.0", "2.0") else P256
    return {**body, "attribution-signature": sign(key, signed_string(POSTBACK_ORDER[version], body))}


def postback(version: Version = "4.0", **changes: Any) -> dict[str, Any]:
    """A postback of SKAdNetwork that verifies under `KEYS`."""
    return signed(fields(version, **changes))


def payload(**changes: Any) -> dict[str, Any]:
    """What the JWS of a postback of AdAttributionKit says."""
    known = {
        "postback-identifier": str(uuid4()).upper(),
        "ad-network-identifier": "example123.adattributionkit",
        "advertised-item-identifier": 525463029,
        "publisher-item-identifier": 1234567891,
        "source-identifier": "5239",
        "impression-type": "app-impression",
        "conversion-type": "download",
        "marketplace-identifier": "com.apple.AppStore",
        "did-win": True,
        "postback-sequence-index": 0,
    }
    body = known | {name.replace("_", "-"): value for name, value in changes.items()}
    return {name: value for name, value in body.items() if value is not None}


def kit_postback(said: Mapping[str, Any] | None = None, **unsigned: Any) -> dict[str, Any]:
    """A postback of AdAttributionKit that verifies under `KEYS`."""
    values = {"conversion-value": 24, "ad-interaction-type": "click", "country-code": "US"}
    values |= {name.replace("_", "-"): value for name, value in unsigned.items()}
    jws = impression_jws(P256, KID, payload() if said is None else said)
    return {"jws-string": jws, **{name: value for name, value in values.items() if value is not None}}


def text(body: Mapping[str, Any]) -> bytes:
    """As a device sends it."""
    return orjson.dumps(body)
