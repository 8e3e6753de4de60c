"""Takes what was decided or stored, and has it followed: priced, and told to partners."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

import asyncpg

from process.life import sleep_unless
from process.metrics import Meters
from process.postgres import AWAY, LOST_RACE, patiently
from schemas import metrics
from schemas.sql import load

log = logging.getLogger(__name__)

TAKEN_AT_ONCE = 4
POLL_S = 0.1
WHY_CHARS_MAX = 1000


class Follower(Protocol):
    """Does what follows from decisions, as a function of what stands: the second time nothing is left to do."""

    async def follow(self, connection: asyncpg.Connection, conversions: Sequence[UUID], *, silent: bool) -> None:
        """In the caller's transaction; ids of installs, returns and events, some of which may be undecided still, or
        gone. `silent`: nobody outside is told."""
        ...


class Following:
    """All followers, one transaction for each few outcomes."""

    def __init__(self, pool: asyncpg.Pool, followers: Sequence[Follower], meters: Meters) -> None:
        self._pool = pool
        self._followers = followers
        self._aside = meters.gauge(metrics.OUTCOMES_SET_ASIDE)
        self.remark: str | None = None
        """What `/readyz` adds: some could not be followed."""

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; first, what was set aside before: this may be the version that can follow it."""
        await patiently(self._try_again, stop, what="postbacks")
        while not stop.is_set():
            if not await patiently(self.step, stop, what="postbacks"):
                await sleep_unless(stop, POLL_S)

    async def step(self) -> bool:
        """Whether anything was there to follow."""
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                rows = await connection.fetch(load("outcomes")["take"], TAKEN_AT_ONCE)
                for silent in (False, True):
                    found = dict.fromkeys(one for row in rows if row["silent"] == silent for one in row["conversions"])
                    await self._follow(connection, list(found), silent=silent)
            return bool(rows)
        except (*AWAY, *LOST_RACE):
            raise
        except Exception:
            log.exception("outcomes cannot be followed together: each is tried alone")
            await self._one_by_one()
            return True

    async def _follow(self, connection: asyncpg.Connection, conversions: Sequence[UUID], *, silent: bool) -> None:
        for follower in self._followers if conversions else ():
            await follower.follow(connection, conversions, silent=silent)

    async def _one_by_one(self) -> None:
        """The next row's conversions; those that cannot be followed are set aside, the others go on."""
        async with self._pool.acquire() as connection, connection.transaction():
            for row in await connection.fetch(load("outcomes")["take"], 1):
                for one in row["conversions"]:
                    try:
                        async with connection.transaction():
                            await self._follow(connection, [one], silent=row["silent"])
                    except (*AWAY, *LOST_RACE):
                        raise
                    except Exception as error:
                        log.exception("conversion %s cannot be followed: it is set aside", one)
                        why = f"{type(error).__name__}: {error}".replace("\0", "")[:WHY_CHARS_MAX]
                        await connection.execute(load("outcomes")["set_aside"], one, row["silent"], why)
        await self._count()

    async def _try_again(self) -> bool:
        await self._pool.execute(load("outcomes")["try_again"])
        await self._count()
        return True

    async def _count(self) -> None:
        count = await self._pool.fetchval(load("outcomes")["count_set_aside"])
        self._aside.set(count)
        said = f"ok: {count} conversions could not be followed and wait apart; the log says why"
        self.remark = said if count else None
