"""What Apple's postbacks tell of campaigns: counted in Postgres, alike ones together, and added up by their meaning.

The figures stand beside what device-level attribution finds, and are never added to it: it may be the same install.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta

import asyncpg
import msgspec

from console.manage.checks import shown
from console.manage.common import Invalid, Missing, Refused
from console.manage.skan_counting import Asked, Days, count, midnight, milliseconds
from console.manage.skan_figures import DIMENSIONS, ROWS_MAX, Dimension, Figures, SkanRow, TooManyRows
from schemas.ids import floor_id
from schemas.sql import load

DAYS_MAX = 366
DAYS = 30
"""Of a report that nobody says more of."""
APPS_MAX = 10_000
DEFAULT_BY: tuple[Dimension, ...] = ("day", "app", "campaign", "source")
FIRST_DAY, LAST_DAY = date(2018, 1, 1), date(9998, 1, 1)
"""SKAdNetwork begins in 2018."""

_DEVICE_LEVEL = {"day", "app", "campaign"}
"""By which a report is made that may have the device-level figure beside."""


class SkanReport(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of the postbacks that verify, each once."""

    by: tuple[str, ...]
    since: date
    until: date
    """Inclusive, UTC, of receipt."""
    app: str | None
    campaign: str | None
    rows: tuple[SkanRow, ...]


async def skan_report(
    connection: asyncpg.Connection,
    *,
    app: str | None = None,
    campaign: str | None = None,
    since: date | None = None,
    until: date | None = None,
    by: str | None = None,
) -> SkanReport:
    """As one moment sees it, in a transaction of its own; `by`: names of DIMENSIONS with commas between. Raises
    Refused."""
    dimensions = _dimensions(by)
    days = _days(since, until)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        numbered: dict[int, str] = {}
        for row in await _fetch(connection, "numbered_apps"):
            numbered.setdefault(int(row["number"]), row["id"])
        numbers = await _numbers(connection, numbered, app, campaign)
        figures = Figures(dimensions)
        try:
            await count(connection, Asked(numbers, numbered, days, dimensions, campaign), figures)
        except TooManyRows:
            raise Refused("by", f"The report has more than {ROWS_MAX} rows: ask for fewer days, or by less.") from None
        rows = figures.rows()
        if "campaign" in dimensions and set(dimensions) <= _DEVICE_LEVEL:
            rows = await _beside(connection, days, app, dimensions, rows)
    return SkanReport(by=dimensions, since=days.first, until=days.last, app=app, campaign=campaign, rows=tuple(rows))


def _dimensions(by: str | None) -> tuple[Dimension, ...]:
    """Raises Invalid."""
    if by is None:
        return DEFAULT_BY
    found: list[Dimension] = []
    for name in by.split(","):
        known = next((one for one in DIMENSIONS if one == name.strip()), None)
        if known is None:
            raise Invalid("by", f"{shown(name)} is none of {', '.join(DIMENSIONS)}.")
        if known not in found:
            found.append(known)
    return tuple(found)


def _days(since: date | None, until: date | None) -> Days:
    """Raises Invalid."""
    for field, day in (("since", since), ("until", until)):
        if day is not None and not FIRST_DAY <= day <= LAST_DAY:
            raise Invalid(field, f"{day} is not from {FIRST_DAY} to {LAST_DAY}.")
    last = until or max(datetime.fromtimestamp(time.time(), UTC).date(), FIRST_DAY)
    first = since or max(last - timedelta(DAYS - 1), FIRST_DAY)
    if last < first:
        raise Invalid("since", f"{first} is after the last day, {last}.")
    if (last - first).days >= DAYS_MAX:
        raise Invalid("since", f"{first} is more than {DAYS_MAX} days up to the last one, {last}.")
    return Days(first, last)


async def _numbers(
    connection: asyncpg.Connection, numbered: Mapping[int, str], app: str | None, campaign: str | None
) -> list[int]:
    """In the App Store, of the apps that are asked for. Raises Refused."""
    if app is not None:
        await _known_app(connection, app, numbered)
    if campaign is not None and not await connection.fetchval(load("skan_meaning")["is_campaign"], campaign):
        raise Missing("campaign", campaign, "campaign")
    if app is None and campaign is None:
        rows = await _fetch(connection, "store_apps", APPS_MAX + 1)
        if len(rows) > APPS_MAX:
            raise Refused("app", f"There are postbacks of more than {APPS_MAX} apps: name one.")
        return [row["store_app"] for row in rows]
    apps = {app}
    if campaign is not None:
        of_campaign = {row["app"] for row in await _fetch(connection, "campaign_apps", campaign)}
        apps = of_campaign if app is None else of_campaign & apps
    return [number for number, one in numbered.items() if one in apps]


async def _known_app(connection: asyncpg.Connection, app: str, numbered: Mapping[int, str]) -> None:
    """Raises Refused."""
    if not await connection.fetchval(load("skan_meaning")["is_app"], app):
        raise Missing("app", app, "app")
    if app not in numbered.values():
        raise Refused(
            "app",
            f"App {app!r} has no number in the App Store, or an older app has the same: its postbacks are not told"
            " from others.",
        )


async def _beside(
    connection: asyncpg.Connection, days: Days, app: str | None, by: Iterable[Dimension], rows: list[SkanRow]
) -> list[SkanRow]:
    """The rows with what attribution credits to their campaigns."""
    names = sorted({row.campaign for row in rows if isinstance(row.campaign, str)})
    first, end = midnight(days.first), midnight(days.last + timedelta(1))
    # a device may say that it was installed up to 24 hours before we were told: schemas/sql/migrations/0009_returns.sql
    ids = floor_id(milliseconds(first) * 1000), floor_id(milliseconds(end + timedelta(1)) * 1000)
    found: Counter[tuple[object, ...]] = Counter()
    keys = [name for name in ("day", "app", "campaign") if name in by]
    for one in await _fetch(connection, "device_installs", names, app, first, end, *ids):
        found[tuple(one[key] for key in keys)] += one["installs"]

    def beside(row: SkanRow) -> SkanRow:
        known = None if row.campaign is None else found[tuple(getattr(row, key) for key in keys)]
        return msgspec.structs.replace(row, device_installs=known)

    return [beside(row) for row in rows]


async def _fetch(connection: asyncpg.Connection, statement: str, *arguments: object) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await connection.fetch(load("skan_meaning")[statement], *arguments)
    return rows
