"""Barriers against a real Postgres: an install waits for the touches before it, whatever the log is."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import asyncpg
import msgspec
import pytest

from consumers.attribution.decider import Decider, Ends
from consumers.attribution.handler import ConversionsHandler
from consumers.runner import Row
from consumers.sources import Partition, Record
from consumers.touches.country import open_countries
from consumers.touches.handler import TouchesHandler
from process.metrics import Meters
from schemas.codec import encode
from schemas.events import Device, Install
from schemas.ids import new_id
from tests.support.logs import hits, pool_of

GAID = "38400000-8cf0-11bd-b23e-10b96e40000d"
OLD, NEW = Partition("journal:old", 0), Partition("journal:new", 0)


def ends_at(ends: Mapping[Partition, int]) -> Ends:
    """A hits' log of which only the ends are asked."""

    async def now() -> Mapping[Partition, int]:
        return ends

    return now


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await pool_of(database_url)
    yield pool
    pool.terminate()


async def put_install(pool: asyncpg.Pool, install_id: str, app: str = "app-1", **changes: Any) -> str:
    """Its record's id; received now, or at `received_us`."""
    received_us = changes.pop("received_us", None) or time.time_ns() // 1000
    values: dict[str, Any] = {"ids": {"google_aid": GAID}, "device": Device(os="Android")}
    install = Install(
        v=1,
        id=new_id(received_us),
        app=app,
        install_id=install_id,
        installed_us=changes.pop("installed_us", received_us),
        **values | changes,
    )
    async with pool.acquire() as connection, connection.transaction():
        row = Row(Record(0, b""), install.id, install.app, install)
        await ConversionsHandler(open_countries()).store(connection, [row])
    return install.id


async def put_touch(pool: asyncpg.Pool, app: str = "app-1", *, seconds_ago: float, **changes: Any) -> str:
    """Its id; received when it happened, or now when that lies in the future."""
    now_us = time.time_ns() // 1000
    at_us = now_us - int(seconds_ago * 1_000_000)
    values = {"id": new_id(min(at_us, now_us)), "app": app, "touched_us": at_us, "query": f"google_aid={GAID}"}
    hit = msgspec.structs.replace(hits(1)[0], **values | changes)
    handler = TouchesHandler(open_countries())
    async with pool.acquire() as connection, connection.transaction():
        await handler.store(connection, [handler.decode(Record(0, encode(hit)))])
    return hit.id


async def put_click(pool: asyncpg.Pool, app: str, hours_ago: float) -> str:
    """Its id."""
    return await put_touch(pool, app, seconds_ago=hours_ago * 3600)


async def touches_are_at(pool: asyncpg.Pool, partition: Partition, position: int) -> None:
    await pool.execute(
        "INSERT INTO log_positions (consumer, log, partition, next_offset) VALUES ('touches', $1, $2, $3)"
        " ON CONFLICT (consumer, log, partition) DO UPDATE SET next_offset = $3",
        *partition,
        position,
    )


async def decided(pool: asyncpg.Pool) -> list[str]:
    rows = await pool.fetch(
        "SELECT install_id FROM installs WHERE id NOT IN (SELECT conversion FROM waiting) ORDER BY 1"
    )
    return [row["install_id"] for row in rows]


async def settle(pool: asyncpg.Pool, ends: Mapping[Partition, int] | None = None) -> None:
    """Decide everything that can be decided while the hits' log ends there."""
    decider = Decider(pool, ends_at(ends or {}), Meters())
    while await decider.step():
        pass


async def run(pool: asyncpg.Pool, ends: Mapping[Partition, int], seconds: float) -> None:
    stop = asyncio.Event()
    task = asyncio.create_task(Decider(pool, ends_at(ends), Meters()).run(stop))
    await asyncio.sleep(seconds)
    stop.set()
    await task


async def test_it_waits_for_every_partition_to_pass_the_barrier(pool: asyncpg.Pool) -> None:
    await put_install(pool, "i-1")
    await touches_are_at(pool, OLD, 10)
    await settle(pool, {OLD: 10, NEW: 5})
    assert await decided(pool) == []
    await touches_are_at(pool, NEW, 5)
    await settle(pool, {OLD: 10, NEW: 5})
    assert await decided(pool) == ["i-1"]


async def test_a_barrier_of_a_log_that_is_not_read_any_more_is_renewed(pool: asyncpg.Pool) -> None:
    await put_install(pool, "i-1")
    await run(pool, {OLD: 10}, 0.5)
    assert await decided(pool) == []
    await touches_are_at(pool, NEW, 3)
    await run(pool, {NEW: 3}, 0.6)
    assert await decided(pool) == ["i-1"]


async def test_several_deciders_decide_once(pool: asyncpg.Pool) -> None:
    for number in range(40):
        await put_install(pool, f"i-{number:02}", ids={})
    await asyncio.gather(*(settle(pool) for _ in range(3)))
    assert len(await decided(pool)) == 40
    assert await pool.fetchval("SELECT count(*) FROM decisions") == 40
    assert await pool.fetchval("SELECT count(*) FROM decisions WHERE method = 'organic'") == 40


OWN_RULES = """
INSERT INTO apps (id, title) VALUES ('own', ''), ('changed', '');
INSERT INTO app_rules (app, version, rules) VALUES
    ('own', 1, '{"rules": [{"method": "identifier", "touch_kind": "click", "window_hours": 720}]}'),
    ('changed', 1, '{"rules": [{"method": "identifier", "touch_kind": "click", "window_hours": 720}]}'),
    ('changed', 2, '{"rules": [{"method": "fingerprint", "touch_kind": "click", "window_hours": 168}]}');
"""


async def test_each_app_is_decided_by_the_latest_of_its_own_rules(pool: asyncpg.Pool) -> None:
    await pool.execute(OWN_RULES)
    clicks = {}
    for app in ("own", "changed", "without"):
        clicks[app] = await put_click(pool, app, hours_ago=10 * 24)  # older than the default's week
        await put_install(pool, app, app)
    await settle(pool)
    rows = await pool.fetch(
        "SELECT i.app, d.method, d.touch::text, d.rules"
        " FROM decisions d JOIN installs i ON i.id = d.conversion ORDER BY 1"
    )
    assert [tuple(row) for row in rows] == [
        ("changed", "organic", None, "changed-2"),
        ("own", "identifier", clicks["own"], "own-1"),
        ("without", "organic", None, "default-1"),
    ]


LABELS = """
INSERT INTO partners (id, title) VALUES ('maker', '');
INSERT INTO campaigns (id, title, partner) VALUES ('c', '', 'maker');
INSERT INTO apps (id, title) VALUES ('own', ''), ('other', '');
INSERT INTO links (id, app, campaign) VALUES ('77', 'own', 'c');
"""


async def test_a_preinstalled_app_belongs_to_its_link_and_to_no_touch(pool: asyncpg.Pool) -> None:
    await pool.execute(LABELS)
    for app in ("own", "other"):
        await put_click(pool, app, hours_ago=1)
        await put_install(pool, app, app, preinstall_link="77")
    await settle(pool)
    rows = await pool.fetch(
        "SELECT i.app, d.method, d.link, d.campaign, d.partner, d.touch IS NULL, d.candidates->0->>'reason'"
        " FROM decisions d JOIN installs i ON i.id = d.conversion ORDER BY 1"
    )
    assert [tuple(row) for row in rows] == [
        ("other", "identifier", "link-1", None, None, False, "latest_of_method"),  # the label is no link of this app
        ("own", "preinstall", "77", "c", "maker", True, "preinstalled"),
    ]


# The app's own rules in the history of a decision


async def test_a_decision_is_made_again_by_the_rules_that_it_was_made_by(pool: asyncpg.Pool) -> None:
    await pool.execute(OWN_RULES)
    await put_install(pool, "i", "own")
    await settle(pool)
    await pool.execute(
        "INSERT INTO app_rules (app, version, rules)"
        """ VALUES ('own', 2, '{"rules": [{"method": "fingerprint", "touch_kind": "click", "window_hours": 1}]}')"""
    )
    click = await put_click(pool, "own", hours_ago=10 * 24)
    await settle(pool)
    rows = await pool.fetch("SELECT number, method, touch::text, rules FROM decisions ORDER BY number")
    assert [tuple(row) for row in rows] == [(1, "organic", None, "own-1"), (2, "identifier", click, "own-1")]


async def test_rules_hold_for_installs_received_after_them(pool: asyncpg.Pool) -> None:
    await pool.execute(OWN_RULES)
    await pool.execute("UPDATE app_rules SET created_at = now() + interval '1 hour' WHERE app = 'own'")
    await put_click(pool, "own", hours_ago=10 * 24)
    await put_install(pool, "i", "own")
    await settle(pool)
    assert await pool.fetchval("SELECT rules FROM decisions") == "default-1"
