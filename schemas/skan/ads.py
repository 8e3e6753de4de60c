"""Ads of SKAdNetwork and impressions of AdAttributionKit, signed as a device checks them.

Sources: see `schemas.skan.signed`; Apple's "Generating JWS impressions" (AdAttributionKit); RFC 7515 for the JWS, whose
ES256 signature (RFC 7518 §3.4) is R and S of 32 bytes each.
"""

import base64
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

from schemas.errors import ConfigError
from schemas.settings import SkanSigner
from schemas.skan.signed import AD_ORDER, WEB_AD_ORDER, Version, signed_string

NETWORK_SUFFIXES = (".skadnetwork", ".adattributionkit")


class Ad(msgspec.Struct, frozen=True, kw_only=True):
    """What a network says of one ad; the caller has checked that it fits the version."""

    version: Version
    network: str
    campaign_id: int | None = None
    """1 to 100; up to 3.0."""
    source_identifier: int | None = None
    """Four digits; from 4.0 on."""
    itunes_item_id: int
    """The advertised app's number in the App Store."""
    nonce: UUID
    source_app_id: int | None = None
    """Of the app that shows the ad, 0 in development; from 2.0 on."""
    source_domain: str | None = None
    """Of the website that shows the ad, instead of an app: 4.0."""
    fidelity: int | None = None
    """1: rendered by StoreKit, or on the web; 0: view-through. From 2.2 on."""
    timestamp_ms: int


def ad_string(ad: Ad) -> str:
    """What the signature of an ad covers."""
    order = AD_ORDER[ad.version] if ad.source_domain is None else WEB_AD_ORDER
    values = {
        "version": ad.version,
        "ad-network-id": ad.network.lower(),
        "campaign-id": ad.campaign_id,
        "source-identifier": ad.source_identifier,
        "itunes-item-id": ad.itunes_item_id,
        "nonce": ad.nonce,  # its text is lower case
        "source-app-id": ad.source_app_id,
        "source-domain": ad.source_domain,
        "fidelity-type": ad.fidelity,
        "timestamp": ad.timestamp_ms,
    }
    return signed_string(order, {name: value for name, value in values.items() if value is not None})


def sign(key: ec.EllipticCurvePrivateKey, text: str) -> str:
    """Base64 of the DER signature, ECDSA with SHA-256."""
    return base64.b64encode(key.sign(text.encode(), ec.ECDSA(SHA256()))).decode()


def impression_jws(key: ec.EllipticCurvePrivateKey, network: str, payload: Mapping[str, Any]) -> str:
    """The compact JWS of an impression of AdAttributionKit; its `kid` is the network's id."""
    header = orjson.dumps({"alg": "ES256", "kid": network})
    signed = f"{_base64url(header)}.{_base64url(orjson.dumps(payload))}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(SHA256())))
    return f"{signed}.{_base64url(r.to_bytes(32) + s.to_bytes(32))}"


@lru_cache(maxsize=4)
def signing_keys(signers: tuple[SkanSigner, ...]) -> Mapping[str, ec.EllipticCurvePrivateKey]:
    """Network → its key; read once a process. Raises ConfigError, which never holds any of a key."""
    return {
        network: load_signing_key(key, f"TOUCHLINE_SKAN_NETWORKS: the key of {network}") for network, key in signers
    }


def load_signing_key(text: str, what: str = "the key") -> ec.EllipticCurvePrivateKey:
    """From the path of a PEM file, or the key itself: PEM, or base64 of PKCS #8 (DER). Raises ConfigError without the
    text."""
    try:
        der = _der(text)
        pem = text.encode() if text.startswith("-----BEGIN ") else b""
        key = load_der_private_key(der, None) if der else load_pem_private_key(pem or Path(text).read_bytes(), None)
    except OSError as error:
        raise ConfigError(f"{what} cannot be read from its file: {error.strerror}.") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigError(f"{what} is neither a PEM file nor base64 of PKCS #8 (DER), without a password.") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ConfigError(f"{what} is no private key on P-256.")
    return key


def _der(text: str) -> bytes | None:
    """The bytes of a key that is given itself: a sequence of ASN.1, longer than what a path could be mistaken for."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return data if data.startswith(b"0") and len(data) > 64 else None


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
