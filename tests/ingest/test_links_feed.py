"""Links come from Postgres at once, from the disk without it, and survive lost notices."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg
import pytest

from ingest import links_feed
from ingest.links import Links
from ingest.links_feed import LinksFeed
from schemas.settings import Settings
from schemas.sql import load

PATIENCE_S = 10.0


PRIVACY = "UPDATE apps SET truncate_addresses = $1, coppa = $2"


class Feed:
    """A feed that runs."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.links = Links()
        settings = Settings.read({"TOUCHLINE_DATA": str(folder), "TOUCHLINE_DATABASE_URL": database_url})
        self.feed = LinksFeed(settings, self.links, keeps_snapshot=True)
        self.stop = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.feed.load_snapshot()
        self.task = asyncio.create_task(self.feed.run(self.stop))

    async def end(self) -> None:
        self.stop.set()
        if self.task:
            await self.task


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    await connection.execute(load("manage")["put_app"], "app-1", "App", "https://example.com/app")
    yield connection
    await connection.close()


async def put_link(connection: asyncpg.Connection, link: str, fallback: str = "https://example.com/") -> None:
    await connection.execute(
        load("manage")["put_link"], link, "app-1", None, "", "redirect", "[]", fallback, None, None
    )


async def soon(question: Callable[[], object]) -> float:
    """Seconds until the answer is yes."""
    started = time.monotonic()
    async with asyncio.timeout(PATIENCE_S):
        while not question():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return time.monotonic() - started


async def test_a_change_is_seen_by_its_notice(
    connection: asyncpg.Connection, database_url: str, tmp_path: Path
) -> None:
    await put_link(connection, "old")
    feed = Feed(tmp_path, database_url)
    feed.start()
    await soon(lambda: feed.links.link("old"))
    await put_link(connection, "new")
    await soon(lambda: feed.links.link("new"))  # the re-read comes after 30 s, so it was the notice
    await connection.execute("UPDATE links SET paused = true WHERE id = 'new'")
    await soon(lambda: (link := feed.links.link("new")) and link.paused)
    await connection.execute("UPDATE apps SET fallback_url = 'https://example.org/'")
    await soon(lambda: (app := feed.links.app("app-1")) and app.fallback_url == "https://example.org/")
    assert feed.links.careful == {}
    await connection.execute(PRIVACY, True, False)
    await soon(lambda: feed.links.careful == {"app-1": "addresses"})
    await connection.execute(PRIVACY, True, True)
    await soon(lambda: feed.links.careful == {"app-1": "coppa"})
    await feed.end()


async def test_partners_and_whose_the_links_are_come_too(
    connection: asyncpg.Connection, database_url: str, tmp_path: Path
) -> None:
    await connection.execute("INSERT INTO partners (id, title) VALUES ('net', ''), ('other', '')")
    await connection.execute("INSERT INTO campaigns (id, title, partner) VALUES ('c', '', 'net')")
    await connection.execute(load("manage")["put_link"], "1", "app-1", "c", "", "redirect", "[]", None, None, None)
    feed = Feed(tmp_path, database_url)
    feed.start()
    await soon(lambda: (link := feed.links.link("1")) and link.partner == "net")
    protection = '{"secrets": ["a-secret-of-some-length"], "addresses": ["192.0.2.0/24"]}'
    await connection.execute("UPDATE partners SET protection = $1::text::jsonb WHERE id = 'net'", protection)
    await soon(lambda: "net" in feed.links.guards)
    guard = feed.links.guards["net"]
    assert guard.secrets == ("a-secret-of-some-length",)
    assert [network.text for network in guard.networks] == ["192.0.2.0/24"]
    await connection.execute("UPDATE campaigns SET partner = 'other' WHERE id = 'c'")
    await soon(lambda: (link := feed.links.link("1")) and link.partner == "other")
    await connection.execute("UPDATE partners SET deleted_at = now() WHERE id = 'net'")
    await soon(lambda: not feed.links.guards)
    await connection.execute(
        "UPDATE apps SET stores = $1::text::jsonb",
        '{"google_play": "com.example.shop", "bundle_id": "com.example.Shop", "apple_team": "ABCDE12345"}',
    )
    await soon(lambda: feed.links.packages == {"app-1": "com.example.shop"})
    await connection.execute("UPDATE apps SET deleted_at = now()")
    await soon(lambda: feed.links.packages == {})
    await feed.end()


async def test_a_lost_notice_is_healed_by_reading_again(
    connection: asyncpg.Connection, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links_feed, "REREAD_S", 0.3)
    feed = Feed(tmp_path, database_url)
    feed.start()
    await soon(lambda: feed.links.app("app-1"))
    await connection.execute("ALTER TABLE links DISABLE TRIGGER stamp")
    await connection.execute("INSERT INTO links (id, app, change) VALUES ('silent', 'app-1', nextval('changes'))")
    await soon(lambda: feed.links.link("silent"))
    await feed.end()


async def test_a_lost_connection_is_found_again(
    connection: asyncpg.Connection, database_url: str, tmp_path: Path
) -> None:
    feed = Feed(tmp_path, database_url)
    feed.start()
    await soon(lambda: feed.links.app("app-1"))
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'touchline' AND datname = current_database()"
    )
    await put_link(connection, "after")
    await soon(lambda: feed.links.link("after"))
    await feed.end()


async def test_without_postgres_the_disks_snapshot_serves(
    connection: asyncpg.Connection, database_url: str, tmp_path: Path
) -> None:
    await put_link(connection, "kept", "https://example.com/kept")
    await connection.execute(PRIVACY, False, True)
    first = Feed(tmp_path, database_url)
    first.start()
    await soon(lambda: (tmp_path / "links.snapshot").exists() and b"kept" in (tmp_path / "links.snapshot").read_bytes())
    await first.end()
    second = Feed(tmp_path, "postgresql://touchline@127.0.0.1:1/nobody")
    second.start()
    assert second.feed.read_once.is_set()
    link = second.links.link("kept")
    assert link is not None
    assert link.fallback_url == "https://example.com/kept"
    assert second.links.careful == {"app-1": "coppa"}
    await second.end()


async def test_a_torn_snapshot_is_left_aside(tmp_path: Path) -> None:
    (tmp_path / "links.snapshot").write_bytes(b"7\nlink\t{broken\n")
    feed = Feed(tmp_path, "postgresql://touchline@127.0.0.1:1/nobody")
    feed.feed.load_snapshot()
    assert not feed.feed.read_once.is_set()
    assert feed.links.change == 0


async def test_what_is_read_half_is_not_kept(
    connection: asyncpg.Connection, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next start would take it for all links, and answer 404 to the others."""
    monkeypatch.setattr(links_feed, "PAGE_ROWS", 2)
    monkeypatch.setattr(links_feed, "SAVE_EVERY_S", 0.05)
    for number in range(6):
        await put_link(connection, f"link-{number}")
    feed = Feed(tmp_path, database_url)
    put, seen = feed.links.put, []

    def slowly(kind: str, change: int, body: bytes) -> None:
        put(kind, change, body)
        time.sleep(0.05)
        seen.append((tmp_path / "links.snapshot").exists())

    monkeypatch.setattr(feed.links, "put", slowly)
    feed.start()
    await soon((tmp_path / "links.snapshot").exists)
    await feed.end()
    assert seen == [False] * 7
    again = Feed(tmp_path, "postgresql://touchline@127.0.0.1:1/nobody")
    again.feed.load_snapshot()
    assert len(again.links) == 6


async def test_pages_follow_each_other_to_the_last_change(
    connection: asyncpg.Connection, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links_feed, "PAGE_ROWS", 3)
    for number in range(8):
        await put_link(connection, f"link-{number}")
    feed = Feed(tmp_path, database_url)
    feed.start()
    await soon(feed.feed.read_once.is_set)
    assert [feed.links.link(f"link-{number}") is not None for number in range(8)] == [True] * 8
    assert feed.links.app("app-1") is not None
    await feed.end()
