"""Touches may arrive after the install they caused: any order of arrival ends in the same decisions."""

import itertools
import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import msgspec
import pytest

from consumers.attribution.decider import Decider
from consumers.sources import Record
from consumers.touches.country import open_countries
from consumers.touches.handler import TouchesHandler
from process.metrics import Meters
from schemas.codec import encode
from schemas.rules import AGAIN_WITHIN_US
from tests.consumers.attribution.test_decider import GAID, ends_at, put_click, put_install, put_touch, settle
from tests.support.logs import hits, pool_of

HOUR_US = 3_600_000_000

LAST = """
SELECT DISTINCT ON (i.app) i.app, d.number, d.method, d.touch::text, jsonb_array_length(d.candidates) AS candidates
FROM decisions d JOIN installs i ON i.id = d.conversion ORDER BY i.app, d.number DESC
"""


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await pool_of(database_url)
    yield pool
    pool.terminate()


async def last(pool: asyncpg.Pool) -> dict[str, Any]:
    """App → (number, method, touch, candidates) of its only install's latest decision."""
    return {row["app"]: tuple(row)[1:] for row in await pool.fetch(LAST)}


async def test_a_touch_that_arrives_late_changes_the_decision_and_the_history_stays(pool: asyncpg.Pool) -> None:
    await put_install(pool, "i", "a")
    await settle(pool)
    assert await last(pool) == {"a": (1, "organic", None, 0)}
    earlier = await put_click(pool, "a", hours_ago=5)
    await settle(pool)
    assert await last(pool) == {"a": (2, "identifier", earlier, 1)}
    later = await put_click(pool, "a", hours_ago=2)
    await settle(pool)
    assert await last(pool) == {"a": (3, "identifier", later, 2)}
    numbers = await pool.fetch("SELECT number, method FROM decisions ORDER BY number")
    assert [tuple(row) for row in numbers] == [(1, "organic"), (2, "identifier"), (3, "identifier")]
    assert await pool.fetchval("SELECT count(*) FROM marks") == 0


async def test_a_touch_that_changes_nothing_makes_no_decision(pool: asyncpg.Pool) -> None:
    await put_click(pool, "a", hours_ago=2)
    await put_install(pool, "i", "a")
    await settle(pool)
    before = await last(pool)
    await put_click(pool, "b", hours_ago=1)  # of another app
    await put_click(pool, "a", hours_ago=-1)  # after the install
    await settle(pool)
    assert await last(pool) == before
    assert await pool.fetchval("SELECT count(*) FROM decisions") == 1


async def test_every_order_of_arrival_ends_in_the_same_decision(pool: asyncpg.Pool) -> None:
    """The install and three clicks: one is older than the window, of the others the later wins."""
    for number, order in enumerate(itertools.permutations((0, 30, 3, 24 * 8))):
        app, clicks = f"app-{number:02}", {}
        for hours in order:
            if hours == 0:
                await put_install(pool, app, app)
            else:
                clicks[hours] = await put_click(pool, app, hours_ago=hours)
            await settle(pool)
        _, method, touch, candidates = (await last(pool))[app]
        assert (method, touch, candidates) == ("identifier", clicks[3], 2), order


async def test_a_touch_marks_no_install_that_came_before_it(pool: asyncpg.Pool) -> None:
    # behind a carrier's address each of the day's clicks would mark each of the week's installs
    decider = Decider(pool, ends_at({}), Meters())
    await put_install(pool, "i", "a")
    await settle(pool)
    for hours_ago, marked in ((-1, 0), (1, 1)):
        await put_click(pool, "a", hours_ago=hours_ago)
        assert await decider._mark()
        assert await pool.fetchval("SELECT count(*) FROM marks") == marked
    assert not await decider._mark(), "what was looked at is not looked at again"


async def test_a_batch_of_touches_that_is_not_committed_yet_marks_later(pool: asyncpg.Pool) -> None:
    """Its keys are looked for when it is committed, in whichever order that is: nothing else would find its touches."""
    await put_install(pool, "i", "a")
    async with pool.acquire() as slow, slow.transaction():
        hit = msgspec.structs.replace(hits(1)[0], app="a", query=f"google_aid={GAID}")
        hit = msgspec.structs.replace(hit, touched_us=hit.touched_us - 3_600_000_000)
        handler = TouchesHandler(open_countries())
        await handler.store(slow, [handler.decode(Record(0, encode(hit)))])
        await put_click(pool, "b", hours_ago=1)  # a later batch, committed earlier
        await settle(pool)
        assert await last(pool) == {"a": (1, "organic", None, 0)}
    await settle(pool)
    assert await last(pool) == {"a": (2, "identifier", hit.id, 1)}


async def test_a_touch_of_the_far_future_is_stored_all_the_same(pool: asyncpg.Pool) -> None:
    await put_click(pool, "a", hours_ago=-24 * 365 * 30_000)
    assert await pool.fetchval("SELECT count(*) FROM touches") == 1


async def test_a_touch_that_comes_too_late_changes_nothing_and_is_on_record(pool: asyncpg.Pool) -> None:
    ago_us = AGAIN_WITHIN_US + HOUR_US
    await put_install(pool, "i", "a", received_us=time.time_ns() // 1000 - ago_us)
    await settle(pool)
    await put_touch(pool, "a", seconds_ago=ago_us / 1_000_000 + 3600)
    await settle(pool)
    assert await last(pool) == {"a": (1, "organic", None, 0)}
    assert await pool.fetchval("SELECT count(*) FROM marks") == 1
    await settle(pool)  # by another process, which tidies first
    assert await pool.fetchval("SELECT too_late FROM installs")
    assert await pool.fetchval("SELECT count(*) FROM marks") == 0
    assert await last(pool) == {"a": (1, "organic", None, 0)}


async def test_a_touch_within_a_week_of_the_install_is_not_too_late(pool: asyncpg.Pool) -> None:
    ago_us = AGAIN_WITHIN_US - HOUR_US
    await put_install(pool, "i", "a", received_us=time.time_ns() // 1000 - ago_us)
    await settle(pool)
    click = await put_touch(pool, "a", seconds_ago=ago_us / 1_000_000 + 3600)
    await settle(pool)
    assert await last(pool) == {"a": (2, "identifier", click, 1)}
    assert not await pool.fetchval("SELECT too_late FROM installs")


async def test_an_install_does_not_mark_itself(pool: asyncpg.Pool) -> None:
    await put_install(pool, "i", "a")
    await settle(pool)
    assert await pool.fetchval("SELECT count(*) FROM new_keys") == 0
    assert not await pool.fetchval("SELECT is_called FROM marks_id_seq"), "each install would be decided twice"
