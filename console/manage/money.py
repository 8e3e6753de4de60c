"""What a campaign cost, and what it earned: sums of exact parts, rounded to the micro-unit once, when shown."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import asyncpg
import msgspec

from console.manage.common import Refused
from console.manage.forms import currency_of, known_campaign
from console.manage.rates import rates_between
from schemas.ids import floor_id
from schemas.money import from_micros, whole_micros
from schemas.rules import CLOCK_SKEW_US
from schemas.spreading import day_in
from schemas.sql import load

DAY_0 = date(1970, 1, 1)
FIRST, LAST = date(1970, 1, 2), date(9999, 1, 1)

Amounts = dict[str, str]
"""Currency → decimal text."""


class Converted(msgspec.Struct, frozen=True, kw_only=True):
    """The same in one currency, each part by the rate of its day."""

    currency: str
    cost_by_tariffs: str
    cost_corrections: str
    cost_from_partner: str
    cost: str
    revenue: str
    without_rate: list[str]
    """Currencies of which something is missing above: no rate is known up to its day."""


class CampaignMoney(msgspec.Struct, frozen=True, kw_only=True):
    """Touches, installs and money of a campaign, of one app or all, of some days (UTC) or all; tests are in none."""

    campaign: str
    app: str | None
    since: date | None
    until: date | None
    """Inclusive."""
    impressions: int
    clicks: int
    installs: int
    """Credited to it now."""
    cost_by_tariffs: Amounts
    cost_corrections: Amounts
    cost_from_partner: Amounts
    cost_is: str
    """tariffs, partner or both: what the campaign's cost consists of, besides corrections."""
    cost: Amounts
    revenue: Amounts
    converted: Converted | None


class _Part(NamedTuple):
    currency: str
    day: date
    nanos: Fraction


class _Parts(NamedTuple):
    tariffs: list[_Part]
    corrections: list[_Part]
    partner: list[_Part]
    revenue: list[_Part]

    def cost(self, setting: str) -> list[_Part]:
        """Of the campaign."""
        by = {"tariffs": self.tariffs, "partner": self.partner, "both": self.tariffs + self.partner}
        return by[setting] + self.corrections


async def campaign_money(
    connection: asyncpg.Connection,
    campaign: str,
    *,
    app: str | None = None,
    since: date | None = None,
    until: date | None = None,
    currency: str | None = None,
) -> CampaignMoney:
    """As one moment sees it, in a transaction of its own; `currency`: everything in this one, too. Raises Missing,
    Refused."""
    first, last = max(since or FIRST, FIRST), min(until or LAST, LAST)
    if last < first:
        raise Refused("until", f"{until} is before {since}.")
    if currency is not None:
        currency_of("currency", currency)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        row = await known_campaign(connection, campaign)
        days = _midnight(first), _midnight(last + timedelta(1))
        touches = await connection.fetchrow(load("money")["touches"], campaign, app, *days, _lowest(first))
        installs = await connection.fetchval(load("money")["installs"], campaign, app, *days)
        parts = await _read(connection, campaign, app, first, last)
        converted = await _converted(connection, parts, row["cost"], currency) if currency is not None else None
    return CampaignMoney(
        campaign=campaign,
        app=app,
        since=since,
        until=until,
        impressions=touches["impressions"],
        clicks=touches["clicks"],
        installs=installs,
        cost_by_tariffs=_amounts(parts.tariffs),
        cost_corrections=_amounts(parts.corrections),
        cost_from_partner=_amounts(parts.partner),
        cost_is=row["cost"],
        cost=_amounts(parts.cost(row["cost"])),
        revenue=_amounts(parts.revenue),
        converted=converted,
    )


async def _read(connection: asyncpg.Connection, campaign: str, app: str | None, first: date, last: date) -> _Parts:
    sql = load("money")
    hours = _hour(first), _hour(last + timedelta(1))
    tariffs = await connection.fetch(sql["cost_by_tariffs"], campaign, app, *hours)
    partner = await connection.fetch(sql["cost_from_partner"], campaign, app, *hours)
    corrections = await connection.fetch(sql["cost_corrections"], campaign, app, *hours)
    revenue = await connection.fetch(sql["revenue"], campaign, app, _midnight(first), _midnight(last + timedelta(1)))
    return _Parts(
        _of_days(tariffs),
        [_part(row, day_in(row["hour"], ZoneInfo(row["zone"]))) for row in corrections],
        _of_days(partner),
        [_part(row, row["day"]) for row in revenue],
    )


async def _converted(connection: asyncpg.Connection, parts: _Parts, setting: str, currency: str) -> Converted:
    every = [part for some in parts for part in some]
    days = [part.day for part in every] or [DAY_0]
    rates = await rates_between(connection, {currency, *(part.currency for part in every)}, min(days), max(days))
    missing: set[str] = set()

    def total(some: Sequence[_Part]) -> str:
        whole = Fraction()
        for part in some:
            found = rates.convert(part.nanos, part.currency, currency, part.day)
            if found is None:
                missing.add(part.currency if rates.rate(part.currency, part.day) is None else currency)
            whole += found or 0
        return from_micros(whole_micros(whole))

    return Converted(
        currency=currency,
        cost_by_tariffs=total(parts.tariffs),
        cost_corrections=total(parts.corrections),
        cost_from_partner=total(parts.partner),
        cost=total(parts.cost(setting)),
        revenue=total(parts.revenue),
        without_rate=sorted(missing),
    )


def _amounts(parts: Iterable[_Part]) -> Amounts:
    sums: dict[str, Fraction] = {}
    for currency, _, nanos in parts:
        sums[currency] = sums.get(currency, Fraction()) + nanos
    return {currency: from_micros(whole_micros(nanos)) for currency, nanos in sorted(sums.items()) if nanos}


def _of_days(rows: Iterable[Mapping[str, Any]]) -> list[_Part]:
    return [_part(row, DAY_0 + timedelta(row["day"])) for row in rows]


def _part(row: Mapping[str, Any], day: date) -> _Part:
    return _Part(row["currency"], day, Fraction(row["nanos"]))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _hour(day: date) -> int:
    return (day - DAY_0).days * 24


def _lowest(first: date) -> str:
    """Of a touch of that day: it is received after it happened, or a device's clock is ahead of ours."""
    return floor_id((first - DAY_0).days * 86_400_000_000 - CLOCK_SKEW_US)
