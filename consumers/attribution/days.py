"""Publishes what links did on closed days: the one input of decisions that looks at many installs at once."""

from collections.abc import Iterable
from datetime import date, timedelta

import asyncpg

from schemas.ids import floor_id, received_us
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

DAY_US = 24 * 3_600_000_000
DAY_0 = date(1970, 1, 1)


async def publish_before(connection: asyncpg.Connection, installs: Iterable[str]) -> None:
    """The day before each of these installs was received, unless it is published. In the caller's transaction.

    Called before they are decided, so that every decision of a day looks at the same figures.
    """
    days = {DAY_0 + timedelta(received_us(one) // DAY_US - 1) for one in installs}
    done = {row["day"] for row in await connection.fetch(load("conversions")["published"], sorted(days))}
    if days == done:
        return
    await connection.execute(load("conversions")["lock_days"])
    done = {row["day"] for row in await connection.fetch(load("conversions")["published"], sorted(days))}
    for day in sorted(days - done):
        await publish(connection, day)


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
