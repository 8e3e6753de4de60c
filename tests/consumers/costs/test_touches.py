"""Clicks and impressions counted for tariffs, and what partners say of theirs: each stored touch once."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import msgspec
import pytest

from consumers.costs.stated import Stated, read_stated, stated_cost
from consumers.sources import Record
from consumers.touches.country import open_countries
from consumers.touches.handler import TouchesHandler
from schemas.codec import encode
from schemas.events import Hit
from schemas.ids import US_PER_HOUR, new_id
from tests.consumers.costs.bill import SHOP, add_tariff
from tests.support.logs import hits, pool_of

HOUR = (time.time_ns() // 1000 - 48 * US_PER_HOUR) // US_PER_HOUR
TODAY = datetime.fromtimestamp(HOUR * 3600, UTC).date()


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await pool_of(database_url)
    await pool.execute(SHOP)
    yield pool
    pool.terminate()


def hit(link: str = "1", hour: int = HOUR, **changes: Any) -> Hit:
    at_us = hour * US_PER_HOUR
    values = {"id": new_id(at_us), "link": link, "app": "shop", "touched_us": at_us} | changes
    return msgspec.structs.replace(hits(1)[0], **values)


async def store(pool: asyncpg.Pool, some: Sequence[Hit]) -> None:
    handler = TouchesHandler(open_countries())
    async with pool.acquire() as connection, connection.transaction():
        await handler.store(connection, [handler.decode(Record(0, encode(one))) for one in some])


async def counts(pool: asyncpg.Pool) -> dict[tuple[int, str, str, int], int]:
    """(tariff, link, app, hours after HOUR) → touches."""
    rows = await pool.fetch("SELECT * FROM touch_costs")
    return {(row["tariff"], row["link"], row["app"], row["hour"] - HOUR): row["count"] for row in rows}


async def words(pool: asyncpg.Pool) -> dict[tuple[str, int, str], Decimal]:
    """(link, hours after HOUR, currency) → nano-units."""
    rows = await pool.fetch("SELECT * FROM partner_costs")
    return {(row["link"], row["hour"] - HOUR, row["currency"]): row["nanos"] for row in rows}


async def test_touches_are_counted_by_the_tariffs_that_price_them(pool: asyncpg.Pool) -> None:
    clicks = await add_tariff(pool, "cpc", 100)
    views = await add_tariff(pool, "cpm", 100, app="shop")
    for changes in ({"app": "game"}, {"campaign": "fall"}, {"ends_on": TODAY - timedelta(1)}):
        await add_tariff(pool, "cpc", 100, **changes)
    await add_tariff(pool, "cpc", 100, deleted_at=datetime.now(UTC))
    await add_tariff(pool, "cpi", 100)
    some = [hit(), hit(), hit("1b"), hit(hour=HOUR + 1), hit("3"), hit("unknown")]
    some += [hit(kind="impression"), hit(kind="impression", app="game")]
    await store(pool, some)
    expected = {(clicks, "1", "shop", 0): 2, (clicks, "1b", "shop", 0): 1, (clicks, "1", "shop", 1): 1}
    assert await counts(pool) == expected | {(views, "1", "shop", 0): 1}
    await store(pool, [hit()])
    assert (await counts(pool))[clicks, "1", "shop", 0] == 3


async def test_a_tariff_holds_on_its_days(pool: asyncpg.Pool) -> None:
    day = date(2026, 3, 10)
    first = (day - date(1970, 1, 1)).days * 24
    id = await pool.fetchval(
        "INSERT INTO tariffs (campaign, model, micros, currency, starts_on, ends_on)"
        " VALUES ('spring', 'cpc', 1, 'EUR', $1, $2) RETURNING id",
        day,
        day + timedelta(1),
    )
    await store(pool, [hit(hour=first + offset) for offset in (-1, 0, 47, 48)])
    assert {key[3] + HOUR - first: key[0] for key in await counts(pool)} == {0: id, 47: id}


async def test_a_hit_that_stands_already_is_not_counted_again(pool: asyncpg.Pool) -> None:
    clicks = await add_tariff(pool, "cpc", 100)
    said = "mt_cost_model=CPC&mt_cost_value=2&mt_cost_currency=EUR"
    some = [hit(query=said) for _ in range(4)]
    await store(pool, some[:2])
    await store(pool, [*some, some[3]])
    await store(pool, some)
    assert await counts(pool) == {(clicks, "1", "shop", 0): 4}
    assert await words(pool) == {("1", 0, "EUR"): 8 * 10**9}


async def test_what_a_batch_counted_goes_with_it(pool: asyncpg.Pool) -> None:
    await add_tariff(pool, "cpc", 100)
    handler = TouchesHandler(open_countries())
    with pytest.raises(RuntimeError):
        async with pool.acquire() as connection, connection.transaction():
            await handler.store(connection, [handler.decode(Record(0, encode(hit())))])
            raise RuntimeError("the position was not kept")
    assert await counts(pool) == {}


async def test_consumers_count_beside_each_other(pool: asyncpg.Pool) -> None:
    clicks = await add_tariff(pool, "cpc", 100)
    batches = [[hit(link) for link in order for _ in range(5)] for order in (("1", "1b"), ("1b", "1")) * 5]
    await asyncio.gather(*(store(pool, batch) for batch in batches))
    assert await counts(pool) == {(clicks, "1", "shop", 0): 50, (clicks, "1b", "shop", 0): 50}


async def test_partners_say_what_clicks_and_impressions_cost(pool: asyncpg.Pool) -> None:
    click = "mt_cost_model=CPC&mt_cost_value=0.000000001&mt_cost_currency=USD&mt_cost_count=3"
    view = "mt_cost_model=CPM&mt_cost_value=2.5&mt_cost_currency=EUR"
    install = "mt_cost_model=CPI&mt_cost_value=1&mt_cost_currency=EUR"
    adjust = "cost_type=cpc&cost_amount=0.25&cost_currency=usd"
    some = [hit(query=click), hit(query=view), hit(query=install), hit("3", query=adjust)]
    await store(pool, some + [msgspec.structs.replace(one, id=hit().id, kind="impression") for one in some])
    assert await words(pool) == {
        ("1", 0, "USD"): 3,
        ("1", 0, "EUR"): 2_500_000,
        ("3", 0, "USD"): 250_000_000,
    }


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, None),
        ({"mt_cost_model": "CPC"}, None),
        ({"mt_cost_value": "", "cost_amount": ""}, None),
        ({"value": "1.5"}, Stated("cpc", "EUR", Decimal(1_500_000_000))),
        ({"value": "1.", "count": "10"}, Stated("cpc", "EUR", Decimal(10_000_000_000))),
        ({"value": "0.000000001", "model": "cpm"}, Stated("cpm", "EUR", Decimal("0.001"))),
        (
            {"value": "999999999.999999999", "count": "999999"},
            Stated("cpc", "EUR", Decimal(999_999_999_999_999_999 * 999_999)),
        ),
    ],
)
def test_costs_are_read_exactly(parameters: dict[str, str], expected: Stated | None) -> None:
    known = {"mt_cost_model": "CPC", "mt_cost_currency": "EUR"}
    ours = {f"mt_cost_{name}": value for name, value in parameters.items() if "cost" not in name}
    assert stated_cost(parameters if not ours else known | ours) == expected


BAD = [
    "mt_cost_value=1",
    "mt_cost_value={cost}&mt_cost_model=CPC&mt_cost_currency=EUR",
    "mt_cost_value=-1&mt_cost_model=CPC&mt_cost_currency=EUR",
    "mt_cost_value=1e3&mt_cost_model=CPC&mt_cost_currency=EUR",
    "mt_cost_value=0.0000000001&mt_cost_model=CPC&mt_cost_currency=EUR",
    "mt_cost_value=1&mt_cost_model=CPX&mt_cost_currency=EUR",
    "mt_cost_value=1&mt_cost_model=CPC&mt_cost_currency=EURO",
    "mt_cost_value=1&mt_cost_model=CPC&mt_cost_currency=EUR&mt_cost_count=0",
    "mt_cost_value=1&mt_cost_model=CPC&mt_cost_currency=EUR&mt_cost_count=1.5",
    "mt_cost_value=%D9%A1&mt_cost_model=CPC&mt_cost_currency=EUR",  # an Arabic one
    "cost_amount=1&cost_type=CPC",
]


async def test_costs_that_cannot_be_read_do_not_count_and_are_seen(pool: asyncpg.Pool) -> None:
    await store(pool, [hit(query=query, flags=["late"]) for query in [*BAD, ""]])
    assert await words(pool) == {}
    rows = await pool.fetch("SELECT query, flags FROM touches")
    assert {row["query"] for row in rows if row["flags"][-1] == "bad_cost"} == set(BAD)
    assert all(row["flags"][0] == "late" for row in rows)


def test_nothing_is_read_where_nothing_is_said() -> None:
    assert read_stated("click", {"click_id": "cost"}) == (None, ())
