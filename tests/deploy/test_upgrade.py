"""A database of an earlier version keeps what it holds."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from uuid import UUID

import asyncpg
import pytest

from deploy.migrate import migrate
from schemas.ids import floor_id
from schemas.partitions import DAY_US, partition_of
from schemas.settings import Settings
from schemas.sql import migrations

BEFORE_WEEKS = "0008"
MONDAY = date(2026, 11, 16)


def id_on(day: date) -> str:
    """Of a hit received at noon."""
    return floor_id((day - date(1970, 1, 1)).days * DAY_US + DAY_US // 2)


@pytest.fixture
async def old(empty_database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """With partitions of days from a Saturday to a Tuesday, a touch in each, and two that fell in none."""
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute("CREATE TABLE migrations (name text PRIMARY KEY)")
    for name, sql in migrations():
        if name < BEFORE_WEEKS:
            await connection.execute(sql)
            await connection.execute("INSERT INTO migrations (name) VALUES ($1)", name)
    for offset in range(-2, 2):
        day = MONDAY + timedelta(offset)
        low, high = (floor_id((day + timedelta(later) - date(1970, 1, 1)).days * DAY_US) for later in (0, 1))
        await connection.execute(
            f"CREATE TABLE touches_{day:%Y%m%d} PARTITION OF touches FOR VALUES FROM ('{low}') TO ('{high}')"
        )
    yield connection
    await connection.close()


async def test_partitions_of_days_become_weeks_and_lose_nothing(
    old: asyncpg.Connection, empty_database_url: str
) -> None:
    days = [MONDAY + timedelta(offset) for offset in (-2, -1, 0, 1, 3, 30)]
    for day in days:
        await old.execute(
            "INSERT INTO touches (id, kind, mode, link, app, touched_at, ua, os, os_version, brand, model, browser,"
            " language, query, params, headers, flags)"
            " VALUES ($1, 'click', '', 'l', 'a', now(), '', '', '', '', '', '', '', '', '{}', '{}', '{}')",
            UUID(id_on(day)),
        )
    await migrate(Settings.read({"TOUCHLINE_DATABASE_URL": empty_database_url}))
    rows = await old.fetch("SELECT id, tableoid::regclass::text AS place FROM touches ORDER BY id")
    weeks = [partition_of(day).name for day in days[:-1]]
    assert [(str(row["id"]), row["place"]) for row in rows] == list(
        zip(map(id_on, days), [*weeks, "touches_default"], strict=True)
    )
    assert not await old.fetchval("SELECT count(*) FROM pg_class WHERE relname = 'touches_20261117'")


async def test_installs_that_waited_wait_and_decisions_stay(old: asyncpg.Connection, empty_database_url: str) -> None:
    await old.execute("INSERT INTO barriers (ends, passed_at) VALUES ('[]', now())")
    for number, decided, barrier in ((1, True, 1), (2, False, 1), (3, False, None)):
        await old.execute(
            "INSERT INTO installs (app, install_id, id, installed_at, ids, os, device, app_version, ua, flags, decided,"
            " barrier) VALUES ('a', $1, $2, now(), '{}', '', '{}', '', '', '{}', $3, $4)",
            str(number),
            UUID(id_on(MONDAY + timedelta(number))),
            decided,
            barrier,
        )
    await old.execute(
        "INSERT INTO decisions (install, number, method, candidates, rules)"
        " SELECT id, 1, 'organic', '[]', '' FROM installs WHERE decided"
    )
    await migrate(Settings.read({"TOUCHLINE_DATABASE_URL": empty_database_url}))
    waiting = await old.fetch(
        "SELECT i.install_id, w.barrier FROM waiting w JOIN installs i ON i.id = w.conversion ORDER BY 1"
    )
    assert [tuple(row) for row in waiting] == [("2", 1), ("3", None)]
    assert await old.fetchval("SELECT method FROM decisions d JOIN installs i ON i.id = d.conversion") == "organic"
