"""Conversion-value schemas: versions are kept, the newest is shown, and what is wrong is named by its path."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from console.manage.common import Missing, Refused
from console.manage.skan_schemas import set_skan_schema, show_skan_schema
from schemas.skan.values import ConversionValues
from tests.console.conftest import Console
from tests.consumers.costs.bill import SHOP
from tests.support.logs import pool_of

FINE = {"currency": "EUR", "fine": [{"from": 1, "to": 9, "events": ["purchase"], "revenue_min": "1"}]}


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    pool = await pool_of(database_url)
    await pool.execute(SHOP)
    async with pool.acquire() as connection:
        yield connection
    pool.terminate()


def values(said: dict[str, Any]) -> ConversionValues:
    return msgspec.convert(said, ConversionValues)


async def test_every_version_is_kept_and_the_newest_holds(connection: asyncpg.Connection) -> None:
    with pytest.raises(Missing):
        await show_skan_schema(connection, "shop")
    first = await set_skan_schema(connection, "me", "shop", values(FINE))
    again = await set_skan_schema(connection, "me", "shop", values(FINE))
    second = await set_skan_schema(connection, "me", "shop", values({}))
    assert (first.version, again, second.version) == (1, first, 2)
    assert second.created_at > first.created_at
    assert await show_skan_schema(connection, "shop") == second
    assert await connection.fetchval("SELECT count(*) FROM skan_schemas WHERE app = 'shop'") == 2
    rows = await connection.fetch("SELECT action, subject FROM audit WHERE kind = 'skan_schema' ORDER BY id")
    assert [tuple(row) for row in rows] == [("create", "shop"), ("change", "shop")]


async def test_a_schema_that_contradicts_itself_is_not_kept(connection: asyncpg.Connection) -> None:
    with pytest.raises(Refused) as caught:
        await set_skan_schema(connection, "me", "shop", values(FINE | {"currency": None}))
    assert (caught.value.field, caught.value.sentence) == (
        "currency",
        "currency is missing: fine[0] speaks of revenue.",
    )
    with pytest.raises(Missing):
        await set_skan_schema(connection, "me", "none", values(FINE))
    assert await connection.fetchval("SELECT count(*) FROM skan_schemas") == 0


def test_a_file_is_read_and_shown(console: Console, tmp_path: Path) -> None:
    console.sql("INSERT INTO apps (id, title) VALUES ('shop', '')")
    assert "no conversion-value schema" in console.refusal("skan", "schema", "show", "shop", code=1)
    file = tmp_path / "values.json"
    file.write_text(json.dumps(FINE | {"coarse": [{"value": "low", "window": 2}]}))
    made = console.facts("skan", "schema", "set", "shop", "--file", str(file))
    assert (made["app"], made["version"]) == ("shop", 1)
    assert made["schema"]["fine"][0] == {**FINE["fine"][0], "revenue_max": None}  # type: ignore[dict-item]
    assert console.facts("skan", "schema", "show", "shop") == made
    page = console.run("skan", "schema", "show", "shop").stdout
    assert "1–9" in page
    assert "1 EUR or more" in page
    for said, where, code in (
        ('{"fine": [{"from": 0, "to": 99}]}', "fine[0].to", 1),
        ('{"fine": [{"from": 7, "to": 6}]}', "fine[0].to", 2),
        ("{", "values.json", 1),
    ):
        file.write_text(said)
        assert where in console.refusal("skan", "schema", "set", "shop", "--file", str(file), code=code)
    assert "No such file" in console.refusal("skan", "schema", "set", "shop", "--file", str(tmp_path / "x"), code=1)
