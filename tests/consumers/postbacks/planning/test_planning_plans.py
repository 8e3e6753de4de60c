"""What partners are told of a conversion is found by indexes, however many conversions and postbacks there are."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from schemas.sql import load
from tests.consumers.attribution.test_credit_plans import DECISIONS, EVENTS, INSTALLS, read_whole
from tests.consumers.attribution.test_plans import explained

POSTBACKS = """
INSERT INTO apps (id, title) SELECT 'app-' || n, '' FROM generate_series(1, 300) n;
INSERT INTO apps (id, title) VALUES ('a', '');
INSERT INTO postback_templates (app, event, mode, method, url)
SELECT 'app-' || n, 'install', 'all', 'GET', '' FROM generate_series(1, 300) n;
INSERT INTO postback_templates (app, event, mode, method, url) VALUES ('a', 'install', 'all', 'GET', '');
INSERT INTO postbacks (template, conversion, install, app, event, key, method, url, due_at)
SELECT 301, id, id, 'a', 'install', id::text, 'GET', '', now() FROM installs;
INSERT INTO conversion_keys (key, conversion) SELECT hashint8(row_number() OVER ()), id FROM installs;
ANALYZE
"""
SMALL = {"apps", "links", "campaigns", "partners", "postback_templates"}
"""Read whole while they are small, which is right."""


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    for statement in (INSTALLS, DECISIONS, EVENTS, POSTBACKS):
        await connection.execute(statement)
    yield connection
    await connection.close()


async def test_conversions_and_their_postbacks_are_found_by_index(connection: asyncpg.Connection) -> None:
    rows = await connection.fetch("(SELECT id FROM installs LIMIT 200) UNION ALL (SELECT id FROM events LIMIT 300)")
    ids = [row["id"] for row in rows]
    asked: list[tuple[str, str, tuple[Any, ...]]] = [
        ("telling", "conversions", (ids,)),
        ("planning", "templates", (ids,)),
        ("planning", "family", (ids,)),
        ("planning", "lock_installs", (ids,)),
        ("planning", "lock_events", (ids,)),
        ("planning", "events_of", (ids[:200], datetime(1, 1, 2, tzinfo=UTC), UUID(int=0), 500)),
        ("planning", "postbacks", (ids,)),
        ("planning", "told_first", (ids, [301])),
        ("forget", "blank_postbacks", (ids,)),
        ("forget", "blank_postbacks_of_touches", ([1, 2], ids)),
    ]
    for file, statement, arguments in asked:
        whole = read_whole(await explained(connection, load(file)[statement], *arguments))
        # of touches there are none here
        assert [one for one in whole if one not in SMALL and not one.startswith("touches")] == [], statement
