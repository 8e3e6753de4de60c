"""Whether an event is a return is found by indexes, however many events and installs there are."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from schemas.ids import floor_id
from schemas.sql import load
from tests.consumers.attribution.test_credit_plans import DECISIONS, EVENTS, INSTALLS, indexes, read_whole
from tests.consumers.attribution.test_plans import explained

WAITING = "INSERT INTO waiting (conversion, barrier, kind) SELECT id, 1, 're-engagement' FROM events"
VISITS = """
INSERT INTO visits (app, visit_id, id, visitor_id, url, referer, occurred_at, ua, language, flags)
SELECT 'a', n::text, gen_random_uuid(), 'v' || n, '', '', now(), '', '', '{}' FROM generate_series(1, 20000) n
"""


LARGE = {"events", "installs", "visits", "decisions", "touches"}


@pytest.fixture
async def filled(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    events = EVENTS.replace("gen_random_uuid()", "received_after(now() - n * interval '1 second')")
    for statement in (INSTALLS, DECISIONS, events, "ANALYZE"):
        await connection.execute(statement)
    yield connection
    await connection.close()


@pytest.mark.parametrize("statement", ["concerned", "returns"])
async def test_what_an_event_concerns_is_found_by_index(filled: asyncpg.Connection, statement: str) -> None:
    ids = [row["id"] for row in await filled.fetch("SELECT id FROM events LIMIT 3")]
    ids += [row["id"] for row in await filled.fetch("SELECT id FROM installs LIMIT 3")]
    plan = await explained(filled, load("events")[statement], ids)
    assert LARGE & set(read_whole(plan)) == set()
    assert {"events_install", "events_user", "events_device"} <= indexes(plan)


@pytest.mark.parametrize(
    ("statement", "arguments"), [("take_ready", (100,)), ("take_marked", (100, floor_id(0))), ("visits", None)]
)
async def test_events_to_decide_are_found_by_index(filled: asyncpg.Connection, statement: str, arguments: Any) -> None:
    await filled.execute("INSERT INTO marks (conversion) SELECT id FROM events LIMIT 5")
    await filled.execute("INSERT INTO barriers (ends, passed_at) VALUES ('[]', now())")
    for insert in (WAITING, VISITS, "ANALYZE"):
        await filled.execute(insert)
    plan = await explained(filled, load("events")[statement], *(arguments or ([0], ["a"], ["v7"])))
    assert (LARGE | {"waiting"}) & set(read_whole(plan)) == set()
