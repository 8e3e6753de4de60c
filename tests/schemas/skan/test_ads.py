"""Ads and impressions are signed so that a device finds exactly what was said."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import ConfigError
from schemas.settings import Settings, SkanSigner
from schemas.skan.ads import Ad, ad_string, impression_jws, load_signing_key, sign, signing_keys
from schemas.skan.signed import AD_ORDER, SEPARATOR, VERSIONS
from tests.support.data import data_folder
from tests.support.signing import (
    KEY,
    NETWORK,
    base64_of,
    jws_parts,
    jws_verifies,
    pem_of,
    public_key,
    unpadded,
    verifies,
)

PUBLIC = KEY.public_key()
NUMBERS = st.integers(0, 2**63 - 1)


@pytest.mark.data
@pytest.mark.parametrize("group", ["ad_signing", "ad_signing_apple_sample"])
def test_published_ads_verify_and_do_not_with_another_fidelity(group: str) -> None:
    found = json.loads((data_folder() / "skan" / "vectors.json").read_text())[group]
    key = public_key(found["public_key_spki_base64"])
    for one in found["vectors"]:
        values = dict(zip(one["order"], one["values"], strict=True))
        ad = ad_of(one["version"], values)
        assert ad_string(ad).encode().hex() == one["signed_string_hex"], one["id"]
        assert verifies(key, one["signature_base64_der"], ad_string(ad)), one["id"]
        assert verifies(PUBLIC, sign(KEY, ad_string(ad)), bytes.fromhex(one["signed_string_hex"])), one["id"]
        if ad.fidelity is not None:
            other = msgspec.structs.replace(ad, fidelity=1 - ad.fidelity)
            assert not verifies(key, one["signature_base64_der"], ad_string(other)), one["id"]


def ad_of(version: Any, values: dict[str, str]) -> Ad:
    def number(name: str) -> int | None:
        return int(values[name]) if name in values else None

    return Ad(
        version=version,
        network=values["ad-network-id"],
        campaign_id=number("campaign-id"),
        source_identifier=number("source-identifier"),
        itunes_item_id=int(values["itunes-item-id"]),
        nonce=UUID(values["nonce"]),
        source_app_id=number("source-app-id"),
        fidelity=number("fidelity-type"),
        timestamp_ms=int(values["timestamp"]),
    )


@st.composite
def ads(draw: st.DrawFn) -> Ad:
    version = draw(st.sampled_from(VERSIONS))
    order = AD_ORDER[version]
    on_web = version == "4.0" and draw(st.booleans())
    return Ad(
        version=version,
        network=draw(st.from_regex(r"[a-z0-9]{1,12}\.skadnetwork", fullmatch=True)),
        campaign_id=draw(st.integers(1, 100)) if "campaign-id" in order else None,
        source_identifier=draw(st.integers(0, 9999)) if "source-identifier" in order else None,
        itunes_item_id=draw(NUMBERS),
        nonce=draw(st.uuids()),
        source_app_id=draw(NUMBERS) if "source-app-id" in order and not on_web else None,
        source_domain=draw(st.from_regex(r"[a-z]{1,9}\.example", fullmatch=True)) if on_web else None,
        fidelity=draw(st.integers(0, 1)) if "fidelity-type" in order else None,
        timestamp_ms=draw(st.integers(10**12, 10**13 - 1)),
    )


@settings(max_examples=60, deadline=None)
@given(ads(), ads())
def test_a_signature_is_of_exactly_its_values(ad: Ad, other: Ad) -> None:
    signature = sign(KEY, ad_string(ad))
    assert verifies(PUBLIC, signature, ad_string(ad))
    for field in ad.__struct_fields__:
        said, instead = getattr(ad, field), getattr(other, field)
        if field == "version" or None in (said, instead) or said == instead:
            continue
        changed = msgspec.structs.replace(ad, **{field: instead})
        assert not verifies(PUBLIC, signature, ad_string(changed)), field
    if ad != other:
        assert ad_string(ad) != ad_string(other)


def test_ids_are_signed_in_lower_case() -> None:
    ad = Ad(
        version="1.0",
        network="EXAMPLE123.skadnetwork",
        campaign_id=3,
        itunes_item_id=4,
        nonce=UUID("68483EF6-0678-40DF-B4BC-6E9F1A7A3D52"),
        timestamp_ms=1594406341232,
    )
    expected = "example123.skadnetwork|3|4|68483ef6-0678-40df-b4bc-6e9f1a7a3d52|1594406341232"
    assert ad_string(ad).split(SEPARATOR) == expected.split("|")


def test_an_impression_is_a_jws_that_a_device_verifies() -> None:
    payload = {"impression-identifier": "u", "source-identifier": 5239, "eligible-for-re-engagement": True}
    jws = impression_jws(KEY, NETWORK, payload)
    assert jws_parts(jws) == ({"alg": "ES256", "kid": NETWORK}, payload)
    assert jws_verifies(PUBLIC, jws)
    header, _, signature = jws.split(".")
    changed = impression_jws(KEY, NETWORK, {**payload, "source-identifier": 5238}).split(".")[1]
    assert not jws_verifies(PUBLIC, f"{header}.{changed}.{signature}")


@dataclass
class Steady:
    """In place of a key: a signature whose numbers are short is one in 128."""

    der: bytes

    def sign(self, *_: object) -> bytes:
        return self.der


@pytest.mark.parametrize(("r", "s"), [(1, 2**255 - 1), (2**255 + 1, 3), (0x7F, 0x80), (2**247, 2**240 - 1)])
def test_short_numbers_of_a_signature_keep_their_leading_zeros(r: int, s: int) -> None:
    key: Any = Steady(encode_dss_signature(r, s))
    raw = unpadded(impression_jws(key, NETWORK, {}).rpartition(".")[2])
    assert (len(raw), int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")) == (64, r, s)


def test_real_signatures_with_leading_zeros_verify() -> None:
    seen = 0
    for number in range(4_000):  # one in 128 has a number that begins with a zero byte: some thirty here
        jws = impression_jws(KEY, NETWORK, {"timestamp": number})
        raw = unpadded(jws.rpartition(".")[2])
        if 0 in (raw[0], raw[32]):
            seen += 1
            assert jws_verifies(PUBLIC, jws)
        if seen == 3:
            break
    assert seen == 3


def test_a_key_is_a_file_or_itself(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(pem_of())
    for text in (str(tmp_path / "key.pem"), base64_of(), pem_of().decode().strip()):
        assert Settings.read({"TOUCHLINE_SKAN_NETWORKS": f"{NETWORK}={text}"}).skan_networks[0].key == text
        assert verifies(PUBLIC, sign(load_signing_key(text), "text"), "text")


def test_a_bad_key_is_refused_without_being_told(tmp_path: Path) -> None:
    other = ec.derive_private_key(7, ec.SECP384R1())
    (tmp_path / "text").write_text(f"this is no key: {base64_of()}")
    for text, words in (
        (str(tmp_path / "none"), "cannot be read"),
        (str(tmp_path), "cannot be read"),
        (str(tmp_path / "text"), "neither a PEM file nor base64"),
        (base64_of()[:-8], "neither a PEM file nor base64"),
        (base64_of(other), "no private key on P-256"),
        ("\0", "neither a PEM file nor base64"),
    ):
        with pytest.raises(ConfigError, match=words) as refused:
            signing_keys((SkanSigner(NETWORK, text),))
        assert f"TOUCHLINE_SKAN_NETWORKS: the key of {NETWORK}" in str(refused.value)
        assert text not in str(refused.value)
        assert base64_of()[40:60] not in str(refused.value)


def test_keys_stand_in_no_repr() -> None:
    configured = Settings.read({"TOUCHLINE_SKAN_NETWORKS": f"{NETWORK}={base64_of()}"})
    for shown in (repr(configured), repr(configured.skan_networks), repr(signing_keys(configured.skan_networks))):
        assert base64_of()[:20] not in shown
        assert NETWORK in shown
    with pytest.raises(ConfigError) as refused:
        Settings.read({"TOUCHLINE_SKAN_NETWORKS": base64_of().rstrip("=")})
    assert base64_of()[:20] not in str(refused.value)
