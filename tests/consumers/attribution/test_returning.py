"""Users who return: against a real Postgres, through the handlers and the decider, whatever came in which order."""

import itertools
import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import msgspec
import pytest

from consumers.attribution.decider import Decider
from process.metrics import Meters
from schemas.events import Event, Hit, Install
from schemas.ids import new_id
from tests.consumers.attribution.test_decider import ends_at
from tests.support import devices
from tests.support.devices import GAID, OTHER, put
from tests.support.logs import pool_of

DAY_US = 24 * 3_600_000_000
HOUR_US = 3_600_000_000
NOW_US = time.time_ns() // 1000
RETURNS = """
SELECT DISTINCT ON (d.conversion) e.event_id, d.kind, d.method, d.link, d.test, d.number, d.candidates
FROM decisions d JOIN events e ON e.id = d.conversion ORDER BY d.conversion, d.number DESC
"""


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await pool_of(database_url)
    await pool.execute("INSERT INTO apps (id, title) VALUES ('shop', '')")
    await pool.execute("INSERT INTO links (id, app) VALUES ('1', 'shop'), ('2', 'shop')")
    yield pool
    pool.terminate()


def click(days_ago: float, gaid: str = GAID, **changes: Any) -> Hit:
    one = devices.hit(f"google_aid={gaid}", received_us=NOW_US - int(days_ago * DAY_US))
    return msgspec.structs.replace(one, **changes)


def install(install_id: str, days_ago: float, gaid: str = GAID, **changes: Any) -> Install:
    at_us = NOW_US - int(days_ago * DAY_US)
    one = devices.install(install_id, gaid, user_id=None, ip="192.0.2.200")
    return msgspec.structs.replace(one, **{"id": new_id(at_us), "installed_us": at_us, **changes})


def event(event_id: str, days_ago: float, install_id: str | None = "i", **changes: Any) -> Event:
    at_us = NOW_US - int(days_ago * DAY_US)
    values: dict[str, Any] = {"occurred_us": at_us, "ip": "192.0.2.201"}
    return msgspec.structs.replace(devices.event(event_id, install_id, **values | changes), id=new_id(at_us))


def tied(event_id: str, number: int) -> Event:
    """One of several of the same time, with an id of this number."""
    one = event(event_id, 5)
    return msgspec.structs.replace(one, id=f"{one.id[:18]}-8000-{number:012x}")


async def decide_all(pool: asyncpg.Pool) -> None:
    decider = Decider(pool, ends_at({}), Meters())
    while await decider.step():
        pass
    assert await pool.fetchval("SELECT count(*) FROM waiting") == 0
    assert await pool.fetchval("SELECT count(*) FROM activities") == 0


async def returns(pool: asyncpg.Pool) -> dict[str, str]:
    """Event → `method`, or `method link` of its last decision."""
    rows = await pool.fetch(RETURNS)
    assert {row["kind"] for row in rows} <= {"re-engagement"}
    return {row["event_id"]: " ".join(filter(None, (row["method"], row["link"]))) for row in rows}


async def test_the_first_event_after_a_time_away_belongs_to_the_click_that_brought_it(pool: asyncpg.Pool) -> None:
    await put(pool, [install("i", 50), event("launch", 49), click(2, link="2"), event("back", 1), event("buy", 0.5)])
    await decide_all(pool)
    assert await returns(pool) == {"back": "identifier 2"}
    methods = await pool.fetch("SELECT kind, method FROM decisions ORDER BY conversion")
    assert [tuple(row) for row in methods] == [("install", "organic"), ("re-engagement", "identifier")]
    credited = await pool.fetch("SELECT DISTINCT method FROM credited_events")
    assert [row["method"] for row in credited] == ["organic"], "money stays with the install"


async def test_nobody_brought_a_user_who_came_by_themselves(pool: asyncpg.Pool) -> None:
    await put(pool, [install("i", 50), event("back", 1), click(9), click(0.5)])
    await put(pool, [click(2, kind="impression")])
    await decide_all(pool)
    assert await returns(pool) == {"back": "organic"}


@pytest.mark.parametrize(
    ("records", "wanted"),
    [
        ([install("i", 31), event("back", 0.5)], {"back": "organic"}),
        ([install("i", 29), event("launch", 0.5)], {}),
        ([event("of no known install", 0.5)], {}),
        ([install("i", 90), event("one", 40), event("two", 9.9)], {"one": "organic", "two": "organic"}),
        ([install("i", 90), event("one", 35), event("two", 9.9)], {"one": "organic"}),
        ([install("i", 90), tied("b", 1), tied("a", 2)], {"b": "organic"}),
        ([install("i", 90), install("j", 20), event("launch", 5)], {}),
        ([install("i", 90), install("j", 20, OTHER), event("back", 5)], {"back": "organic"}),
        ([install("i", 90, user_id="u"), event("back", 5, None, user_id="u")], {"back": "organic"}),
        ([install("i", 90), event("back", 5, None, ids={"google_aid": GAID})], {"back": "organic"}),
        (
            [install("i", 90, user_id="u"), event("named", 20), event("users", 5, None, user_id="u")],
            {"named": "organic"},
        ),
        ([install("i", 90), event("sent late", 5, occurred_us=NOW_US - 80 * DAY_US)], {"sent late": "organic"}),
    ],
)
async def test_what_counts_as_activity(pool: asyncpg.Pool, records: list[Any], wanted: dict[str, str]) -> None:
    await put(pool, records)
    await decide_all(pool)
    assert await returns(pool) == wanted


async def test_an_earlier_event_that_arrives_late_takes_the_return(pool: asyncpg.Pool) -> None:
    await put(pool, [install("i", 50), event("second", 1), click(2)])
    await decide_all(pool)
    assert await returns(pool) == {"second": "identifier 1"}
    await put(pool, [event("first", 1.5)])
    await decide_all(pool)
    assert await returns(pool) == {"second": "active", "first": "identifier 1"}
    history = await pool.fetch(
        "SELECT number, method FROM decisions d JOIN events e ON e.id = d.conversion WHERE event_id = 'second'"
        " ORDER BY number"
    )
    assert [tuple(row) for row in history] == [(1, "identifier"), (2, "active")], "the history stays"


async def test_a_click_that_arrives_late_brings_the_user_back_after_all(pool: asyncpg.Pool) -> None:
    await put(pool, [install("i", 50), event("back", 1)])
    await decide_all(pool)
    assert await returns(pool) == {"back": "organic"}
    await put(pool, [click(2)])
    await decide_all(pool)
    assert await returns(pool) == {"back": "identifier 1"}


@pytest.mark.parametrize(("received", "installed"), [(20.0, 20.0), (4.8, 5.2)])
async def test_another_install_of_the_device_that_arrives_late_was_activity(
    pool: asyncpg.Pool, received: float, installed: float
) -> None:
    await put(pool, [install("i", 90), event("back", 5)])
    await decide_all(pool)
    assert await returns(pool) == {"back": "organic"}
    await put(pool, [install("j", received, installed_us=NOW_US - int(installed * DAY_US))])
    await decide_all(pool)
    assert await returns(pool) == {"back": "active"}


async def test_an_install_that_arrives_late_takes_its_events_away_from_the_one_before(pool: asyncpg.Pool) -> None:
    await put(pool, [install("i", 90, user_id="u"), event("users", 6, None, user_id="u"), event("named", 5)])
    await decide_all(pool)
    assert await returns(pool) == {"users": "organic"}
    await put(pool, [install("j", 6.5, OTHER, user_id="u")])
    await decide_all(pool)
    assert await returns(pool) == {"users": "active", "named": "organic"}


async def test_it_takes_those_of_the_device_as_well(pool: asyncpg.Pool) -> None:
    await put(pool, [install("i", 39), event("devices", 10, None, ids={"google_aid": GAID}), event("late named", 4)])
    await decide_all(pool)
    assert await returns(pool) == {}
    await put(pool, [install("j", 36)])
    await decide_all(pool)
    assert await returns(pool) == {"late named": "organic"}


async def test_any_order_of_arrival_finds_the_same_returns(pool: asyncpg.Pool) -> None:
    them = [install("i", 90, user_id="u"), install("j", 2), event("one", 40), event("two", 5, None, user_id="u")]
    for number, order in enumerate(itertools.permutations(them)):
        app = f"app-{number}"
        for record in order:
            await put(pool, [_in(app, record)])
            await decide_all(pool)
        rows = await pool.fetch(f"{RETURNS.replace('ORDER', 'WHERE e.app = $1 AND method <> $2 ORDER')}", app, "active")
        assert [row["event_id"] for row in rows] == ["one", "two"], [type(one).__name__ for one in order]


async def test_a_click_is_known_by_its_id_or_by_address(pool: asyncpg.Pool) -> None:
    named = click(1.5, OTHER)
    params = {"touchline_id": msgspec.Raw(msgspec.json.encode(named.id))}
    await put(pool, [named, install("i", 50, ""), event("back", 1, params=params)])
    near = click(0.7, "", ip="192.0.2.201", ua="Mozilla/5.0 (Linux; Android 14; Pixel 8 Pro) Mobile Safari/537.36")
    await put(pool, [near, install("j", 50, ""), event("other", 0.6, "j", ip="192.0.2.201")])
    await decide_all(pool)
    assert await returns(pool) == {"back": "referrer 1", "other": "fingerprint 1"}


async def test_an_app_says_how_long_a_user_is_away(pool: asyncpg.Pool) -> None:
    rules = '{"rules": [{"method": "identifier", "touch_kind": "click", "window_hours": 24}], "reengagement_days": %d}'
    for app, days in (("week", 7), ("never", 0)):
        await pool.execute("INSERT INTO apps (id, title) VALUES ($1, '')", app)
        await pool.execute(
            "INSERT INTO app_rules (app, version, rules, created_at) VALUES ($1, 1, $2, 'epoch')", app, rules % days
        )
        await put(pool, [_in(app, install("i", 50)), _in(app, event(f"back-{app}", 42.9))])
    await decide_all(pool)
    assert await returns(pool) == {"back-week": "organic"}


async def test_the_return_of_a_test_device_is_a_test(pool: asyncpg.Pool) -> None:
    await put(pool, [install("i", 50), event("back", 1, flags=["sandbox"])])
    await decide_all(pool)
    assert [row["test"] for row in await pool.fetch(RETURNS)] == [True]


def _in(app: str, one: Any) -> Any:
    """The same in another app."""
    return msgspec.structs.replace(one, app=app, id=one.id[:-6] + f"{hash((app, one.id)) & 0xFFFFFF:06x}")
