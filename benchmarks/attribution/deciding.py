"""The product's decider over installs that wait; as a program, in a process of its own whose time is taken.

`python -m benchmarks.attribution.deciding` decides what waits, untimed, prints READY, and waits for a line; then it
decides again, and prints one line of JSON: {"installs", "seconds", "cpu_s", "batches_us"}.
"""

import asyncio
import os
import sys
import time
from collections.abc import Mapping

import asyncpg
import msgspec
import uvloop

from consumers.app import CONNECTIONS_MAX, collect_seldom
from consumers.attribution.days import publish
from consumers.attribution.decider import Decider
from consumers.sources import Partition
from process.metrics import Meters
from process.postgres import open_pool
from schemas.settings import Settings

READY = "ready\n"


class Timing(msgspec.Struct, frozen=True):
    """What deciding took: by the wall, and of the process's own CPU."""

    installs: int
    seconds: float
    cpu_s: float
    batches_us: list[float]
    """Of an install, in each batch that was decided at once: their median forgives a busy machine its bursts."""


async def nothing_to_read() -> Mapping[Partition, int]:
    """The ends of a hits' log without a record: all touches are stored, so every barrier is passed at once."""
    return {}


def decider(pool: asyncpg.Pool) -> Decider:
    """The product's, over a log that holds nothing."""
    return Decider(pool, nothing_to_read, Meters())


PUBLISHED = """
INSERT INTO published_days (day, version)
SELECT DISTINCT to_timestamp(('x' || substr(replace(id::text, '-', ''), 1, 12))::bit(48)::bigint / 1000.0)::date - 1, 1
FROM (SELECT conversion AS id FROM waiting) w ON CONFLICT DO NOTHING
"""


async def skip_days(pool: asyncpg.Pool) -> None:
    """The days before those of the installs that wait count as published, and say nothing of any link.

    The first decision of a day publishes the day before, once; here fourteen days begin at once, and no install of
    them is decided yet, which would make every link look like a flood.
    """
    await pool.execute(PUBLISHED)


LAST = """
SELECT to_timestamp(('x' || substr(replace(id::text, '-', ''), 1, 12))::bit(48)::bigint / 1000.0)::date
FROM touches ORDER BY id DESC LIMIT 1
"""


async def close_last_day(pool: asyncpg.Pool) -> None:
    """The day of the last touch is published, as the first install of the next day would have it."""
    async with pool.acquire() as connection, connection.transaction():
        if (day := await connection.fetchval(LAST)) is not None:
            await publish(connection, day)


async def pass_barriers(pool: asyncpg.Pool) -> None:
    """Every install that waits gets a barrier, and passes it."""
    one = decider(pool)
    while await one.raise_barrier() or await one.pass_barriers():
        pass


async def decide_ready(pool: asyncpg.Pool) -> Timing:
    """All installs whose barriers are passed."""
    one, decided = decider(pool), 0
    batches_us: list[float] = []
    began, cpu = time.perf_counter(), time.process_time()
    last = began
    while found := await one.decide_ready():
        now = time.perf_counter()
        batches_us.append((now - last) / found * 1e6)
        decided, last = decided + found, now
    return Timing(decided, last - began, time.process_time() - cpu, batches_us)


async def _main() -> Timing:
    """A decider lives for weeks: its connections are open, its statements planned, its memory is warm."""
    pool = await open_pool(Settings.read(os.environ), size=CONNECTIONS_MAX)
    collect_seldom()
    try:
        await decide_ready(pool)
        sys.stdout.write(READY)
        sys.stdout.flush()
        sys.stdin.readline()
        return await decide_ready(pool)
    finally:
        pool.terminate()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.stdout.write(msgspec.json.encode(runner.run(_main())).decode() + "\n")
