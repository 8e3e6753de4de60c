"""What conversions cost: through the handlers, the decider and the queue of outcomes, on a real Postgres."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest

from consumers.costs import pricer
from consumers.costs.pricer import Pricer
from consumers.outcomes.queue import leave
from schemas.events import Hit, Revenue
from tests.consumers.attribution import test_visited as web
from tests.consumers.attribution.test_returning import click, event, install
from tests.consumers.costs.bill import SHOP, add_tariff, bill, follow, rows_of, settle, somebody_waits
from tests.support.devices import GAID, OTHER
from tests.support.logs import pool_of


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await pool_of(database_url)
    await pool.execute(SHOP)
    yield pool
    pool.terminate()


def euros(micros: int) -> Revenue:
    return Revenue(micros=micros, currency="EUR")


async def test_an_install_costs_what_the_tariffs_of_its_campaign_say(pool: asyncpg.Pool) -> None:
    await add_tariff(pool, "cpi", 1_250_001)
    await add_tariff(pool, "cpa", 500_000, event="install", currency="USD")
    await add_tariff(pool, "cpi", 9, campaign="fall")
    await add_tariff(pool, "cpi", 9, app="game")
    await add_tariff(pool, "cpi", 9, ends_on=date(2002, 1, 1))
    await settle(pool, click(1), install("i", 0.5), install("organic", 0.5, OTHER))
    assert await bill(pool) == {("i", "cpi", "1"): "1.250001 EUR", ("i", "cpa", "1"): "0.5 USD"}


async def test_what_was_priced_is_not_priced_again(pool: asyncpg.Pool) -> None:
    await add_tariff(pool, "cpi", 1_000_000)
    await add_tariff(pool, "share", share_ppm=100_000, currency=None)
    await settle(pool, click(1), install("i", 0.5), event("e", 0.2))
    before = await rows_of(pool)
    assert len(before) == 2
    ids = [row["id"] for row in await pool.fetch("SELECT id FROM installs UNION SELECT id FROM events")]
    async with pool.acquire() as connection:
        await leave(connection, [str(one) for one in ids], silent=True)
        await Pricer().follow(connection, ids, silent=False)
    await follow(pool)
    assert await rows_of(pool) == before


@pytest.mark.parametrize("what", ["SELECT id FROM installs", "SELECT id FROM events"])
async def test_two_processes_at_once_price_once(pool: asyncpg.Pool, what: str) -> None:
    await add_tariff(pool, "cpi", 1_000_000)
    await add_tariff(pool, "cpa", 1_000_000, event="payment")
    await settle(pool, click(1), install("i", 0.5), *(event(f"e{n}", 0.2) for n in range(20)))
    expected = await bill(pool)
    ids = [row["id"] for row in await pool.fetch(what)]
    await pool.execute("DELETE FROM conversion_costs WHERE conversion = ANY($1)", ids)

    async def once() -> None:
        async with pool.acquire() as connection, connection.transaction():
            await Pricer().follow(connection, ids, silent=False)

    async with pool.acquire() as connection, connection.transaction():
        await Pricer().follow(connection, ids, silent=False)
        other = asyncio.create_task(once())
        await somebody_waits(pool)
    await other
    assert await bill(pool) == expected
    assert {number for number, _ in await rows_of(pool)} == {1}


async def test_a_flip_takes_back_and_asks_anew_also_for_the_events(pool: asyncpg.Pool) -> None:
    await add_tariff(pool, "cpi", 1_000_000)
    await add_tariff(pool, "cpi", 3_000_000, campaign="fall")
    await add_tariff(pool, "cpa", 20_000, event="payment", campaign="fall")
    await settle(pool, click(2), install("i", 0.5), event("e", 0.2))
    assert await bill(pool) == {("i", "cpi", "1"): "1 EUR"}
    await settle(pool, click(1, link="2"))  # came late
    assert await bill(pool) == {("i", "cpi", "2"): "3 EUR", ("e", "cpa", "2"): "0.02 EUR"}
    assert sorted(nanos for _, nanos in await rows_of(pool)) == [-(10**9), 2 * 10**7, 10**9, 3 * 10**9]


async def test_another_link_of_the_campaign_takes_the_cost_over(pool: asyncpg.Pool) -> None:
    await add_tariff(pool, "cpi", 1_000_000)
    await settle(pool, click(2), install("i", 0.5))
    await settle(pool, click(1, link="1b"))
    assert await bill(pool) == {("i", "cpi", "1b"): "1 EUR"}
    assert [number for number, _ in await rows_of(pool)] == [1, 2, 3]


async def test_a_share_of_revenue_ends_when_it_says(pool: asyncpg.Pool) -> None:
    await add_tariff(pool, "share", share_ppm=333_333, days=10, currency=None)
    await settle(pool, click(21), install("i", 20))
    await settle(pool, event("early", 15, revenue=Revenue(micros=1_000_001, currency="USD")), event("late", 9))
    await settle(pool, event("free", 15, revenue=None))
    # 1.000001 × 0.333333 has twelve decimals, and none is lost
    assert await bill(pool) == {("early", "share", "1"): "0.333333333333 USD"}


async def test_reinstalls_stand_on_the_first_install(pool: asyncpg.Pool) -> None:
    await add_tariff(pool, "cpi", 1_000_000)
    await add_tariff(pool, "cpa", 100_000, event="re-install")
    await add_tariff(pool, "cpa", 10_000, event="first payment")
    await add_tariff(pool, "share", share_ppm=1_000_000, days=5, currency=None)
    await settle(pool, click(21), install("i", 20), event("one", 18, revenue=euros(7)))
    await settle(pool, install("again", 10), event("two", 8, "again"))
    assert await bill(pool) == {
        ("i", "cpi", "1"): "1 EUR",
        ("again", "cpa", "1"): "0.1 EUR",
        ("one", "cpa", "1"): "0.01 EUR",
        ("one", "share", "1"): "0.000007 EUR",
    }


async def test_a_flip_of_the_first_install_is_one_of_its_reinstalls(pool: asyncpg.Pool) -> None:
    await add_tariff(pool, "cpa", 100_000, event="re-install")
    await add_tariff(pool, "cpa", 20_000, event="payment", campaign="fall")
    await settle(pool, click(5), install("i", 4), install("again", 3), event("e", 2, "again"))
    assert await bill(pool) == {("again", "cpa", "1"): "0.1 EUR"}
    await settle(pool, click(4.5, link="2"))
    assert await bill(pool) == {("e", "cpa", "2"): "0.02 EUR"}


async def test_the_first_payment_is_the_earliest_whatever_comes_first(pool: asyncpg.Pool) -> None:
    await add_tariff(pool, "cpa", 1_000_000, event="first payment")
    await settle(pool, click(21), install("i", 20))
    await settle(pool, event("third", 10), event("test", 19, flags=["sandbox"]), event("free", 19, revenue=None))
    assert await bill(pool) == {("third", "cpa", "1"): "1 EUR"}
    await settle(pool, event("first", 12), event("second", 11))
    assert await bill(pool) == {("first", "cpa", "1"): "1 EUR"}


async def test_a_return_is_paid_by_the_campaign_that_brought_it(pool: asyncpg.Pool) -> None:
    await add_tariff(pool, "cpa", 400_000, event="re-engagement", campaign="fall")
    await add_tariff(pool, "cpa", 30_000, event="payment")
    await settle(pool, click(51), install("i", 50), click(2, link="2"), event("back", 1))
    assert await bill(pool) == {("back", "cpa", "2"): "0.4 EUR", ("back", "cpa", "1"): "0.03 EUR"}
    await settle(pool, event("before", 20))  # it is no return any more: this one may be
    assert await bill(pool) == {("back", "cpa", "1"): "0.03 EUR", ("before", "cpa", "1"): "0.03 EUR"}


async def test_events_of_websites_are_priced_by_their_own_decision(pool: asyncpg.Pool) -> None:
    await add_tariff(pool, "cpa", 400_000, event="payment")
    await add_tariff(pool, "share", share_ppm=500_000, currency=None, days=1)
    touch = web.click(3, app="web", link="w")
    visit = web.visit("v", 2, app="web", touch_id=touch.id)
    await settle(
        pool, touch, visit, web.event("e", 1, app="web"), web.event("x", 1, app="web", ids={"visitor_id": "x"})
    )
    assert await bill(pool) == {("e", "cpa", "w"): "0.4 EUR", ("e", "share", "w"): "2.495 EUR"}


async def test_a_visitors_first_payment_is_the_earliest(pool: asyncpg.Pool) -> None:
    await add_tariff(pool, "cpa", 1_000_000, event="first payment")
    touch = web.click(9, app="web", link="w")
    visits = [web.visit(name, 8, app="web", touch_id=touch.id, visitor_id=name) for name in ("one", "two")]
    of = {name: {"app": "web", "ids": {"visitor_id": name}} for name in ("one", "two")}
    await settle(pool, touch, *visits, web.event("later", 1, **of["one"]), web.event("other", 3, **of["two"]))
    assert set(await bill(pool)) == {("later", "cpa", "w"), ("other", "cpa", "w")}
    await settle(pool, web.event("earlier", 2, **of["one"]))
    assert set(await bill(pool)) == {("earlier", "cpa", "w"), ("other", "cpa", "w")}


async def test_tests_cost_nothing(pool: asyncpg.Pool) -> None:
    await add_tariff(pool, "cpi", 1_000_000)
    await add_tariff(pool, "cpa", 1_000_000, event="payment")
    await settle(pool, click(1), install("i", 0.5, flags=["sandbox"]), event("e", 0.2))
    await settle(pool, click(1, OTHER), install("j", 0.5, OTHER), event("f", 0.2, "j", flags=["sandbox"]))
    assert await bill(pool) == {("j", "cpi", "1"): "1 EUR"}


async def test_another_tariff_is_asked_for_when_it_is_followed_again(pool: asyncpg.Pool) -> None:
    first = await add_tariff(pool, "cpi", 1_000_000)
    await settle(pool, click(1), install("i", 0.5))
    await pool.execute("UPDATE tariffs SET deleted_at = now() WHERE id = $1", first)
    await add_tariff(pool, "cpi", 2_000_000)
    ids = [row["id"] for row in await pool.fetch("SELECT id FROM installs")]
    async with pool.acquire() as connection, connection.transaction():
        await Pricer().follow(connection, ids, silent=True)
    assert await bill(pool) == {("i", "cpi", "1"): "2 EUR"}


async def test_more_events_than_a_page(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pricer, "PAGE_EVENTS", 3)
    await add_tariff(pool, "cpa", 1, event="payment", campaign="fall")
    await settle(pool, click(2), install("i", 0.5), *(event(f"e{n}", 0.2) for n in range(10)))
    assert await bill(pool) == {}
    await settle(pool, click(1, link="2"))
    assert await bill(pool) == {(f"e{n}", "cpa", "2"): "0.000001 EUR" for n in range(10)}


# What the partner says that an install costs


def says(query: str, days_ago: float = 1, **changes: Any) -> Hit:
    return msgspec.structs.replace(click(days_ago, **changes), query=f"google_aid={GAID}&{query}")


CPI = "mt_cost_model=CPI&mt_cost_value=1.5&mt_cost_currency=usd"


@pytest.mark.parametrize("query", [CPI, "cost_type=CPI&cost_amount=1.5&cost_currency=USD"])
async def test_an_install_costs_what_its_touch_says(pool: asyncpg.Pool, query: str) -> None:
    await settle(pool, says(query), install("i", 0.5), install("again", 0.2))
    assert await bill(pool) == {("i", "word", "1"): "1.5 USD"}


async def test_a_touch_that_lost_costs_no_install(pool: asyncpg.Pool) -> None:
    await settle(
        pool, says(CPI, 2), says("mt_cost_model=CPC&mt_cost_value=1&mt_cost_currency=USD", 1), install("i", 0.5)
    )
    assert await bill(pool) == {}
    await settle(pool, says(CPI.replace("1.5", "2"), 0.8, link="2"))
    assert await bill(pool) == {("i", "word", "2"): "2 USD"}


async def test_what_a_touch_said_stands_when_it_is_gone(pool: asyncpg.Pool) -> None:
    await settle(pool, says(CPI), install("i", 0.5))
    await pool.execute("DELETE FROM touches")
    ids: list[UUID] = [row["id"] for row in await pool.fetch("SELECT id FROM installs")]
    async with pool.acquire() as connection, connection.transaction():
        await Pricer().follow(connection, ids, silent=True)
    assert await rows_of(pool) == [(1, Decimal(1_500_000_000))]


async def test_what_people_cost_stands_when_they_are_forgotten(pool: asyncpg.Pool) -> None:
    await add_tariff(pool, "cpa", 1_000_000, event="payment")
    await settle(pool, click(1), install("i", 0.5), event("e", 0.2, None, ids={"google_aid": GAID}))
    before = await bill(pool)
    assert before == {("e", "cpa", "1"): "1 EUR"}
    await pool.execute("UPDATE events SET ids = '{}', device_keys = '{}', flags = '{forgotten}'")
    ids: list[UUID] = [row["id"] for row in await pool.fetch("SELECT id FROM events")]
    async with pool.acquire() as connection, connection.transaction():
        await Pricer().follow(connection, ids, silent=True)
    assert await bill(pool) == before
