"""After a device was forgotten: what the log holds of it, or brings later, is stored without what identifies it."""

import time
from collections.abc import AsyncIterator

import asyncpg
import msgspec
import pytest

from consumers.accounts import Rejected
from consumers.forgotten import Forgotten
from consumers.sources import Partition, Record
from schemas.codec import encode
from schemas.events import Event, Hit, Visit
from tests.console.conftest import Console
from tests.support.devices import (
    BROWSER,
    GAID,
    OTHER,
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

ALL_BUT_MORE = [query for name, query in QUERIES.items() if name != "more"]


@pytest.fixture
async def pool(console: Console) -> AsyncIterator[asyncpg.Pool]:
    pool = await pool_of(console.url)
    await pool.execute("INSERT INTO apps (id, title) VALUES ('shop', ''), ('game', '')")
    await pool.execute("INSERT INTO links (id, app) VALUES ('1', 'shop')")
    yield pool
    pool.terminate()


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
@pytest.mark.parametrize("limit", ["", "&lmt=1"])
async def test_a_replayed_hit_comes_in_blanked(console: Console, pool: asyncpg.Pool, query: str, limit: str) -> None:
    one = hit(query + limit)
    await put(pool, [one])
    console.run("forget", "--id", GAID, "--yes", "--every-touch")
    before = await pool.fetch("SELECT * FROM touches")
    await put(pool, [one])
    assert await pool.fetch("SELECT * FROM touches") == before
    await pool.execute("DELETE FROM touches")
    await put(pool, [one, hit("click_id=x&google_aid=" + OTHER, ip="192.0.2.1", ua="Other/1")])
    assert traces(await everything(pool)) == []
    rows = await pool.fetch("SELECT * FROM touches WHERE 'forgotten' = ANY(flags)")
    assert rows == before
    assert await pool.fetchval("SELECT count(*) FROM touches WHERE click_id = 'x' AND device_sha1_key IS NOT NULL") == 1


async def test_an_install_its_events_and_a_reject_come_in_blanked_and_belong_together(
    console: Console, pool: asyncpg.Pool
) -> None:
    first = install("hers-1")
    await put(pool, [first])
    console.run("forget", "--id", GAID, "--yes")
    again = install("hers-1")  # the SDK sends it again
    await put(pool, [first, again, event("hers-e", "hers-1", user_id=USER), event("hers-e", "hers-1")])
    await put(pool, [reject(QUERIES["raw"]), reject("x=1", "192.0.2.1")])
    dump = await everything(pool)
    assert traces(dump, USER) == []
    assert (len(dump["installs"]), len(dump["events"]), len(dump["rejects"])) == (1, 1, 2)
    assert await pool.fetchval("SELECT count(*) FROM events JOIN installs USING (app, install_id)") == 1
    assert await pool.fetchval("SELECT revenue_micros FROM events") == 4_990_000
    assert sum("x=1" in row for row in dump["rejects"]) == 1


async def test_a_user_is_forgotten_on_devices_that_nobody_knew(console: Console, pool: asyncpg.Pool) -> None:
    console.run("forget", "--id", f"user_id:{USER}", "--yes")
    await put(pool, [install("hers-2"), install("i-3", OTHER, user_id="bob")])
    rows = await pool.fetch("SELECT user_id, ids::text FROM installs ORDER BY user_id NULLS FIRST")
    assert [tuple(row) for row in rows] == [(None, "{}"), ("bob", f'{{"google_aid": "{OTHER}"}}')]


async def test_a_visitor_comes_in_blanked_as_it_was_blanked_in_place(console: Console, pool: asyncpg.Pool) -> None:
    records: list[Visit | Event] = [visit("hers-1"), visit("hers-2", link="1")]
    records.append(event("hers-e", None, ids={"visitor_id": BROWSER}))
    await put(pool, records)
    console.run("forget", "--id", f"visitor_id:{BROWSER}", "--app", "shop", "--yes")
    rows = ("SELECT * FROM visits ORDER BY id", "SELECT * FROM events")
    before = [await pool.fetch(query) for query in rows]
    await put(pool, records)
    assert [await pool.fetch(query) for query in rows] == before
    await pool.execute("TRUNCATE visits, events")
    await put(pool, records)
    assert [await pool.fetch(query) for query in rows] == before
    await put(pool, [visit("hers-2"), visit("hers-3"), visit("v-4", "else"), visit("v-5", BROWSER, app="game")])
    assert await pool.fetchval("SELECT count(*) FROM visits WHERE 'forgotten' = ANY(flags)") == 3
    console.run("forget", "--id", f"visitor_id:{BROWSER}", "--app", "game", "--yes")
    await pool.execute("DELETE FROM visits WHERE visitor_id = 'else'")
    assert traces(await everything(pool)) == []


@pytest.mark.parametrize("field", ["url", "referer"])
async def test_a_visit_whose_address_names_the_device_comes_in_blanked(
    console: Console, pool: asyncpg.Pool, field: str
) -> None:
    console.run("forget", "--id", GAID, "--yes")
    await put(pool, [visit("hers-1", **{field: f"https://shop.example/?a=b&google_aid={GAID.upper()}#x"})])
    assert traces(await everything(pool)) == []
    await put(pool, [visit("v-2", **{field: f"https://shop.example/?google_aid={OTHER}"})])
    assert await pool.fetchval("SELECT count(*) FROM visits WHERE 'forgotten' = ANY(flags)") == 1


async def test_an_event_of_a_forgotten_user_keeps_a_visitor_who_is_not(console: Console, pool: asyncpg.Pool) -> None:
    console.run("forget", "--id", f"user_id:{USER}", "--id", f"visitor_id:{BROWSER}", "--yes")
    await put(pool, [event("e-1", None, ids={"visitor_id": "shared", "google_aid": OTHER}, user_id=USER)])
    await put(pool, [event("e-2", None, ids={"visitor_id": BROWSER}, user_id=USER)])
    first, second = [row["ids"] for row in await pool.fetch("SELECT ids::text FROM events ORDER BY id")]
    assert first == '{"visitor_id": "shared"}'
    assert second.startswith('{"visitor_id": "forgotten-')


async def test_once_forgets_what_was_received_until_then(console: Console, pool: asyncpg.Pool) -> None:
    before = hit(QUERIES["raw"])
    console.run("forget", "--id", GAID, "--yes", "--once")
    after = hit(QUERIES["sha1"], received_us=time.time_ns() // 1000 + 5_000_000)
    await put(pool, [before, after])
    rows = await pool.fetch("SELECT id::text, 'forgotten' = ANY(flags) FROM touches ORDER BY id")
    assert [tuple(row) for row in rows] == [(before.id, True), (after.id, False)]
    console.run("forget", "--id", GAID, "--yes")  # for ever is more than once
    console.run("forget", "--id", GAID, "--yes", "--once")
    await put(pool, [hit(QUERIES["md5"], received_us=time.time_ns() // 1000 + 9_000_000)])
    assert await pool.fetchval("SELECT count(*) FROM touches WHERE NOT 'forgotten' = ANY(flags)") == 0


async def test_another_app_is_another_matter(console: Console, pool: asyncpg.Pool) -> None:
    console.run("forget", "--id", GAID, "--yes", "--app", "game")
    await put(pool, [hit(QUERIES["raw"]), hit(QUERIES["raw"], app="game")])
    rows = await pool.fetch("SELECT app FROM touches WHERE 'forgotten' = ANY(flags)")
    assert [row["app"] for row in rows] == ["game"]


@pytest.mark.parametrize(
    "record",
    [
        hit(QUERIES["raw"]),
        install("hers-1"),
        event("hers-e", None, user_id=USER),
        event("hers-f", None, ids={"visitor_id": BROWSER}),
        visit("hers-v"),
    ],
)
async def test_what_cannot_be_stored_is_not_kept_whole_either(
    console: Console, pool: asyncpg.Pool, record: Hit
) -> None:
    console.run("forget", "--id", GAID, "--id", f"user_id:{USER}", "--id", f"visitor_id:{BROWSER}", "--yes")
    rejected = Rejected(Partition("log", 0), Record(7, encode(record)), "touches", "too_old", "said hers-raw")
    garbage = rejected._replace(record=Record(8, b"{not json"))
    async with pool.acquire() as connection:
        kept = await Forgotten().stubbed(connection, [rejected, garbage])
    assert [(one.record.offset, one.record.value, one.detail) for one in kept] == [
        (7, b'{"forgotten":true}', ""),
        (8, b"{not json", "said hers-raw"),
    ]


async def test_a_running_consumer_learns_of_it_with_its_next_batch(console: Console, pool: asyncpg.Pool) -> None:
    forgotten = Forgotten()
    async with pool.acquire() as connection:
        assert not await forgotten.read(connection)
        console.run("forget", "--id", GAID, "--yes")
        assert await forgotten.read(connection)
        assert forgotten.has_conversion(install("hers-1"))
        console.run("forget", "--id", OTHER, "--yes")
        assert not forgotten.has_conversion(msgspec.structs.replace(install("i-2", OTHER), user_id=None))
        assert await forgotten.read(connection)
        assert forgotten.has_conversion(install("i-2", OTHER))
