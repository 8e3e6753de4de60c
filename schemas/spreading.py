"""A sum spread over the hours of a range of days in a time zone, so that the parts sum to it exactly. Pure."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

HOUR_S = 3600
FIRST_DAY = date(2000, 1, 1)
"""Before, zones had offsets of odd minutes."""
DAYS_MAX = 1830
"""Five years: a row an hour."""


def zone_named(name: str) -> ZoneInfo:
    """A zone of the IANA's database. Raises ValueError with a sentence."""
    if name not in available_timezones():
        raise ValueError(f"{name[:60]!r} is no time zone of the IANA's database, such as Europe/Berlin")
    return ZoneInfo(name)


def hours_of(starts_on: date, ends_on: date, zone: ZoneInfo) -> range:
    """The hours (since 1970, UTC) of the days, both inclusive, in the zone: 23 or 25 on days when clocks change, none
    when the zone left the day out. An hour that begins within an hour of UTC is that one; where clocks change by half
    an hour, what is no whole hour at the end is left out."""
    start_s, end_s = _midnight_s(starts_on, zone), _midnight_s(ends_on + timedelta(days=1), zone)
    first = start_s // HOUR_S
    return range(first, first + (end_s - start_s) // HOUR_S)


def spread(micros: int, hours: range) -> list[tuple[int, int]]:
    """(hour, micro-units), about equal: what cannot be divided goes to the first hours. Raises ValueError when there
    is no hour."""
    if not hours:
        raise ValueError("no hour to spread over")
    part, rest = divmod(abs(micros), len(hours))
    sign = -1 if micros < 0 else 1
    return [(hour, sign * (part + (number < rest))) for number, hour in enumerate(hours)]


def day_in(hour: int, zone: ZoneInfo) -> date:
    """The day in the zone of an hour of `hours_of`. Its last second counts: with offsets of half an hour the hour of
    the zone begins in the middle of the one of UTC."""
    return datetime.fromtimestamp(hour * HOUR_S + HOUR_S - 1, UTC).astimezone(zone).date()


def _midnight_s(day: date, zone: ZoneInfo) -> int:
    """When the day begins; where clocks skip midnight, the moment at which they do; of two the first."""
    return int(datetime.combine(day, time(), tzinfo=zone).timestamp())
