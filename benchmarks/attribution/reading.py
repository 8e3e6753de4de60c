"""What the product has said, read from Postgres: decisions, and verdicts on touches."""

import asyncpg
import msgspec

from benchmarks.attribution.scoring import Candidate, Decided
from benchmarks.attribution.verdicts import BOT_VERDICTS

DECISIONS = """
SELECT DISTINCT ON (conversion) conversion::text, method, touch::text, confidence, candidates
FROM decisions ORDER BY conversion, number DESC
"""
# A second copy: the same click id of the same app, partner, link and kind, at most a week after the touch before it.
DUPLICATES = """
SELECT id::text FROM (
    SELECT id, touched_at, lag(touched_at) OVER (
        PARTITION BY app, partner, link, kind, click_id ORDER BY touched_at, id
    ) AS before
    FROM touches WHERE click_id IS NOT NULL
) AS copies WHERE touched_at <= before + interval '7 days'
"""
FLAGGED = "SELECT id::text FROM touches WHERE flags && $1::text[]"
# By UTC days of receipt, which ids carry in their first 48 bits as milliseconds.
FLOODED = """
WITH latest AS (SELECT DISTINCT ON (link, day) link, day, flooding FROM link_days ORDER BY link, day, version DESC)
SELECT t.id::text FROM touches t JOIN latest l ON l.link = t.link AND l.flooding
AND l.day = (to_timestamp(('x' || substr(replace(t.id::text, '-', ''), 1, 12))::bit(48)::bigint / 1000.0)
             AT TIME ZONE 'UTC')::date
"""
_candidates = msgspec.json.Decoder(list[Candidate])


async def decisions(pool: asyncpg.Pool) -> dict[str, Decided]:
    """Install → its current decision."""
    found: dict[str, Decided] = {}
    async with pool.acquire() as connection, connection.transaction():
        async for row in connection.cursor(DECISIONS, prefetch=500):  # candidates of a crowd are long
            found[row["conversion"]] = Decided(
                method=row["method"],
                touch=row["touch"],
                confidence=row["confidence"],
                candidates=_candidates.decode(row["candidates"]),
            )
    return found


async def duplicates(pool: asyncpg.Pool) -> set[str]:
    """Touches that are a sender's second copy."""
    return {row["id"] for row in await pool.fetch(DUPLICATES)}


async def bots(pool: asyncpg.Pool) -> set[str]:
    """Touches that say or show that no person made them."""
    return {row["id"] for row in await pool.fetch(FLAGGED, sorted(BOT_VERDICTS))}


async def flooded(pool: asyncpg.Pool) -> set[str] | None:
    """Touches of links on days on which they flood; None when nobody judges links."""
    if await pool.fetchval("SELECT to_regclass('link_days') IS NULL"):
        return None
    return {row["id"] for row in await pool.fetch(FLOODED)}
