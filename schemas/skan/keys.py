"""Apple's public keys, by which postbacks verify, and those that an operator adds for tests.

Sources: Apple's "Verifying an install-validation postback", "Combining parameters for previous SKAdNetwork postback
versions" and "Verifying a postback" (AdAttributionKit).
"""

import base64
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from schemas.errors import ConfigError
from schemas.settings import SkanKey
from schemas.skan.signed import Version

P256 = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEWdp8GPcGqmhgzEFj9Z2nSpQVddayaPe4FMzqM9wib1+aHaaIzoHoLN9zW4K8y4SPykE3YVK3sVqW"
    "6Af0lfx3gg=="
)
P192 = "MEkwEwYHKoZIzj0CAQYIKoZIzj0DAQEDMgAEMyHD625uvsmGq4C43cQ9BnfN2xslVT5V1nOmAMP6qaRRUll3PB1JYmgSm+62sosG"

APPLE_KID = "apple-cas-identifier/0"
"""Of AdAttributionKit; it is SKAdNetwork's key of 2.1 to 4.0."""

ON_P192: frozenset[Version] = frozenset({"1.0", "2.0"})


class Key(NamedTuple):
    """A public key and what it is called on record."""

    name: str
    key: ec.EllipticCurvePublicKey


class AppleKeys:
    """Which key a postback must verify under: by its version, or by the `kid` of its JWS."""

    def __init__(self, extra: Iterable[SkanKey] = ()) -> None:
        """`extra` hold beside Apple's. Raises ConfigError for one that is no key of a curve that Apple uses."""
        p192, p256 = _load("", P192), _load("", P256)
        self._p192, self._p256 = [Key("apple P-192", p192)], [Key("apple P-256", p256)]
        self._kids = {APPLE_KID: Key(APPLE_KID, p256)}
        for number, (kid, text) in enumerate(extra, 1):
            key = _load(f"TOUCHLINE_SKAN_KEYS: key {number} ", text)
            if kid is not None:
                if not isinstance(key.curve, ec.SECP256R1):
                    raise ConfigError(f"TOUCHLINE_SKAN_KEYS: key {number} is not on P-256, as AdAttributionKit's are.")
                self._kids[kid] = Key(kid, key)
            else:
                of_curve = self._p192 if isinstance(key.curve, ec.SECP192R1) else self._p256
                of_curve.insert(0, Key(f"extra {number}", key))  # where there are any, most postbacks are tests

    def of_version(self, version: Version) -> list[Key]:
        """Those that may have signed it."""
        return self._p192 if version in ON_P192 else self._p256

    def of_kids(self) -> Mapping[str, Key]:
        """`kid` → key."""
        return self._kids


def _load(where: str, text: str) -> ec.EllipticCurvePublicKey:
    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError(f"{where}is no public key: base64 of its SubjectPublicKeyInfo (DER).") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, (ec.SECP192R1, ec.SECP256R1)):
        raise ConfigError(f"{where}is no key on P-192 or P-256.")
    return key
