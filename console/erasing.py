"""Erases a device from Postgres, a page a transaction: killed at any point, a second run ends in the same state.

The order matters. Keys are kept first, so that consumers let nothing new in; what leads to something else is blanked
after it: visits to the touches they name, touches of the device to visits, and last installs, because they alone tell
what else their device is called.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import asyncpg
import msgspec

from console import erasing_pages
from console.erasing_pages import FIRST_ID, Pages, columns, cut
from console.erasing_postbacks import blank_postbacks, blank_postbacks_of_touches
from console.erasing_rejects import blank_rejects
from console.erasing_visits import blank_visits, known, stage_touches_named, visitors_led_to
from console.forgetting import Names, names_of_install
from schemas.errors import TouchlineError
from schemas.forgetting import VISITOR, device_keys, named_ids
from schemas.identifiers import probed_digests
from schemas.keys import touch_id_key
from schemas.query import parse_query
from schemas.sql import load

NAMES_MAX = 10_000
SETTLE_S = 60.0
SETTLE_POLL_S = 0.05

_OWN_KEYS = ("device_sha1_key", "device_md5_key", "click_key", "external_click_key")

TABLES = (
    *("touches", "touch_more_keys", "installs", "conversion_keys", "decisions", "events", "visits", "rejects"),
    *("postbacks", "postback_attempts", "test_devices"),
)


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
        self._sql = load("forget")
        self._until = datetime.now(UTC) if asked.once else None
        self._pages = Pages(connection, b"", progress)

    async def run(self) -> Counter[str]:
        self._pages.salt = await self._connection.fetchval(self._sql["state"])
        for statement in ("stage_touches", "stage_installs", "stage_visits"):
            await self._pages.stage(self._sql[statement])
        await self._find_installs()
        await self._find_touches()
        await self._find_visitors()
        await self._blank_events()
        await blank_rejects(self._pages, self._names, self._asked.apps if self._asked.only_apps else None)
        await self._blank_found_touches(leads=False)
        await blank_visits(self._pages, self._names.visitors)
        await self._blank_found_touches(leads=True)
        await self._delete_lone_keys()
        await self._delete_test_devices()
        await self._blank_found_installs()
        return self._pages.counts

    async def _find_installs(self) -> None:
        """Keep the keys, then read the installs: they may tell further names, whose keys are kept in turn."""
        while True:
            await self._keep(self._names.all_keys(self._asked.apps, self._pages.salt))
            await self._settle()
            before = self._names
            async for after, end in self._pages.of(self._sql["installs_end"]):
                self._pages.progress("installs read", erasing_pages.SCAN_ROWS)
                found = await self._pages.fetch(
                    self._sql["installs_named"],
                    *(after, end, self._asked.apps, sorted(before.user_ids), *columns(before.installs)),
                    *(before.forms(), list(before.device_keys(self._asked.apps))),
                )
                for page in cut([row["id"] for row in found]):
                    await self._learn(page)
            if self._names == before:
                return

    async def _learn(self, ids: Sequence[object]) -> None:
        for row in await self._pages.fetch(self._sql["installs"], ids):
            told = msgspec.json.decode(row["ids"], type=dict[str, str])
            self._learned(names_of_install(row["app"], row["install_id"], told))

    def _learned(self, names: Names) -> None:
        self._names = self._names.with_those(names)
        if self._names.total() > NAMES_MAX:
            raise TouchlineError(
                f"More than {NAMES_MAX} installs, visitors and identifiers belong to it: that is no device."
            )

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
            await self._pages.stage(self._sql["touches_by_key"], keys)
        if self._asked.every_touch and (forms := self._names.forms()):
            async for after, end in self._pages.of(self._sql["touches_end"]):
                self._pages.progress("touches read", erasing_pages.SCAN_ROWS)
                await self._pages.stage(self._sql["touches_by_text"], after, end, self._asked.apps, forms)
        async for ids in self._staged_touches(leads=True):
            rows = await self._pages.fetch(self._sql["touches"], ids)
            others = [row["id"] for row in rows if not self._names.is_touch(row["query"])]
            await self._pages.stage(self._sql["drop_touches"], others)

    async def _find_visitors(self) -> None:
        """Visitors whom the device leads to, and the touches of all: those that are not stored yet by their keys."""
        visitors = await visitors_led_to(self._pages, self._names, self._asked.apps)
        self._learned(Names(visitors=known(visitors)))
        await self._keep(self._names.all_keys(self._asked.apps, self._pages.salt))
        await self._settle()
        await stage_touches_named(self._pages, visitors | self._names.visitors)
        async for ids in self._staged_touches(leads=False):
            await self._keep({touch_id_key(str(one)) for one in ids})
        await self._settle()

    async def _staged_touches(self, *, leads: bool) -> AsyncIterator[list[object]]:
        after: object = FIRST_ID
        while rows := await self._pages.fetch(self._sql["found_touches"], after, leads, erasing_pages.PAGE_ROWS):
            after = rows[-1]["id"]
            yield [row["id"] for row in rows]

    async def _blank_found_touches(self, *, leads: bool) -> None:
        async for ids in self._staged_touches(leads=leads):
            async with self._connection.transaction():
                await self._blank_touches(await self._pages.fetch(self._sql["touches"], ids))
            self._pages.progress("touches", len(ids))

    async def _delete_lone_keys(self) -> None:
        """Those of touches that retention dropped, and of installs that nobody has looked for yet."""
        keys = sorted(self._names.device_keys(self._asked.apps))
        await self._pages.count("touch_more_keys", self._sql["delete_lone_keys"], keys)
        await self._pages.stage(self._sql["delete_new_keys"], keys)

    async def _blank_touches(self, rows: Sequence[asyncpg.Record]) -> None:
        """Within a transaction."""
        if not rows:
            return
        more = [(key, row["id"]) for row in rows for key in _device_keys(row)]
        own = {row[name] for row in rows for name in _OWN_KEYS} | {key for key, _ in more}
        keys = own | {row["print_key"] for row in rows}
        ids = [row["id"] for row in rows]
        await self._pages.count("decisions", self._sql["blank_touches_in_decisions"], sorted(keys - {None}), ids)
        await blank_postbacks_of_touches(self._pages, sorted(keys - {None}), ids)
        if more:
            await self._pages.count(
                "touch_more_keys", self._sql["delete_more_keys"], *map(list, zip(*more, strict=True))
            )
        await self._pages.stage(self._sql["delete_new_keys"], sorted(own - {None}))
        await self._pages.count("touches", self._sql["blank_touches"], ids)

    async def _blank_events(self) -> None:
        async for after, end in self._pages.of(self._sql["events_end"]):
            self._pages.progress("events read", erasing_pages.SCAN_ROWS)
            names = self._names
            rows = await self._pages.fetch(
                self._sql["events_named"],
                *(after, end, self._asked.apps, sorted(names.user_ids), *columns(names.installs)),
                *(*columns(names.visitors), names.forms()),
            )
            for page in cut(rows):
                async with self._connection.transaction():
                    await self._blank_event_page(page)

    async def _blank_event_page(self, page: Sequence[asyncpg.Record]) -> None:
        """Within a transaction. Rows first: a decision that is being made about one of them ends before."""
        values = [self._blanked_event(row) for row in page]
        await self._pages.count("events", self._sql["blank_events"], *map(list, zip(*values, strict=True)))
        ids = [row["id"] for row in page]
        await self._pages.stage(self._sql["wait_no_longer"], ids)
        await self._blank_decided(ids, [row["id"] for row in page if not self._of_others_install(row)])

    def _blanked_event(self, row: asyncpg.Record) -> tuple[object, ...]:
        """Money stays with the install, or visitor, also with one that is not the device's."""
        visitor_is_others = row["visitor_stands"] and (row["app"], row[VISITOR]) not in self._names.visitors
        return (
            row["id"],
            self._pages.hidden(row, "event_id"),
            row["install_id"] if self._of_others_install(row) else self._pages.hidden(row, "install_id"),
            row[VISITOR] if visitor_is_others else self._pages.hidden(row, VISITOR),
        )

    def _of_others_install(self, row: asyncpg.Record) -> bool:
        return bool(row["install_stands"] and (row["app"], row["install_id"]) not in self._names.installs)

    async def _delete_test_devices(self) -> None:
        digests = [(one.kind, digest) for one in self._names.devices for digest in probed_digests(one)[0]]
        if digests:
            await self._pages.count(
                "test_devices", self._sql["delete_test_devices"], self._asked.apps, *columns(digests)
            )

    async def _blank_found_installs(self) -> None:
        after: object = FIRST_ID
        while ids := await self._pages.fetch(self._sql["found_installs"], after, erasing_pages.PAGE_ROWS):
            after = ids[-1]["id"]
            async with self._connection.transaction():
                await self._blank_installs([row["id"] for row in ids])
            self._pages.progress("installs", len(ids))

    async def _blank_decided(self, ids: Sequence[object], of_device: Sequence[object]) -> None:
        """Within a transaction: decisions about these conversions. The touches that certainly caused those of the
        device are the device's as well."""
        winners = await self._pages.fetch(self._sql["touches_of_ids"], of_device)
        await self._keep({touch_id_key(str(row["id"])) for row in winners})
        await self._blank_touches(winners)
        await self._pages.count("decisions", self._sql["blank_decisions"], ids)
        await blank_postbacks(self._pages, ids)
        await self._pages.count("conversion_keys", self._sql["delete_keys"], ids)
        await self._connection.execute(self._sql["delete_marks"], ids)

    async def _blank_installs(self, ids: Sequence[object]) -> None:
        """Within a transaction."""
        rows = await self._pages.fetch(self._sql["installs"], ids)
        await self._blank_decided(ids, ids)
        hidden = [self._pages.hidden(row, "install_id") for row in rows]
        named = ([row["id"] for row in rows], hidden)
        await self._pages.stage(self._sql["make_way"], *named)
        await self._pages.count("installs", self._sql["blank_installs"], *named)


def _device_keys(row: asyncpg.Record) -> set[int]:
    ids = named_ids(parse_query(row["query"]))
    return device_keys(row["app"], row["kind"], ids)
