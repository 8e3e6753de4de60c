"""What Apple's postbacks tell of campaigns: counted in Postgres, alike ones together, and added up by their meaning.

The figures stand beside what device-level attribution finds, and are never added to it: it may be the same install.
"""

import bisect
import time
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from typing import NamedTuple

import asyncpg
import msgspec

from console.manage.checks import shown
from console.manage.common import Invalid, Missing, Refused
from console.manage.skan_figures import DIMENSIONS, ROWS_MAX, Dimension, Group, SkanRow, TooManyRows, figures
from schemas.ids import floor_id
from schemas.skan.sources import Entry
from schemas.skan.values import ConversionValues
from schemas.sql import load

DAYS_MAX = 366
DAYS = 30
"""Of a report that nobody says more of."""
APPS_MAX = 10_000
GROUPS_MAX = 300_000
"""Groups of postbacks that are alike: some 300 MB while they are added up."""
DEFAULT_BY: tuple[Dimension, ...] = ("day", "app", "campaign", "source")
FIRST_DAY, LAST_DAY = date(2018, 1, 1), date(9998, 1, 1)
"""SKAdNetwork begins in 2018."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

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


class _Days(NamedTuple):
    first: date
    last: date

    @property
    def starts(self) -> list[int]:
        """Milliseconds of every midnight, the one after the last day too."""
        return [_ms(_midnight(self.first + timedelta(n))) for n in range((self.last - self.first).days + 2)]


class _Schemas:
    """Which schema of an app held when."""

    def __init__(self, rows: Iterable[asyncpg.Record]) -> None:
        self._since: dict[str, list[int]] = {}
        self._said: dict[str, list[ConversionValues]] = {}
        for row in rows:
            self._since.setdefault(row["app"], []).append(_ms(row["created_at"]))
            self._said.setdefault(row["app"], []).append(msgspec.json.decode(row["schema"], type=ConversionValues))

    @property
    def changes(self) -> set[int]:
        """Milliseconds at which some app has another one."""
        return {at for some in self._since.values() for at in some}

    def at(self, app: str, ms: int) -> ConversionValues | None:
        """None: it had none yet."""
        number = bisect.bisect_right(self._since.get(app, ()), ms)
        return self._said[app][number - 1] if number else None


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
    starts = days.starts
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        numbered: dict[int, str] = {}
        for row in await _fetch(connection, "numbered_apps"):
            numbered.setdefault(int(row["number"]), row["id"])
        numbers = await _numbers(connection, numbered, app, campaign)
        apps = sorted({numbered[number] for number in numbers if number in numbered})
        entries = _entries(await _fetch(connection, "entries", apps))
        ends = _midnight(days.first), _midnight(days.last + timedelta(1))
        schemas = _Schemas(await _fetch(connection, "schemas", apps, *ends))
        spans = starts if "day" in dimensions else [starts[0], starts[-1]]
        apart: tuple[Dimension, ...] = dimensions if campaign is None else (*dimensions, "campaign")
        groups = await _groups(connection, numbers, numbered, spans, schemas, apart)
        try:
            rows = figures(groups, dimensions, entries, campaign=campaign)
        except TooManyRows:
            raise Refused("by", f"The report has more than {ROWS_MAX} rows: ask for fewer days, or by less.") from None
        if "campaign" in dimensions and set(dimensions) <= _DEVICE_LEVEL:
            rows = await _beside(connection, days, app, dimensions, rows)
    return SkanReport(by=dimensions, since=days.first, until=days.last, app=app, campaign=campaign, rows=tuple(rows))


def _entries(rows: Iterable[asyncpg.Record]) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for row in rows:
        found.setdefault(row["app"], []).append(Entry(row["kind"], row["source"], row["network"], row["campaign"]))
    return found


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


def _days(since: date | None, until: date | None) -> _Days:
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
    return _Days(first, last)


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


async def _groups(
    connection: asyncpg.Connection,
    numbers: Sequence[int],
    numbered: Mapping[int, str],
    starts: Sequence[int],
    schemas: _Schemas,
    by: Container[Dimension],
) -> Iterator[Group]:
    """From the first of `starts` up to the last one, told apart by those between; and by no more than the report needs:
    so one of many days may be of many postbacks. Raises Refused."""
    spans = sorted({*starts[:-1], *(at for at in schemas.changes if starts[0] < at < starts[-1])})
    bounds = floor_id(starts[0] * 1000), floor_id(starts[-1] * 1000)
    ids = [floor_id(at * 1000) for at in spans]
    sources = "source" in by or "campaign" in by
    apart = "framework" in by, "network" in by or "campaign" in by, sources
    rows = await _fetch(connection, "counts", numbers, *bounds, ids, GROUPS_MAX + 1, *apart)
    if len(rows) > GROUPS_MAX:
        raise Refused("since", f"More than {GROUPS_MAX} different kinds of postbacks: ask for fewer days, or an app.")

    def group(row: asyncpg.Record) -> Group:
        facts = dict(row)
        at = spans[facts.pop("span") - 1]
        app = numbered.get(row["store_app"])
        schema = None if app is None else schemas.at(app, at)
        return Group(**facts, day=datetime.fromtimestamp(at / 1000, UTC).date(), app=app, schema=schema)

    return map(group, rows)


async def _beside(
    connection: asyncpg.Connection, days: _Days, app: str | None, by: Iterable[Dimension], rows: list[SkanRow]
) -> list[SkanRow]:
    """The rows with what attribution credits to their campaigns."""
    names = sorted({row.campaign for row in rows if isinstance(row.campaign, str)})
    first, end = _midnight(days.first), _midnight(days.last + timedelta(1))
    # a device may say that it was installed up to 24 hours before we were told: schemas/sql/migrations/0009_returns.sql
    ids = floor_id(_ms(first) * 1000), floor_id(_ms(end + timedelta(1)) * 1000)
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


def _midnight(day: date) -> datetime:
    return datetime.combine(day, clock(), UTC)


def _ms(at: datetime) -> int:
    """Since 1970, as ids count."""
    return (at - EPOCH) // timedelta(milliseconds=1)
