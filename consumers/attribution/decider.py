"""Decides conversions once the touches before them are stored, without comparing clocks.

1. an install and its keys are committed with its position (the handler);
2. then the ends of the hits' log are read: its barrier;
3. it is decided once `touches` has passed the barrier. Lag is waited for, never timed out;
4. the keys of every stored batch of touches are looked for among the decided installs, once the batch is committed:
   those that it concerns, or with a touch whose verdict it changes, are marked;
5. marked installs are decided again; what changed is a decision with a higher number.

Events that bring a user back (`returning`) and those of websites (`visited`) go the same way.

Deciding and marking exclude each other (an advisory lock). Else a batch could be committed after a decision has read
its candidates, and be looked at before that decision's keys are there: nobody would notice the touch.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar, cast

import asyncpg
import msgspec
from aiokafka.errors import KafkaError

from consumers.attribution import deciding_events
from consumers.attribution.days import publish_before
from consumers.attribution.deciding import decided, keep
from consumers.attribution.returning import look
from consumers.sources import Partition
from process.life import sleep_unless
from process.metrics import Meters
from process.postgres import patiently
from schemas import metrics
from schemas.ids import floor_id, received_us
from schemas.partitions import DAY_US
from schemas.rules import AGAIN_WITHIN_US
from schemas.sql import load

log = logging.getLogger(__name__)
A = TypeVar("A")

POLL_S = 0.05
TIDY_EVERY_S = 600.0
BARRIER_INSTALLS_MAX = 5000
DECIDED_AT_ONCE = 500
PAGES_AT_ONCE = 4
PAGES_IN_TURN = 4
BATCHES_AT_ONCE = 20


Ends = Callable[[], Awaitable[Mapping[Partition, int]]]
"""One past the last durable hit of every partition, now."""


class Decider:
    """Runs beside the attribution consumer; several may run."""

    def __init__(self, pool: asyncpg.Pool, ends: Ends, meters: Meters) -> None:
        self._pool = pool
        self._ends = ends
        self._decisions = meters.counter(metrics.DECISIONS)
        self._waiting = meters.gauge(metrics.WAITING)
        self._tidied_at = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`."""
        await patiently(self._renew_barriers, stop, what="decisions")
        while not stop.is_set():
            try:
                worked = await patiently(self.step, stop, what="decisions")
            except (KafkaError, TimeoutError) as error:
                log.warning("decisions wait: the hits' log is away: %s", error or type(error).__name__)
                await sleep_unless(stop, 1.0)
                continue
            if not worked:
                await sleep_unless(stop, POLL_S)

    async def step(self) -> bool:
        """One round of everything; whether anything was done. Until it says no, something can be decided."""
        await self._tidy_now_and_then()
        raised = await self.raise_barrier()
        passed = await self.pass_barriers()
        first, looked = await _together(self.decide_ready(), self._in_transaction(look))
        events = await self._in_transaction(deciding_events.decide_ready)
        for method, count in events.items():
            self._decisions.labels(method).inc(count)
        marked = await self._mark()
        again = await self._decide_again()
        events_again = await self._in_transaction(deciding_events.decide_again)
        return any((raised, passed, first, looked, events, marked, again, events_again))

    async def _renew_barriers(self) -> bool:
        """Barriers left by an earlier process may speak of a log that nobody reads any more."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(load("conversions")["drop_open_barriers"])
        return True

    async def raise_barrier(self) -> bool:
        """A barrier for the installs that are committed by now: their hits are below the ends read after."""
        rows = await self._pool.fetch(load("conversions")["without_barrier"], BARRIER_INSTALLS_MAX)
        if not rows:
            return False
        ends = await self._ends()
        await self._pool.execute(
            load("conversions")["new_barrier"], _encode_ends(ends), [row["conversion"] for row in rows]
        )
        return True

    async def pass_barriers(self) -> bool:
        """Those that the touches consumer has come to; whether there were any."""
        barriers = await self._pool.fetch(load("conversions")["open_barriers"])
        if not barriers:
            return False
        rows = await self._pool.fetch(load("conversions")["touches_positions"])
        positions = {Partition(row["log"], row["partition"]): row["next_offset"] for row in rows}
        passed = False
        for barrier in barriers:
            if all(positions.get(partition, 0) >= end for partition, end in _decode_ends(barrier["ends"])):
                await self._pool.execute(load("conversions")["pass_barrier"], barrier["id"])
                passed = True
        return passed

    async def decide_ready(self) -> int:
        """Installs decided for the first time: pages side by side, so that some are computed while Postgres reads for
        others."""
        return sum(await _together(*(self._decide_pages() for _ in range(PAGES_AT_ONCE))))

    async def _decide_pages(self) -> int:
        """A few, one after the other."""
        count = 0
        for _ in range(PAGES_IN_TURN):
            found = await self._decide_page()
            count += found
            if not found:
                break
        return count

    async def _decide_page(self) -> int:
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(load("conversions")["turn"])
            rows = _of_one_day(await connection.fetch(load("conversions")["take_ready"], DECIDED_AT_ONCE))
            if not rows:
                return 0
            if not await publish_before(connection, [str(row["id"]) for row in rows]):
                return 0  # the day before is being decided still
            found = await decided(connection, rows)
            await keep(connection, found)
            await connection.execute(load("conversions")["wait_no_longer"], [row["id"] for row in rows])
        for one in found:
            self._decisions.labels(one.decision.method).inc()
        return len(rows)

    async def _mark(self) -> bool:
        """Installs that touches stored since concern; whether there was anything to look at."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(load("conversions")["alone"])
            row = await connection.fetchrow(load("conversions")["mark"], BATCHES_AT_ONCE)
        return bool(row["taken"])

    async def _decide_again(self) -> int:
        """Those that are marked: a touch may arrive after the install it caused."""
        since = floor_id(time.time_ns() // 1000 - AGAIN_WITHIN_US)
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(load("conversions")["turn"])
            rows = await connection.fetch(load("conversions")["take_marked"], DECIDED_AT_ONCE, since)
            if rows:
                await connection.execute(load("conversions")["unmark"], [row["id"] for row in rows])
                await keep(connection, await decided(connection, rows))
        return len(rows)

    async def _in_transaction(self, work: Callable[[asyncpg.Connection], Awaitable[A]]) -> A:
        async with self._pool.acquire() as connection, connection.transaction():
            return await work(connection)

    async def _tidy_now_and_then(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._tidied_at > TIDY_EVERY_S:
            await self._pool.execute(load("conversions")["forget_barriers"])
            too_old = floor_id(time.time_ns() // 1000 - AGAIN_WITHIN_US)
            await self._pool.execute(load("conversions")["too_late"], too_old)
            self._tidied_at = now
            self._waiting.set(await self._pool.fetchval(load("conversions")["waiting"]))


async def _together(*works: Awaitable[A]) -> list[A]:
    """All of them, to their end also when one fails."""
    found = await asyncio.gather(*works, return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException):
            raise one
    return cast(list[A], found)


def _of_one_day(rows: Sequence[asyncpg.Record]) -> list[asyncpg.Record]:
    """Those of the first one's day: the figures of a day are published once its installs that wait are decided."""
    days = [received_us(str(row["id"])) // DAY_US for row in rows]
    return [row for row, day in zip(rows, days, strict=True) if day == days[0]]


def _encode_ends(ends: Mapping[Partition, int]) -> str:
    return msgspec.json.encode([[*partition, end] for partition, end in sorted(ends.items())]).decode()


def _decode_ends(text: str) -> list[tuple[Partition, int]]:
    found = msgspec.json.decode(text, type=list[tuple[str, int, int]])
    return [(Partition(log_name, number), end) for log_name, number, end in found]
