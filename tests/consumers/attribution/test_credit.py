"""Events and revenue are credited to the attribution that stands for their install, whatever came in which order."""

import itertools
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec
import pytest

from consumers.attribution.decider import Decider
from consumers.attribution.replay import Asked, Difference, replay
from process.metrics import Meters
from schemas.events import Event, Hit, Install, Revenue
from schemas.identifiers import md5, sha1
from schemas.ids import new_id, received_us
from schemas.rules import CLOCK_SKEW_US, REATTRIBUTION_DAYS, Named, Rule, RuleSet
from tests.consumers.attribution.test_decider import ends_at
from tests.support import devices
from tests.support.devices import GAID, OTHER, put
from tests.support.logs import pool_of

DAY_US = 24 * 3_600_000_000
MINUTE_US = 60_000_000
NOW_US = time.time_ns() // 1000
BY_IDENTIFIER = {"method": "identifier", "touch_kind": "click", "window_hours": 168}
CREDITED = """
SELECT name, install, method, link, campaign, revenue_micros / 1000000 AS units, test, decided
FROM credited_events ORDER BY name
"""


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await pool_of(database_url)
    await pool.execute("INSERT INTO apps (id, title) VALUES ('shop', '')")
    await pool.execute("INSERT INTO links (id, app) VALUES ('1', 'shop'), ('2', 'shop')")
    yield pool
    pool.terminate()


def click(ago_us: int, gaid: str = GAID, link: str = "1") -> Hit:
    one = devices.hit(f"google_aid={gaid}", received_us=NOW_US - ago_us)
    return msgspec.structs.replace(one, link=link)


def install(install_id: str, ago_us: int, gaid: str = GAID, **changes: Any) -> Install:
    one = devices.install(install_id, gaid, user_id=None, ip="192.0.2.200")
    at_us = NOW_US - ago_us
    return msgspec.structs.replace(one, id=new_id(at_us), installed_us=at_us, **changes)


def event(name: str, ago_us: int, install_id: str | None = None, units: int = 1, **changes: Any) -> Event:
    at_us = NOW_US - ago_us
    revenue = Revenue(micros=units * 1_000_000, currency="EUR") if units else None
    one = devices.event(f"e-{name}", install_id, name=name, occurred_us=at_us, revenue=revenue, **changes)
    return msgspec.structs.replace(one, id=new_id(max(at_us, 0)))


async def decide_all(pool: asyncpg.Pool) -> None:
    decider = Decider(pool, ends_at({}), Meters())
    while await decider.step():
        pass


async def credited(pool: asyncpg.Pool) -> dict[str, asyncpg.Record]:
    rows = await pool.fetch(CREDITED)
    found = {row["name"]: row for row in rows}
    assert len(found) == len(rows), "no event counts twice"
    return found


async def test_an_event_belongs_to_the_last_decision_about_its_install(pool: asyncpg.Pool) -> None:
    await put(pool, [install("i-1", DAY_US), event("buy", MINUTE_US, "i-1")])
    assert (await credited(pool))["buy"]["decided"] is False, "nothing is said before it is decided"
    await decide_all(pool)
    row = (await credited(pool))["buy"]
    assert (row["decided"], row["method"], row["link"], row["units"]) == (True, "organic", None, 1)
    await put(pool, [click(DAY_US + MINUTE_US)])  # it came late
    await decide_all(pool)
    row = (await credited(pool))["buy"]
    assert (row["method"], row["link"]) == ("identifier", "1")


async def test_events_of_a_reinstall_belong_to_what_brought_the_device_first(pool: asyncpg.Pool) -> None:
    installs = [install(f"i-{number}", (9 - number) * DAY_US) for number in range(1, 5)]
    await put(pool, [click(8 * DAY_US + MINUTE_US), *installs, click(5 * DAY_US + MINUTE_US, link="2")])
    await put(pool, [event(f"buy-{number}", MINUTE_US, f"i-{number}") for number in range(1, 5)])
    await decide_all(pool)
    methods = await pool.fetch("SELECT method FROM decisions ORDER BY conversion")
    assert [row["method"] for row in methods] == ["identifier", "reinstall", "reinstall", "reinstall"]
    assert {(row["method"], row["link"]) for row in (await credited(pool)).values()} == {("identifier", "1")}


async def test_an_install_attributed_anew_keeps_what_came_before_with_the_first(pool: asyncpg.Pool) -> None:
    first, again = (REATTRIBUTION_DAYS + 5) * DAY_US, 2 * DAY_US
    await put(pool, [click(first + MINUTE_US), install("i-1", first), click(again + MINUTE_US, link="2")])
    await put(pool, [install("i-2", again)])
    await put(pool, [event("old", first - MINUTE_US, ids={"google_aid": GAID}), event("named", 0, "i-1")])
    await put(pool, [event("new", again - MINUTE_US, ids={"google_aid": GAID})])
    await decide_all(pool)
    links = {name: row["link"] for name, row in (await credited(pool)).items()}
    assert links == {"old": "1", "named": "1", "new": "2"}


@pytest.mark.parametrize(("anew_days", "method"), [(REATTRIBUTION_DAYS + 5, "reinstall"), (None, "identifier")])
async def test_the_same_link_twice_is_no_new_install(pool: asyncpg.Pool, anew_days: int | None, method: str) -> None:
    """None: the rules attribute every install, and what the one before belongs to may change yet."""
    if anew_days is None:
        await pool.execute("INSERT INTO apps (id, title) VALUES ('shop', 'Shop') ON CONFLICT DO NOTHING")
        await pool.execute(
            "INSERT INTO app_rules (app, version, rules, created_at) VALUES ('shop', 1, $1, '2020-01-01')",
            json.dumps({"rules": [BY_IDENTIFIER], "reattribution_days": 0}),
        )
    first, again = (anew_days or 4) * DAY_US, 2 * DAY_US
    await put(pool, [click(first + MINUTE_US), install("i-1", first), click(again + MINUTE_US)])
    await put(pool, [install("i-2", again), event("new", again - MINUTE_US, "i-2")])
    await decide_all(pool)
    rows = await pool.fetch("SELECT method FROM decisions ORDER BY conversion")
    assert [row["method"] for row in rows] == ["identifier", method]
    assert (await credited(pool))["new"]["link"] == "1", "its money belongs to the link in both cases"


FORMS = [{"google_aid": GAID.upper()}, {"google_aid_sha1": sha1(GAID)}, {"gps_adid_md5": md5(GAID)}]


@pytest.mark.parametrize("ids", FORMS)
async def test_an_event_that_names_a_device_finds_its_last_install_before_it(
    pool: asyncpg.Pool, ids: dict[str, str]
) -> None:
    first, second = install("i-1", 3 * DAY_US), install("i-2", DAY_US)
    others = [install("i-3", 2 * DAY_US, OTHER), install("i-4", 2 * DAY_US, app="game")]
    events = [
        event("between", 2 * DAY_US, ids=ids),
        event("after", MINUTE_US, ids=ids),
        event("before", 3 * DAY_US + 2 * CLOCK_SKEW_US, ids=ids),
        event("slow_clock", 3 * DAY_US + CLOCK_SKEW_US // 2, ids=ids),
        event("nobody", MINUTE_US, ids={"google_aid": "22222222-8cf0-11bd-b23e-10b96e40000e"}),
    ]
    await put(pool, [*events, second, *others, first])
    found = {name: str(row["install"]) for name, row in (await credited(pool)).items()}
    assert found == {"between": first.id, "after": second.id, "slow_clock": first.id}
    rows = await pool.fetch("SELECT name FROM uncredited_events ORDER BY name")
    assert [row["name"] for row in rows] == ["before", "nobody"]


async def test_a_user_counts_more_than_a_device(pool: asyncpg.Pool) -> None:
    hers = install("i-1", 2 * DAY_US, user_id="ann")
    lent = install("i-2", DAY_US, OTHER, user_id="bob")
    await put(pool, [hers, lent])
    ids = {"google_aid": OTHER}
    await put(
        pool, [event("hers", MINUTE_US, user_id="ann", ids=ids), event("lent", MINUTE_US, user_id="eve", ids=ids)]
    )
    await put(pool, [event("early", 2 * DAY_US + 2 * CLOCK_SKEW_US, user_id="ann", ids=ids)])
    found = {name: str(row["install"]) for name, row in (await credited(pool)).items()}
    assert found == {"hers": hers.id, "lent": lent.id}


async def test_an_event_waits_for_the_install_it_names(pool: asyncpg.Pool) -> None:
    await put(pool, [install("i-1", DAY_US), event("buy", MINUTE_US, "i-2", ids={"google_aid": GAID})])
    assert await credited(pool) == {}
    assert await pool.fetchval("SELECT count(*) FROM uncredited_events") == 1
    late = install("i-2", 0, OTHER)
    await put(pool, [late])
    assert str((await credited(pool))["buy"]["install"]) == late.id
    assert await pool.fetchval("SELECT count(*) FROM uncredited_events") == 0


async def test_every_event_is_credited_or_not_whatever_came_first(pool: asyncpg.Pool) -> None:
    """Once, and never both; the same for every order."""
    records: list[Hit | Install | Event] = [
        click(2 * DAY_US + MINUTE_US),
        install("i-1", 2 * DAY_US, user_id="ann"),
        event("named", MINUTE_US, "i-1"),
        event("user", MINUTE_US, user_id="ann", ids={"x": "y"}),
        event("device", MINUTE_US, ids={"google_aid": GAID}),
        event("lost", MINUTE_US, ids={"google_aid": OTHER}),
    ]
    seen = set()
    for order in itertools.islice(itertools.permutations(records), 0, 720, 103):
        await pool.execute("TRUNCATE touches, installs, events, decisions, conversion_keys, marks, new_keys CASCADE")
        for one in order:
            await put(pool, [one])
        await decide_all(pool)
        rows = [tuple(row) for row in await pool.fetch(CREDITED)]
        rest = [tuple(row) for row in await pool.fetch("SELECT name FROM uncredited_events")]
        seen.add(str((rows, rest)))
        assert [row[0] for row in rows] == ["device", "named", "user"]
        assert rest == [("lost",)]
    assert len(seen) == 1


async def test_the_lowest_id_after_an_event_is_that_of_five_minutes_later(pool: asyncpg.Pool) -> None:
    for at_us in (0, 1_700_000_000_123_000, NOW_US // 1000 * 1000):
        at = datetime.fromtimestamp(at_us / 1_000_000, UTC)
        assert received_us(str(await pool.fetchval("SELECT received_after($1)", at))) == at_us + CLOCK_SKEW_US


BY_NOTHING = Named("file", RuleSet(rules=(Rule("referrer", "click", 24),)))


async def replayed(pool: asyncpg.Pool) -> Difference:
    async with pool.acquire() as connection:
        return await replay(connection, Asked(since_us=0, rules=BY_NOTHING), lambda _: None)


async def test_a_replay_moves_the_money_of_reinstalls_with_the_decision_they_stand_on(pool: asyncpg.Pool) -> None:
    await put(pool, [click(6 * DAY_US + MINUTE_US), install("i-1", 6 * DAY_US), install("i-2", DAY_US)])
    await put(pool, [event("first", 6 * DAY_US, "i-1", units=5), event("again", MINUTE_US, "i-2", units=7)])
    await put(pool, [event("by_device", MINUTE_US, ids={"google_aid": GAID}, units=11), event("free", 0, "i-1", 0)])
    await put(pool, [event("try", 0, "i-1", units=100, flags=["sandbox"])])
    await decide_all(pool)
    found = await replayed(pool)
    assert found.moves == {("-", "(organic)"): 1}
    assert found.before["-"].revenue_micros == found.after["(organic)"].revenue_micros == {"EUR": 23_000_000}


async def test_a_test_install_is_in_no_move_and_no_money(pool: asyncpg.Pool) -> None:
    await put(pool, [click(DAY_US + MINUTE_US), install("i-1", DAY_US, flags=["sandbox"]), event("buy", 0, "i-1")])
    await decide_all(pool)
    assert (await credited(pool))["buy"]["test"] is True
    found = await replayed(pool)
    assert (found.changed, found.tests, found.moves, found.before) == (1, 1, {}, {})


async def test_an_event_from_a_sandbox_is_a_test_of_an_install_that_is_none(pool: asyncpg.Pool) -> None:
    await put(pool, [install("i-1", DAY_US), event("try", 0, "i-1", flags=["sandbox"]), event("buy", 0, "i-1")])
    await decide_all(pool)
    assert {name: row["test"] for name, row in (await credited(pool)).items()} == {"try": True, "buy": False}


async def test_a_test_install_is_no_earlier_install_of_a_real_one(pool: asyncpg.Pool) -> None:
    tried = [install(f"t-{number}", (9 - number) * DAY_US, flags=["sandbox"]) for number in range(1, 5)]
    first, again = install("i-1", 12 * DAY_US), install("i-2", DAY_US)
    await put(pool, [*tried, first, again])
    await decide_all(pool)
    rows = await pool.fetch(
        "SELECT i.install_id, d.method, d.earlier, d.test FROM decisions d JOIN installs i ON i.id = d.conversion"
    )
    found = {row["install_id"]: (row["method"], row["test"]) for row in rows}
    assert found["i-2"] == ("reinstall", False)
    assert {str(row["earlier"]) for row in rows if row["earlier"]} == {first.id}
    assert [found[f"t-{number}"] for number in range(1, 5)] == [("organic", True)] * 4


async def test_test_installs_are_in_no_figure_of_a_link(pool: asyncpg.Pool) -> None:
    await put(pool, [click(DAY_US + MINUTE_US), install("i-1", DAY_US, flags=["sandbox"])])
    await put(pool, [click(DAY_US + MINUTE_US, OTHER), install("i-2", DAY_US, OTHER)])
    await decide_all(pool)
    assert await pool.fetchval("SELECT count(*) FROM decisions WHERE method = 'identifier'") == 2
    await put(pool, [install("i-3", 0, "22222222-8cf0-11bd-b23e-10b96e40000e")])
    await decide_all(pool)
    assert await pool.fetchval("SELECT sum(installs) FROM link_days") == 1
