"""Whom an install's events are credited to is found by indexes, however many events and installs there are."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from schemas.ids import floor_id
from schemas.sql import load
from tests.consumers.attribution.test_plans import explained

INSTALLS = """
INSERT INTO installs (app, install_id, id, installed_at, user_id, ids, os, device, app_version, ua, flags,
                      device_keys)
SELECT 'a', n::text, (lpad(to_hex(n), 12, '0') || '7' || lpad('', 19, '0'))::uuid, now(), 'u' || n, '{}', 'android',
       '{}', '', '', '{}', ARRAY[hashint8(n), hashint8(-n)]
FROM generate_series(1, 20000) n
"""
DECISIONS = """
INSERT INTO decisions (conversion, number, method, earlier, candidates, rules)
SELECT id, 1, CASE WHEN row_number() OVER () % 10 = 0 THEN 'reinstall' ELSE 'organic' END, lag(id) OVER (), '[]', ''
FROM installs
"""
EVENTS = """
INSERT INTO events (app, event_id, id, name, occurred_at, install_id, ids, user_id, params, ua, flags, device_keys)
SELECT 'a', n::text, gen_random_uuid(), '', now(), CASE WHEN n % 3 = 0 THEN n::text END, '{}',
       CASE WHEN n % 3 = 1 THEN 'u' || n END, '{}', '', '{}',
       CASE WHEN n % 3 = 2 THEN ARRAY[hashint8(n)::bigint] ELSE '{}' END
FROM generate_series(1, 20000) n
"""


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    for statement in (INSTALLS, DECISIONS, EVENTS, "ANALYZE"):
        await connection.execute(statement)
    yield connection
    await connection.close()


def read_whole(plan: list[dict[str, Any]]) -> list[str]:
    return [node["Relation Name"] for node in plan if node["Node Type"] == "Seq Scan"]


def indexes(plan: list[dict[str, Any]]) -> set[str]:
    return {node["Index Name"] for node in plan if "Index Name" in node}


@pytest.mark.parametrize(
    ("file", "statement", "more"),
    [("console", "credited", (20,)), ("console", "credited_sums", ()), ("replay", "revenue", None)],
)
async def test_one_installs_events_are_found_by_index(
    connection: asyncpg.Connection, file: str, statement: str, more: tuple[int, ...] | None
) -> None:
    install = await connection.fetchval("SELECT id FROM installs LIMIT 1")
    arguments = (install, *more) if more is not None else ([install],)
    plan = await explained(connection, load(file)[statement], *arguments)
    assert read_whole(plan) == []
    assert {"events_install", "events_user", "events_device", "installs_user", "installs_device"} <= indexes(plan)
    assert ("decisions_reinstall" in indexes(plan)) == (statement == "revenue")


async def test_an_event_without_install_id_finds_its_install_by_index(connection: asyncpg.Connection) -> None:
    event = await connection.fetchval("SELECT id FROM events LIMIT 1")
    plan = await explained(connection, "SELECT * FROM event_installs WHERE event = $1", event)
    assert read_whole(plan) == []


async def test_events_that_nobody_is_credited_with_are_counted_by_index(connection: asyncpg.Connection) -> None:
    plan = await explained(connection, load("verify")["uncredited"], floor_id(0))
    assert {"installs_user", "installs_device"} <= indexes(plan)
