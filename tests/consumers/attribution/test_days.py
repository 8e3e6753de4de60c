"""When the figures of a closed day are published: once the day's installs that wait are decided."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from tests.support.logs import pool_of
from tests.support.shop import HOUR_US, SHOP, Shop


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await pool_of(database_url)
    yield pool
    pool.terminate()


async def test_a_day_is_published_with_all_its_installs_also_when_two_days_wait(
    database_url: str, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    """As after an outage: a link would seem to bring nothing, and be judged for it."""
    await pool.execute(SHOP)
    shop = Shop(database_url, pool, tmp_path)
    noon_us = shop.now_us // (24 * HOUR_US) * 24 * HOUR_US - 12 * HOUR_US
    ago = (shop.now_us - noon_us) / HOUR_US
    names = [f"y{number}" for number in range(5)]
    await shop.store(*(shop.touch(name, "a", ago + 0.5) for name in names))
    await shop.store(*(shop.install(name, ago) for name in names), shop.install("today"))
    await shop.decide()
    days = await pool.fetch("SELECT link, clicks, installs, first_hour FROM link_days WHERE installs > 0 OR clicks > 0")
    assert [tuple(row) for row in days] == [("a", 5, 5, 5)]
