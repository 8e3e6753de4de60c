"""The compact JWS of AdAttributionKit (RFC 7515): ES256 (RFC 7518 §3.4), R and S of 32 bytes each. Pure."""

import base64
import re
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from consumers.skan.strict_json import NotVerified, read_object
from schemas.skan.keys import AppleKeys, Key

PAYLOAD = (
    *("postback-identifier", "ad-network-identifier", "advertised-item-identifier", "publisher-item-identifier"),
    *("source-identifier", "conversion-type", "did-win", "postback-sequence-index"),
)
"""What is read of it."""

_ECDSA = ec.ECDSA(SHA256())
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")


def verified_payload(body: Mapping[str, Any], keys: AppleKeys) -> tuple[dict[str, Any], Key]:
    """The payload of `jws-string` and the key that signed it. Raises NotVerified."""
    head, payload, signature = _parts(body)
    header = read_object(_bytes(head, "the header of jws-string"), "The header of jws-string")
    if header.get("alg") != "ES256":
        raise NotVerified("jws-string is not signed by ES256.")
    if "crit" in header:
        raise NotVerified("jws-string asks for extensions (crit).")
    kid = header.get("kid")
    key = keys.of_kids().get(kid) if isinstance(kid, str) else None
    if key is None:
        raise NotVerified("jws-string names no known key (kid).")
    raw = _bytes(signature, "the signature of jws-string")
    if len(raw) != 64:
        raise NotVerified("the signature of jws-string is not 64 bytes.")
    r, s = int.from_bytes(raw[:32]), int.from_bytes(raw[32:])
    try:
        key.key.verify(encode_dss_signature(r, s), f"{head}.{payload}".encode(), _ECDSA)
    except InvalidSignature:
        raise NotVerified(f"jws-string does not verify under {key.name}.") from None
    return read_object(_bytes(payload, "the payload of jws-string"), "The payload of jws-string"), key


def claimed_payload(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The payload without a look at its signature; empty when there is none."""
    try:
        return read_object(_bytes(_parts(body)[1], ""), "")
    except NotVerified:
        return {}


def _parts(body: Mapping[str, Any]) -> tuple[str, str, str]:
    text = body.get("jws-string")
    if not isinstance(text, str):
        raise NotVerified("jws-string is missing.")
    parts = text.split(".")
    if len(parts) != 3:
        raise NotVerified("jws-string has not three parts.")
    return parts[0], parts[1], parts[2]


def _bytes(part: str, what: str) -> bytes:
    if not _BASE64URL.fullmatch(part) or len(part) % 4 == 1:
        raise NotVerified(f"{what} is not base64url.")
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
