"""The last tagged visit wins, and a session keeps its source; told once more as a walk through time."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.attribution.visits_rule import HOUR_US, SESSION_GAP_US, Seen, source_of

MINUTE_US = 60_000_000
DAY_US = 24 * HOUR_US
NOW_US = 100 * DAY_US


def seen(minutes_before: float, tag: str | None = None, *, link: str | None = None) -> Seen:
    at_us = NOW_US - int(minutes_before * MINUTE_US)
    return Seen(at_us, f"v{minutes_before:g}", tag, link)


def touch_of(*visits: Seen, window_us: int = 30 * DAY_US) -> str | None:
    source = source_of(NOW_US, visits, window_us)
    return source.touch_id or source.link if source is not None else None


DAY = 24 * 60.0


@pytest.mark.parametrize(
    ("visits", "touch"),
    [
        ([], None),
        ([seen(5)], None),
        ([seen(5, "a")], "a"),
        ([seen(5, link="l")], "l"),
        ([seen(3 * DAY, "a"), seen(2 * DAY, "b")], "b"),
        ([seen(2 * DAY, "a"), seen(DAY), seen(5)], "a"),  # organic and direct visits do not overwrite it
        ([seen(30 * DAY, "a")], "a"),
        ([seen(30 * DAY + 1, "a")], None),
        ([seen(-5, "later"), seen(5)], None),
        # inside an open session the source cannot change
        ([seen(50, "a"), seen(25, "b")], "a"),
        ([seen(60, "a"), seen(40), seen(20, "b")], "a"),
        ([seen(2 * DAY, "a"), seen(20), seen(10, "b")], "a"),
        # a session that had none takes its first
        ([seen(20), seen(10, "a"), seen(5, "b")], "a"),
        ([seen(40 * DAY, "old"), seen(20), seen(10, "a")], "a"),
        # 30 minutes of rest end a session
        ([seen(65, "a"), seen(30, "b")], "b"),
        ([seen(60, "a"), seen(30, "b")], "a"),
        ([seen(45, "a"), seen(31, "b")], "b"),  # the event opens a session of its own
        ([seen(20, "a"), Seen(NOW_US - 20 * MINUTE_US, "v99", "b", None)], "a"),
    ],
)
def test_the_source_of_a_conversion(visits: list[Seen], touch: str | None) -> None:
    assert touch_of(*visits) == touch


def test_the_window_is_the_apps() -> None:
    assert touch_of(seen(90, "a"), window_us=HOUR_US) is None
    assert touch_of(seen(60, "a"), window_us=HOUR_US) == "a"


def test_the_source_says_which_visit_it_was() -> None:
    source = source_of(NOW_US, [seen(5, "a", link="l")])
    assert source is not None
    assert (source.visit, source.at_us, source.touch_id, source.link) == ("v5", NOW_US - 5 * MINUTE_US, "a", "l")


VISITS = st.lists(
    st.tuples(st.integers(0, 240), st.sampled_from([None, None, "a", "b", "c"])),
    max_size=12,
    unique_by=lambda one: one[0],
).map(lambda found: [seen(minutes, tag) for minutes, tag in found])


@given(VISITS, st.sampled_from([HOUR_US, 2 * HOUR_US, 30 * DAY_US]))
def test_it_is_what_a_walk_through_time_finds(visits: list[Seen], window_us: int) -> None:
    assert touch_of(*visits, window_us=window_us) == walked(visits, window_us)


def walked(visits: list[Seen], window_us: int) -> str | None:
    """The visits one after the other, remembering the session's source; what is too old is as if it were organic."""
    standing: str | None = None  # the latest tag
    session: str | None = None
    last_us = -DAY_US
    for visit in [*sorted(visits), Seen(NOW_US, "event", None, None)]:
        tag = visit.touch_id if visit.at_us >= NOW_US - window_us else None
        if visit.at_us - last_us > SESSION_GAP_US:
            session = tag or standing
        session = session or tag
        standing = tag or standing
        last_us = visit.at_us
    return session


@given(VISITS, st.randoms(use_true_random=False))
def test_the_order_of_arrival_and_repetitions_are_nothing_to_it(visits: list[Seen], order: random.Random) -> None:
    shuffled = [*visits, *visits[:3]]
    order.shuffle(shuffled)
    assert source_of(NOW_US, shuffled) == source_of(NOW_US, visits)
