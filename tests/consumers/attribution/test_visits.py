"""Visits against a real Postgres: stored once, with the position, whatever is sent again."""

import time
from collections.abc import AsyncIterator

import asyncpg
import pytest

from consumers.attribution.handler import ConversionsHandler
from consumers.runner import Stored
from consumers.sources import Record
from consumers.touches.country import open_countries
from schemas.codec import encode
from schemas.events import Visit
from schemas.ids import new_id
from tests.support.logs import pool_of

TOUCH = "019b76da-a87b-774b-8001-000000000001"


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await pool_of(database_url)
    yield pool
    pool.terminate()


def visit(visit_id: str, *, touch_id: str | None = None, link: str | None = None, ip: str = "8.8.8.8") -> Visit:
    now_us = time.time_ns() // 1000
    return Visit(
        v=1,
        id=new_id(now_us),
        app="shop",
        visit_id=visit_id,
        visitor_id="p-1",
        url="https://shop.example/",
        touch_id=touch_id,
        link=link,
        occurred_us=now_us,
        ip=ip,
        language="en",
        flags=["url_cut"],
    )


async def store(pool: asyncpg.Pool, *visits: Visit) -> Stored:
    handler = ConversionsHandler(open_countries(None))
    rows = [handler.decode(Record(n, encode(one))) for n, one in enumerate(visits)]
    async with pool.acquire() as connection, connection.transaction():
        return await handler.store(connection, rows)


async def test_a_visit_is_stored_once(pool: asyncpg.Pool) -> None:
    first = visit("v-1", touch_id=TOUCH)
    assert await store(pool, first, visit("v-2", link="a12345", ip="203.0.113.0/24")) == Stored(2, [])
    again = await store(pool, first)  # a replay of ours
    assert again == Stored(0, [])
    retried = await store(pool, visit("v-1"))  # a sender's retry
    assert [(reason, parameter) for _, reason, parameter in retried.rejected] == [("duplicate", "visit_id")]
    rows = await pool.fetch(
        "SELECT visit_id, touch::text, link, country, ip::text, flags FROM visits ORDER BY visit_id"
    )
    assert [tuple(row) for row in rows] == [
        ("v-1", TOUCH, None, "US", "8.8.8.8/32", ["url_cut"]),
        ("v-2", None, "a12345", None, "203.0.113.0/24", ["url_cut"]),
    ]


async def test_the_visits_of_a_visitor_are_found_by_their_index(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        plan = await connection.fetch(
            "EXPLAIN SELECT * FROM visits WHERE app = 'shop' AND visitor_id = 'p-1' AND occurred_at > now()"
            " ORDER BY occurred_at DESC, id DESC"
        )
    assert "visits_visitor" in "\n".join(row[0] for row in plan)
