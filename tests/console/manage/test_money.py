"""What a campaign cost and earned: touches, installs and payments by the handlers and the pricer, then the sums."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from console.manage.common import Missing, Refused
from console.manage.corrections import NewCorrection, create_correction, delete_correction
from console.manage.money import CampaignMoney, campaign_money
from console.manage.rates import load_rates
from schemas.events import Revenue
from tests.console.conftest import Console
from tests.consumers.attribution.test_returning import NOW_US, click, event, install
from tests.consumers.costs.bill import SHOP, add_tariff, settle
from tests.consumers.costs.test_pricer import says
from tests.support.devices import OTHER
from tests.support.logs import pool_of

NOW = datetime.fromtimestamp(NOW_US // 10**6, UTC)
TODAY = NOW.date()


def day(days_ago: float) -> date:
    return (NOW - timedelta(days=days_ago)).date()


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await pool_of(database_url)
    await pool.execute(SHOP)
    yield pool
    pool.terminate()


async def money(pool: asyncpg.Pool, campaign: str = "spring", **asked: Any) -> CampaignMoney:
    async with pool.acquire() as connection:
        return await campaign_money(connection, campaign, **asked)


async def correct(pool: asyncpg.Pool, amount: str, first: date, last: date, zone: str = "UTC", **more: Any) -> int:
    values: dict[str, Any] = {"campaign": "spring", "app": "shop", "currency": "EUR"} | more
    asked = NewCorrection(amount=amount, starts_on=first, ends_on=last, zone=zone, **values)
    async with pool.acquire() as connection:
        return (await create_correction(connection, "me", asked)).id


async def a_day_of_everything(pool: asyncpg.Pool) -> None:
    """A click, seven impressions, an install, two payments, a share of them, a test, and what the partner says."""
    await add_tariff(pool, "cpc", 10_001)
    await add_tariff(pool, "cpm", 1_999_999)
    await add_tariff(pool, "cpi", 1_250_000, currency="USD")
    await add_tariff(pool, "share", share_ppm=300_001, currency=None)
    said = "mt_cost_model=CPM&mt_cost_value=0.000001&mt_cost_currency=EUR"
    await settle(
        pool,
        *(says(said, 4, kind="impression") for _ in range(7)),
        click(4),
        install("i", 3),
        event("one", 2, revenue=Revenue(micros=9_990_001, currency="EUR")),
        event("two", 1, revenue=Revenue(micros=5, currency="JPY")),
        event("test", 1, flags=["sandbox"]),
    )


async def test_everything_is_exact_to_the_micro_unit(pool: asyncpg.Pool) -> None:
    await a_day_of_everything(pool)
    await correct(pool, "-0.500001", day(9), day(4), "Asia/Kolkata")
    await correct(pool, "7", day(9), day(4), currency="USD")
    gone = await correct(pool, "1000", day(9), day(4))
    async with pool.acquire() as connection:
        await delete_correction(connection, "me", gone)
    found = await money(pool)
    assert (found.impressions, found.clicks, found.installs) == (7, 1, 1)
    # 0.010001 + 7 × 0.001999999 + 9.990001 × 0.300001 = 3.021011… : 0.010001 + 0.013999993 + 2.997010290001
    assert found.cost_by_tariffs == {"EUR": "3.021011", "USD": "1.25", "JPY": "0.000002"}
    assert found.cost_from_partner == {"EUR": "0.00"}, "seven nano-units"
    assert found.cost_corrections == {"EUR": "-0.500001", "USD": "7.00"}
    assert found.cost == {"EUR": "2.52101", "USD": "8.25", "JPY": "0.000002"}
    assert found.revenue == {"EUR": "9.990001", "JPY": "0.000005"}
    assert found.converted is None
    assert (await money(pool, "fall")).revenue == {}


@pytest.mark.parametrize(
    ("setting", "expected"),
    [("tariffs", {"EUR": "0.01"}), ("partner", {"USD": "1.50"}), ("both", {"EUR": "0.01", "USD": "1.50"})],
)
async def test_the_campaign_says_of_what_its_cost_consists(
    pool: asyncpg.Pool, setting: str, expected: dict[str, str]
) -> None:
    await add_tariff(pool, "cpc", 10_000)
    await pool.execute("UPDATE campaigns SET cost = $1", setting)
    cpi = "mt_cost_model=CPI&mt_cost_value=1.5&mt_cost_currency=USD"
    await settle(pool, says(cpi, 2), install("i", 1))
    await correct(pool, "0.25", day(4), day(3))
    found = await money(pool)
    assert found.cost == {"EUR": "0.25"} | {
        currency: "0.26" if currency == "EUR" else amount for currency, amount in expected.items()
    }
    assert (found.cost_by_tariffs, found.cost_from_partner) == ({"EUR": "0.01"}, {"USD": "1.50"})


async def test_clicks_and_installs_flip_together_with_the_money(pool: asyncpg.Pool) -> None:
    await add_tariff(pool, "cpi", 1_000_000)
    await add_tariff(pool, "cpi", 2_000_000, campaign="fall")
    await settle(pool, click(3), install("i", 2), event("one", 1), install("again", 0.5), event("two", 0.2, "again"))
    assert ((await money(pool)).installs, (await money(pool)).revenue) == (1, {"EUR": "9.98"})
    await settle(pool, click(2.5, link="2"))
    spring, fall = await money(pool), await money(pool, "fall")
    assert (spring.installs, spring.cost, spring.revenue) == (0, {}, {})
    assert (fall.installs, fall.cost, fall.revenue) == (1, {"EUR": "2.00"}, {"EUR": "9.98"})


async def test_days_and_apps_are_told_apart_and_add_up(pool: asyncpg.Pool) -> None:
    await a_day_of_everything(pool)
    await correct(pool, "24", day(4), day(3), "Europe/Berlin")
    whole = await money(pool)
    parts = [await money(pool, since=day(n), until=day(n)) for n in range(6)]
    assert sum(one.clicks for one in parts) == whole.clicks
    assert sum(one.impressions for one in parts) == whole.impressions
    assert [one.installs for one in parts] == [0, 0, 0, 1, 0, 0]
    assert [one.revenue for one in parts[:3]] == [{}, {"JPY": "0.000005"}, {"EUR": "9.990001"}]
    corrected = [Decimal(one.cost_corrections.get("EUR", "0")) for one in parts]
    assert sum(corrected) == 24, "a part lies on the evening before, in UTC"
    assert corrected[5] > 0
    assert await money(pool, app="shop", since=day(9)) == CampaignMoney(
        **{name: getattr(whole, name) for name in whole.__struct_fields__} | {"app": "shop", "since": day(9)}
    )
    other = await money(pool, app="game")
    assert (other.clicks, other.installs, other.cost, other.revenue) == (0, 0, {}, {})


async def test_each_part_is_converted_by_the_rate_of_its_day(pool: asyncpg.Pool) -> None:
    await settle(
        pool,
        click(9),
        install("i", 8),
        event("one", 6, revenue=Revenue(micros=1_000_000, currency="USD")),
        event("two", 3, revenue=Revenue(micros=1_000_000, currency="USD")),
        event("three", 3, revenue=Revenue(micros=1_000_000, currency="CHF")),
    )
    rates = f"day,currency,rate\n{day(7)},USD,3\n{day(4)},USD,1.5\n"
    async with pool.acquire() as connection:
        await load_rates(connection, "me", rates, "file")
    found = (await money(pool, currency="EUR")).converted
    assert found is not None
    assert (found.revenue, found.cost, found.without_rate) == ("1.00", "0.00", ["CHF"])
    dollars = (await money(pool, currency="USD")).converted
    assert dollars is not None and dollars.revenue == "2.00"


async def test_the_day_of_a_correction_is_its_zones(pool: asyncpg.Pool) -> None:
    # its first hours are the evening before in UTC: that day's rate would be another one
    for zone in ("Asia/Kolkata", "Pacific/Auckland", "America/New_York"):
        await correct(pool, "10", day(5), day(5), zone, currency="USD")
    rates = f"day,currency,rate\n{day(6)},USD,1\n{day(5)},USD,2\n{day(4)},USD,4\n"
    async with pool.acquire() as connection:
        await load_rates(connection, "me", rates, "file")
    found = (await money(pool, currency="EUR")).converted
    assert found is not None and found.cost_corrections == "15.00"


async def test_tests_are_in_no_figure(pool: asyncpg.Pool) -> None:
    await settle(pool, click(4), install("i", 3, flags=["sandbox"]), event("one", 2))
    await settle(pool, click(4, OTHER), install("j", 3, OTHER), event("two", 2, "j"))
    found = await money(pool)
    assert (found.installs, found.revenue) == (1, {"EUR": "4.99"})


async def test_what_is_wrong_is_said(pool: asyncpg.Pool) -> None:
    with pytest.raises(Missing):
        await money(pool, "winter")
    with pytest.raises(Refused, match="until"):
        await money(pool, since=TODAY, until=TODAY - timedelta(1))
    with pytest.raises(Refused, match="currency"):
        await money(pool, currency="euro")
    empty = await money(pool, currency="EUR")
    assert empty.converted is not None and empty.converted.cost == "0.00"


def test_from_the_shell(console: Console) -> None:
    console.sql("INSERT INTO campaigns (id, title) VALUES ('spring', '')")
    facts = console.facts("campaign", "show", "spring", "--since", "2026-06-01", "--currency", "EUR")["money"]
    assert (facts["clicks"], facts["cost"], facts["converted"]["cost"]) == (0, {}, "0.00")
    assert "cost by tariffs" in console.run("campaign", "show", "spring").stdout
    assert "winter" in console.refusal("campaign", "show", "winter", code=1)
