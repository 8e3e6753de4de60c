"""What is decided or stored is followed, once it is committed, and never lost."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import asyncpg
import pytest

from consumers.outcomes.following import Following
from consumers.outcomes.queue import CONVERSIONS_MAX, leave
from process.metrics import Meters
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

    def __init__(self, *stumbles: str) -> None:
        self.told: list[tuple[set[str], bool]] = []
        self.was_told = asyncio.Event()
        self.fails: Exception | None = None
        self.stumbles = set(stumbles)
        """Ids that it cannot follow."""

    async def follow(self, connection: asyncpg.Connection, conversions: Sequence[UUID], *, silent: bool) -> None:
        await connection.execute("SELECT 1")
        if self.fails:
            raise self.fails
        if self.stumbles & {str(one) for one in conversions}:
            await connection.execute("SELECT 1 / 0")
        self.told.append(({str(one) for one in conversions}, silent))
        self.was_told.set()


async def test_a_decided_install_is_followed(pool: asyncpg.Pool) -> None:
    await put_touch(pool, seconds_ago=60)
    install = await put_install(pool, "i")
    await settle(pool)
    follower = Follower()
    following = Following(pool, [follower], Meters())
    assert await following.step()
    assert follower.told == [({install}, False)]
    assert not await following.step()


async def test_what_a_follower_could_not_do_is_followed_again(pool: asyncpg.Pool) -> None:
    one = some_id()
    async with pool.acquire() as connection:
        await leave(connection, [one])
    follower = Follower()
    follower.fails = ConnectionError("Postgres is away")
    following = Following(pool, [follower], Meters())
    with pytest.raises(ConnectionError):
        await following.step()
    assert await pool.fetchval(LEFT) == 1
    follower.fails = None
    await following.step()
    assert follower.told == [({one}, False)]


async def test_nothing_is_followed_before_it_is_committed(pool: asyncpg.Pool) -> None:
    follower = Follower()
    async with pool.acquire() as connection, connection.transaction():
        await leave(connection, [some_id()])
        assert not await Following(pool, [follower], Meters()).step()


async def test_a_replays_outcomes_are_silent_and_others_are_not(pool: asyncpg.Pool) -> None:
    loud, silent = some_id(), some_id()
    async with pool.acquire() as connection:
        await leave(connection, [loud, loud])
        await leave(connection, [silent], silent=True)
    follower = Follower()
    await Following(pool, [follower], Meters()).step()
    assert follower.told == [({loud}, False), ({silent}, True)]


async def test_many_are_left_in_rows_of_bounded_size(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as connection:
        await leave(connection, [some_id() for _ in range(CONVERSIONS_MAX + 1)])
        await leave(connection, [])
    assert await pool.fetchval(LEFT) == 2


async def test_a_conversion_that_cannot_be_followed_does_not_hold_up_the_others(
    pool: asyncpg.Pool, caplog: pytest.LogCaptureFixture
) -> None:
    bad, *good = (some_id() for _ in range(5))
    async with pool.acquire() as connection:
        await leave(connection, [good[0], bad, good[1]])
        await leave(connection, good[2:], silent=True)
    follower, meters = Follower(bad), Meters()
    following = Following(pool, [follower], meters)
    while await following.step():
        pass
    followed = {one for ids, _ in follower.told for one in ids}
    assert followed == set(good)
    assert await pool.fetchval(LEFT) == 0
    [aside] = await pool.fetch("SELECT conversion::text, silent, why FROM set_aside")
    assert (aside["conversion"], aside["silent"]) == (bad, False)
    assert "division by zero" in aside["why"]
    assert b"touchline_outcomes_set_aside 1.0" in meters.exposition()
    assert following.remark == "ok: 1 conversions could not be followed and wait apart; the log says why"
    assert f"conversion {bad} cannot be followed" in caplog.text


async def test_what_was_set_aside_is_tried_again_at_the_next_start(pool: asyncpg.Pool) -> None:
    one = some_id()
    for silent in (True, False, True):
        async with pool.acquire() as connection:
            await leave(connection, [one], silent=silent)
        while await Following(pool, [Follower(one)], Meters()).step():
            pass
    follower, stop = Follower(), asyncio.Event()
    following = Following(pool, [follower], Meters())
    running = asyncio.create_task(following.run(stop))
    async with asyncio.timeout(20):
        await follower.was_told.wait()
    stop.set()
    await running
    assert follower.told == [({one}, False)]
    assert await pool.fetchval("SELECT count(*) FROM set_aside") == 0
    assert following.remark is None
