import tracemalloc

import msgspec
import pytest

from ingest.links import Links
from schemas.links import App, Link, Target
from tests.ingest.samples import LINK, REVOKED_KEY, SDK_KEY, SERVER_KEY, link, put, some_links


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
    for kind, body in links.rows():
        again.put(kind, 0, body)
    assert list(again.rows()) == list(links.rows())
    assert again.link(LINK) == links.link(LINK)
    assert again.key(SDK_KEY) == links.key(SDK_KEY)


def test_a_million_links_fit_in_500_mb() -> None:
    targets = (
        Target(store="google_play", url="https://play.google.com/store/apps/details?id=com.example.some.demo"),
        Target(store="app_store", url="https://apps.apple.com/app/id123456789?ct={campaign}"),
    )
    rows = [
        msgspec.json.encode(link(str(10**18 + number), targets=targets, fallback_url="https://example.com/landing"))
        for number in range(2000)
    ]
    links = Links()
    tracemalloc.start()
    try:
        for row in rows:
            links.put("link", 1, bytes(bytearray(row)))  # a copy, as each row that comes from Postgres is
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held / len(rows) < 500
