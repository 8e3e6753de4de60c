"""Events of websites: through the handlers and the decider on a real Postgres, in any order."""

import itertools
import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import msgspec
import pytest

from schemas.events import Event, Hit, Visit
from schemas.ids import new_id
from tests.consumers.attribution.test_returning import decide_all
from tests.support import devices
from tests.support.devices import put
from tests.support.logs import pool_of

HOUR_US = 3_600_000_000
NOW_US = time.time_ns() // 1000
LAST = """
SELECT DISTINCT ON (e.id) e.event_id, d.kind, d.method, d.touch::text, d.link, d.campaign, d.partner, d.click_id,
       d.rules, d.test
FROM decisions d JOIN events e ON e.id = d.conversion WHERE e.app = $1 ORDER BY e.id, d.number DESC
"""


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await pool_of(database_url)
    await pool.execute("INSERT INTO apps (id, title, kind) VALUES ('shop', '', 'web'), ('other', '', 'web')")
    await pool.execute("INSERT INTO apps (id, title, kind, visit_window_hours) VALUES ('quick', '', 'web', 1)")
    await pool.execute("INSERT INTO partners (id, title) VALUES ('net', '')")
    await pool.execute("INSERT INTO campaigns (id, title, partner) VALUES ('spring', '', 'net')")
    await pool.execute(
        "INSERT INTO links (id, app, campaign) VALUES ('1', 'shop', 'spring'), ('2', 'shop', NULL),"
        " ('3', 'other', NULL)"
    )
    yield pool
    pool.terminate()


def click(hours_ago: float, **changes: Any) -> Hit:
    at_us = NOW_US - int(hours_ago * HOUR_US)
    one = devices.hit("click_id=c-1", received_us=at_us)
    return msgspec.structs.replace(one, **{"mode": "redirect", **changes})


def visit(visit_id: str, hours_ago: float, **changes: Any) -> Visit:
    at_us = NOW_US - int(hours_ago * HOUR_US)
    return msgspec.structs.replace(devices.visit(visit_id), id=new_id(at_us), occurred_us=at_us, **changes)


def event(event_id: str, hours_ago: float, **changes: Any) -> Event:
    at_us = NOW_US - int(hours_ago * HOUR_US)
    values: dict[str, Any] = {"occurred_us": at_us, "ids": {"visitor_id": devices.BROWSER}}
    return msgspec.structs.replace(devices.event(event_id, None, **values | changes), id=new_id(at_us))


async def last(pool: asyncpg.Pool, app: str = "shop") -> dict[str, tuple[object, ...]]:
    """Event → (method, touch, link)."""
    rows = await pool.fetch(LAST, app)
    assert {row["kind"] for row in rows} <= {"web"}
    return {row["event_id"]: (row["method"], row["touch"], row["link"]) for row in rows}


async def test_an_event_belongs_to_the_click_with_which_its_visitor_came(pool: asyncpg.Pool) -> None:
    hit = click(3)
    await put(
        pool, [hit, visit("v-1", 2.9, touch_id=hit.id), visit("v-2", 1), event("order", 0.5), event("again", 0.4)]
    )
    await put(pool, [event("theirs", 0.3, ids={"visitor_id": "else"}), event("nobody's", 0.2, ids={})])
    before = await pool.fetch("SELECT DISTINCT decided, method FROM credited_events")
    assert [tuple(row) for row in before] == [(False, "organic")], "nothing is said before it is decided"
    await decide_all(pool)
    came, alone = ("visit", hit.id, "1"), ("organic", None, None)
    assert await last(pool) == {"order": came, "again": came, "theirs": alone, "nobody's": alone}
    (row,) = [row for row in await pool.fetch(LAST, "shop") if row["event_id"] == "order"]
    assert (row["campaign"], row["partner"], row["click_id"]) == ("spring", "net", "c-1")
    assert (row["rules"], row["test"]) == ("last-visit-720h", False)


async def test_its_money_is_credited_to_what_brought_the_visitor(pool: asyncpg.Pool) -> None:
    hit = click(3)
    await put(
        pool, [hit, visit("v-1", 2.9, touch_id=hit.id), event("order", 0.5), event("sandbox", 0.4, flags=["sandbox"])]
    )
    await put(pool, [event("theirs", 0.3, ids={"visitor_id": "else"})])
    await decide_all(pool)
    rows = await pool.fetch(
        "SELECT test, method, link, campaign, sum(revenue_micros), count(install) FROM credited_events WHERE decided"
        " GROUP BY 1, 2, 3, 4 ORDER BY 1, 2"
    )
    assert [tuple(row) for row in rows] == [
        (False, "organic", None, None, 4_990_000, 0),
        (False, "visit", "1", "spring", 4_990_000, 0),
        (True, "visit", "1", "spring", 4_990_000, 0),
    ]
    assert await pool.fetchval("SELECT count(*) FROM uncredited_events") == 0


async def test_a_landing_may_name_the_link_itself(pool: asyncpg.Pool) -> None:
    await put(pool, [visit("v-1", 2, link="1"), event("order", 1)])
    await decide_all(pool)
    (row,) = await pool.fetch(LAST, "shop")
    assert (row["method"], row["touch"], row["link"], row["campaign"]) == ("visit", None, "1", "spring")


async def test_what_is_of_another_website_tags_no_visit(pool: asyncpg.Pool) -> None:
    theirs = click(4, app="other", link="3")
    await put(pool, [theirs, visit("v-1", 3, link="2"), visit("v-2", 2, touch_id=theirs.id), visit("v-3", 2, link="3")])
    await put(pool, [visit("v-4", 1, link="no-such"), event("order", 0.1)])
    await decide_all(pool)
    assert await last(pool) == {"order": ("visit", None, "2")}


async def test_a_visit_whose_touch_is_not_known_belongs_to_the_link_that_it_names(pool: asyncpg.Pool) -> None:
    hit = click(2)
    await put(pool, [visit("v-1", 1, touch_id=hit.id, link="2"), event("order", 0.5)])
    await decide_all(pool)
    assert await last(pool) == {"order": ("visit", None, "2")}
    await put(pool, [hit])
    await decide_all(pool)
    assert await last(pool) == {"order": ("visit", hit.id, "1")}, "the touch came late"


async def test_a_website_says_for_how_long_a_visit_counts(pool: asyncpg.Pool) -> None:
    await pool.execute("INSERT INTO links (id, app) VALUES ('q', 'quick')")
    await put(
        pool, [visit("v-1", 3, app="quick", link="q"), event("soon", 2.1, app="quick"), event("late", 1.9, app="quick")]
    )
    await decide_all(pool)
    assert await last(pool, "quick") == {"soon": ("visit", None, "q"), "late": ("organic", None, None)}


async def test_any_order_of_arrival_ends_in_the_same_decisions(pool: asyncpg.Pool) -> None:
    first, second = click(30), click(3, link="2")
    them: list[list[Hit | Visit | Event]] = [
        [first],
        [second],
        [visit("v-1", 29.9, touch_id=first.id), visit("v-3", 0.1, link="1")],
        [visit("v-2", 2.9, touch_id=second.id)],
        [event("early", 29), event("late", 2), event("before", 31)],
    ]
    for number, order in enumerate(itertools.permutations(them)):
        visitor = f"p-{number}"
        for batch in order:
            await put(pool, [_of(visitor, one) for one in batch])
            if number % 2:
                await decide_all(pool)
        await decide_all(pool)
        found = {name: its for name, its in (await last(pool)).items() if name.endswith(visitor)}
        assert found == {
            f"early-{visitor}": ("visit", first.id, "1"),
            f"late-{visitor}": ("visit", second.id, "2"),
            f"before-{visitor}": ("organic", None, None),
        }, [type(batch[0]).__name__ for batch in order]
        await pool.execute("TRUNCATE touches, new_keys")


async def test_events_of_apps_are_no_conversions_of_websites(pool: asyncpg.Pool) -> None:
    await pool.execute("INSERT INTO apps (id, title) VALUES ('app', '')")
    await put(pool, [visit("v-1", 2, app="app"), event("order", 1, app="app")])
    await decide_all(pool)
    assert await last(pool, "app") == {}


def _of(visitor: str, one: Hit | Visit | Event) -> Hit | Visit | Event:
    """The same of another visitor."""
    if isinstance(one, Hit):
        return one
    record_id = new_id(one.occurred_us)
    if isinstance(one, Visit):
        return msgspec.structs.replace(one, id=record_id, visitor_id=visitor, visit_id=f"{one.visit_id}-{visitor}")
    return msgspec.structs.replace(one, id=record_id, ids={"visitor_id": visitor}, event_id=f"{one.event_id}-{visitor}")
