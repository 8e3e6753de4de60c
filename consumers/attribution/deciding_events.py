"""Decides events that are conversions: those that bring a user back to an app, and those of websites.

Each function is one transaction's work. As with installs, deciding and marking take turns.
"""

import time
from collections import Counter
from collections.abc import Sequence

import asyncpg

from consumers.attribution.deciding import Decided, keep
from consumers.attribution.returning import decided_returns
from consumers.attribution.visited import decided_visits
from schemas.ids import floor_id
from schemas.rules import AGAIN_WITHIN_US
from schemas.sql import load

DECIDED_AT_ONCE = 500


async def decide_ready(connection: asyncpg.Connection) -> Counter[str]:
    """Those whose barrier is passed, at most a page: method, or `active` for what is no return any more → how many."""
    await connection.execute(load("conversions")["turn"])
    rows = await connection.fetch(load("events")["take_ready"], DECIDED_AT_ONCE)
    if not rows:
        return Counter()
    found = await _decide(connection, rows)
    await connection.execute(load("conversions")["wait_no_longer"], [row["id"] for row in rows])
    return Counter(one.decision.method for one in found) + Counter(active=len(rows) - len(found))


async def decide_again(connection: asyncpg.Connection) -> int:
    """Those that are marked, at most a page; how many."""
    await connection.execute(load("conversions")["turn"])
    since = floor_id(time.time_ns() // 1000 - AGAIN_WITHIN_US)
    rows = await connection.fetch(load("events")["take_marked"], DECIDED_AT_ONCE, since)
    if rows:
        await connection.execute(load("conversions")["unmark"], [row["id"] for row in rows])
        await _decide(connection, rows)
    return len(rows)


async def _decide(connection: asyncpg.Connection, rows: Sequence[asyncpg.Record]) -> list[Decided]:
    of_webs, others = [row for row in rows if row["web"]], [row for row in rows if not row["web"]]
    visits = await decided_visits(connection, of_webs) if of_webs else []
    returns = await decided_returns(connection, others) if others else []
    for found in (visits, returns):
        if found:
            await keep(connection, found)
    return visits + returns
