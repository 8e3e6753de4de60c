"""Corrections: spread over the hours of their days in their zone, exactly; deleted ones stay listed."""

from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import asyncpg
import pytest

from console.manage.common import Missing, Refused
from console.manage.corrections import (
    NewCorrection,
    create_correction,
    delete_correction,
    list_corrections,
)
from tests.console.conftest import Console
from tests.consumers.costs.bill import SHOP
from tests.support.logs import pool_of


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    pool = await pool_of(database_url)
    await pool.execute(SHOP)
    async with pool.acquire() as connection:
        yield connection
    pool.terminate()


def new(**changes: Any) -> NewCorrection:
    values: dict[str, Any] = {"campaign": "spring", "app": "shop", "amount": "4800", "currency": "USD", "zone": "UTC"}
    days = {"starts_on": date(2026, 9, 1), "ends_on": date(2026, 9, 2)}
    return NewCorrection(**values | days | changes)


async def hours(connection: asyncpg.Connection, id: int) -> list[int]:
    rows = await connection.fetch("SELECT micros FROM correction_hours WHERE correction = $1 ORDER BY hour", id)
    return [row["micros"] for row in rows]


async def test_the_sum_is_spread_over_hours(connection: asyncpg.Connection) -> None:
    made = await create_correction(connection, "me", new())
    assert (made.amount, made.hours) == ("4800.00", 48)
    assert await hours(connection, made.id) == [100_000_000] * 48


@pytest.mark.parametrize(("day", "count"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)])
async def test_days_when_clocks_change_sum_exactly(connection: asyncpg.Connection, day: date, count: int) -> None:
    made = await create_correction(
        connection, "me", new(amount="-0.000030", starts_on=day, ends_on=day, zone="Europe/Berlin")
    )
    parts = await hours(connection, made.id)
    assert (len(parts), sum(parts)) == (count, -30)
    assert set(parts) == {-1, -2}


async def test_a_deleted_one_stays_listed(connection: asyncpg.Connection) -> None:
    made = await create_correction(connection, "me", new(description="what was agreed"))
    gone = await delete_correction(connection, "me", made.id)
    assert gone.deleted_at is not None
    assert await list_corrections(connection, campaign="spring") == [gone]
    assert await list_corrections(connection, campaign="spring", deleted=False) == []
    with pytest.raises(Missing):
        await delete_correction(connection, "me", made.id)
    actions = await connection.fetch("SELECT action FROM audit WHERE kind = 'correction' ORDER BY id")
    assert [row["action"] for row in actions] == ["create", "delete"]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"campaign": "winter"}, "campaign"),
    ({"app": "winter"}, "app"),
    ({"amount": "a lot"}, "amount"),
    ({"currency": "Dollar"}, "currency"),
    ({"zone": "Berlin"}, "zone"),
    ({"starts_on": date(1999, 12, 31)}, "starts_on"),
    ({"ends_on": date(2026, 8, 31)}, "ends_on"),
    ({"ends_on": date(2036, 8, 31)}, "ends_on"),
    ({"description": "two\nlines"}, "description"),
    (
        {"zone": "Pacific/Apia", "starts_on": date(2011, 12, 30), "ends_on": date(2011, 12, 30)},
        "starts_on",
    ),
]


async def test_what_is_wrong_is_named(connection: asyncpg.Connection) -> None:
    for changes, field in WRONG:
        with pytest.raises(Refused) as refused:
            await create_correction(connection, "me", new(**changes))
        assert refused.value.field == field, changes
    assert await connection.fetchval("SELECT count(*) FROM corrections") == 0


def test_from_the_shell(console: Console) -> None:
    console.sql("INSERT INTO campaigns (id, title) VALUES ('spring', '')")
    console.sql("INSERT INTO apps (id, title) VALUES ('shop', '')")
    made = console.facts(
        *("correction", "create", "--campaign", "spring", "--app", "shop", "--amount=-12.50", "--currency", "EUR"),
        *("--starts-on", "2026-03-29", "--ends-on", "2026-03-29", "--zone", "Europe/Berlin"),
    )
    assert (made["amount"], made["hours"], made["deleted_at"]) == ("-12.50", 23, None)
    console.run("correction", "delete", str(made["id"]))
    assert "deleted" in console.run("correction", "list").stdout
