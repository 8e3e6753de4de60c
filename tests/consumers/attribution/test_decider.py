"""Barriers against a real Postgres: an install waits for the touches before it, whatever the log is."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping

import asyncpg
import pytest

from consumers.attribution.decider import Decider
from consumers.attribution.handler import ConversionsHandler
from consumers.runner import Row
from consumers.sources import Chunk, Partition, Record
from consumers.touches.country import open_countries
from process.metrics import Meters
from schemas.events import Device, Install
from schemas.ids import new_id
from tests.support.logs import pool_of

OLD, NEW = Partition("journal:old", 0), Partition("journal:new", 0)


class Ends:
    """A hits' log of which only the ends are asked."""

    def __init__(self, ends: Mapping[Partition, int]) -> None:
        self._ends = ends

    async def ends(self) -> Mapping[Partition, int]:
        return self._ends

    async def read(self) -> Chunk | None:
        raise AssertionError

    async def seek(self, partition: Partition) -> None:
        raise AssertionError

    async def stored(self, partition: Partition, position: int) -> None:
        raise AssertionError

    async def close(self) -> None:
        """Nothing."""


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await pool_of(database_url)
    yield pool
    pool.terminate()


async def put_install(pool: asyncpg.Pool, install_id: str) -> None:
    now_us = time.time_ns() // 1000
    install = Install(
        v=1,
        id=new_id(now_us),
        app="app-1",
        install_id=install_id,
        installed_us=now_us,
        ids={"google_aid": "38400000-8cf0-11bd-b23e-10b96e40000d"},
        device=Device(os="Android"),
    )
    async with pool.acquire() as connection, connection.transaction():
        row = Row(Record(0, b""), install.id, install.app, install)
        await ConversionsHandler(open_countries()).store(connection, [row])


async def touches_are_at(pool: asyncpg.Pool, partition: Partition, position: int) -> None:
    await pool.execute(
        "INSERT INTO log_positions (consumer, log, partition, next_offset) VALUES ('touches', $1, $2, $3)"
        " ON CONFLICT (consumer, log, partition) DO UPDATE SET next_offset = $3",
        *partition,
        position,
    )


async def decided(pool: asyncpg.Pool) -> list[str]:
    rows = await pool.fetch("SELECT install_id FROM installs WHERE decided ORDER BY install_id")
    return [row["install_id"] for row in rows]


async def run(pool: asyncpg.Pool, ends: Mapping[Partition, int], seconds: float) -> None:
    stop = asyncio.Event()
    task = asyncio.create_task(Decider(pool, Ends(ends), Meters()).run(stop))
    await asyncio.sleep(seconds)
    stop.set()
    await task


async def test_it_waits_for_every_partition_to_pass_the_barrier(pool: asyncpg.Pool) -> None:
    await put_install(pool, "i-1")
    await touches_are_at(pool, OLD, 10)
    await run(pool, {OLD: 10, NEW: 5}, 0.6)
    assert await decided(pool) == []
    await touches_are_at(pool, NEW, 5)
    await run(pool, {OLD: 10, NEW: 5}, 0.6)
    assert await decided(pool) == ["i-1"]


async def test_a_barrier_of_a_log_that_is_not_read_any_more_is_renewed(pool: asyncpg.Pool) -> None:
    await put_install(pool, "i-1")
    await run(pool, {OLD: 10}, 0.5)
    assert await decided(pool) == []
    await touches_are_at(pool, NEW, 3)
    await run(pool, {NEW: 3}, 0.6)
    assert await decided(pool) == ["i-1"]


async def test_several_deciders_decide_once(pool: asyncpg.Pool) -> None:
    for number in range(40):
        await put_install(pool, f"i-{number:02}")
    await asyncio.gather(*(run(pool, {}, 1.5) for _ in range(3)))
    assert len(await decided(pool)) == 40
    assert await pool.fetchval("SELECT count(*) FROM decisions") == 40
    assert await pool.fetchval("SELECT count(*) FROM decisions WHERE method = 'organic'") == 40
