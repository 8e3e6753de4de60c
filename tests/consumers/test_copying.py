"""Rows by way of COPY stand in Postgres as they were made."""

import json
import time
from collections.abc import AsyncIterator
from ipaddress import ip_interface
from typing import Any

import asyncpg
import msgspec
import pytest

from consumers.sources import Record
from consumers.touches import copying, row
from consumers.touches.country import open_countries
from consumers.touches.data_centres import open_data_centres
from consumers.touches.handler import TouchesHandler
from schemas.codec import encode
from schemas.errors import DeadLetter
from schemas.events import Hit
from tests.support.logs import hits, pool_of

OWNED = """
INSERT INTO partners (id, title) VALUES ('p', ''); INSERT INTO campaigns (id, title, partner) VALUES ('c', '', 'p');
INSERT INTO apps (id, title) VALUES ('a', ''); INSERT INTO links (id, app, campaign) VALUES ('owned', 'a', 'c');
"""
DEVICE = "google_aid=38400000-8cf0-11bd-b23e-10b96e40000d"


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    pool = await pool_of(database_url)
    async with pool.acquire() as connection:
        yield connection
    pool.terminate()


def hit(**changes: Any) -> Hit:
    return msgspec.structs.replace(hits(1)[0], **changes)


SHAPES = (
    hit(),
    hit(query=f"click_id=c&{DEVICE}"),  # the keys of nearly every ping
    hit(query=f"click_id=c&external_click_id=e&{DEVICE}"),
    hit(query="click_id=%D0%B9%F0%9F%98%80%00&x=%22%5C%0A", ua="й" * 3000),
    hit(ip=None, ua="", query=""),
    hit(ip="203.0.113.0/24"),
    hit(ip="2001:db8::1"),
    hit(ip="2001:db8::/48"),
    hit(ip="::/0"),
    hit(kind="impression", mode="page", headers={"accept-language": "de"}, flags=["late", 'odd "\\,{}']),
    hit(touched_us=1),
    hit(touched_us=-5_000_001),
    hit(link="owned"),
)


async def test_every_shape_of_row_stands_as_it_was_made(connection: asyncpg.Connection) -> None:
    countries = open_countries()
    handler = TouchesHandler(countries)
    await connection.execute(OWNED)
    stored = await handler.store(connection, [handler.decode(Record(0, encode(shape))) for shape in SHAPES])
    assert stored.rows == len(SHAPES)
    found = {str(one["id"]): one for one in await connection.fetch("SELECT * FROM touches")}
    for shape in SHAPES:
        made = dict(zip(row.COLUMNS, row.touch_row(shape, countries, open_data_centres()).values, strict=True))
        one = dict(found[shape.id])
        touched_us = await connection.fetchval(
            "SELECT (extract(epoch FROM touched_at) * 1000000)::bigint FROM touches WHERE id = $1", shape.id
        )
        assert touched_us == made.pop("touched_us")
        assert json.loads(one.pop("headers")) == json.loads(made.pop("headers"))
        ip = made.pop("ip")
        assert (one["ip"] and ip_interface(one["ip"])) == (ip and ip_interface(ip))
        assert str(one["id"]) == made.pop("id")
        assert {name: one[name] for name in made} == made
        assert (one["partner"], one["campaign"]) == (("p", "c") if shape.link == "owned" else (None, None))


async def test_hits_that_stand_already_are_skipped_and_the_others_stored(connection: asyncpg.Connection) -> None:
    handler = TouchesHandler(open_countries())
    await connection.execute(OWNED)
    more = f"{DEVICE}&oaid=0f2a5a2c-1111-4e3e-9d5e-7ab9a0a1b2c3"
    some = [msgspec.structs.replace(one, link="owned", query=more) for one in hits(6)]
    rows = [handler.decode(Record(0, encode(one))) for one in some]
    async with connection.transaction():
        assert (await handler.store(connection, rows[1:3])).rows == 2
    async with connection.transaction():
        assert (await handler.store(connection, [*rows, rows[5]])).rows == 4
        assert (await handler.store(connection, rows)).rows == 0
    found = await connection.fetch("SELECT id, partner, campaign FROM touches ORDER BY id")
    assert [tuple(map(str, one)) for one in found] == [(one.id, "p", "c") for one in some]
    assert await connection.fetchval("SELECT count(*) FROM touch_more_keys") == 2 * len(some)


@pytest.mark.parametrize("touched_us", [2**62, 2**64 - 1, -(2**62) - 1])
def test_a_time_that_does_not_fit_is_refused(touched_us: int) -> None:
    # Postgres reads the ends of its own range as infinity
    handler = TouchesHandler(open_countries())
    with pytest.raises(DeadLetter) as refused:
        handler.decode(Record(0, encode(hit(touched_us=touched_us))))
    assert refused.value.reason == "database_refused"


def test_long_agents_are_not_remembered() -> None:
    before = copying._shared.cache_info().currsize
    long = hit(ua=f"{time.time_ns()}" + "x" * 2000, app=f"{time.time_ns()}")
    values = row.touch_row(long, open_countries(), open_data_centres()).values
    copying.row(values)
    assert copying._shared.cache_info().currsize == before + 1
