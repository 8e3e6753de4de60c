"""Publishes what links did on closed days: the one input of decisions that looks at many installs at once."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

import asyncpg

from schemas.ids import floor_id, received_us
from schemas.partitions import DAY_US
from schemas.sql import load
from schemas.validity import (
    DELAYS_FIRST_HOUR_MIN,
    DELAYS_INSTALLS_MIN,
    FLOODING_ALONE_CLICKS_MIN,
    FLOODING_CLICKS_MIN,
    FLOODING_EXPECTED_MIN,
    FLOODING_RATE_MAX,
    FLOODING_SHARE,
    WEEK_DAYS,
)

DAY_0 = date(1970, 1, 1)


async def publish_before(connection: asyncpg.Connection, installs: Sequence[str]) -> bool:
    """The day before each of these installs was received, unless it is published. In the caller's transaction.

    Called before they are decided, so that every decision of a day looks at the same figures. False, and nothing is
    done, while installs of such a day are being decided: its figures would lack them.
    """
    days = {DAY_0 + timedelta(received_us(one) // DAY_US - 1) for one in installs}
    if days == await _published(connection, days):
        return True
    await connection.execute(load("conversions")["lock_days"])
    for day in sorted(days - await _published(connection, days)):
        ends = floor_id(((day - DAY_0).days + 1) * DAY_US)
        if await connection.fetchval(load("conversions")["undecided_before"], ends):
            return False
        await publish(connection, day)
    return True


async def _published(connection: asyncpg.Connection, days: Iterable[date]) -> set[date]:
    return {row["day"] for row in await connection.fetch(load("conversions")["published"], sorted(days))}


async def publish(connection: asyncpg.Connection, day: date) -> None:
    """The figures of a day as they are now, as its next version."""
    begins_us = (day - DAY_0).days * DAY_US
    await connection.execute(
        load("conversions")["publish_day"],
        day,
        floor_id(begins_us),
        floor_id(begins_us + DAY_US),
        WEEK_DAYS,
        FLOODING_CLICKS_MIN,
        FLOODING_SHARE,
        FLOODING_EXPECTED_MIN,
        FLOODING_RATE_MAX,
        FLOODING_ALONE_CLICKS_MIN,
        DELAYS_INSTALLS_MIN,
        DELAYS_FIRST_HOUR_MIN,
    )
