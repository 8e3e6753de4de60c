"""What tests of attribution ask and prepare in the database, for histories of several apps."""

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import msgspec

from consumers.sources import Partition
from tests.support.histories import History

APPS = "INSERT INTO apps (id, title) SELECT id, '' FROM unnest($1::text[]) AS id"
RULES = """
INSERT INTO app_rules (app, version, rules, created_at)
SELECT app, 1, rules::jsonb, now() - interval '30 days' FROM unnest($1::text[], $2::text[]) AS r (app, rules)
"""
OWNERS = """
WITH p AS (INSERT INTO partners (id, title) VALUES ('one', ''), ('two', '') ON CONFLICT DO NOTHING)
INSERT INTO campaigns (id, title, partner) VALUES ('spring', '', 'one'), ('summer', '', 'one'), ('fall', '', 'two')
ON CONFLICT DO NOTHING
"""
LINKS = """
INSERT INTO links (id, app, campaign)
SELECT l.id, l.app, (ARRAY['spring', 'summer', 'fall'])[l.number]
FROM unnest($1::text[], $2::text[], $3::int[]) AS l (id, app, number)
"""
DECISIONS = """
SELECT DISTINCT ON (d.conversion) i.install_id, d.method, d.touch::text, d.link, d.campaign, d.partner, d.confidence,
       d.candidates, d.more, d.earlier::text, d.tags, d.rules
FROM decisions d JOIN installs i ON i.id = d.conversion WHERE i.app = $1 OR $1 IS NULL
ORDER BY d.conversion, d.number DESC
"""
RETURNS = """
SELECT DISTINCT ON (d.conversion) e.event_id, d.kind, d.method, d.touch::text, d.link, d.campaign, d.partner,
       d.confidence, d.candidates, d.more, d.tags, d.rules, d.test
FROM decisions d JOIN events e ON e.id = d.conversion WHERE e.app = $1 OR $1 IS NULL
ORDER BY d.conversion, d.number DESC
"""
UNSETTLED = """
SELECT (SELECT count(*) FROM waiting), (SELECT count(*) FROM new_keys),
       (SELECT count(*) FROM marks) + (SELECT count(*) FROM activities)
"""


async def nothing_to_read() -> Mapping[Partition, int]:
    """The ends of a hits' log that holds nothing: every barrier is passed at once, every touch comes late."""
    return {}


async def furnish(pool: asyncpg.Pool, histories: Sequence[History]) -> None:
    """Apps, their rules, and links with owners."""
    own = [(one.app, msgspec.json.encode(one.rules).decode()) for one in histories if one.rules is not None]
    links = [(link, one.app, number % 3 + 1) for one in histories for number, link in enumerate(one.links)]
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(OWNERS)
        await connection.execute(APPS, [one.app for one in histories])
        if own:
            await connection.execute(RULES, *zip(*own, strict=True))
        await connection.execute(LINKS, *zip(*links, strict=True))


async def decisions(pool: asyncpg.Pool, app: str | None = None) -> dict[str, Any]:
    """install_id → everything that its last decision says."""
    found = {row["install_id"]: dict(row) for row in await pool.fetch(DECISIONS, app)}
    for one in found.values():
        one["candidates"], one["more"] = msgspec.json.decode(one["candidates"]), msgspec.json.decode(one["more"])
    return found


async def returns(pool: asyncpg.Pool, app: str | None = None) -> dict[str, Any]:
    """event_id → everything that its last decision says, but for those that turned out to be no return."""
    found = {row["event_id"]: dict(row) for row in await pool.fetch(RETURNS, app) if row["method"] != "active"}
    for one in found.values():
        one["candidates"], one["more"] = msgspec.json.decode(one["candidates"]), msgspec.json.decode(one["more"])
    return found


async def unsettled(pool: asyncpg.Pool) -> tuple[int, int, int]:
    """(conversions that wait, keys nobody has looked for, marks and what nobody has looked at)."""
    waiting, keys, marks = await pool.fetchrow(UNSETTLED)
    return waiting, keys, marks
