"""A campaign's past by today's tariffs: shown first, kept on request, touches without duplicates."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from consumers.costs.reprice import reprice
from consumers.sources import Record
from consumers.touches.country import open_countries
from consumers.touches.handler import TouchesHandler
from schemas.codec import encode
from schemas.errors import TouchlineError
from schemas.events import Hit
from tests.consumers.attribution.test_returning import NOW_US, click, event, install
from tests.consumers.costs.bill import SHOP, add_tariff, bill, rows_of, settle, somebody_waits
from tests.support.devices import OTHER
from tests.support.logs import pool_of
from tests.support.product import TOUCHLINE

NOW = datetime.fromtimestamp(NOW_US // 10**6, UTC)


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await pool_of(database_url)
    await pool.execute(SHOP)
    yield pool
    pool.terminate()


Differences = dict[int, tuple[int, int, int]]
"""Tariff → more touches, conversions that differ, micro-units; of all days."""


async def again(pool: asyncpg.Pool, days_ago: float = 60, *, apply: bool = False) -> Differences:
    async with pool.acquire() as connection:
        since = (NOW - timedelta(days=days_ago)).date()
        found = await reprice(connection, "spring", since, apply=apply, progress=lambda _: None)
        await connection.execute("DISCARD TEMP")
    sums: Differences = {}
    for where, nanos in found.nanos.items():
        touches, conversions, micros = sums.get(where[0], (0, 0, 0))
        more = found.touches[where], found.conversions[where], int(nanos / 1000)
        sums[where[0]] = touches + more[0], conversions + more[1], micros + more[2]
    return {tariff: sum_ for tariff, sum_ in sums.items() if any(sum_)}


def named(click_id: str, days_ago: float, **changes: Any) -> Hit:
    return msgspec.structs.replace(click(days_ago, OTHER, **changes), query=f"click_id={click_id}")


async def counted(pool: asyncpg.Pool) -> dict[int, int]:
    rows = await pool.fetch("SELECT tariff, sum(count)::int AS count FROM touch_costs GROUP BY 1 HAVING sum(count) > 0")
    return {row["tariff"]: row["count"] for row in rows}


async def test_a_new_tariff_prices_the_past_only_on_request(pool: asyncpg.Pool) -> None:
    await settle(pool, click(21), install("i", 20), event("e", 10), install("again", 5), event("f", 4, "again"))
    installs = await add_tariff(pool, "cpi", 1_500_000)
    payments = await add_tariff(pool, "cpa", 10, event="payment")
    expected = {installs: (0, 1, 1_500_000), payments: (0, 2, 20)}
    assert await again(pool) == expected
    assert await bill(pool) == {}, "it was only shown"
    assert await again(pool, apply=True) == expected
    assert await bill(pool) == {
        ("i", "cpi", "1"): "1.5 EUR",
        ("e", "cpa", "1"): "0.00001 EUR",
        ("f", "cpa", "1"): "0.00001 EUR",
    }
    assert await again(pool, apply=True) == {}


async def test_what_happened_before_the_day_stays(pool: asyncpg.Pool) -> None:
    await settle(pool, click(21), install("i", 20), event("e", 10), event("f", 4))
    payments = await add_tariff(pool, "cpa", 10, event="payment")
    await add_tariff(pool, "cpi", 10)
    assert await again(pool, 6, apply=True) == {payments: (0, 1, 10)}
    assert await bill(pool) == {("f", "cpa", "1"): "0.00001 EUR"}


async def test_a_deleted_tariff_is_taken_back(pool: asyncpg.Pool) -> None:
    clicks, installs = await add_tariff(pool, "cpc", 100), await add_tariff(pool, "cpi", 1_000_000)
    await settle(pool, click(2), click(1.5), install("i", 1))
    await pool.execute("UPDATE tariffs SET deleted_at = now()")
    assert await again(pool, apply=True) == {clicks: (-2, 0, -200), installs: (0, 1, -1_000_000)}
    assert (await bill(pool), await counted(pool)) == ({}, {})
    assert [number for number, _ in await rows_of(pool)] == [1, 2]


async def test_other_campaigns_are_left_alone(pool: asyncpg.Pool) -> None:
    await settle(pool, click(3), install("i", 2))
    await settle(pool, click(2.5, link="2"))
    await add_tariff(pool, "cpi", 1, campaign="fall")
    await add_tariff(pool, "cpc", 1, campaign="fall")
    assert await again(pool, apply=True) == {}
    assert await bill(pool) == {}


async def test_touches_are_counted_without_duplicates(pool: asyncpg.Pool) -> None:
    await settle(
        pool,
        *(named("a", days_ago) for days_ago in (20, 14, 8, 0.9)),  # six days, six days, seven and a bit
        *(named("a", 19, **other) for other in ({"link": "1b"}, {"app": "game"}, {"kind": "impression"})),
        *(named("{click_id}", 5) for _ in range(3)),
        *(named("", 5) for _ in range(3)),
        named("a", 20, link="2"),
    )
    clicks, views = await add_tariff(pool, "cpc", 100), await add_tariff(pool, "cpm", 7)
    shop = await add_tariff(pool, "cpc", 1, app="game")
    expected = {clicks: (10, 0, 1000), views: (1, 0, 0), shop: (1, 0, 1)}
    assert await again(pool) == expected
    assert await counted(pool) == {}
    assert await again(pool, apply=True) == expected
    assert await counted(pool) == {clicks: 10, views: 1, shop: 1}
    assert await again(pool, apply=True) == {}


async def test_what_was_counted_as_it_came_loses_its_duplicates(pool: asyncpg.Pool) -> None:
    clicks = await add_tariff(pool, "cpc", 100)
    await settle(pool, named("a", 9), named("a", 8), named("b", 3))
    assert await counted(pool) == {clicks: 3}
    assert await again(pool, 8.5, apply=True) == {clicks: (-1, 0, -100)}, "the first one came before that day"
    assert await counted(pool) == {clicks: 2}


async def test_touches_that_come_meanwhile_are_counted(pool: asyncpg.Pool) -> None:
    await settle(pool, *(click(1, OTHER) for _ in range(5)))
    clicks = await add_tariff(pool, "cpc", 100)
    handler = TouchesHandler(open_countries())
    async with pool.acquire() as connection, connection.transaction():
        await handler.store(connection, [handler.decode(Record(0, encode(click(1, OTHER))))])
        other = asyncio.create_task(again(pool, apply=True))
        await somebody_waits(pool)
    assert await other == {clicks: (5, 0, 500)}
    assert await counted(pool) == {clicks: 6}


async def test_what_is_not_stored_any_more_is_not_counted_as_nothing(pool: asyncpg.Pool) -> None:
    await add_tariff(pool, "cpc", 100)
    await pool.execute("INSERT INTO received (topic, subject, hour, records) VALUES ('hits', '1', 1, 1)")
    with pytest.raises(TouchlineError, match="not all stored"):
        await again(pool, 300)


def test_from_the_shell(database_url: str) -> None:
    async def prepare() -> None:
        pool = await pool_of(database_url)
        await pool.execute(SHOP)
        await settle(pool, click(2), install("i", 1))
        await add_tariff(pool, "cpi", 1_500_000)
        pool.terminate()

    asyncio.run(prepare())
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TOUCHLINE_")}
    command = [sys.executable, TOUCHLINE, "reprice", "spring", "--since", str((NOW - timedelta(9)).date())]

    def run(*arguments: str) -> str:
        return subprocess.run(
            [*command, *arguments], env=environment | {"TOUCHLINE_DATABASE_URL": database_url},
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip

    found = json.loads(run("--json"))
    assert [(one["amount"], one["currency"], one["conversions"]) for one in found["differences"]] == [
        ("1.50", "EUR", 1)
    ]
    assert not found["applied"]
    assert "1.50" in run("--apply")
    assert json.loads(run("--json"))["empty"]
