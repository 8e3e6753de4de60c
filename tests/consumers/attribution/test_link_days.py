"""What links did on closed days, out of Postgres: published once, and judged by."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from schemas.ids import floor_id
from tests.consumers.attribution.test_decider import GAID, put_install, put_touch, settle
from tests.consumers.attribution.test_verdicts_stored import HOUR_S, judged, reasons
from tests.support.logs import pool_of


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await pool_of(database_url)
    yield pool
    pool.terminate()


FILL = """
INSERT INTO touches (id, kind, mode, link, app, touched_at, ua, os, os_version, brand, model, browser, language,
                     query, headers, flags)
SELECT (left($1::text, 15) || '000-0000-' || lpad(to_hex(n + $4::int), 12, '0'))::uuid, 'click', 's2s', $2, 'app-1',
       now(), '', '', '', '', '', '', '', '', '{}', '{}'
FROM generate_series(1, $3::int) AS n
"""


async def yesterday_with_a_link_that_floods(pool: asyncpg.Pool) -> None:
    """Beside a link of 100 clicks that converts stands one of 3 000 clicks that brings nothing."""
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(1)
    noon_us = int(noon.timestamp() * 1_000_000)
    await pool.execute(FILL, floor_id(noon_us), "flood", 3000, 0)
    await pool.execute(FILL, floor_id(noon_us), "good", 100, 10_000)
    since_s = datetime.now(UTC).timestamp() - noon_us / 1_000_000
    for number in range(5):
        gaid = GAID[:-2] + f"f{number}"
        await put_touch(pool, seconds_ago=since_s + 60, link="good", query=f"google_aid={gaid}")
        await put_install(pool, f"y-{number}", ids={"google_aid": gaid}, received_us=noon_us)
    await settle(pool)


async def test_an_install_is_not_given_to_a_link_that_floods(pool: asyncpg.Pool) -> None:
    await yesterday_with_a_link_that_floods(pool)
    person = await put_touch(pool, seconds_ago=HOUR_S, link="good")
    flooder = await put_touch(pool, seconds_ago=60, link="flood")
    await put_install(pool, "i")
    await settle(pool)
    assert await reasons(pool) == {person: "latest_of_method", flooder: "flooding"}
    assert (await judged(pool))[flooder]["figures"]["flooding"] == {"clicks": 3000, "installs": 0}
    yesterday = datetime.now(UTC).date() - timedelta(1)
    rows = await pool.fetch(
        "SELECT link, version, app, clicks, installs, first_hour, flooding, delays FROM link_days WHERE day = $1"
        " ORDER BY link",
        yesterday,
    )
    assert [tuple(row) for row in rows] == [
        ("flood", 1, "app-1", 3000, 0, 0, True, False),
        ("good", 1, "app-1", 105, 5, 5, False, False),
    ]


async def test_a_day_is_published_once_and_later_touches_never_change_it(pool: asyncpg.Pool) -> None:
    await yesterday_with_a_link_that_floods(pool)
    await put_install(pool, "i")
    await settle(pool)
    days = "SELECT * FROM link_days ORDER BY link, day, version"
    published = await pool.fetch(days)
    assert published
    noon = datetime.now(UTC).replace(hour=13, minute=0, second=0, microsecond=0) - timedelta(1)
    await pool.execute(FILL, floor_id(int(noon.timestamp() * 1_000_000)), "good", 500, 0)
    await put_touch(pool, seconds_ago=HOUR_S, link="good")
    await put_install(pool, "j")
    await settle(pool)
    assert await pool.fetch(days) == published
    assert await pool.fetchval("SELECT count(*) FROM published_days WHERE day = current_date - 1") == 1


async def test_on_a_day_without_touches_nothing_is_said_and_it_counts_as_published(pool: asyncpg.Pool) -> None:
    await put_install(pool, "i")
    await settle(pool)
    assert await pool.fetchval("SELECT count(*) FROM published_days") == 1
    assert await pool.fetchval("SELECT count(*) FROM link_days") == 0
