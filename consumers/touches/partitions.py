"""Keeps the week partitions of `touches` ahead of the clock."""

from datetime import UTC, date, datetime

import asyncpg

from schemas.partitions import DAY_US, DAYS_AHEAD, first_day, partitions_around, statements
from schemas.sql import load


async def ensure_partitions(connection: asyncpg.Connection, today: date, *, behind: int = 0) -> int:
    """Make the missing partitions; gives the first moment (Unix µs) that any partition holds."""
    async with connection.transaction():
        await connection.execute(load("touches")["lock_partitions"])
        present = {row["name"] for row in await connection.fetch(load("touches")["partitions"])}
        for partition in partitions_around(today, behind=behind, ahead=DAYS_AHEAD):
            if partition.name not in present:
                for statement in statements(partition):
                    await connection.execute(statement)
                present.add(partition.name)
    first = min(first_day(name) for name in present)
    return (first - date(1970, 1, 1)).days * DAY_US


def today_utc() -> date:
    """The day by the clock, UTC."""
    return datetime.now(UTC).date()
