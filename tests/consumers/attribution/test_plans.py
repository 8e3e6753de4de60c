"""The hot statements use their indexes: a plan that stops doing so fails here, not in production."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest

from consumers.attribution.candidates import PER_KEY_FIRST
from schemas.ids import floor_id
from schemas.partitions import DAY_US
from schemas.sql import joined, load

ROWS = 20_000
FILL = """
INSERT INTO touches (id, kind, mode, link, app, touched_at, ua, os, os_version, brand, model, browser, language,
                     query, headers, flags, device_sha1_key, device_md5_key, click_key, external_click_key,
                     print_key)
SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - n * 10), 12, '0') || '7' || lpad(to_hex(n), 19, '0'))
       ::uuid, 'click', 's2s', 'l', 'a', now(), '', 'android', '', '', '', '', '', '', '{}', '{}', n, n, n, n, n
FROM generate_series(1, $1::int) AS n
"""


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    await connection.execute(FILL, ROWS)
    await connection.execute(
        "INSERT INTO touch_more_keys SELECT n, now(), gen_random_uuid() FROM generate_series(1, 20000) n"
    )
    await connection.execute("ANALYZE")
    yield connection
    await connection.close()


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


async def explained(connection: asyncpg.Connection, statement: str, *arguments: object) -> list[dict[str, Any]]:
    await connection.execute("SET plan_cache_mode = force_generic_plan")
    text = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {statement}", *arguments)
    return list(nodes(json.loads(text)[0]["Plan"]))


def scanned(plan: list[dict[str, Any]], *relations: str) -> list[str]:
    """Those of the relations that are read from end to end."""
    return [n["Relation Name"] for n in plan if n["Node Type"] == "Seq Scan" and n["Relation Name"] in relations]


def by_index(plan: list[dict[str, Any]], name: str) -> list[str]:
    """The conditions with which an index of this name is asked."""
    return [n.get("Index Cond", "") for n in plan if n.get("Index Name", "").endswith(name)]


@pytest.mark.parametrize(
    "index",
    [
        "device_sha1_key_touched_at_id",
        "device_md5_key_touched_at_id",
        "click_key_touched_at_id",
        "external_click_key_touched_at_id",
        "print_key_touched_at_id",
    ],
)
async def test_candidates_are_found_by_index(connection: asyncpg.Connection, index: str) -> None:
    filled = await connection.fetchval("SELECT tableoid::regclass::text FROM touches LIMIT 1")
    now = await connection.fetchval("SELECT now()")
    now_us = int(now.timestamp() * 1e6)
    low, high = floor_id(now_us - 7 * DAY_US), floor_id(now_us + DAY_US)
    arguments = joined([(0, "identifier", PER_KEY_FIRST, low, high, now_us, *["{17}"] * 4)], ";")
    plan = await explained(connection, load("conversions")["candidates"], *arguments)
    assert scanned(plan, filled) == []
    assert [node for node in plan if node.get("Index Name", "").startswith(f"{filled}_{index}")]
    assert [node for node in plan if node.get("Index Name") == "touch_more_keys_pkey"]


async def test_earlier_copies_are_found_by_index(connection: asyncpg.Connection) -> None:
    row = await connection.fetchrow("SELECT id, touched_at, tableoid::regclass::text AS filled FROM touches LIMIT 1")
    touch, now = row["id"], row["touched_at"]
    low, high = floor_id(0), floor_id(int(now.timestamp() * 1e6) + DAY_US)
    copies = ([touch], [17], ["l"], [None], ["c-1"], [now], [low], [high], 7)
    repeats = ([touch], [17], ["l"], [""], ["203.0.113.7"], [now], [low], [high], 10)
    for statement, arguments, index in (
        ("duplicates", copies, "_click_key_touched_at_id_idx"),
        ("repeats", repeats, "_print_key_touched_at_id_idx"),
    ):
        plan = await explained(connection, load("conversions")[statement], *arguments)
        found = by_index(plan, row["filled"] + index)
        assert found, statement
        assert all("touched_at" in condition for condition in found), "a key of many touches is not read to its end"
        assert scanned(plan, row["filled"]) == [], statement


async def put_installs(connection: asyncpg.Connection) -> None:
    await connection.execute(
        "INSERT INTO installs (app, install_id, id, installed_at, ids, os, device, app_version, ua, flags)"
        " SELECT 'a', n::text, gen_random_uuid(), now(), '{}', 'android', '{}', '', '', '{}'"
        " FROM generate_series(1, 20000) n"
    )
    await connection.execute("INSERT INTO conversion_keys SELECT hashint8(row_number() OVER ()), id FROM installs")
    await connection.execute(
        "INSERT INTO decisions (conversion, number, method, candidates, rules)"
        " SELECT id, 1, 'organic', '[]', 'default-1' FROM installs"
    )
    await connection.execute("INSERT INTO marks (conversion) SELECT id FROM installs LIMIT 5")
    await connection.execute("INSERT INTO waiting SELECT id, CASE WHEN random() < 0.5 THEN 1 END FROM installs")
    await connection.execute("INSERT INTO barriers (ends, passed_at) VALUES ('[]', now())")
    await connection.execute("ANALYZE installs, waiting, conversion_keys, decisions, marks")


async def test_waiting_and_marked_installs_are_found_by_index(connection: asyncpg.Connection) -> None:
    await put_installs(connection)
    for statement, arguments in (
        ("without_barrier", (100,)),
        ("take_ready", (100,)),
        ("take_marked", (100, floor_id(0))),
    ):
        plan = await explained(connection, load("conversions")[statement], *arguments)
        assert scanned(plan, "installs", "waiting", "decisions") == [], statement


async def test_a_devices_earlier_installs_are_found_by_index(connection: asyncpg.Connection) -> None:
    await put_installs(connection)
    install = await connection.fetchval("SELECT id FROM installs LIMIT 1")
    plan = await explained(
        connection, load("conversions")["earlier_installs"], *joined([(0, 1, install), (0, 2, install)])
    )
    (asked,) = by_index(plan, "conversion_keys_pkey")
    assert "conversion <" in asked, "later installs of the key are not looked at"
    assert scanned(plan, "installs", "conversion_keys") == []


async def test_installs_that_a_touch_concerns_are_found_by_index(connection: asyncpg.Connection) -> None:
    await put_installs(connection)
    await connection.execute("INSERT INTO new_keys (since, keys) VALUES ($1, '{1,2,3}')", floor_id(0))
    await connection.execute("ANALYZE new_keys")
    plan = await explained(connection, load("conversions")["mark"], 20)
    (asked,) = by_index(plan, "conversion_keys_pkey")
    assert "since" in asked, "installs that came before the touch are not looked at"
    assert scanned(plan, "installs", "conversion_keys") == []


async def test_a_links_day_is_found_by_index(connection: asyncpg.Connection) -> None:
    await connection.execute(
        "INSERT INTO link_days (link, day, version, app, clicks, installs, first_hour, week_clicks, week_installs,"
        " flooding, delays)"
        " SELECT n::text, current_date, 1, 'a', 0, 0, 0, 0, 0, false, false FROM generate_series(1, 20000) n"
    )
    await connection.execute("ANALYZE link_days")
    day = await connection.fetchval("SELECT current_date")
    plan = await explained(connection, load("conversions")["link_days"], ["1", "2"], [day, day])
    assert by_index(plan, "link_days_pkey")
    assert scanned(plan, "link_days") == []


async def test_a_devices_touches_are_found_by_index_to_be_forgotten(connection: asyncpg.Connection) -> None:
    await connection.execute(load("forget")["stage_touches"])
    plan = await explained(connection, load("forget")["touches_by_key"], list(range(200)))
    filled = await connection.fetchval("SELECT tableoid::regclass::text FROM touches LIMIT 1")
    assert not [n for n in plan if n["Node Type"] == "Seq Scan" and n["Relation Name"] in (filled, "touch_more_keys")]
