"""A sender on a database of the test's own, a clock to be moved, and a partner on 127.0.0.1."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from consumers.postbacks.asking import LookUp
from consumers.postbacks.guard import Guard
from consumers.postbacks.sender import Sender
from process.metrics import Meters
from schemas.settings import Settings
from tests.support.logs import pool_of
from tests.support.partners import Clock, Partner, partner

PATIENCE_S = 30.0
ANSWER_S = 0.4


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await pool_of(database_url)
    yield pool
    pool.terminate()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def one() -> AsyncIterator[Partner]:
    async with partner() as made:
        yield made


async def true(value: object) -> bool:
    """For conditions that need not wait."""
    return bool(value)


class Sending:
    """Senders of one test."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock) -> None:
        self.pool, self.clock = pool, clock
        self.meters = Meters()

    def make(
        self, allowed: str = "127.0.0.0/8", look_up: LookUp = socket.getaddrinfo, answer_s: float = ANSWER_S
    ) -> Sender:
        guard = Guard(Settings.read({"TOUCHLINE_POSTBACK_TARGETS": allowed}).postback_targets)
        return Sender(self.pool, self.meters, guard, now=self.clock, look_up=look_up, answer_s=answer_s)

    @asynccontextmanager
    async def running(
        self, allowed: str = "127.0.0.0/8", look_up: LookUp = socket.getaddrinfo, answer_s: float = ANSWER_S
    ) -> AsyncIterator[Sender]:
        """A sender, while the block runs; it ends in order."""
        sender = self.make(allowed, look_up, answer_s)
        stop = asyncio.Event()
        task = asyncio.ensure_future(sender.run(stop))
        try:
            yield sender
        finally:
            stop.set()
            await task

    async def until(self, condition: Callable[[], Awaitable[Any]]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not await condition():
            assert time.monotonic() < deadline, await self.states()
            await asyncio.sleep(0.02)

    async def until_attempts(self, count: int) -> None:
        """So many attempts are on record."""
        await self.until(lambda: self.pool.fetchval("SELECT count(*) >= $1 FROM postback_attempts", count))

    async def until_state(self, state: str, count: int = 1) -> None:
        await self.until(
            lambda: self.pool.fetchval("SELECT count(*) = $2 FROM postbacks WHERE state = $1", state, count)
        )

    async def states(self) -> list[tuple[Any, ...]]:
        rows = await self.pool.fetch("SELECT key, state, attempts FROM postbacks ORDER BY id")
        return [tuple(row) for row in rows]

    async def attempts(self) -> list[asyncpg.Record]:
        found: list[asyncpg.Record] = await self.pool.fetch(
            "SELECT * FROM postback_attempts ORDER BY at, postback, number"
        )
        return found


@pytest.fixture
def sending(pool: asyncpg.Pool, clock: Clock) -> Sending:
    return Sending(pool, clock)
