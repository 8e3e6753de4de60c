"""Lists of networks' ids: IAB's examples, what is tolerated, what is refused and by which name."""

import json

import msgspec
import pytest

from schemas.skan.lists import Entry, network_id, parse_list
from tests.support.data import data_folder


@pytest.mark.data
@pytest.mark.parametrize(("number", "ids"), [(6, [1, 2]), (7, [None, None])])
def test_published_lists_are_read_and_written_again(number: int, ids: list[int | None]) -> None:
    content = (data_folder() / "openrtb" / "iab" / f"skadnetwork_md_example_{number}.json").read_bytes()
    found = parse_list(content)
    assert [entry.id for entry in found.entries] == ids
    assert [entry.skadnetwork_id for entry in found.entries] == ["4fzdc2evr5.skadnetwork", "v72qych5uu.skadnetwork"]
    assert json.loads(msgspec.json.encode(found)) == json.loads(content)


def test_what_real_lists_hold_is_tolerated() -> None:
    content = b"""\xef\xbb\xbf{"company_domain": "a.example", "version": 3, "company_name": null, "skadnetwork_ids": [
        {"skadnetwork_id": " 4FZDC2EVR5.SKAdNetwork ", "id": "17", "colour": "red", "entity_name": null}]}"""
    found = parse_list(content)
    assert found.entries == (Entry(skadnetwork_id="4fzdc2evr5.skadnetwork", id=17),)


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b"", "it is no JSON"),
        (b"\xff", "it is no JSON"),
        (b"[" * 100_000, "the list"),
        (b"[]", "the list"),
        (b'{"skadnetwork_ids": []}', "company_domain: is missing"),
        (b'{"company_domain": "", "skadnetwork_ids": []}', "company_domain: "),
        (b'{"company_domain": "a"}', "skadnetwork_ids: is missing"),
        (b'{"company_domain": "a", "skadnetwork_ids": {}}', "skadnetwork_ids: "),
        (b'{"company_domain": "a", "skadnetwork_ids": [7]}', r"skadnetwork_ids\[0\]: "),
        (
            b'{"company_domain": "a", "skadnetwork_ids": [{"skadnetwork_id": "a.b"}, {"id": 1}]}',
            r"skadnetwork_ids\[1\]\.skadnetwork_id: is missing",
        ),
        (
            b'{"company_domain": "a", "skadnetwork_ids": [{"skadnetwork_id": "a.b", "id": "x"}]}',
            r"skadnetwork_ids\[0\]\.id: ",
        ),
        (
            b'{"company_domain": "a", "skadnetwork_ids": [{"skadnetwork_id": "a b"}]}',
            r"skadnetwork_ids\[0\]\.skadnetwork_id: 'a b' is no network's id",
        ),
    ],
)
def test_what_is_wrong_is_named(content: bytes, field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field}"):
        parse_list(content)


@pytest.mark.parametrize(
    "text", ["", "skadnetwork", ".skadnetwork", "a..b", "a b.c", "ä.skadnetwork", "a.b\n.c", "a." * 60]
)
def test_what_is_no_networks_id(text: str) -> None:
    assert network_id(text) is None


@pytest.mark.parametrize("text", ["com.apple.test-1", "4FZDC2EVR5.skadnetwork", "abc.adattributionkit"])
def test_what_is_one(text: str) -> None:
    assert network_id(text) == text.lower()
