"""Erases a device from Postgres, a page a transaction: killed at any point, a second run ends in the same state.

The order matters. Keys are kept first, so that consumers let nothing new in; installs are blanked last, because
they alone tell what else their device is called.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import asyncpg
import msgspec

from console.forgetting import Names, names_of_install, subject_of
from schemas.errors import TouchlineError
from schemas.forgetting import STUB, device_keys, named_ids, pseudonym, touch_key
from schemas.identifiers import probed_digests
from schemas.sql import load

PAGE_ROWS = 500
SCAN_ROWS = 10_000
NAMES_MAX = 10_000
SETTLE_S = 60.0
SETTLE_POLL_S = 0.05
STAGE_S = 24 * 3600.0
"""A look-up by keys is one statement, however many touches there are."""

_KEYS = ("device_sha1_key", "device_md5_key", "click_key", "external_click_key", "print_key")
_FIRST_ID, _LAST_ID = "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"

TABLES = ("touches", "touch_more_keys", "installs", "conversion_keys", "decisions", "events", "rejects", "test_devices")


class Asked(NamedTuple):
    """What is to be forgotten, and how."""

    names: Names
    apps: tuple[str, ...]
    only_apps: bool
    """Whether it was asked for one app: then rejects that tell no app stay."""
    once: bool
    """Nothing is kept to know the device by after now."""
    every_touch: bool
    """Read every touch, also those that limit tracking and stand under no key."""


async def forget(
    connection: asyncpg.Connection, asked: Asked, *, apply: bool, progress: Callable[[str, int], None]
) -> Counter[str]:
    """Rows of each of TABLES that were blanked or deleted. Without `apply` all is rolled back."""
    if apply:
        return await _Erasure(connection, asked, True, progress).run()
    dry_run = connection.transaction()
    await dry_run.start()
    try:
        return await _Erasure(connection, asked, False, progress).run()
    finally:
        await dry_run.rollback()


class _Erasure:
    def __init__(
        self, connection: asyncpg.Connection, asked: Asked, apply: bool, progress: Callable[[str, int], None]
    ) -> None:
        self._connection = connection
        self._asked = asked
        self._names = asked.names
        self._apply = apply
        self._progress = progress
        self._sql = load("forget")
        self._salt = b""
        self._until = datetime.now(UTC) if asked.once else None
        self._counts: Counter[str] = Counter()

    async def run(self) -> Counter[str]:
        self._salt = await self._connection.fetchval(self._sql["state"])
        for statement in ("stage_touches", "stage_installs"):
            await self._connection.execute(self._sql[statement])
        await self._find_installs()
        await self._find_touches()
        await self._blank_found_touches()
        await self._blank_events()
        await self._blank_rejects()
        await self._delete_test_devices()
        await self._blank_found_installs()
        return self._counts

    async def _find_installs(self) -> None:
        """Keep the keys, then read the installs: they may tell further names, whose keys are kept in turn."""
        while True:
            await self._keep(self._names.all_keys(self._asked.apps, self._salt))
            await self._settle()
            known = self._names
            async for after, end in self._pages("installs_end"):
                self._progress("installs read", SCAN_ROWS)
                found = await self._connection.fetch(
                    self._sql["installs_named"],
                    *(after, end, self._asked.apps, *_columns(known)),
                    *(known.forms(), list(known.device_keys(self._asked.apps))),
                )
                for page in _cut([row["id"] for row in found]):
                    await self._learn(page)
            if self._names == known:
                return

    async def _learn(self, ids: Sequence[object]) -> None:
        for row in await self._connection.fetch(self._sql["installs"], ids):
            told = msgspec.json.decode(row["ids"], type=dict[str, str])
            self._names = self._names.with_those(names_of_install(row["app"], row["install_id"], told))
        if self._names.total() > NAMES_MAX:
            raise TouchlineError(f"More than {NAMES_MAX} installs and identifiers belong to it: that is no device.")

    async def _keep(self, keys: set[int]) -> None:
        if self._apply and keys:
            await self._connection.execute(self._sql["keep"], sorted(keys), self._until)

    async def _settle(self) -> None:
        """Until nobody writes any more who may not have seen the keys: what they wrote is found below."""
        if not self._apply:
            return
        number = await self._connection.fetchval(self._sql["open_until"])
        for _ in range(int(SETTLE_S / SETTLE_POLL_S)):
            if await self._connection.fetchval(self._sql["ended"], number):
                return
            await asyncio.sleep(SETTLE_POLL_S)
        raise TouchlineError(
            f"A transaction has been writing for {SETTLE_S:.0f} s: run it again when it has ended; nothing is erased."
        )

    async def _find_touches(self) -> None:
        keys = sorted(self._names.device_keys(self._asked.apps))
        if keys:
            await self._connection.execute(self._sql["touches_by_key"], keys, timeout=STAGE_S)
        if self._asked.every_touch and (forms := self._names.forms()):
            async for after, end in self._pages("touches_end"):
                self._progress("touches read", SCAN_ROWS)
                await self._connection.execute(self._sql["touches_by_text"], after, end, self._asked.apps, forms)

    async def _blank_found_touches(self) -> None:
        after: object = _FIRST_ID
        while rows := await self._connection.fetch(self._sql["found_touches"], after, PAGE_ROWS):
            after = rows[-1]["id"]
            async with self._connection.transaction():
                await self._blank_touches([row for row in rows if self._names.is_touch(row["params"], row["query"])])
            self._progress("touches", len(rows))
        lone = await self._connection.fetch(
            self._sql["delete_lone_keys"], sorted(self._names.device_keys(self._asked.apps))
        )
        self._counts["touch_more_keys"] += len(lone)

    async def _blank_touches(self, rows: Sequence[asyncpg.Record]) -> None:
        """Within a transaction."""
        if not rows:
            return
        more = [(key, row["id"]) for row in rows for key in _device_keys(row)]
        keys = {row[name] for row in rows for name in _KEYS} | {key for key, _ in more}
        ids = [row["id"] for row in rows]
        await self._count("decisions", "blank_touches_in_decisions", [key for key in keys if key is not None], ids)
        if more:
            await self._count("touch_more_keys", "delete_more_keys", *map(list, zip(*more, strict=True)))
        await self._count("touches", "blank_touches", ids)

    async def _blank_events(self) -> None:
        async for after, end in self._pages("events_end"):
            self._progress("events read", SCAN_ROWS)
            named = (after, end, self._asked.apps, *_columns(self._names), self._names.forms())
            rows = await self._connection.fetch(self._sql["events_named"], *named)
            for page in _cut(rows):
                values = [(row["id"], self._hidden(row, "event_id"), self._install_of(row)) for row in page]
                await self._count("events", "blank_events", *map(list, zip(*values, strict=True)))

    def _install_of(self, row: asyncpg.Record) -> str | None:
        """What the event calls its install: money stays with it, also with one that is not the device's."""
        if row["install_id"] is None:
            return None
        others = row["install_stands"] and (row["app"], row["install_id"]) not in self._names.installs
        return str(row["install_id"]) if others else self._hidden(row, "install_id")

    def _hidden(self, row: asyncpg.Record, kind: str) -> str:
        return row[kind] if row[kind].startswith("forgotten-") else pseudonym(self._salt, row["app"], kind, row[kind])

    async def _blank_rejects(self) -> None:
        after: tuple[object, object] = ("", _FIRST_ID)
        needles = self._names.needles()
        while True:
            end = await self._connection.fetchrow(self._sql["rejects_end"], *after, SCAN_ROWS)
            bounds = (*after, *(end or (None, None)))
            rows = await self._connection.fetch(self._sql["rejects_with"], *bounds, needles)
            theirs = await self._theirs([row for row in rows if self._names.is_record(row["record"])])
            for page in _cut(theirs):
                ids = ([row["consumer"] for row in page], [row["id"] for row in page])
                await self._count("rejects", "blank_rejects", *ids, STUB)
            self._progress("rejects read", SCAN_ROWS)
            if end is None:
                return
            after = (end["consumer"], end["id"])

    async def _theirs(self, rows: list[asyncpg.Record]) -> list[asyncpg.Record]:
        """Those of the apps that are asked for."""
        if not self._asked.only_apps or not rows:
            return rows
        told = [subject_of(row["record"]) for row in rows]
        links = sorted(
            {link or row["subject"] for row, (app, link) in zip(rows, told, strict=True) if not app} - {None}
        )
        found = await self._connection.fetch(self._sql["apps_of_links"], links)
        of_links = {row["link"]: row["apps"] for row in found}
        return [
            row
            for row, (app, link) in zip(rows, told, strict=True)
            if not set(self._asked.apps).isdisjoint([app] if app else of_links.get(link or row["subject"], ()))
        ]

    async def _delete_test_devices(self) -> None:
        digests = [(one.kind, digest) for one in self._names.devices for digest in probed_digests(one)[0]]
        if digests:
            columns = map(list, zip(*digests, strict=True))
            await self._count("test_devices", "delete_test_devices", self._asked.apps, *columns)

    async def _blank_found_installs(self) -> None:
        after: object = _FIRST_ID
        while ids := await self._connection.fetch(self._sql["found_installs"], after, PAGE_ROWS):
            after = ids[-1]["id"]
            async with self._connection.transaction():
                await self._blank_installs([row["id"] for row in ids])
            self._progress("installs", len(ids))

    async def _blank_installs(self, ids: Sequence[object]) -> None:
        """Within a transaction. The touch that certainly caused an install is the device's as well."""
        rows = await self._connection.fetch(self._sql["installs"], ids)
        winners = await self._connection.fetch(self._sql["touches_of_ids"], ids)
        await self._keep({touch_key(str(row["id"])) for row in winners})
        await self._blank_touches(winners)
        await self._count("decisions", "blank_decisions", ids)
        await self._count("conversion_keys", "delete_keys", ids)
        await self._connection.execute(self._sql["delete_marks"], ids)
        hidden = [self._hidden(row, "install_id") for row in rows]
        await self._count("installs", "blank_installs", [row["id"] for row in rows], hidden)

    async def _count(self, table: str, statement: str, *values: object) -> None:
        self._counts[table] += len(await self._connection.fetch(self._sql[statement], *values))

    async def _pages(self, statement: str) -> AsyncIterator[tuple[object, object]]:
        """(after, up to) of every page of a table."""
        after: object = _FIRST_ID
        while True:
            end = await self._connection.fetchval(self._sql[statement], after, SCAN_ROWS)
            yield after, end or _LAST_ID
            if end is None:
                return
            after = end


def _device_keys(row: asyncpg.Record) -> set[int]:
    ids = named_ids(msgspec.json.decode(row["params"], type=dict[str, str]))
    return device_keys(row["app"], row["kind"], ids)


def _columns(names: Names) -> tuple[list[str], list[str], list[str]]:
    """User ids, and (app, install id) as two columns."""
    installs = sorted(names.installs)
    return sorted(names.user_ids), [app for app, _ in installs], [install_id for _, install_id in installs]


def _cut(rows: Sequence[asyncpg.Record]) -> list[Sequence[asyncpg.Record]]:
    return [rows[at : at + PAGE_ROWS] for at in range(0, len(rows), PAGE_ROWS)]
