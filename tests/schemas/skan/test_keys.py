"""Which key a postback must verify under, and what an operator may add."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from benchmarks.apple import P192, P256, public
from schemas.errors import ConfigError
from schemas.settings import Settings, SkanKey
from schemas.skan.keys import APPLE_KID, AppleKeys
from schemas.skan.signed import VERSIONS


def setting(text: str) -> tuple[SkanKey, ...]:
    return Settings.read({"TOUCHLINE_SKAN_KEYS": text}).skan_keys


def test_apples_keys_are_on_the_curve_of_the_version() -> None:
    keys = AppleKeys()
    curves = {version: [one.key.curve.name for one in keys.of_version(version)] for version in VERSIONS}
    assert curves == {version: ["secp192r1" if version in ("1.0", "2.0") else "secp256r1"] for version in VERSIONS}
    assert list(keys.of_kids()) == [APPLE_KID]


def test_a_setting_holds_keys_of_both_frameworks() -> None:
    text = f" {public(P256)} ,{public(P192)}, apple-development-identifier/1={public(P256)},"
    found = setting(text)
    assert found == (
        SkanKey(None, public(P256)),
        SkanKey(None, public(P192)),
        SkanKey("apple-development-identifier/1", public(P256)),
    )
    keys = AppleKeys(found)
    assert len(keys.of_version("4.0")) == len(keys.of_version("2.0")) == 2
    assert set(keys.of_kids()) == {APPLE_KID, "apple-development-identifier/1"}
    assert [name for name, _ in AppleKeys(setting("")).of_version("4.0")] == ["apple P-256"]


def test_adattributionkit_is_signed_on_p256_only() -> None:
    with pytest.raises(ConfigError, match="TOUCHLINE_SKAN_KEYS: key 1 is not on P-256"):
        AppleKeys(setting(f"tests/1={public(P192)}"))


def test_a_kid_may_be_followed_by_a_key_that_ends_in_equal_signs() -> None:
    assert public(P256).endswith("=")
    assert setting(f"a={public(P256)}") == (SkanKey("a", public(P256)),)


def other(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


@pytest.mark.parametrize(
    "text",
    [
        "nonsense", "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE", "/etc/hostname", "a=b",
        other(ec.generate_private_key(ec.SECP384R1())), other(rsa.generate_private_key(65537, 2048)),
    ],
)  # fmt: skip
def test_what_is_no_key_names_the_setting(text: str) -> None:
    with pytest.raises(ConfigError, match=r"TOUCHLINE_SKAN_KEYS: key 2 is no"):
        AppleKeys(setting(f"{public(P256)},{text}"))
