"""Nonces of web ads, and the domains of websites."""

import json
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.skan.web_ads import host_of, nonce_of, site, source_nonce
from tests.support.data import data_folder


@pytest.mark.data
def test_the_published_nonce_is_read_and_written() -> None:
    one = json.loads((data_folder() / "skan" / "vectors.json").read_text())["web_ad_nonce"]
    assert source_nonce(UUID(one["uuid"])) == one["source_nonce"]
    assert nonce_of(one["source_nonce"]) == UUID(one["uuid"])


@given(st.uuids())
def test_a_nonce_is_read_as_it_was_written(nonce: UUID) -> None:
    assert nonce_of(source_nonce(nonce)) == nonce
    assert nonce_of(f"{source_nonce(nonce)}==") == nonce


@given(st.text(max_size=30))
def test_whatever_is_sent_is_a_nonce_or_none(text: str) -> None:
    nonce = nonce_of(text)
    assert nonce is None or source_nonce(nonce) == text.removesuffix("==")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "t8naKxXHTzuTJhNfljADP",
        "t8naKxXHTzuTJhNfljADPQA",
        "t8naKxXHTzuTJhNfljADPR",  # bits that no nonce has
        "t8naKxXHTzuTJhNfljAD\nPQ",
        "t8naKxXHTzuTJhNfljADP+",
        "b7c9da2b-15c7-4f3b-9326-135f9630033d",
        "t8naKxXHTzuTJhNfljADPé",
    ],
)
def test_what_is_no_nonce(text: str) -> None:
    assert nonce_of(text) is None


@pytest.mark.parametrize("text", ["example.com", "Example.COM", "example.com.", "xn--e1afmkfd.xn--p1ai", "a.b-c.co.uk"])
def test_domains_are_compared_in_lower_case(text: str) -> None:
    assert site(text) == text.lower().removesuffix(".")


@pytest.mark.parametrize("text", ["", "com", "https://example.com", "example.com/x", "a b.c", "-a.b", "a..b", "é.com"])
def test_what_is_no_domain(text: str) -> None:
    assert site(text) is None


@pytest.mark.parametrize(
    ("url", "host"), [("https://Go.example:8443/x", "go.example"), ("", "localhost"), ("http://[", "localhost")]
)
def test_the_host_of_an_address(url: str, host: str) -> None:
    assert host_of(url) == host
