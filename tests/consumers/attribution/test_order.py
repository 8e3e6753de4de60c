"""Touches may arrive after the install they caused: any order of arrival ends in the same decisions."""

import itertools
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from schemas.ids import floor_id
from schemas.rules import AGAIN_WITHIN_US
from tests.consumers.attribution.test_decider import put_click, put_install, run
from tests.support.logs import pool_of

LAST = """
SELECT DISTINCT ON (i.app) i.app, d.number, d.method, d.touch::text, jsonb_array_length(d.candidates) AS candidates
FROM decisions d JOIN installs i ON i.id = d.install ORDER BY i.app, d.number DESC
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
    await run(pool, {}, 0.5)
    assert await last(pool) == {"a": (1, "organic", None, 0)}
    earlier = await put_click(pool, "a", hours_ago=5)
    await run(pool, {}, 0.5)
    assert await last(pool) == {"a": (2, "identifier", earlier, 1)}
    later = await put_click(pool, "a", hours_ago=2)
    await run(pool, {}, 0.5)
    assert await last(pool) == {"a": (3, "identifier", later, 2)}
    numbers = await pool.fetch("SELECT number, method FROM decisions ORDER BY number")
    assert [tuple(row) for row in numbers] == [(1, "organic"), (2, "identifier"), (3, "identifier")]
    assert await pool.fetchval("SELECT count(*) FROM marks") == 0


async def test_a_touch_that_changes_nothing_makes_no_decision(pool: asyncpg.Pool) -> None:
    await put_click(pool, "a", hours_ago=2)
    await put_install(pool, "i", "a")
    await run(pool, {}, 0.5)
    before = await last(pool)
    await put_click(pool, "b", hours_ago=1)  # of another app
    await put_click(pool, "a", hours_ago=-1)  # after the install
    await run(pool, {}, 0.5)
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
            await run(pool, {}, 0.06)
        await run(pool, {}, 0.2)
        _, method, touch, candidates = (await last(pool))[app]
        assert (method, touch, candidates) == ("identifier", clicks[3], 2), order


async def test_a_touch_marks_no_install_that_came_before_it(pool: asyncpg.Pool) -> None:
    # behind a carrier's address each of the day's clicks would mark each of the week's installs
    await put_install(pool, "i", "a")
    await put_click(pool, "a", hours_ago=-1)
    assert await pool.fetchval("SELECT count(*) FROM marks") == 0
    await put_click(pool, "a", hours_ago=1)
    assert await pool.fetchval("SELECT count(*) FROM marks") == 1


async def test_a_touch_of_the_far_future_is_stored_all_the_same(pool: asyncpg.Pool) -> None:
    await put_click(pool, "a", hours_ago=-24 * 365 * 30_000)
    assert await pool.fetchval("SELECT count(*) FROM touches") == 1


async def test_an_install_of_long_ago_is_left_as_it_is(pool: asyncpg.Pool) -> None:
    await put_install(pool, "i", "a")
    await run(pool, {}, 0.5)
    install = await pool.fetchval("SELECT id FROM installs")
    long_ago = floor_id(int(install.hex[:12], 16) * 1000 - AGAIN_WITHIN_US - 3_600_000_000)
    await pool.execute("UPDATE conversion_keys SET install = $1", long_ago)
    await put_click(pool, "a", hours_ago=1)
    assert await pool.fetchval("SELECT count(*) FROM marks") == 0
