"""Keeps the links fresh: the disk's snapshot at start, then Postgres by change number.

A notice wakes the reader at once; because notices are lost while the connection is, everything
after the last change number is also read after each reconnect and every 30 s.
"""

import asyncio
import logging
import time
import zlib

import asyncpg
import msgspec

from ingest import links_snapshot
from ingest.links import Links
from process.life import sleep_unless
from process.postgres import AWAY, connect
from schemas.settings import Settings
from schemas.sql import load

log = logging.getLogger(__name__)

REREAD_S = 30.0
PAGE_ROWS = 2_000
SAVE_EVERY_S = 5.0
PAUSES_A_SAVE = 20.0
"""So many times as long as a save took nothing is saved: the disk is the journals'."""


class LinksFeed:
    """Fills `links` until `stop`; with `keeps_snapshot` also writes the disk's snapshot."""

    def __init__(self, settings: Settings, links: Links, *, keeps_snapshot: bool) -> None:
        self._settings = settings
        self._links = links
        self._path = settings.data / "links.snapshot"
        self._keeps_snapshot = keeps_snapshot
        self._saved_change = 0
        self.read_once = asyncio.Event()
        """Set as soon as the links are known, from the disk or from Postgres."""

    def load_snapshot(self) -> None:
        """Take what the disk holds; a missing or torn snapshot is no error."""
        try:
            links_snapshot.load(self._path, self._links)
        except FileNotFoundError:
            return
        except (OSError, ValueError, zlib.error) as error:
            log.warning("links' snapshot %s is not usable (%s): waiting for Postgres", self._path, error)
            return
        self._saved_change = self._links.change
        self.read_once.set()
        log.info("%d links from the disk's snapshot", len(self._links))

    async def run(self, stop: asyncio.Event) -> None:
        """Follow Postgres until `stop`."""
        saver = asyncio.create_task(self._save_now_and_then(stop))
        try:
            await self._follow_patiently(stop)
        finally:
            await saver

    async def _follow_patiently(self, stop: asyncio.Event) -> None:
        quiet = False
        while not stop.is_set():
            try:
                connection = await connect(self._settings)
                quiet = False
                try:
                    await self._follow(connection, stop)
                finally:
                    await connection.close(timeout=2)
            except AWAY as error:
                if not quiet:
                    log.warning("links: Postgres is away (%s); serving what is known", error or type(error).__name__)
                quiet = True
                await sleep_unless(stop, 1.0)

    async def _follow(self, connection: asyncpg.Connection, stop: asyncio.Event) -> None:
        await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=str, decoder=str, format="text")
        notice = asyncio.Event()
        connection.add_termination_listener(lambda _: notice.set())
        await connection.add_listener("touchline_changes", lambda *_: notice.set())
        stopped = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set() and not connection.is_closed():
                notice.clear()
                await self._read(connection)
                waiting = asyncio.create_task(notice.wait())
                await asyncio.wait({waiting, stopped}, timeout=REREAD_S, return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
        finally:
            stopped.cancel()

    async def _read(self, connection: asyncpg.Connection) -> None:
        """Everything that changed; Postgres makes the next page while one is taken."""
        page: asyncio.Task[list[asyncpg.Record]] | None = _page(connection, self._links.change)
        while page is not None:
            rows = await page
            page = _page(connection, rows[-1]["change"]) if len(rows) == PAGE_ROWS else None
            await asyncio.sleep(0)  # the question leaves before the work begins
            for row in rows:
                try:
                    self._links.put(row["kind"], row["change"], row["body"].encode())
                except msgspec.DecodeError as error:
                    log.error("%s with change %d is not usable: %s", row["kind"], row["change"], error)
                    self._links.change = max(self._links.change, row["change"])
        self.read_once.set()

    async def _save_now_and_then(self, stop: asyncio.Event) -> None:
        pause_s = SAVE_EVERY_S
        while self._keeps_snapshot and not stop.is_set():
            # half-read links would be taken for all links by the next start
            if self.read_once.is_set() and self._links.change > self._saved_change:
                started = time.monotonic()
                try:
                    saved = await asyncio.to_thread(links_snapshot.save, self._path, self._links, given_up=stop.is_set)
                    self._saved_change = saved or self._saved_change
                except OSError as error:
                    log.warning("links' snapshot could not be written: %s", error)
                pause_s = max(SAVE_EVERY_S, PAUSES_A_SAVE * (time.monotonic() - started))
            await sleep_unless(stop, pause_s)


def _page(connection: asyncpg.Connection, after: int) -> asyncio.Task[list[asyncpg.Record]]:
    return asyncio.create_task(connection.fetch(load("links")["changes"], after, PAGE_ROWS))
