"""Erasure on a real Postgres: what identifies the device is gone everywhere, what was counted stays."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import msgspec
import pytest

from console import erasing_pages
from console.erasing import Asked, forget
from console.forgetting import read_names
from consumers.touches.partitions import ensure_partitions, today_utc
from schemas.events import Device
from schemas.identifiers import md5, sha1
from tests.console.conftest import Console
from tests.consumers.attribution.test_decider import run
from tests.support.devices import (
    BROWSER,
    GAID,
    OTHER,
    OTHER_ADDRESS,
    QUERIES,
    USER,
    event,
    everything,
    hit,
    install,
    put,
    reject,
    traces,
    visit,
)
from tests.support.logs import pool_of


@pytest.fixture
async def pool(console: Console) -> AsyncIterator[asyncpg.Pool]:
    pool = await pool_of(console.url)
    await pool.execute("INSERT INTO apps (id, title) VALUES ('shop', ''), ('game', '')")
    await pool.execute("INSERT INTO links (id, app) VALUES ('1', 'shop')")
    async with pool.acquire() as connection:
        await ensure_partitions(connection, today_utc())
    yield pool
    pool.terminate()


THEIRS: dict[str, Any] = {"ip": OTHER_ADDRESS, "ua": "Other/1"}


async def put_all(pool: asyncpg.Pool) -> None:
    """Two devices that did the same: one in four ways, with an install that it won, events, visits and rejects."""
    other = hit(f"click_id=theirs&google_aid={OTHER}", ip=OTHER_ADDRESS, ua="Other/1")
    mine = [hit(query) for query in QUERIES.values()]
    await put(pool, [*mine, other, reject("x=1", OTHER_ADDRESS), reject(f"google_aid={GAID.upper()}&x=2")])
    theirs = THEIRS | {"user_id": "bob"}
    others_install = msgspec.structs.replace(install("i-2", OTHER), **theirs, device=Device(os="Android"))
    await put(pool, [install("hers-1"), others_install])
    await run(pool, {}, 0.5)
    paid = event("hers-e-1", "hers-1", user_id=USER)
    by_id = event("hers-e-2", None, ids={"google_aid": GAID})
    await put(pool, [paid, by_id, event("hers-e-4", "hers-1", seen=GAID), event("e-3", "i-2", **theirs)])
    await put(pool, [visit("hers-v-1", touch_id=mine[0].id), visit("hers-v-2", link="1")])
    await put(pool, [visit("v-3", "else", touch_id=other.id, url="https://x.example/?a=b", referer="", **THEIRS)])
    await put(pool, [event("hers-e-5", None, ids={"visitor_id": BROWSER})])
    await pool.execute(RECEIVED)


COUNTS = """
SELECT (SELECT count(*) FROM touches), (SELECT count(*) FROM installs), (SELECT count(*) FROM events),
       (SELECT count(*) FROM rejects), (SELECT count(*) FROM decisions),
       (SELECT count(*) FROM visits), (SELECT count(DISTINCT visitor_id) FROM visits)
"""
RECEIVED = """
INSERT INTO received (topic, subject, hour, records)
SELECT topic, subject, (('x' || substr(replace(id::text, '-', ''), 1, 12))::bit(48)::bigint / 3600000)::int, count(*)
FROM (SELECT 'hits' AS topic, link AS subject, id FROM touches UNION ALL SELECT 'rejects', subject, id FROM rejects
      UNION ALL SELECT 'conversions', app, id FROM installs UNION ALL SELECT 'conversions', app, id FROM events
      UNION ALL SELECT 'conversions', app, id FROM visits) AS a
GROUP BY 1, 2, 3
"""
MONEY = """
SELECT method, link, sum(revenue_micros), count(*) FROM credited_events GROUP BY 1, 2 ORDER BY 1, 2
"""
DECIDED = """
SELECT conversion, number, method, touch, touch_kind, link, campaign, partner, confidence, rules
FROM decisions ORDER BY 1
"""
VISITED = """
SELECT v.id, v.touch, v.link, v.occurred_at, split_part(v.url, '?', 1) AS page, e.revenue_micros FROM visits v
LEFT JOIN events e ON e.app = v.app AND e.ids ->> 'visitor_id' = v.visitor_id ORDER BY 1
"""


async def test_nothing_of_the_device_stands_anywhere_and_every_count_stays(
    console: Console, pool: asyncpg.Pool
) -> None:
    await put_all(pool)
    before = await everything(pool)
    tables = {table for table, _ in traces(before)}
    assert tables == {"touches", "installs", "events", "visits", "rejects", "decisions"}
    queries = (COUNTS, MONEY, DECIDED, VISITED)
    counted = [await pool.fetch(query) for query in queries]
    verified = console.facts("verify")
    facts = console.facts("forget", "--id", GAID, "--yes")
    after = await everything(pool)
    assert traces(after, USER) == []
    assert [await pool.fetch(query) for query in queries] == counted
    assert console.facts("verify") == verified
    assert facts["rows"].pop("conversion_keys") > 0
    assert facts["rows"] == {
        "touches": 4, "touch_more_keys": 4, "installs": 1, "decisions": 2, "events": 4, "visits": 2, "rejects": 1,
        "postbacks": 0, "postback_attempts": 0, "test_devices": 0,
    }  # fmt: skip
    flagged = await pool.fetch(
        "SELECT flags FROM touches WHERE 'forgotten' = ANY(flags) UNION ALL SELECT flags FROM installs"
        " WHERE 'forgotten' = ANY(flags) UNION ALL SELECT flags FROM events WHERE 'forgotten' = ANY(flags)"
        " UNION ALL SELECT flags FROM visits WHERE 'forgotten' = ANY(flags)"
    )
    # what was found out about a touch when it came is a verdict's ground, and stays
    assert Counter(tuple(row["flags"]) for row in flagged) == {("non_public", "forgotten"): 4, ("forgotten",): 7}
    row = await pool.fetchrow("SELECT * FROM touches WHERE 'forgotten' = ANY(flags) LIMIT 1")
    assert (row["os"], row["link"], row["app"], row["country"]) == ("android", "1", "shop", None)


async def test_another_device_is_left_as_it_is_byte_for_byte(console: Console, pool: asyncpg.Pool) -> None:
    await put_all(pool)
    before = await everything(pool)
    console.run("forget", "--id", f"google_aid:{GAID}", "--yes")
    after = await everything(pool)
    for table, marks in {
        "touches": ("theirs",),
        "installs": ("i-2",),
        "events": ("shop,e-3,",),
        "visits": ("v-3",),
        "rejects": ("x=1",),
    }.items():
        theirs = [row for row in before[table] if any(mark in row for mark in marks)]
        assert len(theirs) == 1, table
        assert theirs[0] in after[table]
    bob = str(await pool.fetchval("SELECT id FROM installs WHERE install_id = 'i-2'"))
    for table in ("decisions", "conversion_keys"):
        theirs = [row for row in before[table] if bob in row]
        assert theirs and [row for row in after[table] if bob in row] == theirs
    # by google_aid: the touch that names the device as its oaid is left, with its further keys
    assert any("hers-more" in row for row in after["touches"])
    assert len(after["touch_more_keys"]) == len(before["touch_more_keys"])


@pytest.mark.parametrize("digest", ["google_aid_sha1:" + sha1(GAID), "google_aid_md5:" + md5(GAID)])
async def test_a_digest_finds_what_stands_raw(console: Console, pool: asyncpg.Pool, digest: str) -> None:
    await put(pool, [hit(QUERIES["raw"]), install("hers-1"), reject(QUERIES["raw"])])
    rows = console.facts("forget", "--id", digest, "--yes")["rows"]
    assert (rows["touches"], rows["installs"], rows["rejects"]) == (1, 1, 1)
    assert traces(await everything(pool)) == []


@pytest.mark.parametrize("name", [f"user_id:{USER}", "install_id:hers-1"])
async def test_an_install_tells_what_else_its_device_is_called(console: Console, pool: asyncpg.Pool, name: str) -> None:
    await put(pool, [hit(QUERIES["raw"]), hit(QUERIES["sha1"]), install("hers-1"), event("hers-e", "hers-1")])
    assert console.facts("forget", "--id", name, "--yes")["rows"]["touches"] == 2
    assert traces(await everything(pool), USER) == []


async def test_the_touch_that_its_referrer_named_is_the_devices_too(console: Console, pool: asyncpg.Pool) -> None:
    touch = hit("click_id=hers-click")
    await put(pool, [touch, install("hers-1")])
    record = await pool.fetchval("SELECT id FROM installs")
    console.add_decision(str(record), touch=touch.id, candidates=[])
    console.run("forget", "--id", GAID, "--yes")
    assert traces(await everything(pool)) == []
    await pool.execute("DELETE FROM touches")
    await put(pool, [touch])
    assert traces(await everything(pool)) == []


async def test_a_click_id_among_the_candidates_of_another_install_goes_too(
    console: Console, pool: asyncpg.Pool
) -> None:
    # behind one address: found by fingerprint
    await put(pool, [hit(QUERIES["raw"])])
    await put(pool, [install("i-2", OTHER, user_id="bob")])
    await run(pool, {}, 0.5)
    assert "hers-raw" in await pool.fetchval("SELECT candidates::text FROM decisions")
    method = await pool.fetchval("SELECT method FROM decisions")
    console.run("forget", "--id", GAID, "--yes")
    row = await pool.fetchrow("SELECT method, click_id, candidates::text FROM decisions")
    assert (row["method"], row["click_id"], "hers-raw" in row["candidates"]) == (method, None, False)


async def test_a_dry_run_says_the_same_and_changes_nothing(console: Console, pool: asyncpg.Pool) -> None:
    await put_all(pool)
    before = await everything(pool)
    said = console.facts("forget", "--id", GAID, "--dry-run")
    assert await everything(pool) == before
    assert said["dry_run"]
    assert "Would be erased" in console.run("forget", "--id", GAID, "--dry-run").stdout
    assert console.facts("forget", "--id", GAID, "--yes")["rows"] == said["rows"]


async def test_what_is_not_stored_is_said_and_is_no_error(console: Console, pool: asyncpg.Pool) -> None:
    facts = console.facts("forget", "--id", GAID, "--yes")
    assert (facts["found"], facts["permanent"]) == (False, True)
    said = console.run("forget", "--id", GAID, "--yes", "--once").stdout
    assert said == "Nothing of this device is stored.\n"


async def test_only_one_app(console: Console, pool: asyncpg.Pool) -> None:
    await put(pool, [hit(QUERIES["raw"]), hit(QUERIES["raw"], app="game"), reject(QUERIES["raw"])])
    rows = console.facts("forget", "--id", GAID, "--app", "game", "--yes")["rows"]
    assert (rows["touches"], rows["rejects"]) == (1, 0)
    assert console.facts("forget", "--id", GAID, "--app", "shop", "--yes")["rows"]["rejects"] == 1
    assert "app 'no' does not exist" in console.refusal("forget", "--id", GAID, "--app", "no", "--yes", code=1)


async def test_limited_tracking_has_no_key_and_is_found_by_reading_every_touch(
    console: Console, pool: asyncpg.Pool
) -> None:
    await put(pool, [hit(QUERIES["raw"] + "&lmt=1")])
    assert console.facts("forget", "--id", GAID, "--yes")["rows"]["touches"] == 0
    assert console.facts("forget", "--id", GAID, "--yes", "--every-touch")["rows"]["touches"] == 1
    assert traces(await everything(pool)) == []


async def test_an_escaped_identifier_is_found_by_reading_every_touch(console: Console, pool: asyncpg.Pool) -> None:
    hidden = "".join(f"%{ord(one):02X}" for one in GAID)
    other = hidden.replace("%30", "%31")
    await put(pool, [hit(f"gaid={hidden}&lmt=1"), hit(f"gaid={other}&lmt=1")])
    assert console.facts("forget", "--id", GAID, "--yes", "--every-touch")["rows"]["touches"] == 1
    assert await pool.fetch("SELECT query FROM touches WHERE query <> ''") == [(f"gaid={other}&lmt=1",)]


async def test_a_forgotten_install_keeps_its_decision(console: Console, pool: asyncpg.Pool) -> None:
    await put_all(pool)
    console.run("forget", "--id", GAID, "--yes")
    await pool.execute("INSERT INTO marks (conversion) SELECT id FROM installs WHERE 'forgotten' = ANY(flags)")
    before = await pool.fetch(DECIDED)
    await run(pool, {}, 0.5)
    assert await pool.fetch(DECIDED) == before
    assert await pool.fetchval("SELECT count(*) FROM marks") == 1


class Killed(Exception):
    """Between two pages."""


async def test_killed_between_any_two_pages_a_second_run_ends_in_the_same_state(
    console: Console, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing_pages, "PAGE_ROWS", 1)
    monkeypatch.setattr(erasing_pages, "SCAN_ROWS", 2)
    await put_all(pool)
    asked = Asked(read_names([f"user_id:{USER}", f"oaid:{GAID}"], ["shop"]), ("shop",), False, False, False)
    killed = 0
    for _ in range(100):
        killed += 1
        left = killed

        def progress(what: str, rows: int) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise Killed

        connection = await asyncpg.connect(console.url)
        try:
            await forget(connection, asked, apply=True, progress=progress)
            break
        except Killed:
            continue
        finally:
            await connection.close()
    assert killed > 5
    assert traces(await everything(pool), USER) == []


async def test_whoever_was_writing_meanwhile_is_waited_for(console: Console, pool: asyncpg.Pool) -> None:
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("INSERT INTO log_positions VALUES ('touches', 'x', 0, 0)")  # as every batch begins
        forgetting = console.start("forget", "--id", GAID, "--yes", "--json")
        async with asyncio.timeout(20):
            while not await pool.fetchval("SELECT count(*) FROM forgotten"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await connection.execute("UPDATE log_positions SET next_offset = 1")
        assert forgetting.poll() is None
        await connection.execute(
            "INSERT INTO installs (app, install_id, id, installed_at, ids, os, device, app_version, ua, flags)"
            " VALUES ('shop', 'hers-late', gen_random_uuid(), now(), $1, '', '{}', '', '', '{}')",
            f'{{"google_aid": "{GAID}"}}',
        )
        await transaction.commit()
    said, _ = await asyncio.to_thread(forgetting.communicate)
    assert '"installs": 1' in said
    assert traces(await everything(pool)) == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("nonsense", "without a KIND:"),
        ("idfa2:38400000", "KIND is one of google_aid, "),
        ("google_aid:123", "google_aid is a UUID"),
        (f"google_aid:{sha1(GAID)}", "google_aid_sha1:"),
        ("google_aid_sha1:abc", "40 hex digits"),
        ("google_aid:00000000-0000-0000-0000-000000000000", "share this value"),
        ("user_id:", "1 to 1024 characters"),
    ],
)
def test_a_wrong_id_is_named(console: Console, given: str, words: str) -> None:
    said = console.refusal("forget", "--id", given, "--yes", code=2)
    assert said.startswith(f"touchline forget: --id {given!r}: ")
    assert words in said


def test_nobody_is_asked_where_nobody_can_answer(console: Console) -> None:
    assert "--yes is missing" in console.refusal("forget", "--id", GAID, code=2)
