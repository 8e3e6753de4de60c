"""Signatures as a partner makes them, and what protection may say."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import ConfigError
from schemas.links import Partner, Protection
from schemas.protection import check, is_signed, signature, signed

SECRET = "a-secret-of-some-length"
QUERY = "click_id=a%20b&device_ip=203.0.113.7&expires=1767225900&noredirect"


def test_a_signature_is_that_of_the_documented_text() -> None:
    text = b"click\n1019409635088005254\nclick_id=a%20b&device_ip=203.0.113.7&expires=1767225900&noredirect"
    expected = hmac.new(SECRET.encode(), text, hashlib.sha256).hexdigest()
    assert signature(SECRET, "click", "1019409635088005254", QUERY) == expected
    assert signed(SECRET, "click", "1019409635088005254", QUERY) == f"{QUERY}&signature={expected}"


def test_either_of_two_secrets_signs() -> None:
    query = signed(SECRET, "click", "1", QUERY)
    assert is_signed(("another-secret-of-ours", SECRET), "click", "1", query)
    assert is_signed((SECRET,), "click", "1", query[:-64] + query[-64:].upper())
    assert not is_signed(("another-secret-of-ours",), "click", "1", query)
    assert not is_signed((), "click", "1", query)


@pytest.mark.parametrize(
    "change",
    [
        lambda query: query.replace("203.0.113.7", "203.0.113.8"),
        lambda query: query.replace("a%20b", "a+b"),  # byte for byte
        lambda query: query + "&google_aid=x",
        lambda query: query + "&",
        lambda query: query.replace("&signature=", "&Signature="),
        lambda query: query[:-1],
        lambda query: query[:-1] + "é",
        lambda query: query.partition("&signature=")[0],
        lambda query: "",
    ],
)
def test_what_was_changed_is_not_signed(change: object) -> None:
    assert callable(change)
    assert not is_signed((SECRET,), "click", "1", change(signed(SECRET, "click", "1", QUERY)))


def test_a_signature_is_for_one_link_and_kind() -> None:
    query = signed(SECRET, "click", "1", QUERY)
    assert not is_signed((SECRET,), "impression", "1", query)
    assert not is_signed((SECRET,), "click", "2", query)


@given(st.text(), st.text())
def test_any_query_can_be_signed_and_asked(query: str, other: str) -> None:
    query, other = (text.encode("utf-8", "replace").decode() for text in (query, other))
    made = signed(SECRET, "click", "1", query)
    assert is_signed((SECRET,), "click", "1", made)
    assert not is_signed((SECRET,), "click", "1", other)


@pytest.mark.parametrize(
    ("protection", "said"),
    [
        (Protection(), "neither secrets nor addresses"),
        (Protection(secrets=("short",)), r"protection.secrets\[0\] is not 16 to 200"),
        (Protection(secrets=("x" * 20, "with a space in it !")), r"protection.secrets\[1\]"),
        (Protection(secrets=("x" * 20,) * 5), "at most 4"),
        (Protection(addresses=("192.0.2.0/24", "here")), r"protection.addresses\[1\] 'here' is no address"),
        (Protection(addresses=("192.0.2.1",) * 501), "at most 500"),
    ],
)
def test_protection_that_protects_nothing_is_refused(protection: Protection, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        check(protection)
    assert "with a space" not in str(refused.value)


def test_a_secret_is_in_no_text() -> None:
    protection = Protection(secrets=(SECRET,), addresses=("192.0.2.0/24", "2001:db8::/32"))
    check(protection)
    assert SECRET not in repr(Partner(id="p", protection=protection))
