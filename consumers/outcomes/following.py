"""Takes what was decided or stored, and has it followed: priced, and told to partners."""

import asyncio
from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

import asyncpg

from process.life import sleep_unless
from process.postgres import patiently
from schemas.sql import load

TAKEN_AT_ONCE = 4
POLL_S = 0.1


class Follower(Protocol):
    """Does what follows from decisions, as a function of what stands: the second time nothing is left to do."""

    async def follow(self, connection: asyncpg.Connection, conversions: Sequence[UUID], *, silent: bool) -> None:
        """In the caller's transaction; ids of installs, returns and events, some of which may be undecided still, or
        gone. `silent`: nobody outside is told."""
        ...


class Following:
    """All followers, one transaction for each few outcomes."""

    def __init__(self, pool: asyncpg.Pool, followers: Sequence[Follower]) -> None:
        self._pool = pool
        self._followers = followers

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`."""
        while not stop.is_set():
            if not await patiently(self.step, stop, what="postbacks"):
                await sleep_unless(stop, POLL_S)

    async def step(self) -> bool:
        """Whether anything was there to follow."""
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(load("outcomes")["take"], TAKEN_AT_ONCE)
            for silent in (False, True):
                found = dict.fromkeys(one for row in rows if row["silent"] == silent for one in row["conversions"])
                for follower in self._followers if found else ():
                    await follower.follow(connection, list(found), silent=silent)
        return bool(rows)
