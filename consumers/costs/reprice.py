"""Prices a campaign's past by the tariffs of today, and says what differs; nothing changes unless `apply` is asked.

Touches are counted again from their rows, those that are duplicates (schemas.validity) left out, which nobody knows
when they are stored. Conversions are priced as the pricer does; rows are added, none is edited.
"""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

import asyncpg
import msgspec

from consumers.attribution.replay import kept_from
from consumers.costs.pricer import Missing, Scope, add, missing
from consumers.costs.pricing import touch_nanos
from schemas.errors import TouchlineError
from schemas.ids import US_PER_HOUR, floor_id
from schemas.rules import CLOCK_SKEW_US
from schemas.sql import load
from schemas.validity import DUPLICATE_DAYS

PAGE_CONVERSIONS = 200
READ_S_MAX = 24 * 3600
"""All touches of a campaign are read at once."""
DAY_0 = date(1970, 1, 1)

Where = tuple[int, date, str]
"""Tariff, day (UTC), currency."""


class Difference(msgspec.Struct):
    """What pricing again adds, or takes back."""

    touches: Counter[Where] = msgspec.field(default_factory=Counter)
    conversions: Counter[Where] = msgspec.field(default_factory=Counter)
    nanos: dict[Where, Decimal] = {}

    def note(self, where: Where, nanos: Decimal, *, touches: int = 0, conversions: int = 0) -> None:
        """Add a part."""
        self.touches[where] += touches
        self.conversions[where] += conversions
        self.nanos[where] = self.nanos.get(where, Decimal()) + nanos


async def reprice(
    connection: asyncpg.Connection, campaign: str, since: date, *, apply: bool, progress: Callable[[int], None]
) -> Difference:
    """With `apply` one transaction for the touches and one a page of conversions, so that it can be stopped and started
    again. Raises TouchlineError for a campaign that does not exist, and for touches that are not stored any more."""
    if not await connection.fetchval(load("costs")["has_campaign"], campaign):
        raise TouchlineError(f"campaign {campaign!r} does not exist.")
    since_us = (since - DAY_0) // timedelta(microseconds=1)
    tariffs = {row["id"]: row for row in await connection.fetch(load("costs")["campaign_tariffs"], campaign)}
    found = Difference()
    by_touch = {id: row for id, row in tariffs.items() if row["model"] in ("cpc", "cpm")}
    if by_touch:
        if since_us < await kept_from(connection):
            raise TouchlineError(f"touches since {since} are not all stored any more: --since a later day.")
        await _touches(connection, campaign, since, since_us, by_touch, found, apply=apply)
    scope = Scope(frozenset(tariffs), since_us // US_PER_HOUR)
    await _conversions(connection, campaign, scope, found, apply=apply, progress=progress)
    return found


async def _touches(
    connection: asyncpg.Connection,
    campaign: str,
    since: date,
    since_us: int,
    tariffs: dict[int, asyncpg.Record],
    found: Difference,
    *,
    apply: bool,
) -> None:
    sql = load("costs")
    lowest = floor_id(since_us - DUPLICATE_DAYS * 24 * US_PER_HOUR - CLOCK_SKEW_US)
    async with connection.transaction():
        if apply:
            await connection.execute(sql["hold_touches"])
        rows = await connection.fetch(
            sql["touches_again"],
            campaign,
            datetime.combine(since, time(), UTC),
            lowest,
            DUPLICATE_DAYS,
            timeout=READ_S_MAX,
        )
        if apply and rows:
            columns = ("tariff", "link", "app", "hour", "count")
            values = [tuple(row[name] for name in columns) for row in rows]
            await connection.execute(sql["put_touches"], *zip(*values, strict=True))
    for row in rows:
        tariff, more = tariffs[row["tariff"]], row["count"] - row["before"]
        nanos = Decimal(more * touch_nanos(tariff["model"], tariff["micros"]))
        found.note((row["tariff"], _day(row["hour"]), tariff["currency"]), nanos, touches=more)


async def _conversions(
    connection: asyncpg.Connection,
    campaign: str,
    scope: Scope,
    found: Difference,
    *,
    apply: bool,
    progress: Callable[[int], None],
) -> None:
    sql = load("costs")
    await connection.execute(sql["stage_conversions"])
    await connection.execute(sql["find_conversions"], campaign)
    after, seen = UUID(int=0), set[int]()
    while page := [row["id"] for row in await connection.fetch(sql["found_conversions"], after, PAGE_CONVERSIONS)]:
        async with connection.transaction():
            async for rows in missing(connection, page, lock=apply, scope=scope):
                if apply:
                    await add(connection, rows)
                _note(found, rows, seen)
        after = page[-1]
        progress(len(page))


def _note(found: Difference, rows: list[Missing], seen: set[int]) -> None:
    """An event may be met with its install and by itself; what is not applied is missing both times."""
    for place, number, nanos in rows:
        if (key := hash((place, number))) not in seen:
            seen.add(key)
            found.note((place.tariff, _day(place.hour), place.currency), nanos, conversions=1)


def _day(hour: int) -> date:
    return DAY_0 + timedelta(hour // 24)
