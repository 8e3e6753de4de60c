"""`touchline explain` about users who returned, and what forgetting a device leaves of it; on a real Postgres."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import msgspec
import pytest

from schemas.reasons import SENTENCES
from tests.console.conftest import Console
from tests.consumers.attribution.test_returning import RETURNS, click, decide_all, event, install
from tests.support.devices import GAID, OTHER, everything, put, traces
from tests.support.logs import pool_of


@pytest.fixture
async def pool(console: Console) -> AsyncIterator[asyncpg.Pool]:
    pool = await pool_of(console.url)
    await pool.execute("INSERT INTO apps (id, title) VALUES ('shop', '')")
    await pool.execute("INSERT INTO links (id, app) VALUES ('1', 'shop'), ('2', 'shop')")
    yield pool
    pool.terminate()


def named(days_ago: float, click_id: str, **changes: Any) -> Any:
    one = click(days_ago, **changes)
    return msgspec.structs.replace(one, query=f"{one.query}&click_id={click_id}")


async def test_each_return_is_told_with_its_source_and_its_reasons(console: Console, pool: asyncpg.Pool) -> None:
    await put(pool, [named(51, "first"), install("i", 50), event("one", 45), named(2.5, "older"), named(2, "newer")])
    await put(pool, [event("back", 1, name="launch"), event("next", 0.5)])
    await decide_all(pool)
    facts = console.facts("explain", "i")
    assert facts["decision"]["click_id"] == "first"
    (one,) = facts["reengagements"]
    assert (one["event_id"], one["name"], one["decision"]["click_id"]) == ("back", "launch", "newer")
    assert one["sentence"].startswith("The user was brought back by click newer of link 1")
    assert one["sentence"].endswith(" before the event.")
    assert [its["reason"] for its in one["candidates"]] == ["latest_of_method", "earlier_than_winner"]
    page = console.run("explain", "i").stdout
    assert "Re-engagement by launch on " in page
    assert SENTENCES["earlier_than_winner"] in page


async def test_a_return_by_oneself_and_one_that_waits(console: Console, pool: asyncpg.Pool) -> None:
    await put(pool, [install("i", 90), event("one", 45)])
    await decide_all(pool)
    await put(pool, [event("two", 1)])
    await pool.execute(
        "INSERT INTO waiting (conversion, kind) SELECT id, 're-engagement' FROM events WHERE event_id = 'two'"
    )
    waits, alone = console.facts("explain", "i")["reengagements"]
    assert alone["sentence"] == "The user came back by themselves: no click or impression of this device was found."
    assert waits["decision"] is None
    assert waits["sentence"].startswith("Not decided yet")


async def test_what_turned_out_to_be_no_return_is_not_listed(console: Console, pool: asyncpg.Pool) -> None:
    await put(pool, [install("i", 90), event("late", 1)])
    await decide_all(pool)
    await put(pool, [event("first", 1.5)])
    await decide_all(pool)
    assert [one["event_id"] for one in console.facts("explain", "i")["reengagements"]] == ["first"]


async def test_nothing_of_a_forgotten_device_stands_in_its_returns(console: Console, pool: asyncpg.Pool) -> None:
    await put(pool, [install("hers-1", 50), named(2, "hers-c"), event("hers-e", 1, "hers-1", seen=GAID)])
    others = install("i-2", 50, OTHER), named(2, "theirs", gaid=OTHER), event("e-2", 1, "i-2")
    await put(pool, [msgspec.structs.replace(one, ip="192.0.2.9", ua="Other/1") for one in others])
    await decide_all(pool)
    before = [tuple(row)[1:-1] for row in await pool.fetch(RETURNS)]
    assert before == [("re-engagement", "identifier", "1", False, 1)] * 2
    keys = "SELECT count(*) FROM conversion_keys k JOIN events e ON e.id = k.conversion WHERE e.event_id {} 'e-2'"
    assert await pool.fetchval(keys.format("<>")) > 0
    console.facts("forget", "--id", GAID, "--yes")
    assert "hers-c" not in str(await pool.fetch("SELECT click_id, candidates FROM decisions"))
    assert await pool.fetchval(keys.format("<>")) == 0
    assert await pool.fetchval(keys.format("=")) > 0, "others keep theirs"
    assert "theirs" in str(await pool.fetch("SELECT click_id, candidates FROM decisions"))
    assert [tuple(row)[1:-1] for row in await pool.fetch(RETURNS)] == before, "every count stays"
    left = {table for table, trace in traces(await everything(pool)) if trace != "Pixel 8"}
    assert left == set()


async def test_a_return_that_waits_is_forgotten_with_its_device(console: Console, pool: asyncpg.Pool) -> None:
    await put(pool, [install("hers-1", 50), event("hers-e", 1, "hers-1", seen=GAID)])
    await pool.execute("INSERT INTO waiting (conversion, kind) SELECT id, 're-engagement' FROM events")
    console.facts("forget", "--id", GAID, "--yes")
    await decide_all(pool)
    assert await pool.fetch(RETURNS) == []
