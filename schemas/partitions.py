"""Day partitions of `touches`: names and bounds, by the time of receipt that ids carry."""

from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from schemas.ids import floor_id

DAYS_BEHIND = 8
"""Made at the first migration: journals may hold hits that old."""
DAYS_AHEAD = 7

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_US = 86_400_000_000


class DayPartition(NamedTuple):
    """One day, UTC; ids from `low` up to, not including, `high`."""

    name: str
    low: str
    high: str


def day_partition(day: date) -> DayPartition:
    """The partition of a day."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    low_us = (start - _EPOCH) // timedelta(microseconds=1)
    return DayPartition(f"touches_{day:%Y%m%d}", floor_id(low_us), floor_id(low_us + DAY_US))


def day_of(name: str) -> date:
    """The day of a partition's name. Raises ValueError."""
    return datetime.strptime(name, "touches_%Y%m%d").replace(tzinfo=UTC).date()


def days_around(today: date, *, behind: int, ahead: int) -> list[DayPartition]:
    """Partitions from `behind` days before to `ahead` days after."""
    return [day_partition(today + timedelta(days=offset)) for offset in range(-behind, ahead + 1)]


def statements(partition: DayPartition) -> list[str]:
    """SQL that makes the partition and moves rows there that the default partition took meanwhile."""
    bounds = f"id >= '{partition.low}' AND id < '{partition.high}'"
    return [
        f"CREATE TABLE {partition.name} (LIKE touches INCLUDING DEFAULTS INCLUDING CONSTRAINTS)",
        f"WITH moved AS (DELETE FROM touches_default WHERE {bounds} RETURNING *)"  # noqa: S608
        f" INSERT INTO {partition.name} SELECT * FROM moved",
        f"ALTER TABLE touches ATTACH PARTITION {partition.name}"
        f" FOR VALUES FROM ('{partition.low}') TO ('{partition.high}')",
    ]
