"""Any sum over any days of any zone: the parts sum exactly and differ by at most one micro-unit."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.money import MICROS, MICROS_MAX
from schemas.spreading import FIRST_DAY, day_in, hours_of, spread, zone_named

ZONES = sorted(available_timezones() - {"Factory", "localtime"})
SUMS = st.integers(-MICROS_MAX, MICROS_MAX)
DAYS = st.dates(FIRST_DAY, date(2090, 1, 1))


def hour_at(text: str) -> int:
    """The hour since 1970 of a UTC time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) // 3600


@settings(deadline=None)
@given(SUMS, DAYS, st.integers(0, 60), st.sampled_from(ZONES))
def test_any_sum_is_spread_exactly(micros: int, first: date, days: int, zone: str) -> None:
    hours = hours_of(first, first + timedelta(days), ZoneInfo(zone))
    if not hours:
        assert days == 0
        return
    parts = spread(micros, hours)
    assert sum(part for _, part in parts) == micros
    sizes = [abs(part) for _, part in parts]
    assert max(sizes) - min(sizes) <= 1
    assert sizes == sorted(sizes, reverse=True), "the remainder is on the first hours"
    assert [hour for hour, _ in parts] == list(hours)


@settings(deadline=None)
@given(DAYS, st.integers(0, 60), st.sampled_from(ZONES))
@example(date(2026, 4, 5), 0, "Australia/Lord_Howe")
@example(date(2026, 10, 4), 0, "Australia/Lord_Howe")
@example(date(2007, 12, 9), 0, "America/Caracas")
def test_every_hour_lies_in_a_day_of_the_range(first: date, days: int, zone: str) -> None:
    last = first + timedelta(days)
    assert {first <= day_in(hour, ZoneInfo(zone)) <= last for hour in hours_of(first, last, ZoneInfo(zone))} <= {True}


@settings(deadline=None)
@given(DAYS, st.sampled_from(ZONES))
@example(date(2026, 4, 5), "Australia/Lord_Howe")
@example(date(2026, 10, 4), "Australia/Lord_Howe")
@example(date(2016, 5, 1), "America/Caracas")
def test_a_days_end_is_the_next_ones_beginning(day: date, zone: str) -> None:
    today, both = (hours_of(day, day + timedelta(more), ZoneInfo(zone)) for more in (0, 1))
    tomorrow = hours_of(day + timedelta(1), day + timedelta(1), ZoneInfo(zone))
    assert today.start == both.start
    # where clocks change by half an hour, an hour may be of neither day
    assert 0 <= tomorrow.start - today.stop <= 1


def test_the_vendors_example() -> None:
    hours = hours_of(date(2024, 9, 1), date(2024, 9, 2), ZoneInfo("Europe/Moscow"))
    assert spread(4800 * MICROS, hours) == [(hour_at("2024-08-31T21:00") + n, 100 * MICROS) for n in range(48)]


@pytest.mark.parametrize(
    ("zone", "day", "begins", "count"),
    [
        ("UTC", "2026-03-29", "2026-03-29T00:00", 24),
        ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00", 23),
        ("Europe/Berlin", "2026-10-25", "2026-10-24T22:00", 25),
        ("Asia/Kolkata", "2026-03-29", "2026-03-28T18:00", 24),  # its hours begin at half past
        ("Asia/Kathmandu", "2026-03-29", "2026-03-28T18:00", 24),
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00", 23),  # clocks skip midnight
        ("America/Havana", "2026-11-01", "2026-11-01T04:00", 25),  # the first hour comes twice
        ("Australia/Lord_Howe", "2026-04-05", "2026-04-04T13:00", 24),  # and a half
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00", 0),  # a day that never was
    ],
)
def test_days_when_clocks_change(zone: str, day: str, begins: str, count: int) -> None:
    the_day = date.fromisoformat(day)
    hours = hours_of(the_day, the_day, zone_named(zone))
    assert (hours.start, len(hours)) == (hour_at(begins), count)


def test_nothing_is_spread_over_no_hour() -> None:
    with pytest.raises(ValueError, match="no hour"):
        spread(1, range(0))


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "/etc/passwd", "America", "../UTC", "CEST!"])
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        zone_named(name)
