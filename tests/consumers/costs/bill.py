"""A shop whose campaigns are paid for: records go in by the handlers, are decided and priced, and the bill is read."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import asyncpg

from consumers.costs.pricer import Pricer
from consumers.outcomes.following import Following
from process.metrics import Meters
from schemas.events import Event, Hit, Install, Visit
from tests.consumers.attribution.test_returning import decide_all
from tests.support.devices import put

SHOP = """
INSERT INTO apps (id, title, kind) VALUES ('shop', '', 'mobile'), ('game', '', 'mobile'), ('web', '', 'web');
INSERT INTO partners (id, title) VALUES ('net', '');
INSERT INTO campaigns (id, title, partner) VALUES ('spring', '', 'net'), ('fall', '', 'net');
INSERT INTO links (id, app, campaign) VALUES ('1', 'shop', 'spring'), ('1b', 'shop', 'spring'), ('2', 'shop', 'fall'),
                                             ('3', 'shop', NULL), ('w', 'web', 'spring');
"""
BILL = """
SELECT coalesce(i.install_id, e.event_id) AS what, t.model, k.link, k.currency, sum(k.nanos) AS nanos
FROM conversion_costs k LEFT JOIN tariffs t ON t.id = k.tariff
LEFT JOIN installs i ON i.id = k.conversion LEFT JOIN events e ON e.id = k.conversion
GROUP BY 1, 2, 3, 4 HAVING sum(k.nanos) <> 0
"""

WAITS = """
SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
               WHERE NOT l.granted AND a.datname = current_database())
"""

Bill = dict[tuple[str, str, str], str]
"""(install_id or event_id, model or `word`, link) → amount and currency; what was taken back is missing."""


async def add_tariff(pool: asyncpg.Pool, model: str, micros: int | None = None, **changes: Any) -> int:
    """Its id: of the campaign spring in EUR, since 2001."""
    values: dict[str, Any] = {"campaign": "spring", "model": model, "micros": micros, "currency": "EUR"} | changes
    columns, places = ", ".join(values), ", ".join(f"${place}" for place in range(1, len(values) + 1))
    statement = f"INSERT INTO tariffs (starts_on, {columns}) VALUES ('2001-01-01', {places}) RETURNING id"  # noqa: S608
    made: int = await pool.fetchval(statement, *values.values())
    return made


async def follow(pool: asyncpg.Pool) -> None:
    """Price everything that was decided or stored."""
    following = Following(pool, [Pricer()], Meters())
    while await following.step():
        pass


async def settle(pool: asyncpg.Pool, *records: Hit | Install | Event | Visit) -> None:
    """Store the records, decide, and price."""
    if records:
        await put(pool, records)
    await decide_all(pool)
    await follow(pool)


async def bill(pool: asyncpg.Pool) -> Bill:
    """What stands."""
    rows = await pool.fetch(BILL)
    return {
        (row["what"], row["model"] or "word", row["link"]): f"{shown(row['nanos'])} {row['currency']}" for row in rows
    }


async def somebody_waits(pool: asyncpg.Pool) -> None:
    """Until a transaction waits for another one's lock."""
    while not await pool.fetchval(WAITS):  # noqa: ASYNC110  # Postgres tells nobody
        await asyncio.sleep(0.01)


async def rows_of(pool: asyncpg.Pool) -> Sequence[tuple[int, Decimal]]:
    """(number, nano-units) of every row, in their order."""
    rows = await pool.fetch("SELECT number, nanos FROM conversion_costs ORDER BY conversion, tariff, number")
    return [(row["number"], row["nanos"]) for row in rows]


def shown(nanos: Decimal) -> str:
    """In units of the currency."""
    return f"{(nanos / 10**9).normalize():f}"
