"""Every consumer's loop: read → decode → one transaction with rows, tallies, rejects and position.

The next chunk is read and decoded while Postgres commits the one before.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import asyncpg
import msgspec
from aiokafka.errors import KafkaError

from consumers.accounts import Rejected, allot, count_tallies, keep_rejects
from consumers.forgotten import Forgotten
from consumers.positions import PostgresPositions
from consumers.sources import Chunk, Record, Source
from process.life import sleep_unless
from process.metrics import Meters
from process.postgres import AWAY, patiently
from schemas import metrics
from schemas.codec import decode_tally, is_tally
from schemas.errors import DeadLetter, TooManyRejects
from schemas.events import Tally
from schemas.ids import hour_of, received_us
from schemas.topics import Consumer

log = logging.getLogger(__name__)

BAD_DATA = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, ValueError, OverflowError)
"""Errors that the same rows will always cause: bisect, and keep the guilty one as a reject."""

TURN_RECORDS = 32
WINDOW_RECORDS = 1000
REJECTED_SHARE_MAX = 0.5
AWAY_PAUSE_S = 1.0
RIVAL_PAUSE_S = 0.3


class Row(msgspec.Struct, frozen=True, gc=False):
    """A decoded record: what the handler made of it, and what it came from."""

    record: Record
    id: str
    subject: str
    """Link; app for conversions."""
    value: Any


class Stored(NamedTuple):
    """What a handler did with its rows."""

    rows: int
    rejected: list[tuple[Row, str, str]]
    """(row, reason, detail)"""


class Handler(Protocol):
    """What a consumer does with the records of its topic."""

    forgotten: Forgotten
    """Whose records are not kept as they came."""

    def decode(self, record: Record) -> Row:
        """Pure. Raises DeadLetter for a record that can never be stored."""

    async def store(self, connection: asyncpg.Connection, rows: Sequence[Row]) -> Stored:
        """Within a transaction; rows that stand there already change nothing. Raises one of BAD_DATA."""


class Decoded(NamedTuple):
    """A chunk, taken apart."""

    chunk: Chunk
    rows: list[Row]
    tallies: list[Tally]
    rejects: list[Rejected]


class LostRace(Exception):
    """Another member stored this chunk first."""


class Runner:
    """Runs one consumer until `stop`."""

    def __init__(
        self,
        consumer: Consumer,
        source: Source,
        handler: Handler,
        pool: asyncpg.Pool,
        positions: PostgresPositions,
        meters: Meters,
    ) -> None:
        self._consumer = consumer
        self._source = source
        self._handler = handler
        self._pool = pool
        self._positions = positions
        self._rows = meters.counter(metrics.ROWS).labels(consumer)
        self._repeated = meters.counter(metrics.REPEATED).labels(consumer)
        self._rejected = meters.counter(metrics.REJECTED)
        self._races_lost = meters.counter(metrics.RACES_LOST).labels(consumer)
        self._recent: deque[bool] = deque(maxlen=WINDOW_RECORDS)
        self.away: str | None = None
        """Why nothing is read or stored at the moment."""
        self.progress = asyncio.Event()
        """Set after every commit."""

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`. Raises LogReplaced or TooManyRejects: a person must look."""
        reading = asyncio.create_task(self._next(stop))
        try:
            while not stop.is_set():
                decoded = await reading
                reading = asyncio.create_task(self._next(stop))
                if decoded is None:
                    continue
                try:
                    await self._commit_patiently(decoded, stop)
                except LostRace:
                    self._races_lost.inc()
                    await reading  # it was read from a position that does not count any more
                    await sleep_unless(stop, RIVAL_PAUSE_S)
                    await self._seek(decoded, stop)
                    reading = asyncio.create_task(self._next(stop))
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _next(self, stop: asyncio.Event) -> Decoded | None:
        try:
            chunk = await self._source.read()
            self.away = None
        except (*AWAY, KafkaError) as error:
            if self.away is None:
                log.warning("%s: the log or Postgres is away: %s", self._consumer, error or type(error).__name__)
            self.away = f"the log or Postgres is away: {error or type(error).__name__}"
            await sleep_unless(stop, AWAY_PAUSE_S)
            return None
        return await self._decode(chunk) if chunk is not None else None

    async def _decode(self, chunk: Chunk) -> Decoded:
        """Lets the commit before go on in between, so that Postgres never waits for long."""
        rows: list[Row] = []
        tallies: list[Tally] = []
        rejects: list[Rejected] = []
        for at in range(0, len(chunk.records), TURN_RECORDS):
            self._decode_some(chunk, chunk.records[at : at + TURN_RECORDS], rows, tallies, rejects)
            await asyncio.sleep(0)
        if sum(self._recent) > WINDOW_RECORDS * REJECTED_SHARE_MAX:
            raise TooManyRejects(
                f"{self._consumer}: {sum(self._recent)} of the last {len(self._recent)} records are bad;"
                f" stopped before {chunk.partition} offset {chunk.start}. The last: {rejects[-1].detail}"
            )
        if rejects:
            known = ((row.subject, hour_of(received_us(row.id))) for row in rows)
            rejects = allot(rejects, tallies, known)
        return Decoded(chunk, rows, tallies, rejects)

    def _decode_some(
        self, chunk: Chunk, records: Sequence[Record], rows: list[Row], tallies: list[Tally], rejects: list[Rejected]
    ) -> None:
        for record in records:
            try:
                if is_tally(record.value):
                    tallies.append(decode_tally(record.value))
                    continue
                rows.append(self._handler.decode(record))
                self._recent.append(False)
            except DeadLetter as letter:
                self._recent.append(letter.reason == "undecodable")
                rejects.append(_dead(chunk, record, self._consumer, letter))

    async def _commit_patiently(self, decoded: Decoded, stop: asyncio.Event) -> None:
        if await patiently(lambda: self._commit(decoded), stop, what=self._consumer) is None:
            return
        await self._source.stored(decoded.chunk.partition, decoded.chunk.next)
        self.progress.set()

    async def _commit(self, decoded: Decoded) -> bool:
        chunk = decoded.chunk
        async with self._pool.acquire() as connection, connection.transaction():
            # first, because it locks: a rival waits here instead of doing the work twice
            if not await self._positions.move(connection, chunk.partition, chunk.start, chunk.next):
                raise LostRace
            rejects = list(decoded.rejects)
            stored = await self._store(connection, chunk, decoded.rows, rejects) if decoded.rows else 0
            new = await keep_rejects(connection, await self._handler.forgotten.stubbed(connection, rejects))
            await count_tallies(connection, decoded.tallies)
        self._rows.inc(stored)
        self._repeated.inc(max(len(decoded.rows) + len(decoded.rejects) - stored - len(new), 0))
        for consumer, reason in new:
            self._rejected.labels(consumer, reason).inc()
        return True

    async def _store(
        self, connection: asyncpg.Connection, chunk: Chunk, rows: Sequence[Row], rejects: list[Rejected]
    ) -> int:
        """Rows stored; halves a batch that fails on data until the guilty row stands alone."""
        try:
            async with connection.transaction():
                stored = await self._handler.store(connection, rows)
        except BAD_DATA as error:
            if len(rows) > 1:
                middle = len(rows) // 2
                left = await self._store(connection, chunk, rows[:middle], rejects)
                return left + await self._store(connection, chunk, rows[middle:], rejects)
            rejects.append(self._rejection(chunk, rows[0], "database_refused", str(error)))
            return 0
        rejects += [self._rejection(chunk, row, reason, detail) for row, reason, detail in stored.rejected]
        return stored.rows

    def _rejection(self, chunk: Chunk, row: Row, reason: str, detail: str) -> Rejected:
        return Rejected(chunk.partition, row.record, self._consumer, reason, detail, id=row.id, subject=row.subject)

    async def _seek(self, decoded: Decoded, stop: asyncio.Event) -> None:
        await patiently(lambda: self._seek_once(decoded), stop, what=self._consumer)

    async def _seek_once(self, decoded: Decoded) -> bool:
        await self._source.seek(decoded.chunk.partition)
        return True


def _dead(chunk: Chunk, record: Record, consumer: Consumer, letter: DeadLetter) -> Rejected:
    return Rejected(
        chunk.partition,
        record,
        consumer,
        letter.reason,
        letter.detail,
        id=letter.record_id,
        subject=letter.subject,
    )
