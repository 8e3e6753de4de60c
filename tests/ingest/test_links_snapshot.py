"""The snapshot on disk: whole and exact, or known to be neither."""

import threading
import zlib
from pathlib import Path

import pytest

from ingest import links_snapshot
from ingest.links import WINDOW_BITS, Links, unpack
from tests.ingest.samples import APP, LINK, SDK_KEY, link, put, some_links


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "links.snapshot"


def save(path: Path, links: Links) -> int | None:
    return links_snapshot.save(path, links, given_up=lambda: False)


def loaded(path: Path) -> Links:
    links = Links()
    links_snapshot.load(path, links)
    return links


@pytest.mark.parametrize("rows_a_frame", [1, 2, 9, 1000])
def test_everything_comes_back(path: Path, rows_a_frame: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links_snapshot, "ROWS_A_FRAME", rows_a_frame)
    links = some_links()
    assert save(path, links) == links.change
    again = loaded(path)
    assert again.change == links.change
    assert list(again.rows()) == list(links.rows())
    assert again.link(LINK) == links.link(LINK)
    assert again.app(APP) == links.app(APP)
    assert again.key(SDK_KEY) == links.key(SDK_KEY)
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_no_links_are_a_snapshot_too(path: Path) -> None:
    save(path, Links())
    assert len(loaded(path)) == 0


def test_a_cut_at_any_byte_is_known(path: Path) -> None:
    save(path, some_links())
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        links = Links()
        with pytest.raises(ValueError, match="torn"):
            links_snapshot.load(path, links)
        assert links.change == 0


def test_a_flipped_bit_anywhere_is_known(path: Path) -> None:
    save(path, some_links())
    whole = path.read_bytes()
    for byte in range(len(whole)):
        path.write_bytes(whole[:byte] + bytes([whole[byte] ^ 0x10]) + whole[byte + 1 :])
        with pytest.raises(ValueError, match="torn"):
            loaded(path)


@pytest.mark.parametrize("content", [b"", b"no number\n", b'7\nlink\t{"id":"1"}\n', b"\0" * 5000])
def test_something_else_is_known(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ValueError):
        loaded(path)


def test_another_format_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links_snapshot, "FORMAT", "touchline links 9")
    save(path, some_links())
    monkeypatch.undo()
    with pytest.raises(ValueError, match="touchline links 9"):
        loaded(path)


def test_links_of_another_dictionary_are_taken(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The words may change with a version; an edge must start without Postgres all the same."""
    words = b"play.google.com"
    monkeypatch.setattr("ingest.links._packer", zlib.compressobj(wbits=WINDOW_BITS, zdict=words))
    monkeypatch.setattr(links_snapshot, "DICTIONARY", words)
    save(path, some_links())
    monkeypatch.undo()
    with pytest.raises(zlib.error):
        unpack(list(some_links().rows())[-1][2], words)
    assert loaded(path).link(LINK) == link(LINK)


def test_one_that_was_given_up_leaves_the_one_before(path: Path) -> None:
    save(path, some_links())
    before = path.read_bytes()
    assert links_snapshot.save(path, some_links(), given_up=lambda: True) is None
    assert path.read_bytes() == before


def test_what_is_put_meanwhile_does_not_hinder(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links_snapshot, "ROWS_A_FRAME", 1)
    links = some_links()
    change = links.change
    saved: list[int | None] = []
    saver = threading.Thread(target=lambda: saved.append(save(path, links)))
    saver.start()
    number = 0
    while saver.is_alive():
        number += 1
        put(links, link(f"new-{number % 1000}"), link(LINK, paused=True))
    assert number
    assert saved[0] is not None
    assert saved[0] >= change
    again = loaded(path)
    assert len(again) >= 4
    assert again.link(LINK) in (link(LINK), link(LINK, paused=True))
