"""Week partitions of `touches`: names and bounds, by the time of receipt that ids carry.

Weeks, because a look-back window of seven days meets two of them: every key of an install is looked for in each
partition of its window.
"""

from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from schemas.ids import floor_id

DAYS_BEHIND = 8
"""Made at the first migration: journals may hold hits that old."""
DAYS_AHEAD = 7

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_US = 86_400_000_000


class Partition(NamedTuple):
    """One week, UTC, from its Monday on; ids from `low` up to, not including, `high`."""

    name: str
    low: str
    high: str


def partition_of(day: date) -> Partition:
    """The partition that holds a day."""
    monday = day - timedelta(day.weekday())
    low_us = (datetime(monday.year, monday.month, monday.day, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
    return Partition(f"touches_{monday:%Y%m%d}", floor_id(low_us), floor_id(low_us + 7 * DAY_US))


def first_day(name: str) -> date:
    """The Monday in a partition's name. Raises ValueError."""
    return datetime.strptime(name, "touches_%Y%m%d").replace(tzinfo=UTC).date()


def partitions_around(today: date, *, behind: int, ahead: int) -> list[Partition]:
    """Those that hold the days from `behind` before to `ahead` after."""
    return list(dict.fromkeys(partition_of(today + timedelta(days=offset)) for offset in range(-behind, ahead + 1)))


def statements(partition: Partition) -> list[str]:
    """SQL that makes the partition and moves rows there that the default partition took meanwhile."""
    bounds = f"id >= '{partition.low}' AND id < '{partition.high}'"
    return [
        f"CREATE TABLE {partition.name} (LIKE touches INCLUDING DEFAULTS INCLUDING CONSTRAINTS)",
        f"WITH moved AS (DELETE FROM touches_default WHERE {bounds} RETURNING *)"  # noqa: S608
        f" INSERT INTO {partition.name} SELECT * FROM moved",
        f"ALTER TABLE touches ATTACH PARTITION {partition.name}"
        f" FOR VALUES FROM ('{partition.low}') TO ('{partition.high}')",
    ]
