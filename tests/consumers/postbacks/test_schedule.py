"""When a postback is asked for again, and how a partner that is down is tried."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.postbacks.lanes import Claimed, Lane
from consumers.postbacks.schedule import DOWN_AFTER, LEASE, PROBE_EVERY, Health, Pace, is_partners_fault, retry_at
from schemas.postbacks import Sending

T = datetime(2026, 11, 22, tzinfo=UTC)


def claimed(number: int, at: datetime = T) -> Claimed:
    return Claimed(number, "partner:p", "GET", "http://p.example/", None, str(number), at, None, at + LEASE)


def lane(count: int, **sending: int) -> Lane:
    made = Lane("partner:p", "p")
    made.sending = Sending(**sending)  # type: ignore[arg-type]
    made.waiting.extend(claimed(number) for number in range(count))
    return made


def test_every_three_minutes_for_a_day_from_the_first_attempt() -> None:
    at, attempts = T, 1
    while (due_at := retry_at(T, at)) is not None:
        assert due_at - at == timedelta(minutes=3)
        at, attempts = due_at, attempts + 1
    assert at == T + timedelta(hours=24)
    assert attempts == 481


def test_a_partner_that_fails_often_is_probed_one_at_a_time() -> None:
    health = Health()
    for _ in range(DOWN_AFTER - 1):
        health.failed(T)
    assert health.may_ask(T, 19)
    health.failed(T)
    assert not health.may_ask(T, 0)
    assert health.may_ask(T + PROBE_EVERY, 0)
    assert not health.may_ask(T + PROBE_EVERY, 1)
    health.failed(T + PROBE_EVERY)
    assert not health.may_ask(T + PROBE_EVERY, 0)
    health.answered()
    assert health.may_ask(T, 19)


@pytest.mark.parametrize(
    ("status", "error", "fault"),
    [
        (None, "No answer within 5 s.", True),
        (302, "No connection: refused.", True),
        (500, None, True),
        (503, None, True),
        (429, None, True),
        (404, None, False),
        (400, None, False),
        (302, None, False),
    ],
)
def test_no_answer_and_errors_of_the_server_say_that_a_partner_is_down(
    status: int | None, error: str | None, fault: bool
) -> None:
    assert is_partners_fault(status, error) is fault


def test_a_success_in_between_keeps_a_partner_up() -> None:
    health = Health()
    for _ in range(5):
        for _ in range(DOWN_AFTER - 1):
            health.failed(T)
        health.answered()
    assert not health.down


@given(st.integers(1, 200), st.lists(st.floats(0, 0.2), min_size=50, max_size=300))
def test_a_rate_is_never_exceeded_by_more_than_a_tenth_of_a_second(rate: int, waits: list[float]) -> None:
    pace, now_s, sent = Pace(), 100.0, 0
    for wait_s in waits:
        while pace.wait_s(rate, now_s) == 0:
            sent += 1
        now_s += wait_s
    assert sent <= (now_s - 100.0 + 0.1) * rate + 1 + 1e-6


def test_a_lane_asks_no_more_at_a_time_than_its_partner_wants() -> None:
    one = lane(5, concurrency=2)
    assert [type(one.take(T, 1.0)) for _ in range(3)] == [Claimed, Claimed, type(None)]
    one.done()
    assert isinstance(one.take(T, 1.0), Claimed)


def test_a_lane_with_a_rate_says_how_long_to_wait() -> None:
    one = lane(5, rate=2)
    assert isinstance(one.take(T, 1.0), Claimed)
    wait_s = one.take(T, 1.0)
    assert isinstance(wait_s, float) and 0.3 < wait_s <= 0.5
    assert isinstance(one.take(T, 1.0 + wait_s), Claimed)


def test_what_is_left_too_long_is_dropped_before_its_lease_ends() -> None:
    one = lane(3)
    late = T + LEASE - timedelta(seconds=5)
    one.waiting.append(claimed(7, late))
    taken = one.take(late, 1.0)
    assert isinstance(taken, Claimed) and taken.id == 7
    assert one.take(late, 1.0) is None


def test_a_lane_claims_ahead_what_it_gets_done() -> None:
    one = lane(0, concurrency=20)
    assert one.room(T, 1.0) == 20
    for _ in range(400):
        one.in_flight += 1
        one.done()
    assert one.room(T, 1.1) > 500
    for second in range(2, 40):
        room = one.room(T, float(second))
    assert room == 20


def test_a_lane_that_is_down_claims_one_when_a_probe_is_due() -> None:
    one = lane(0)
    for _ in range(DOWN_AFTER):
        one.health.failed(T)
    assert one.room(T, 1.0) == 0
    assert one.room(T + PROBE_EVERY, 2.0) == 1
    one.waiting.append(claimed(1, T + PROBE_EVERY))
    assert one.room(T + PROBE_EVERY, 3.0) == 0
    assert isinstance(one.take(T + PROBE_EVERY, 3.0), Claimed)
    assert one.room(T + PROBE_EVERY, 4.0) == 0
