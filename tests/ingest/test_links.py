import json
import tracemalloc
import zlib

import msgspec
import pytest

from ingest.links import DICTIONARY, WINDOW_BITS, Links, pack, unpack
from schemas.links import App, Link, Target
from tests.ingest.samples import (
    LINK,
    PAUSED,
    PAUSED_NOWHERE,
    REVOKED_KEY,
    SDK_KEY,
    SERVER_KEY,
    TRACKING,
    link,
    put,
    some_links,
)


def test_a_link_is_found_by_its_text() -> None:
    links = some_links()
    found = links.link(LINK)
    assert found == link(LINK)
    assert links.link("0" + LINK) is None
    assert links.link("") is None
    assert len(links) == 4


def test_a_changed_link_replaces_the_one_before() -> None:
    links = some_links()
    put(links, link(LINK, paused=True))
    found = links.link(LINK)
    assert found is not None
    assert found.paused
    assert len(links) == 4


def test_an_app_is_found_with_its_fallback() -> None:
    links = some_links()
    assert links.app("demo") == App(id="demo", fallback_url="https://example.com/app")
    assert links.app("other") is None


def test_origins_are_those_of_all_websites() -> None:
    links = Links()
    put(links, App(id="a", origins=("https://a", "https://both")), App(id="b", origins=("https://both",)), App(id="c"))
    assert set(links.origins) == {"https://a", "https://both"}
    put(links, App(id="a", origins=("https://new",)), App(id="a", origins=("https://new",)))
    assert set(links.origins) == {"https://both", "https://new"}
    put(links, App(id="b"))
    assert set(links.origins) == {"https://new"}
    again = Links()
    for row in links.rows():
        again.take(row)
    assert again.origins == links.origins


def test_a_key_is_known_by_its_secret_until_it_is_revoked() -> None:
    links = some_links()
    sdk, server = links.key(SDK_KEY), links.key(SERVER_KEY)
    assert sdk is not None
    assert server is not None
    assert (sdk.kind, server.kind) == ("sdk", "server")
    assert links.key(REVOKED_KEY) is None
    assert links.key("") is None
    assert links.key(sdk.hash) is None
    assert links.key("\udcff") is None


def test_the_change_number_only_grows() -> None:
    links = Links()
    links.put("link", 7, msgspec.json.encode(link("1")))
    links.put("link", 3, msgspec.json.encode(link("2")))
    assert links.change == 7


@pytest.mark.parametrize(("kind", "body"), [("link", b'{"id":"1"}'), ("app", b"[]"), ("key", b'{"hash":"x"}')])
def test_a_bad_row_changes_nothing(kind: str, body: bytes) -> None:
    links = some_links()
    change = links.change
    with pytest.raises(msgspec.ValidationError):
        links.put(kind, change + 1, body)
    assert links.change == change
    assert links.link("1") is None


def test_a_row_of_a_later_version_is_taken() -> None:
    links = Links()
    links.put("link", 1, b'{"id":"1","app":"a","colour":"red"}')
    assert links.link("1") == Link(id="1", app="a")


def test_the_rows_make_the_same_links_again() -> None:
    links, again = some_links(), Links()
    for row in links.rows():
        again.take(row)
    assert list(again.rows()) == list(links.rows())
    assert again.link(LINK) == links.link(LINK)
    assert again.key(SDK_KEY) == links.key(SDK_KEY)


def test_rows_packed_with_another_dictionary_are_packed_anew() -> None:
    links, other = Links(), zlib.compressobj(wbits=WINDOW_BITS, zdict=b"example.com")
    packed = other.compress(msgspec.json.encode(link(LINK))) + other.flush()
    links.take(("link", LINK, packed), b"example.com")
    put(links, link("after"))
    assert links.link(LINK) == link(LINK)
    assert next(iter(links.rows())) == ("link", LINK, pack(msgspec.json.encode(link(LINK))))


def test_rows_may_be_put_while_another_goes_through_them() -> None:
    links = some_links()
    seen = []
    for _, key, _ in links.rows():
        put(links, link(f"new-{key}"), App(id=f"new-{key}"))
        seen.append(key)
    assert {LINK, TRACKING, PAUSED, PAUSED_NOWHERE} <= set(seen)


@pytest.mark.parametrize("body", [b"", b"{}", b"https://", DICTIONARY, "\u0416".encode() * 5_000])
def test_what_is_packed_comes_back(body: bytes) -> None:
    assert unpack(pack(body)) == body


def test_a_million_links_fit_in_500_mb() -> None:
    """With what a worker needs besides: see `python -m benchmarks.links`."""
    rows = [as_postgres_spells_it(number) for number in range(2000)]
    links = Links()
    tracemalloc.start()
    try:
        for row in rows:
            links.put("link", 1, row)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(links) == len(rows)
    assert held / len(rows) < 330


def as_postgres_spells_it(number: int) -> bytes:
    """No two have the same ids, apps or addresses."""
    app = f"com.studio{number % 97}.game{number}"
    play = f"https://play.google.com/store/apps/details?id={app}&referrer=pid%3D{number * 31 % 300}%26id%3D{{click_id}}"
    targets = (
        Target(store="google_play", url=play),
        Target(store="app_store", url=f"https://apps.apple.com/app/id{10**9 + number * 7919}?ct={{campaign}}"),
        Target(store="web", url=f"https://game{number}.example.com/get?click={{click_id}}&creative={number * 104729}"),
    )
    fallback_url = f"https://game{number}.example.com/"
    body = msgspec.to_builtins(link(str(10**18 + number), app=app, targets=targets, fallback_url=fallback_url))
    return json.dumps(body | {"kind": "redirect", "paused": False}).encode()
