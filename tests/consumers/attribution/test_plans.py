"""The hot statements use their indexes: a plan that stops doing so fails here, not in production."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest

from consumers.attribution.candidates import PER_KEY_FIRST
from schemas.ids import floor_id
from schemas.partitions import DAY_US
from schemas.sql import load

ROWS = 20_000
FILL = """
INSERT INTO touches (id, kind, mode, link, app, touched_at, ua, os, os_version, brand, model, browser, language,
                     query, params, headers, flags, device_sha1_key, device_md5_key, click_key, external_click_key,
                     print_key)
SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - n * 10), 12, '0') || '7' || lpad(to_hex(n), 19, '0'))
       ::uuid, 'click', 's2s', 'l', 'a', now(), '', 'android', '', '', '', '', '', '', '{}', '{}', '{}', n, n, n, n, n
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


@pytest.mark.parametrize(
    ("column", "index"),
    [
        ("device_sha1_key", "device_sha1_key_touched_at_id"),
        ("device_md5_key", "device_md5_key_touched_at_id"),
        ("click_key", "click_key_touched_at_id"),
        ("external_click_key", "external_click_key_touched_at_id"),
        ("print_key", "print_key_touched_at_id"),
    ],
)
async def test_candidates_are_found_by_index(connection: asyncpg.Connection, column: str, index: str) -> None:
    filled = await connection.fetchval("SELECT tableoid::regclass::text FROM touches LIMIT 1")
    now = await connection.fetchval("SELECT now()")
    floor = floor_id(int(now.timestamp() * 1e6) - 7 * DAY_US)
    arguments = ([0], ["identifier"], [column], [17], [floor], [now], PER_KEY_FIRST)
    plan = await explained(connection, load("conversions")["candidates"], *arguments)
    assert not [node for node in plan if node["Node Type"] == "Seq Scan" and node["Relation Name"] == filled]
    assert [node for node in plan if node.get("Index Name", "").startswith(f"{filled}_{index}")]
    assert [node for node in plan if node.get("Index Name") == "touch_more_keys_pkey"]


async def test_waiting_installs_are_found_by_index(connection: asyncpg.Connection) -> None:
    await connection.execute(
        "INSERT INTO installs (app, install_id, id, installed_at, ids, os, device, app_version, ua, flags, decided)"
        " SELECT 'a', n::text, gen_random_uuid(), now(), '{}', 'android', '{}', '', '', '{}', true"
        " FROM generate_series(1, 20000) n"
    )
    await connection.execute("ANALYZE installs")
    await connection.execute("INSERT INTO marks (install) SELECT id FROM installs LIMIT 5")
    await connection.execute("ANALYZE marks")
    for statement, arguments in (("without_barrier", (100,)), ("take_ready", (100,)), ("take_marked", (100,))):
        plan = await explained(connection, load("conversions")[statement], *arguments)
        assert not [n for n in plan if n["Node Type"] == "Seq Scan" and n["Relation Name"] == "installs"], statement


async def test_installs_that_a_touch_concerns_are_found_by_index(connection: asyncpg.Connection) -> None:
    await connection.execute(
        "INSERT INTO conversion_keys SELECT hashint8(n), gen_random_uuid() FROM generate_series(1, 100000) n"
    )
    await connection.execute("ANALYZE conversion_keys")
    plan = await explained(connection, load("touches")["mark"], [1, 2, 3], [floor_id(0)] * 3)
    (found,) = [node for node in plan if node.get("Index Name") == "conversion_keys_pkey"]
    assert "since" in found["Index Cond"], "installs that came before the touch are not looked at"
    assert not [node for node in plan if node["Node Type"] == "Seq Scan"]


async def test_a_devices_touches_are_found_by_index_to_be_forgotten(connection: asyncpg.Connection) -> None:
    await connection.execute(load("forget")["stage_touches"])
    plan = await explained(connection, load("forget")["touches_by_key"], list(range(200)))
    filled = await connection.fetchval("SELECT tableoid::regclass::text FROM touches LIMIT 1")
    assert not [n for n in plan if n["Node Type"] == "Seq Scan" and n["Relation Name"] in (filled, "touch_more_keys")]
