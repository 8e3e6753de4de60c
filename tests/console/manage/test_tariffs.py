"""Tariffs: what is taken, what is refused and by which field, and what the audit keeps."""

import json
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import asyncpg
import msgspec
import pytest

from console.manage.common import Missing, Refused
from console.manage.tariffs import (
    ChangedTariff,
    NewTariff,
    change_tariff,
    create_tariff,
    delete_tariff,
    list_tariffs,
    show_tariff,
)
from tests.console.conftest import Console
from tests.consumers.costs.bill import SHOP
from tests.support.logs import pool_of

DAY = date(2026, 6, 1)


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    pool = await pool_of(database_url)
    await pool.execute(SHOP)
    async with pool.acquire() as connection:
        yield connection
    pool.terminate()


def new(**changes: Any) -> NewTariff:
    values: dict[str, Any] = {
        "campaign": "spring",
        "model": "cpi",
        "price": "1.20",
        "currency": "EUR",
        "starts_on": DAY,
    }
    return NewTariff(**values | changes)


def share(**changes: Any) -> NewTariff:
    return new(**{"model": "share", "price": None, "currency": None, "percent": "12.5"} | changes)


async def test_a_tariff_is_created_ended_deleted_and_all_of_it_is_on_record(connection: asyncpg.Connection) -> None:
    made = await create_tariff(connection, "me", new(app="shop"))
    assert (made.price, made.currency, made.app, made.ends_on) == ("1.20", "EUR", "shop", None)
    ended = await change_tariff(connection, "me", made.id, ChangedTariff(ends_on=DAY))
    assert ended == msgspec.structs.replace(made, ends_on=DAY)
    gone = await delete_tariff(connection, "you", made.id)
    assert gone.deleted_at is not None
    assert await show_tariff(connection, made.id) == gone
    assert await list_tariffs(connection, campaign="spring") == []
    assert await list_tariffs(connection, campaign="spring", deleted=True) == [gone]
    for change in (
        delete_tariff(connection, "me", made.id),
        show_tariff(connection, 99),
        show_tariff(connection, 2**70),
    ):
        with pytest.raises(Missing):
            await change
    rows = await connection.fetch("SELECT actor, action, before, after FROM audit WHERE kind = 'tariff' ORDER BY id")
    assert [(row["actor"], row["action"]) for row in rows] == [("me", "create"), ("me", "change"), ("you", "delete")]
    assert json.loads(rows[1]["before"])["ends_on"] is None
    assert json.loads(rows[1]["after"])["ends_on"] == "2026-06-01"


async def test_a_share_is_kept_as_it_was_said(connection: asyncpg.Connection) -> None:
    for percent, days, shown in (("12.5", None, "12.50"), ("0.0001", 7, "0.0001"), ("100", 1, "100.00")):
        made = await create_tariff(connection, "me", share(percent=percent, days=days))
        assert (made.percent, made.days) == (shown, days)


WRONG = [
    (new(campaign="winter"), "campaign"),
    (new(app="winter"), "app"),
    (new(price=None), "price"),
    (new(price="1,20"), "price"),
    (new(price="-1"), "price"),
    (new(price="0.0000001"), "price"),
    (new(price="99999999999999999999"), "price"),
    (new(currency=None), "currency"),
    (new(currency="eur"), "currency"),
    (new(event="payment"), "event"),
    (new(percent="1"), "percent"),
    (new(days=1), "days"),
    (new(model="cpa"), "event"),
    (new(model="cpa", event=" "), "event"),
    (new(model="cpa", event="x" * 201), "event"),
    (new(model="other"), "price"),
    (share(percent=None), "percent"),
    (share(percent="100.0001"), "percent"),
    (share(percent="-1"), "percent"),
    (share(percent="0.00001"), "percent"),
    (share(currency="EUR"), "currency"),
    (share(days=0), "days"),
    (new(ends_on=date(2026, 5, 31)), "ends_on"),
]


async def test_what_is_wrong_is_named(connection: asyncpg.Connection) -> None:
    for asked, field in WRONG:
        with pytest.raises(Refused) as refused:
            await create_tariff(connection, "me", asked)
        assert refused.value.field == field, asked
    assert await connection.fetchval("SELECT count(*) FROM audit WHERE kind = 'tariff'") == 0


def test_from_the_shell(console: Console) -> None:
    console.sql("INSERT INTO campaigns (id, title) VALUES ('spring', '')")
    create = ("tariff", "create", "--campaign", "spring", "--starts-on", "2026-06-01")
    made = console.facts(*create, "--model", "cpm", "--price", "1.999999", "--currency", "EUR")
    assert (made["model"], made["price"], made["starts_on"]) == ("cpm", "1.999999", "2026-06-01")
    said = console.run(
        *create, "--model", "cpa", "--event", "first payment", "--price", "5", "--currency", "USD"
    ).stdout
    assert "first payment" in said
    assert [one["model"] for one in console.facts("tariff", "list")] == ["cpa", "cpm"]
    assert console.facts("tariff", "end", str(made["id"]), "--on", "2026-06-30")["ends_on"] == "2026-06-30"
    console.run("tariff", "delete", str(made["id"]))
    assert console.run("tariff", "list", "--deleted").stdout.count("deleted") == 1
    assert "price" in console.refusal(*create, "--model", "cpi", "--price", "x", "--currency", "EUR", code=1)
