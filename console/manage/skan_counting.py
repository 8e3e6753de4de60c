"""Apple's postbacks, counted in Postgres: alike ones together, each with its campaign and its schema."""

import bisect
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

import asyncpg
import msgspec

from console.manage.common import Refused
from console.manage.skan_figures import Dimension, Figures, Group
from schemas.ids import floor_id
from schemas.skan.sources import Entry, resolve
from schemas.skan.values import ConversionValues
from schemas.sql import load

GROUPS_MAX = 1_000_000
"""Groups of postbacks that are alike: some ten seconds."""
SOURCES_MAX = 200_000
"""Different sources of one report."""
FETCHED = 2000
"""Groups at a time."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

TOLD = ("store_app", "network", "source_kind", "source", "campaign", "ambiguous")
"""What is known of a source, a column each."""


class Days(NamedTuple):
    """Of receipt, both included, in UTC."""

    first: date
    last: date

    @property
    def starts(self) -> list[int]:
        """Milliseconds of every midnight, the one after the last day too."""
        return [milliseconds(midnight(self.first + timedelta(n))) for n in range((self.last - self.first).days + 2)]


class Asked(NamedTuple):
    """What is counted."""

    numbers: Sequence[int]
    """In the App Store, of these apps."""
    numbered: Mapping[int, str]
    """Number → app."""
    days: Days
    by: tuple[Dimension, ...]
    campaign: str | None


class Schemas:
    """Which schema of an app held when."""

    def __init__(self, rows: Iterable[asyncpg.Record]) -> None:
        self._since: dict[str, list[int]] = {}
        self._said: dict[str, list[ConversionValues]] = {}
        for row in rows:
            self._since.setdefault(row["app"], []).append(milliseconds(row["created_at"]))
            self._said.setdefault(row["app"], []).append(msgspec.json.decode(row["schema"], type=ConversionValues))

    @property
    def changes(self) -> set[int]:
        """Milliseconds at which some app has another one."""
        return {at for some in self._since.values() for at in some}

    def at(self, app: str, ms: int) -> ConversionValues | None:
        """None: it had none yet."""
        number = bisect.bisect_right(self._since.get(app, ()), ms)
        return self._said[app][number - 1] if number else None


async def count(connection: asyncpg.Connection, asked: Asked, figures: Figures) -> None:
    """Adds every group of the postbacks to the figures. Raises Refused, and TooManyRows.

    Postbacks are told apart by no more than the report needs, so that one of many days may be of many postbacks; and
    the groups come piece by piece, so that others are answered meanwhile.
    """
    starts = asked.days.starts
    apps = sorted({asked.numbered[number] for number in asked.numbers if number in asked.numbered})
    ends = midnight(asked.days.first), midnight(asked.days.last + timedelta(1))
    schemas = Schemas(await connection.fetch(load("skan_meaning")["schemas"], apps, *ends))
    bounds = floor_id(starts[0] * 1000), floor_id(starts[-1] * 1000)
    told = await _told(connection, asked, apps, bounds)
    columns = [[one[at] for one in told] for at in range(len(TOLD))]
    kept = starts[:-1] if "day" in asked.by else starts[:1]
    spans = sorted({*kept, *(at for at in schemas.changes if starts[0] < at < starts[-1])})
    days = [(EPOCH + timedelta(milliseconds=at)).date() for at in spans]
    ids = [floor_id(at * 1000) for at in spans]
    apart = "framework" in asked.by, "network" in asked.by, "source" in asked.by
    values = (asked.numbers, *bounds, ids, *apart, *columns, asked.campaign)
    taken = 0
    async for row in connection.cursor(load("skan_meaning")["counts"], *values, prefetch=FETCHED):
        taken += 1
        if taken > GROUPS_MAX:
            raise Refused("since", f"More than {GROUPS_MAX} kinds of postbacks: ask for fewer days, or an app.")
        facts = dict(row)
        span = facts.pop("span") - 1
        app = asked.numbered.get(row["store_app"])
        schema = None if app is None else schemas.at(app, spans[span])
        figures.add(Group(**facts, day=days[span], app=app, schema=schema))


async def _told(
    connection: asyncpg.Connection, asked: Asked, apps: Sequence[str], bounds: tuple[str, str]
) -> list[tuple[object, ...]]:
    """TOLD of the sources of the postbacks that lead to a campaign, or to several. Raises Refused."""
    if "campaign" not in asked.by and asked.campaign is None:
        return []
    entries: dict[str, list[Entry]] = {}
    for row in await connection.fetch(load("skan_meaning")["entries"], apps):
        entries.setdefault(row["app"], []).append(Entry(row["kind"], row["source"], row["network"], row["campaign"]))
    numbers = [number for number in asked.numbers if asked.numbered.get(number) in entries]
    rows = await connection.fetch(load("skan_meaning")["told_sources"], numbers, *bounds, SOURCES_MAX + 1)
    if len(rows) > SOURCES_MAX:
        raise Refused("since", f"There are more than {SOURCES_MAX} sources: ask for fewer days, or an app.")
    told: list[tuple[object, ...]] = []
    for row in rows:
        of_app = entries[asked.numbered[row["store_app"]]]
        found = resolve(row["source_kind"], row["source"], row["network"], of_app)
        if found.campaign is not None or found.ambiguous:
            told.append((*row, found.campaign, found.ambiguous))
    return told


def midnight(day: date) -> datetime:
    """In UTC."""
    return datetime.combine(day, time(), UTC)


def milliseconds(at: datetime) -> int:
    """Since 1970, as ids count."""
    return (at - EPOCH) // timedelta(milliseconds=1)
