"""The bytes that signatures cover, against published ones."""

import json
from hashlib import sha256
from typing import Any

import pytest

from schemas.skan.signed import AD_ORDER, SEPARATOR, VERSIONS, WEB_AD_ORDER, signed_string
from tests.support.data import data_folder
from tests.support.signing import KEY, public_key, verifies

FURTHER = {
    "1.0": "n|45|1|u|9",
    "2.0": "2.0|n|45|1|u|7|9",
    "2.1": "2.1|n|45|1|u|7|9",
    "2.2": "2.2|n|45|1|u|7|0|9",
    "3.0": "3.0|n|45|1|u|7|0|9",
    "4.0": "4.0|n|5239|1|u|7|0|9",
}
VALUES = {
    "ad-network-id": "n", "campaign-id": 45, "source-identifier": 5239, "itunes-item-id": 1, "nonce": "u",
    "source-app-id": 7, "source-domain": "example.com", "fidelity-type": 0, "timestamp": 9,
}  # fmt: skip


def published(group: str) -> Any:
    return json.loads((data_folder() / "skan" / "vectors.json").read_text())[group]


@pytest.mark.data
@pytest.mark.parametrize(("group", "count"), [("ad_signing", 9), ("ad_signing_apple_sample", 2)])
def test_published_ads_are_signed_byte_for_byte(group: str, count: int) -> None:
    found = published(group)
    key = public_key(found["public_key_spki_base64"])
    assert len(found["vectors"]) == count
    for one in found["vectors"]:
        order = AD_ORDER[one["version"]]
        assert order == tuple(one["order"]), one["id"]
        text = signed_string(order, dict(zip(order, one["values"], strict=True)))
        assert text.encode().hex() == one["signed_string_hex"], one["id"]
        assert text.replace(SEPARATOR, "|") == one["signed_string_visible"], one["id"]
        if group == "ad_signing":
            assert sha256(text.encode()).hexdigest() == one["sha256_of_signed_string"], one["id"]
        assert verifies(key, one["signature_base64_der"], text), one["id"]


@pytest.mark.data
def test_the_published_key_is_the_one_that_tests_sign_with() -> None:
    assert public_key(published("ad_signing")["public_key_spki_base64"]) == KEY.public_key()


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_has_its_order(version: Any) -> None:
    values = VALUES | {"version": version}
    assert signed_string(AD_ORDER[version], values).replace(SEPARATOR, "|") == FURTHER[version]


def test_an_ad_on_a_website_names_the_website_in_place_of_the_app() -> None:
    text = signed_string(WEB_AD_ORDER, VALUES | {"version": "4.0", "fidelity-type": 1})
    assert text.replace(SEPARATOR, "|") == "4.0|n|5239|1|u|example.com|1|9"
    assert text.encode().count(b"\xe2\x81\xa3") == 7


def test_booleans_are_words_and_what_must_be_there_is_missed() -> None:
    assert signed_string(("a", "b"), {"a": True, "b": False}) == f"true{SEPARATOR}false"
    with pytest.raises(KeyError):
        signed_string(("a", "b"), {"a": 1})
