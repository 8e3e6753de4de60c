from urllib.parse import quote_plus, unquote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.query import decode, parse_query, storable

STORABLE = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ("", {}),
        ("&&", {}),
        ("a=1&b=2", {"a": "1", "b": "2"}),
        ("a=1&b=2&", {"a": "1", "b": "2"}),
        ("a=1&a=2", {"a": "1"}),
        ("%61=1&a=2", {"a": "1"}),
        ("noredirect", {"noredirect": ""}),
        ("noredirect&noredirect=0", {"noredirect": ""}),
        ("noredirect=&x", {"noredirect": "", "x": ""}),
        ("a==b=c", {"a": "=b=c"}),
        ("=x", {"": "x"}),
        ("a=b+c%2Bd%20e", {"a": "b c+d e"}),
        ("na+me=1", {"na me": "1"}),
        ("a;b=1", {"a;b": "1"}),
        ("a=%D0%BF%D1%80%D0%B8", {"a": "при"}),
        ("a=при", {"a": "при"}),
        ("a=%", {"a": "%"}),
        ("a=%zz%4", {"a": "%zz%4"}),
        ("a=${AUCTION_PRICE}&b=[x]]", {"a": "${AUCTION_PRICE}", "b": "[x]]"}),
        ("a=1&amp;b=2", {"a": "1", "amp;b": "2"}),
    ],
)
def test_splits_a_raw_query(raw: str, found: dict[str, str]) -> None:
    assert parse_query(raw) == found


def test_names_keep_the_order_in_which_they_came() -> None:
    assert list(parse_query("b=1&a=2&c=3&b=4")) == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("a=x%00y", "x\ufffdy"),  # Postgres holds no NUL: it ended a whole batch
        ("a=%C3", "\ufffd"),
        ("a=%FFx", "\ufffdx"),
        ("a=%ED%A0%80", "\ufffd\ufffd\ufffd"),  # a surrogate, encoded
        ("a=%C0%80", "\ufffd\ufffd"),  # an overlong NUL
    ],
)
def test_what_cannot_be_stored_becomes_the_replacement_character(raw: str, value: str) -> None:
    assert parse_query(raw) == {"a": value}


def test_a_nul_in_a_name_is_replaced_too() -> None:
    assert parse_query("a%00b=1") == {"a\ufffdb": "1"}


@given(st.text())
@example("%")
@example("=&=&%&+=+")
def test_never_raises_and_gives_what_postgres_takes(raw: str) -> None:
    for part in (text for pair in parse_query(storable(raw)).items() for text in pair):
        assert "\0" not in part
        part.encode()


@given(st.binary())
def test_never_raises_for_any_bytes_on_the_wire(raw: bytes) -> None:
    for text in (raw.decode("utf-8", "surrogateescape"), raw.decode("latin-1")):
        for name, value in parse_query(storable(text)).items():
            assert "\0" not in name + value
            (name + value).encode()


@given(st.dictionaries(STORABLE.filter(bool), STORABLE, max_size=5))
def test_reads_back_what_a_client_encodes(parameters: dict[str, str]) -> None:
    raw = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in parameters.items())
    assert parse_query(raw) == parameters


@given(STORABLE)
def test_storable_text_stays_as_it_is(text: str) -> None:
    assert storable(text) == text


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("a\0b", "a\ufffdb"),
        ("caf\udcc3\udca9", "café"),  # two bytes that the HTTP parser could not decode, and that are UTF-8
        ("caf\udce9", "caf\ufffd"),
        ("\ud800x", "\ufffdx"),
        ("\udc00\0", "\ufffd\ufffd"),
    ],
)
def test_unstorable_text_becomes_storable(text: str, stored: str) -> None:
    assert storable(text) == stored


def test_a_plus_is_a_blank_only_where_it_is_not_encoded() -> None:
    assert decode("a+b%2Bc") == "a b+c"


@given(st.text(alphabet="%+ab0aAfF09é\x00 ", max_size=30))
def test_decoding_is_that_of_the_standard_library(text: str) -> None:
    assert decode(text) == unquote_plus(text).replace("\0", "\ufffd")
