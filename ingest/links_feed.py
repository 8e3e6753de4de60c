"""Keeps the links fresh: the disk's snapshot at start, then Postgres by change number.

A notice wakes the reader at once; because notices are lost while the connection is, everything
after the last change number is also read after each reconnect and every 30 s.
"""

import asyncio
import logging
import os
from pathlib import Path

import asyncpg
import msgspec

from ingest.links import Links
from process.life import sleep_unless
from process.postgres import AWAY, connect
from schemas.settings import Settings
from schemas.sql import load

log = logging.getLogger(__name__)

REREAD_S = 30.0
PAGE_ROWS = 20_000
SAVE_EVERY_S = 5.0


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
            lines = self._path.read_bytes().splitlines()
            change = int(lines[0])
            for line in lines[1:]:
                kind, _, body = line.partition(b"\t")
                self._links.put(kind.decode(), 0, body)
        except FileNotFoundError:
            return
        except (OSError, ValueError, IndexError, msgspec.DecodeError) as error:
            log.warning("links' snapshot %s is not usable (%s): waiting for Postgres", self._path, error)
            return
        self._links.change = self._saved_change = change
        self.read_once.set()
        log.info("%d links from the disk's snapshot", len(self._links))

    async def run(self, stop: asyncio.Event) -> None:
        """Follow Postgres until `stop`."""
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
        saver = asyncio.create_task(self._save_now_and_then(stop))
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
            saver.cancel()

    async def _read(self, connection: asyncpg.Connection) -> None:
        while True:
            rows = await connection.fetch(load("links")["changes"], self._links.change, PAGE_ROWS)
            for row in rows:
                try:
                    self._links.put(row["kind"], row["change"], row["body"].encode())
                except msgspec.DecodeError as error:
                    log.error("%s with change %d is not usable: %s", row["kind"], row["change"], error)
                    self._links.change = max(self._links.change, row["change"])
            if len(rows) < PAGE_ROWS:
                break
        self.read_once.set()

    async def _save_now_and_then(self, stop: asyncio.Event) -> None:
        while self._keeps_snapshot:
            if self._links.change > self._saved_change:
                change = self._links.change
                rows = list(self._links.rows())
                try:
                    await asyncio.to_thread(_save, self._path, change, rows)
                    self._saved_change = change
                except OSError as error:
                    log.warning("links' snapshot could not be written: %s", error)
            await sleep_unless(stop, SAVE_EVERY_S)
            if stop.is_set():
                return


def _save(path: Path, change: int, rows: list[tuple[str, bytes]]) -> None:
    scratch = path.with_suffix(".new")
    with scratch.open("wb") as file:
        file.write(b"%d\n" % change)
        file.writelines(kind.encode() + b"\t" + body + b"\n" for kind, body in rows)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
