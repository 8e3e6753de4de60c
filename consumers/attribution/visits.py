"""Visits of websites → rows: what the source of a later conversion is looked up in."""

from collections.abc import Sequence

import asyncpg

from consumers.attribution.facts import conversion_time
from consumers.touches.country import Countries
from schemas.events import Visit
from schemas.ids import floor_id, received_us
from schemas.keys import visitor_key
from schemas.sql import load


async def insert_visits(connection: asyncpg.Connection, visits: Sequence[Visit], countries: Countries) -> set[str]:
    """Insert what is new; gives the ids of those records."""
    values = [_values(one, countries) for one in visits]
    found = await connection.fetch(load("visits")["insert_visits"], *zip(*values, strict=True))
    return {str(row["id"]) for row in found}


async def watch_visits(connection: asyncpg.Connection, visits: Sequence[Visit]) -> None:
    """Events of these visitors that were decided already may be theirs: one row for all of them."""
    if visits:
        since_us = min(conversion_time(one.occurred_us, received_us(one.id)) for one in visits)
        keys = sorted({visitor_key(one.app, one.visitor_id) for one in visits})
        await connection.execute(load("conversions")["new_keys"], floor_id(since_us), keys)


def _values(visit: Visit, countries: Countries) -> tuple[object, ...]:
    return (
        visit.app,
        visit.visit_id,
        visit.id,
        visit.visitor_id,
        visit.url,
        visit.referer,
        visit.touch_id,
        visit.link,
        visit.occurred_us,
        visit.ip,
        visit.ua,
        visit.language,
        countries.country(visit.ip) if visit.ip else None,
        ",".join(visit.flags),
    )
