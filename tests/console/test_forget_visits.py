"""Visits of websites: whom they lead to, whom they do not, and what is left of them."""

import json
from collections.abc import AsyncIterator

import asyncpg
import pytest

from console import erasing_pages
from console.erasing import Asked, forget
from console.forgetting import read_names
from consumers.touches.partitions import ensure_partitions, today_utc
from tests.console.conftest import Console
from tests.consumers.attribution.test_decider import run
from tests.support.devices import (
    BROWSER,
    GAID,
    OTHER,
    OTHER_ADDRESS,
    QUERIES,
    event,
    everything,
    hit,
    install,
    put,
    traces,
    visit,
)
from tests.support.logs import pool_of

VISITOR = f"visitor_id:{BROWSER}"


@pytest.fixture
async def pool(console: Console) -> AsyncIterator[asyncpg.Pool]:
    pool = await pool_of(console.url)
    await pool.execute("INSERT INTO apps (id, title, kind) VALUES ('shop', '', 'web'), ('game', '', 'mobile')")
    await pool.execute("INSERT INTO links (id, app) VALUES ('1', 'shop')")
    async with pool.acquire() as connection:
        await ensure_partitions(connection, today_utc())
    yield pool
    pool.terminate()


async def test_a_visitor_goes_with_its_clicks_and_events_and_stays_one_visitor(
    console: Console, pool: asyncpg.Pool
) -> None:
    click = hit("click_id=hers-click")
    await put(pool, [click, visit("hers-1", touch_id=click.id), visit("hers-2", link="1")])
    await put(pool, [event("hers-e", None, ids={"visitor_id": BROWSER})])
    rows = console.facts("forget", "--id", VISITOR, "--yes")["rows"]
    assert (rows["touches"], rows["visits"], rows["events"]) == (1, 2, 1)
    assert traces(await everything(pool)) == []
    found = await pool.fetch("SELECT touch::text, link, url, referer, language, flags FROM visits ORDER BY id")
    page = ("https://shop.example/shoes", "", "", ["forgotten"])
    assert [tuple(row) for row in found] == [(click.id, None, *page), (None, "1", *page)]
    joined = "SELECT count(*) FROM visits v JOIN events e ON e.app = v.app AND e.ids ->> 'visitor_id' = v.visitor_id"
    assert await pool.fetchval(joined) == 2
    assert not console.facts("forget", "--id", VISITOR, "--yes")["found"]


async def test_what_brought_a_visitor_stays_counted_without_its_click(console: Console, pool: asyncpg.Pool) -> None:
    click = hit("click_id=hers-click")
    await put(pool, [click, visit("hers-1", touch_id=click.id), event("hers-e", None, ids={"visitor_id": BROWSER})])
    await run(pool, {}, 0.5)
    assert await pool.fetchval("SELECT click_id FROM decisions") == "hers-click"
    console.facts("forget", "--id", VISITOR, "--yes")
    assert traces(await everything(pool)) == []
    assert await pool.fetchval("SELECT count(*) FROM conversion_keys") == 0
    money = await pool.fetch("SELECT method, touch::text, link, revenue_micros FROM credited_events")
    assert [tuple(row) for row in money] == [("visit", click.id, "1", 4_990_000)]


async def test_an_event_that_waits_is_not_decided_any_more(console: Console, pool: asyncpg.Pool) -> None:
    click = hit("click_id=hers-click")
    await put(pool, [click, visit("hers-1", touch_id=click.id), event("hers-e", None, ids={"visitor_id": BROWSER})])
    console.facts("forget", "--id", VISITOR, "--yes")
    await run(pool, {}, 0.5)
    assert await pool.fetchval("SELECT count(*) FROM decisions") == 0
    assert await pool.fetchval("SELECT count(*) FROM waiting") == 0


@pytest.mark.parametrize("name", [f"google_aid:{GAID}", "install_id:hers-i"])
async def test_a_visit_that_names_a_touch_of_the_device_tells_the_visitor(
    console: Console, pool: asyncpg.Pool, name: str
) -> None:
    click, another = hit(QUERIES["raw"]), hit("click_id=hers-other")
    await put(pool, [click, another, install("hers-i")])
    await put(pool, [visit("hers-1", touch_id=click.id), visit("hers-2", touch_id=another.id), visit("hers-3")])
    rows = console.facts("forget", "--id", name, "--yes")["rows"]
    assert (rows["touches"], rows["visits"]) == (2, 3)
    assert traces(await everything(pool)) == []


async def test_the_touch_that_caused_an_install_tells_it_too(console: Console, pool: asyncpg.Pool) -> None:
    click = hit("click_id=hers-click")
    await put(pool, [click, install("hers-i"), visit("hers-1", touch_id=click.id), visit("hers-2")])
    console.add_decision(str(await pool.fetchval("SELECT id FROM installs")), touch=click.id, candidates=[])
    assert console.facts("forget", "--id", GAID, "--yes")["rows"]["visits"] == 2
    assert traces(await everything(pool)) == []


async def test_an_address_that_holds_the_identifier_tells_the_visitor(console: Console, pool: asyncpg.Pool) -> None:
    await put(pool, [visit("hers-1", url=f"https://shop.example/?gaid={GAID.upper()}"), visit("hers-2")])
    assert console.facts("forget", "--id", GAID, "--yes")["rows"]["visits"] == 2
    assert traces(await everything(pool)) == []


async def test_it_ends_with_the_visitor(console: Console, pool: asyncpg.Pool) -> None:
    # an address was passed on, and another app's touch was written into one
    click, foreign = hit("click_id=hers-click"), hit(f"google_aid={OTHER}", app="game", ip=OTHER_ADDRESS, ua="Other/1")
    await put(pool, [click, foreign])
    await put(pool, [visit("hers-1", touch_id=click.id), visit("hers-2", touch_id=foreign.id)])
    await put(pool, [visit("v-3", "friend", touch_id=click.id, ip=OTHER_ADDRESS, ua="Other/1")])
    await put(pool, [visit("v-4", BROWSER, app="game", ip=OTHER_ADDRESS, ua="Other/1")])
    before = await everything(pool)
    console.run("forget", "--id", VISITOR, "--app", "shop", "--yes")
    after = await everything(pool)
    for table, mark in (("visits", "v-3"), ("visits", "v-4"), ("touches", foreign.id)):
        (row,) = [row for row in before[table] if mark in row]
        assert row in after[table]
    assert await pool.fetchval("SELECT count(*) FROM visits WHERE 'forgotten' = ANY(flags)") == 2


async def test_an_event_of_the_user_stays_with_a_visitor_that_is_not_forgotten(
    console: Console, pool: asyncpg.Pool
) -> None:
    await put(pool, [visit("v-1", "shared"), event("e-1", None, ids={"visitor_id": "shared"}, user_id="alice")])
    await put(pool, [event("e-2", None, ids={"visitor_id": "never-seen"}, user_id="alice")])
    rows = console.facts("forget", "--id", "user_id:alice", "--yes")["rows"]
    assert (rows["events"], rows["visits"]) == (2, 0)
    kept = [row["visitor_id"] for row in await pool.fetch("SELECT ids ->> 'visitor_id' AS visitor_id FROM events")]
    assert "shared" in kept and "never-seen" not in kept


async def test_the_click_of_a_visit_is_known_before_it_is_stored(console: Console, pool: asyncpg.Pool) -> None:
    click = hit("click_id=hers-click")
    await put(pool, [visit("hers-1", touch_id=click.id)])
    console.run("forget", "--id", VISITOR, "--yes")
    await put(pool, [click])
    assert traces(await everything(pool)) == []
    assert await pool.fetchval("SELECT count(*) FROM visits JOIN touches ON touches.id = visits.touch") == 1


async def test_a_retried_install_or_event_hinders_nothing_either(console: Console, pool: asyncpg.Pool) -> None:
    console.run("forget", "--id", GAID, "--yes")
    await put(pool, [install("hers-i"), event("hers-e", None, ids={"google_aid": GAID})])
    raw = json.dumps({"google_aid": GAID})
    await pool.execute("UPDATE installs SET install_id = 'hers-i', ids = $1, flags = '{}'", raw)
    await pool.execute("UPDATE events SET event_id = 'hers-e', ids = $1, flags = '{}'", raw)
    await put(pool, [install("hers-i"), event("hers-e", None, ids={"google_aid": GAID})])
    rows = console.facts("forget", "--id", GAID, "--yes")["rows"]
    assert (rows["installs"], rows["events"]) == (1, 1)
    assert traces(await everything(pool)) == []
    assert (
        await pool.fetchval("SELECT count(*) FROM installs") == await pool.fetchval("SELECT count(*) FROM events") == 2
    )


async def test_a_retry_that_came_in_under_the_pseudonym_hinders_nothing(console: Console, pool: asyncpg.Pool) -> None:
    console.run("forget", "--id", VISITOR, "--yes")
    await put(pool, [visit("hers-1")])
    pseudonym = await pool.fetchval("SELECT visit_id FROM visits")
    await pool.execute("UPDATE visits SET visit_id = 'hers-1', visitor_id = $1, flags = '{}'", BROWSER)
    await put(pool, [visit("hers-1")])  # as while the first run was between its keys and its visits
    console.run("forget", "--id", VISITOR, "--yes")
    assert traces(await everything(pool)) == []
    found = [row["visit_id"] for row in await pool.fetch("SELECT visit_id FROM visits")]
    assert len(found) == 2 and all(one.startswith(pseudonym) for one in found)


async def test_no_kept_key_stands_anywhere_else(console: Console, pool: asyncpg.Pool) -> None:
    # nobody has decided yet: the keys of new touches and installs still wait to be looked for
    await put(pool, [*(hit(query) for query in QUERIES.values()), install("hers-i")])
    await put(pool, [hit(f"google_aid={OTHER}", ip=OTHER_ADDRESS)])
    kept = "SELECT count(*) FROM new_keys, unnest(keys) AS key WHERE key IN (SELECT key FROM forgotten)"
    waiting = "SELECT count(*) FROM new_keys, unnest(keys)"
    console.run("forget", "--id", "google_aid:22222222-8cf0-11bd-b23e-10b96e40000d", "--yes")
    before = await pool.fetchval(waiting)
    console.run("forget", "--id", GAID, "--yes")
    assert await pool.fetchval(kept) == 0
    assert 0 < await pool.fetchval(waiting) < before
    dump = await everything(pool)
    keys = {str(row["key"]) for row in await pool.fetch("SELECT key FROM forgotten")}
    assert [table for table in dump for row in dump[table] for key in keys if key in row] == ["forgotten"] * len(keys)


class Killed(Exception):
    """Between two pages."""


@pytest.mark.parametrize("leads", ["touch", "address"])
async def test_killed_between_any_two_pages_a_second_run_finds_the_visitor_again(
    console: Console, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch, leads: str
) -> None:
    monkeypatch.setattr(erasing_pages, "PAGE_ROWS", 1)
    monkeypatch.setattr(erasing_pages, "SCAN_ROWS", 1)
    asked = Asked(read_names([GAID], ["shop"]), ("shop",), False, False, False)
    for pages in range(1, 100):
        await pool.execute("TRUNCATE touches, touch_more_keys, new_keys, visits, events, forgotten")
        click, another = hit(QUERIES["raw"]), hit("click_id=hers-other")
        first = {"touch_id": click.id} if leads == "touch" else {"url": f"https://shop.example/?google_aid={GAID}"}
        await put(pool, [click, another, visit("hers-1", **first), visit("hers-2", touch_id=another.id)])
        await put(pool, [event("hers-e", None, ids={"visitor_id": BROWSER}), event("hers-f", None, ids={"oaid": GAID})])
        finished = await killed_after(console.url, asked, pages)
        if not finished:
            await killed_after(console.url, asked, 1000)
        assert traces(await everything(pool)) == [], pages
        if finished:
            break
    assert pages > 10


async def killed_after(url: str, asked: Asked, pages: int) -> bool:
    """Whether it ended before."""

    def progress(what: str, rows: int) -> None:
        nonlocal pages
        pages -= 1
        if pages == 0:
            raise Killed

    connection = await asyncpg.connect(url)
    try:
        await forget(connection, asked, apply=True, progress=progress)
    except Killed:
        return False
    finally:
        await connection.close()
    return True
