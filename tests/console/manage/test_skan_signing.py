"""`touchline skan sign`, `skan web-ad`, and the functions below them: each version's fields, keys, nonces."""

import json
import logging
import re
import time
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from console.manage.refusals import Refused
from console.manage.skan_signing import AdToSign, SignedAd, sign_ad
from schemas.errors import ConfigError
from schemas.settings import Settings
from schemas.skan.signed import SEPARATOR
from schemas.skan.web_ads import nonce_of
from tests.console.conftest import Console
from tests.support.data import data_folder
from tests.support.signing import KEY, NETWORK, base64_of, jws_parts, jws_verifies, pem_of, verifies

PUBLIC = KEY.public_key()
OTHER = ec.derive_private_key(7, ec.SECP256R1())
SETTINGS = Settings.read({"TOUCHLINE_SKAN_NETWORKS": f"{NETWORK}={base64_of()}"})
TWO = Settings.read({"TOUCHLINE_SKAN_NETWORKS": f"{NETWORK}={base64_of()}, second.skadnetwork={base64_of(OTHER)}"})
NONE = Settings.read({})

NONCE = "68483ef6-0678-40df-b4bc-6e9f1a7a3d52"
COMMON = {"itunes_item_id": 525463029, "nonce": NONCE, "timestamp": 1676057605705}
ADS: dict[str, dict[str, Any]] = {
    "1.0": COMMON | {"version": "1.0", "campaign_id": 3},
    "2.0": COMMON | {"version": "2.0", "campaign_id": 3, "source_app_id": 880047117},
    "2.1": COMMON | {"version": "2.1", "campaign_id": 100, "source_app_id": 0},
    "2.2": COMMON | {"version": "2.2", "campaign_id": 1, "source_app_id": 7, "fidelity_type": 0},
    "3.0": COMMON | {"version": "3.0", "campaign_id": 3, "source_app_id": 7, "fidelity_type": 1},
    "4.0": COMMON | {"version": "4.0", "source_identifier": 0, "source_app_id": 7, "fidelity_type": 0},
    "web": COMMON | {"version": "4.0", "source_identifier": 9999, "source_domain": "News.Example"},
}
TEXTS = {
    "1.0": f"{NETWORK}|3|525463029|{NONCE}|1676057605705",
    "2.0": f"2.0|{NETWORK}|3|525463029|{NONCE}|880047117|1676057605705",
    "2.1": f"2.1|{NETWORK}|100|525463029|{NONCE}|0|1676057605705",
    "2.2": f"2.2|{NETWORK}|1|525463029|{NONCE}|7|0|1676057605705",
    "3.0": f"3.0|{NETWORK}|3|525463029|{NONCE}|7|1|1676057605705",
    "4.0": f"4.0|{NETWORK}|0|525463029|{NONCE}|7|0|1676057605705",
    "web": f"4.0|{NETWORK}|9999|525463029|{NONCE}|news.example|1|1676057605705",
}
IMPRESSION: dict[str, Any] = {
    "framework": "adattributionkit",
    "source_identifier": 12,
    "publisher_item_identifier": 0,
    "advertised_item_identifier": 525463029,
}


def signed(values: dict[str, Any], settings: Settings = SETTINGS, **changes: Any) -> SignedAd:
    return sign_ad(settings, msgspec.convert({**values, **changes}, AdToSign))


def field_refused(values: dict[str, Any], settings: Settings = SETTINGS, **changes: Any) -> str | None:
    with pytest.raises(Refused) as refused:
        signed(values, settings, **changes)
    assert refused.value.sentence
    return refused.value.field


@pytest.mark.parametrize("name", ADS)
def test_an_ad_of_every_version_is_signed(name: str) -> None:
    made = signed(ADS[name])
    assert made.signed_string == TEXTS[name].replace("|", SEPARATOR)
    assert verifies(PUBLIC, made.signature or "", made.signed_string)
    shown = msgspec.to_builtins(made)
    asked = ADS[name] | {"framework": "skadnetwork", "ad_network_id": NETWORK}
    asked |= {"source_domain": "news.example", "fidelity_type": 1} if name == "web" else {}
    assert {field: value for field, value in shown.items() if field not in ("signed_string", "signature")} == asked


@pytest.mark.data
def test_published_ads_become_their_strings() -> None:
    vectors = json.loads((data_folder() / "skan" / "vectors.json").read_text())
    for group in ("ad_signing", "ad_signing_apple_sample"):
        for one in vectors[group]["vectors"]:
            values = {name.replace("-", "_"): value for name, value in zip(one["order"], one["values"], strict=True)}
            asked = msgspec.convert(values | {"version": one["version"]}, AdToSign)
            made = sign_ad(NONE, asked, key=base64_of())
            assert (made.signed_string or "").encode().hex() == one["signed_string_hex"], one["id"]


def test_digits_capitals_and_seconds_are_understood() -> None:
    made = signed(
        ADS["4.0"],
        ad_network_id=" Example123.SKAdNetwork",
        nonce=NONCE.upper(),
        timestamp="1676057605",
        source_identifier="0042",
        itunes_item_id="525463029",
        source_app_id=" 7",
        fidelity_type="1",
    )
    expected = f"4.0|{NETWORK}|42|525463029|{NONCE}|7|1|1676057605000"
    assert made.signed_string == expected.replace("|", SEPARATOR)
    assert signed(ADS["4.0"], timestamp=1676057605).timestamp == 1676057605000


def test_nonce_and_time_are_made_when_they_are_left_out() -> None:
    before = time.time_ns() // 1_000_000
    made = [signed(ADS["3.0"], nonce=None, timestamp=None) for _ in range(2)]
    assert made[0].nonce != made[1].nonce
    for one in made:
        assert UUID(one.nonce).version == 4
        assert before <= one.timestamp <= time.time_ns() // 1_000_000


@pytest.mark.parametrize(
    ("name", "changes", "field"),
    [
        ("3.0", {"version": None}, "version"),
        ("3.0", {"version": "3"}, "version"),
        ("3.0", {"version": "5.0"}, "version"),
        ("4.0", {"campaign_id": 3}, "campaign_id"),
        ("3.0", {"campaign_id": None}, "campaign_id"),
        ("3.0", {"campaign_id": 0}, "campaign_id"),
        ("3.0", {"campaign_id": 101}, "campaign_id"),
        ("1.0", {"campaign_id": "x"}, "campaign_id"),
        ("1.0", {"campaign_id": -1}, "campaign_id"),
        ("3.0", {"source_identifier": 3}, "source_identifier"),
        ("4.0", {"source_identifier": None}, "source_identifier"),
        ("4.0", {"source_identifier": 10_000}, "source_identifier"),
        ("web", {"source_identifier": None}, "source_identifier"),
        ("2.1", {"fidelity_type": 1}, "fidelity_type"),
        ("2.2", {"fidelity_type": None}, "fidelity_type"),
        ("4.0", {"fidelity_type": None}, "fidelity_type"),
        ("3.0", {"fidelity_type": 2}, "fidelity_type"),
        ("web", {"fidelity_type": 0}, "fidelity_type"),
        ("1.0", {"source_app_id": 7}, "source_app_id"),
        ("2.0", {"source_app_id": None}, "source_app_id"),
        ("4.0", {"source_app_id": None}, "source_app_id"),
        ("3.0", {"source_app_id": 2**63}, "source_app_id"),
        ("web", {"source_app_id": 7}, "source_app_id"),
        ("3.0", {"source_domain": "news.example"}, "source_domain"),
        ("web", {"source_domain": "https://news.example"}, "source_domain"),
        ("1.0", {"itunes_item_id": None}, "itunes_item_id"),
        ("1.0", {"itunes_item_id": 0}, "itunes_item_id"),
        ("1.0", {"itunes_item_id": "id5"}, "itunes_item_id"),
        ("1.0", {"nonce": "x"}, "nonce"),
        ("1.0", {"nonce": NONCE.replace("-", "")}, "nonce"),
        ("1.0", {"timestamp": 0}, "timestamp"),
        ("1.0", {"timestamp": 167605760570}, "timestamp"),
        ("1.0", {"timestamp": "now"}, "timestamp"),
        ("1.0", {"ad_network_id": ""}, "ad_network_id"),
        ("1.0", {"ad_network_id": "a b"}, "ad_network_id"),
        ("1.0", {"ad_network_id": "none.skadnetwork"}, "ad_network_id"),
        ("4.0", {"advertised_item_identifier": 5}, "advertised_item_identifier"),
        ("4.0", {"eligible_for_re_engagement": False}, "eligible_for_re_engagement"),
        ("4.0", {"impression_identifier": NONCE}, "impression_identifier"),
        ("4.0", {"framework": "adattributionkit"}, "version"),
    ],
)
def test_a_refusal_names_the_field(name: str, changes: dict[str, Any], field: str) -> None:
    assert field_refused(ADS[name], **changes) == field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"version": "4.0"}, "version"),
        ({"campaign_id": 1}, "campaign_id"),
        ({"nonce": NONCE}, "nonce"),
        ({"fidelity_type": 1}, "fidelity_type"),
        ({"source_identifier": None}, "source_identifier"),
        ({"source_identifier": "10000"}, "source_identifier"),
        ({"publisher_item_identifier": None}, "publisher_item_identifier"),
        ({"advertised_item_identifier": None}, "advertised_item_identifier"),
        ({"advertised_item_identifier": 0}, "advertised_item_identifier"),
        ({"impression_identifier": "x"}, "impression_identifier"),
        ({"timestamp": 1}, "timestamp"),
        ({"ad_network_id": "com.example"}, "ad_network_id"),
    ],
)
def test_a_refused_impression_names_the_field(changes: dict[str, Any], field: str) -> None:
    assert field_refused(IMPRESSION, **changes) == field


@pytest.mark.parametrize("network", [NETWORK, "kit.adattributionkit"])
def test_an_impression_is_signed_with_types_and_order_of_apples(network: str) -> None:
    settings = Settings.read({"TOUCHLINE_SKAN_NETWORKS": f"{network}={base64_of()}"})
    made = signed(IMPRESSION, settings, impression_identifier=NONCE.upper(), timestamp="1676057605")
    assert jws_verifies(PUBLIC, made.jws or "")
    header, payload = jws_parts(made.jws or "")
    assert header == {"alg": "ES256", "kid": network}
    assert list(payload.items()) == [
        ("impression-identifier", NONCE),
        ("publisher-item-identifier", 0),
        ("impression-type", "app-impression"),
        ("ad-network-identifier", network),
        ("source-identifier", 12),
        ("timestamp", 1676057605000),
        ("advertised-item-identifier", 525463029),
    ]
    assert made.payload == payload
    assert (made.signature, made.signed_string) == (None, None)


@pytest.mark.parametrize("eligible", [True, False])
def test_re_engagement_is_signed_when_it_is_said(eligible: bool) -> None:
    made = signed(IMPRESSION, eligible_for_re_engagement=eligible)
    assert jws_parts(made.jws or "")[1]["eligible-for-re-engagement"] is eligible


def test_each_network_signs_with_its_own_key() -> None:
    made = signed(ADS["4.0"], TWO, ad_network_id="second.skadnetwork")
    assert verifies(OTHER.public_key(), made.signature or "", made.signed_string or "")
    assert not verifies(PUBLIC, made.signature or "", made.signed_string or "")
    for settings in (TWO, NONE):
        assert field_refused(ADS["4.0"], settings) == "ad_network_id"
    with pytest.raises(Refused, match="no key is configured: TOUCHLINE_SKAN_NETWORKS"):
        signed(ADS["4.0"], NONE, ad_network_id=NETWORK)


def test_a_key_is_in_no_answer_error_or_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = (base64_of()[:24], base64_of()[40:64], base64_of()[-24:], "c9afa9d8")
    said = [repr(signed(ADS["4.0"])), repr(SETTINGS), msgspec.json.encode(signed(IMPRESSION)).decode()]
    for key, network in ((base64_of()[:-4], "a.skadnetwork"), (base64_of().replace("M", "-"), "b.skadnetwork")):
        settings = Settings.read({"TOUCHLINE_SKAN_NETWORKS": f"{network}={key}"})
        with pytest.raises(ConfigError) as refused:
            signed(ADS["4.0"], settings)
        said.append("".join(traceback.format_exception(refused.value)))
        assert f"TOUCHLINE_SKAN_NETWORKS: the key of {network}" in str(refused.value)
    said.append(caplog.text)
    assert not any(secret in text for text in said for secret in secrets)


@pytest.fixture
def signer(tmp_path: Path) -> Console:
    """Commands with a network and without Postgres."""
    (tmp_path / "key.pem").write_bytes(pem_of())
    console = Console("postgresql://nobody@127.0.0.1:1/none", tmp_path)
    console.environment["TOUCHLINE_SKAN_NETWORKS"] = f"Example123.skadnetwork={tmp_path}/key.pem"
    return console


def options(values: dict[str, Any]) -> list[str]:
    named = [(f"--{name.replace('_', '-')}", str(value)) for name, value in values.items()]
    return [part for pair in named for part in pair]


def test_the_command_signs_without_postgres(signer: Console, tmp_path: Path) -> None:
    facts = signer.facts("skan", "sign", *options(ADS["4.0"]))
    assert facts["signed_string"] == TEXTS["4.0"].replace("|", SEPARATOR)
    assert verifies(PUBLIC, facts["signature"], facts["signed_string"])
    shown = signer.run("skan", "sign", *options(ADS["web"])).stdout
    assert f"signed_string      {TEXTS['web']}\n" in shown
    assert SEPARATOR not in shown
    impression = signer.facts("skan", "sign", *options(IMPRESSION), "--no-eligible-for-re-engagement")
    assert jws_verifies(PUBLIC, impression["jws"])
    assert impression["payload"]["eligible-for-re-engagement"] is False
    (tmp_path / "other.pem").write_bytes(pem_of(OTHER))
    for key in (str(tmp_path / "other.pem"), base64_of(OTHER)):
        other = signer.facts("skan", "sign", "--ad-network-id", "x.skadnetwork", "--key", key, *options(ADS["1.0"]))
        assert verifies(OTHER.public_key(), other["signature"], other["signed_string"])


def test_the_command_says_what_is_wrong_in_its_own_words(signer: Console, tmp_path: Path) -> None:
    said = signer.refusal("skan", "sign", *options(ADS["3.0"] | {"campaign_id": 101}), code=2)
    assert said == "touchline skan sign: campaign-id '101' is no number from 1 to 100."
    said = signer.refusal("skan", "sign", *options(ADS["3.0"] | {"ad_network_id": "none.skadnetwork"}), code=1)
    assert "none.skadnetwork no key is configured: TOUCHLINE_SKAN_NETWORKS" in said
    said = signer.refusal("skan", "sign", *options(ADS["3.0"]), "--key", base64_of()[:-8], code=2)
    assert said == "touchline skan sign: the key is neither a PEM file nor base64 of PKCS #8 (DER), without a password."
    (tmp_path / "key.pem").write_text("nonsense")
    said = signer.refusal("skan", "sign", *options(ADS["3.0"]), code=2)
    assert said.startswith(f"touchline skan sign: TOUCHLINE_SKAN_NETWORKS: the key of {NETWORK} is neither")


def test_a_web_ad_is_stored_and_told(console: Console) -> None:
    console.environment["TOUCHLINE_SKAN_NETWORKS"] = f"{NETWORK}={base64_of()}"
    asked = ("--source-identifier", "5239", "--itunes-item-id", "525463029")
    audit = console.sql("SELECT * FROM audit")
    made = console.facts("skan", "web-ad", *asked, "--source-domain", "News.Example")
    assert str(nonce_of(made["source_nonce"])) == made["nonce"]
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", made["nonce"])
    assert made["attributionDestination"] == "https://go.example"
    assert made["attributionSourceNonce"] == made["source_nonce"]
    assert made["link"] == "https://apps.apple.com/app/id525463029"
    assert made["html"] == (
        '<a href="https://apps.apple.com/app/id525463029" attributionDestination="https://go.example"'
        f' attributionSourceNonce="{made["source_nonce"]}">'
    )
    lasts = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=29, hours=23) < lasts <= timedelta(days=30)
    rows = console.sql("SELECT nonce, network, source_identifier, store_app, source_domain FROM skan_web_ads")
    assert rows == [(UUID(made["nonce"]), NETWORK, 5239, 525463029, "news.example")]
    assert console.sql("SELECT * FROM audit") == audit
    shown = console.run("skan", "web-ad", *asked).stdout
    assert "attributionSourceNonce" in shown
    for url, remark in (("", "TOUCHLINE_PUBLIC_URL is empty"), ("https://go.shop.example", "registrable domain")):
        assert remark in console.run("skan", "web-ad", *asked, TOUCHLINE_PUBLIC_URL=url).stdout
    assert len(console.sql("SELECT 1 FROM skan_web_ads")) == 4


def test_a_web_ad_that_could_not_be_signed_is_refused(console: Console) -> None:
    good = {"source_identifier": 5239, "itunes_item_id": 525463029, "ad_network_id": NETWORK}
    for changes, word in (
        ({}, "no key is configured"),
        ({"ad_network_id": "a"}, "ad-network-id"),
        ({"source_identifier": 10000}, "source-identifier"),
        ({"itunes_item_id": "x"}, "itunes-item-id"),
        ({"source_domain": "x y"}, "source-domain"),
    ):
        refused: dict[str, Any] = good | changes
        assert word in console.refusal("skan", "web-ad", *options(refused), code=2 if changes else 1)
    assert console.sql("SELECT count(*) FROM skan_web_ads") == [(0,)]
