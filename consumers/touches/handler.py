"""The touches consumer: hits → rows of `touches`."""

import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from uuid import UUID

import asyncpg
import msgspec

from consumers.costs.stated import Stated
from consumers.costs.touches import Counted, TouchTariff, count_costs, read_tariffs
from consumers.forgotten import Forgotten
from consumers.runner import Row, Stored
from consumers.sources import Record
from consumers.touches import copying
from consumers.touches.blank import blank_touch
from consumers.touches.country import Countries
from consumers.touches.data_centres import DataCentres, open_data_centres
from consumers.touches.row import touch_row
from schemas.codec import decode_hit
from schemas.errors import DeadLetter
from schemas.events import TouchKind
from schemas.ids import floor_id, received_us
from schemas.keys import touch_id_key
from schemas.rules import CLOCK_SKEW_US
from schemas.sql import load

DAY_S = 24 * 3600
TOO_LATE_S = 30 * DAY_S
"""An install that came so long before a touch is stored does not even hear that it was too late."""


class Touch(msgspec.Struct, frozen=True, gc=False):
    """A row as COPY takes it, its owners left out, and the keys of further identifiers."""

    copied: bytes
    keys: tuple[int | None, ...]
    more_keys: list[int]
    touched_us: int
    app: str
    kind: TouchKind
    stated: Stated | None


class TouchesHandler:
    """Parses hits and stores them; hits older than the oldest partition are rejected `too_old`."""

    def __init__(self, countries: Countries, data_centres: DataCentres | None = None) -> None:
        self._countries = countries
        self._data_centres = data_centres or open_data_centres()
        self.forgotten = Forgotten()
        self.oldest_us = 0
        """First moment of receipt that a partition holds; whoever makes partitions sets it."""

    def decode(self, record: Record) -> Row:
        """A hit with everything that can be known about it. Raises DeadLetter."""
        hit = decode_hit(record.value)
        try:
            at_us = received_us(hit.id)
        except ValueError as error:
            raise DeadLetter("undecodable", str(error), subject=hit.link) from None
        if at_us < self.oldest_us:
            raise DeadLetter("too_old", "received before the oldest partition", record_id=hit.id, subject=hit.link)
        touch = touch_row(hit, self._countries, self._data_centres)
        try:
            copied = copying.row(touch.values)
        except ValueError as error:
            raise DeadLetter("database_refused", str(error), record_id=hit.id, subject=hit.link) from None
        # the store's address that a redirect leads to carries the hit's id: an install may name it
        named = touch_id_key(hit.id) if hit.mode == "redirect" else None
        keys = (*touch.values[-5:], named)
        return Row(
            record,
            hit.id,
            hit.link,
            Touch(copied, keys, touch.more_keys, touch.touched_us, hit.app, hit.kind, touch.stated),
        )

    async def store(self, connection: asyncpg.Connection, rows: Sequence[Row]) -> Stored:
        """COPY into the table; when a hit stands there already, all by way of the stage, which skips it."""
        if await self.forgotten.read(connection):
            rows = [self._blanked(row) if self._is_forgotten(row) else row for row in rows]
        owners, tariffs = await _owners(connection, {row.subject for row in rows})
        copied = [(row.value.copied, owners[row.subject]) for row in rows]
        new: Iterable[Row] = rows
        stored = len(rows)
        try:
            async with connection.transaction():
                await _copy(connection, "touches", copied)
        except asyncpg.UniqueViolationError:
            await connection.execute(load("touches")["stage"])
            await _copy(connection, "stage_touches", copied)
            ids = {str(row["id"]) for row in await connection.fetch(load("touches")["insert"])}
            new = {row.id: row for row in rows if row.id in ids}.values()
            stored = len(ids)
        more = [(key, row.value.touched_us, row.id) for row in new for key in row.value.more_keys]
        if more:
            await connection.execute(load("touches")["more_keys"], *zip(*more, strict=True))
        if tariffs or any(row.value.stated is not None for row in new):
            await count_costs(connection, map(_counted, new), tariffs)
        await _keep_keys(connection, rows)
        return Stored(stored, [])

    def _is_forgotten(self, row: Row) -> bool:
        keys = (*row.value.keys[:2], *row.value.more_keys)
        return self.forgotten.has_touch(row.id, keys, row.record.value)

    def _blanked(self, row: Row) -> Row:
        values = blank_touch(touch_row(decode_hit(row.record.value), self._countries, self._data_centres).values)
        blank = msgspec.structs.replace(row.value, copied=copying.row(values), keys=values[-5:], more_keys=[])
        return Row(row.record, row.id, row.subject, blank)


def _counted(row: Row) -> Counted:
    touch: Touch = row.value
    return Counted(row.subject, touch.app, touch.kind, touch.touched_us, touch.stated)


async def _keep_keys(connection: asyncpg.Connection, rows: Sequence[Row]) -> None:
    """For whoever decides: which installs these touches may concern.

    Looked for when this transaction is over: before, an install could be decided without these touches and not be
    found by them either.
    """
    now = time.time_ns() // 1_000_000_000
    groups: defaultdict[int, set[int]] = defaultdict(set)
    for row in rows:
        second = min(max(row.value.touched_us // 1_000_000, now - TOO_LATE_S), now + DAY_S)
        grain = 60 if now - second < 3600 else 3600
        keys = (*row.value.keys, *row.value.more_keys)
        groups[second // grain * grain].update(key for key in keys if key is not None)
    since = [(UUID(floor_id(second * 1_000_000 - CLOCK_SKEW_US)), sorted(keys)) for second, keys in groups.items()]
    await connection.executemany(load("conversions")["new_keys"], [one for one in since if one[1]])


async def _owners(
    connection: asyncpg.Connection, links: set[str]
) -> tuple[dict[str, bytes], dict[str, tuple[TouchTariff, ...]]]:
    """Partner and campaign of every link, those of now, none for a link that is not known; and the tariffs of the links
    whose campaigns pay for clicks or impressions."""
    found = await connection.fetch(load("touches")["owners"], sorted(links))
    ends = {row["link"]: copying.owners(row["partner"], row["campaign"]) for row in found}
    tariffs = {row["link"]: read_tariffs(row["tariffs"]) for row in found if row["tariffs"] is not None}
    return {link: ends.get(link) or copying.owners(None, None) for link in links}, tariffs


async def _copy(connection: asyncpg.Connection, table: str, rows: Sequence[tuple[bytes, bytes]]) -> None:
    async def source() -> AsyncIterator[bytes]:
        for piece in copying.pieces(rows):
            yield piece

    await connection.copy_to_table(table, source=source(), columns=copying.COLUMNS, format="binary")
