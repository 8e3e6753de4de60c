"""Visits of websites → rows: what the source of a later conversion is looked up in."""

from collections.abc import Sequence

import asyncpg

from consumers.touches.country import Countries
from schemas.events import Visit
from schemas.sql import load


async def insert_visits(connection: asyncpg.Connection, visits: Sequence[Visit], countries: Countries) -> set[str]:
    """Insert what is new; gives the ids of those records."""
    values = [_values(one, countries) for one in visits]
    found = await connection.fetch(load("visits")["insert_visits"], *zip(*values, strict=True))
    return {str(row["id"]) for row in found}


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
