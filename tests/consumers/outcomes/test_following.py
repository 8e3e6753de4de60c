"""What is decided or stored is followed, once it is committed, and never lost."""

import time
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import asyncpg
import pytest

from consumers.outcomes.following import Following
from consumers.outcomes.queue import CONVERSIONS_MAX, leave
from schemas.ids import new_id
from tests.consumers.attribution.test_decider import put_install, put_touch, settle
from tests.support.logs import pool_of

LEFT = "SELECT count(*) FROM outcomes"


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await pool_of(database_url)
    yield pool
    pool.terminate()


def some_id() -> str:
    return new_id(time.time_ns() // 1000)


class Follower:
    """Remembers what it was told, after it may have failed."""

    def __init__(self) -> None:
        self.told: list[tuple[set[str], bool]] = []
        self.fails = False

    async def follow(self, connection: asyncpg.Connection, conversions: Sequence[UUID], *, silent: bool) -> None:
        await connection.execute("SELECT 1")
        if self.fails:
            raise RuntimeError("the follower fails")
        self.told.append(({str(one) for one in conversions}, silent))


async def test_a_decided_install_is_followed(pool: asyncpg.Pool) -> None:
    await put_touch(pool, seconds_ago=60)
    install = await put_install(pool, "i")
    await settle(pool)
    follower = Follower()
    following = Following(pool, [follower])
    assert await following.step()
    assert follower.told == [({install}, False)]
    assert not await following.step()


async def test_what_a_follower_could_not_do_is_followed_again(pool: asyncpg.Pool) -> None:
    one = some_id()
    async with pool.acquire() as connection:
        await leave(connection, [one])
    follower = Follower()
    follower.fails = True
    following = Following(pool, [follower])
    with pytest.raises(RuntimeError):
        await following.step()
    assert await pool.fetchval(LEFT) == 1
    follower.fails = False
    await following.step()
    assert follower.told == [({one}, False)]


async def test_nothing_is_followed_before_it_is_committed(pool: asyncpg.Pool) -> None:
    follower = Follower()
    async with pool.acquire() as connection, connection.transaction():
        await leave(connection, [some_id()])
        assert not await Following(pool, [follower]).step()


async def test_a_replays_outcomes_are_silent_and_others_are_not(pool: asyncpg.Pool) -> None:
    loud, silent = some_id(), some_id()
    async with pool.acquire() as connection:
        await leave(connection, [loud, loud])
        await leave(connection, [silent], silent=True)
    follower = Follower()
    await Following(pool, [follower]).step()
    assert follower.told == [({loud}, False), ({silent}, True)]


async def test_many_are_left_in_rows_of_bounded_size(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as connection:
        await leave(connection, [some_id() for _ in range(CONVERSIONS_MAX + 1)])
        await leave(connection, [])
    assert await pool.fetchval(LEFT) == 2
