"""The consumers' loop on a real journal and a real Postgres: bad data, replays, limits."""

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import asyncpg
import msgspec
import pytest

from consumers.accounts import Rejected, allot
from consumers.runner import TURN_RECORDS, Runner
from consumers.sources import Partition, Record
from consumers.touches.country import open_countries
from consumers.touches.handler import TouchesHandler
from consumers.touches.partitions import ensure_partitions, today_utc
from process.metrics import Meters
from schemas.errors import TooManyRejects
from schemas.events import Hit, Tally
from schemas.forgetting import STUB
from schemas.identifiers import sha1
from schemas.ids import hour_of, new_id
from schemas.keys import device_key
from schemas.partitions import DAY_US, partition_of
from schemas.sql import load
from tests.support.logs import LINK, JournalLog, hits, pool_of, positions_of


@dataclasses.dataclass
class Touches:
    """A touches consumer on a journal."""

    log: JournalLog
    pool: asyncpg.Pool
    handler: TouchesHandler

    async def consume(self) -> None:
        """Read everything there is."""
        positions = positions_of(self.pool)
        source = self.log.source(positions)
        runner = Runner("touches", source, self.handler, self.pool, positions, Meters())
        stop = asyncio.Event()
        running = asyncio.create_task(runner.run(stop))
        async with asyncio.timeout(30):
            while not running.done() and not await self._is_read():  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        stop.set()
        await running

    async def _is_read(self) -> bool:
        end = self.log.end
        return bool(await self.pool.fetchval("SELECT count(*) = 1 FROM log_positions WHERE next_offset = $1", end))

    async def clicks(self) -> list[str]:
        rows = await self.pool.fetch("SELECT click_id FROM touches ORDER BY id")
        return [row["click_id"] for row in rows]

    async def books(self) -> tuple[int, int, int]:
        """Received, stored, rejected with link and hour."""
        row = await self.pool.fetchrow(
            "SELECT (SELECT sum(records) FROM received)::int, (SELECT count(*) FROM touches)::int,"
            " (SELECT count(*) FROM rejects WHERE subject = $1 AND hour IS NOT NULL)::int",
            LINK,
        )
        return row[0], row[1], row[2]


@pytest.fixture
async def touches(tmp_path: Path, database_url: str) -> AsyncIterator[Touches]:
    log = JournalLog(tmp_path)
    pool = await pool_of(database_url)
    yield Touches(log, pool, TouchesHandler(open_countries()))
    pool.terminate()
    await log.close()


@pytest.mark.parametrize("touched_us", [2**64 - 1, -(2**62)])  # refused by the client, by the server
async def test_a_row_that_postgres_refuses_is_kept_as_a_reject_and_the_rest_is_stored(
    touches: Touches, touched_us: int
) -> None:
    good = hits(9)
    bad = msgspec.structs.replace(hits(1, "bad")[0], touched_us=touched_us)
    await touches.log.append([[*good[:4], bad, *good[4:]]])
    await touches.consume()
    assert await touches.clicks() == [f"hit-{n}" for n in range(9)]
    row = await touches.pool.fetchrow("SELECT * FROM rejects")
    assert (row["reason"], row["subject"], str(row["id"])) == ("database_refused", LINK, bad.id)
    assert b"bad-0" in row["record"]
    assert row["detail"]
    assert await touches.books() == (10, 9, 1)


async def test_an_unreadable_record_is_kept_under_the_link_its_tally_says(touches: Touches) -> None:
    await touches.log.append_lines([b"{not json", b'{"v":1,"id":"x"}', *map(msgspec.json.encode, hits(2))])
    await touches.consume()
    assert len(await touches.clicks()) == 2
    reasons = await touches.pool.fetch("SELECT reason FROM rejects")
    assert [row["reason"] for row in reasons] == ["undecodable", "undecodable"]
    assert await touches.books() == (4, 2, 2)


async def test_a_batch_that_comes_twice_counts_once(touches: Touches) -> None:
    one = hits(5)
    await touches.log.append([one, one])
    await touches.consume()
    assert len(await touches.clicks()) == 5
    await touches.pool.execute("UPDATE log_positions SET next_offset = $1", 1 << 32)
    await touches.consume()
    assert len(await touches.clicks()) == 5
    assert await touches.pool.fetchval("SELECT count(*) FROM batches") == 2


async def test_a_log_full_of_unreadable_records_stops_the_consumer(touches: Touches) -> None:
    await touches.log.append_lines([b"garbage"] * 600)
    with pytest.raises(TooManyRejects, match="600 of the last 600 records"):
        await touches.consume()
    assert await touches.pool.fetchval("SELECT count(*) FROM rejects") == 0
    assert await touches.pool.fetchval("SELECT next_offset FROM log_positions") == 1 << 32


async def test_a_hit_older_than_the_oldest_partition_is_too_old(touches: Touches) -> None:
    async with touches.pool.acquire() as connection:
        touches.handler.oldest_us = await ensure_partitions(connection, today_utc())
    old = hit_received(touches.handler.oldest_us - 1_000_000)
    await touches.log.append([[old, *hits(1)]])
    await touches.consume()
    assert await touches.clicks() == ["hit-0"]
    row = await touches.pool.fetchrow("SELECT reason, subject, hour FROM rejects")
    assert tuple(row) == ("too_old", LINK, hour_of(touches.handler.oldest_us - 1_000_000))


async def test_of_a_forgotten_device_no_reject_is_kept_whole(touches: Touches) -> None:
    async with touches.pool.acquire() as connection:
        touches.handler.oldest_us = await ensure_partitions(connection, today_utc())
        await connection.execute(
            load("forget")["keep"], [device_key("app-1", "click", "google_aid", sha1("a-b"))], None
        )
    old = hit_received(touches.handler.oldest_us - 1_000_000)
    theirs = msgspec.structs.replace(old, query="google_aid=A-B")
    other = msgspec.structs.replace(hit_received(touches.handler.oldest_us - 1_000_000), query="google_aid=c-d")
    await touches.log.append([[theirs, other]])
    await touches.consume()
    rows = await touches.pool.fetch("SELECT id::text, record, reason, subject FROM rejects")
    assert {row["id"]: row["record"] for row in rows} == {theirs.id: STUB, other.id: msgspec.json.encode(other)}
    assert {tuple(row)[2:] for row in rows} == {("too_old", LINK)}


async def test_rows_that_fell_into_the_default_partition_move_to_their_week(touches: Touches) -> None:
    far = today_utc() + timedelta(days=20)
    await touches.log.append([[hit_received(time.time_ns() // 1000 + 20 * DAY_US)]])
    await touches.consume()
    assert await touches.pool.fetchval("SELECT count(*) FROM touches_default") == 1
    async with touches.pool.acquire() as connection:
        await ensure_partitions(connection, far)
    assert await touches.pool.fetchval("SELECT count(*) FROM touches_default") == 0
    assert await touches.pool.fetchval(f"SELECT count(*) FROM {partition_of(far).name}") == 1  # noqa: S608
    assert await touches.clicks() == ["hit-0"]


async def test_folded_batches_still_count_once(touches: Touches) -> None:
    await touches.log.append([hits(1), hits(1)])
    await touches.consume()
    await touches.pool.execute("UPDATE batches SET stored_at = now() - interval '2 hours'")
    await touches.pool.execute(load("log")["fold_batches"])
    assert await touches.pool.fetchval("SELECT count(*) FROM batches") == 0
    await touches.pool.execute("UPDATE log_positions SET next_offset = $1", 1 << 32)
    await touches.consume()
    assert await touches.books() == (2, 2, 0)


def hit_received(at_us: int) -> Hit:
    return msgspec.structs.replace(hits(1)[0], id=new_id(at_us))


def test_unreadable_records_share_what_the_tally_has_left_over() -> None:
    partition = Partition("log", 0)
    known = new_id(5 * 3_600_000_000)
    rejects = [
        Rejected(partition, Record(0, b"?"), "touches", "undecodable"),
        Rejected(partition, Record(0, b"!"), "touches", "too_old", id=known, subject="a"),
        Rejected(partition, Record(0, b"more than the tally"), "touches", "undecodable"),
    ]
    tally = Tally(kind="tally", v=1, topic="hits", journal="", boot=1, number=1, counts=[("a", 5, 2), ("b", 5, 1)])
    allotted = allot(rejects, [tally], [("a", 5)])
    assert [(one.subject, one.hour) for one in allotted] == [("b", 5), ("a", None), (None, None)]


async def test_decoding_lets_other_work_go_on(touches: Touches) -> None:
    # Postgres would wait for the next statement of a commit while a whole chunk is decoded
    await touches.log.append([hits(10 * TURN_RECORDS)])
    positions = positions_of(touches.pool)
    source = touches.log.source(positions)
    runner = Runner("touches", source, touches.handler, touches.pool, positions, Meters())
    chunk = await source.read()
    assert chunk is not None
    decoding = asyncio.create_task(runner._decode(chunk))
    turns = 0
    while not decoding.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns >= 10
    assert len((await decoding).rows) == 10 * TURN_RECORDS
