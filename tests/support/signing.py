"""Keys that sign ads in tests, and signatures checked by hand, as a device would."""

import base64
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_public_key,
)

KEY = ec.derive_private_key(0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721, ec.SECP256R1())
"""Published in RFC 6979, appendix A.2.5."""
NETWORK = "example123.skadnetwork"


def base64_of(key: ec.EllipticCurvePrivateKey = KEY) -> str:
    """As a setting takes it."""
    return base64.b64encode(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())).decode()


def pem_of(key: ec.EllipticCurvePrivateKey = KEY) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_key(spki: str) -> ec.EllipticCurvePublicKey:
    key = load_der_public_key(base64.b64decode(spki))
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key


def verifies(key: ec.EllipticCurvePublicKey, signature: str, text: str | bytes) -> bool:
    """A base64 DER signature."""
    return _is_of(key, base64.b64decode(signature, validate=True), text.encode() if isinstance(text, str) else text)


def jws_verifies(key: ec.EllipticCurvePublicKey, jws: str) -> bool:
    """A compact JWS whose signature is R and S, 32 bytes each."""
    signed, _, signature = jws.rpartition(".")
    raw = unpadded(signature)
    assert len(raw) == 64
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    return _is_of(key, der, signed.encode())


def jws_parts(jws: str) -> tuple[Any, Any]:
    """Header and payload."""
    header, payload, _ = jws.split(".")
    return json.loads(unpadded(header)), json.loads(unpadded(payload))


def unpadded(text: str) -> bytes:
    """Of base64url as JWS writes it."""
    assert "=" not in text
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _is_of(key: ec.EllipticCurvePublicKey, der: bytes, data: bytes) -> bool:
    try:
        key.verify(der, data, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True
