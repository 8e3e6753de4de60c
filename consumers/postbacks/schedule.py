"""When a postback is asked again, when it is given up, and how a partner that does not answer is tried. Pure.

Every 3 minutes for 24 hours from the first attempt, an answer within 5 seconds: what AppMetrica's partners are told
(https://appmetrica.yandex.com/docs/en/mobile-tracking/postbacks).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

ANSWER_S = 5.0
RETRY = timedelta(minutes=3)
GIVE_UP = timedelta(hours=24)
LEASE = timedelta(seconds=15)
LEASE_LEFT = timedelta(seconds=ANSWER_S + 2)
"""What a lease must still last when the request begins: until the answer is recorded."""
DOWN_AFTER = 10
"""Failures in a row after which a partner is down."""
PROBE_EVERY = timedelta(seconds=10)
BURST_S = 0.1
"""A rate may be exceeded by what this time allows, so that it is reached although timers are late."""


def retry_at(first_at: datetime, at: datetime) -> datetime | None:
    """When the attempt after the one of `at` is due; None: it is given up."""
    due_at = at + RETRY
    return due_at if due_at <= first_at + GIVE_UP else None


def lasts(leased_until: datetime, now: datetime) -> bool:
    """Whether a lease is long enough for a request that begins now."""
    return leased_until - now >= LEASE_LEFT


def is_partners_fault(status: int | None, error: str | None) -> bool:
    """Whether an attempt without success says that the partner is down: no whole answer, 429, 5xx. Another answer says
    that this postback is wrong."""
    return status is None or error is not None or status == 429 or status >= 500


@dataclass(slots=True)
class Health:
    """Whether a partner answers."""

    failures: int = 0
    probe_at: datetime | None = None
    """When it is tried next; None while it is not down."""

    @property
    def down(self) -> bool:
        return self.probe_at is not None

    def answered(self) -> None:
        """At once at full speed again."""
        self.failures, self.probe_at = 0, None

    def failed(self, at: datetime) -> None:
        self.failures += 1
        if self.failures >= DOWN_AFTER:
            self.probe_at = at + PROBE_EVERY

    def may_ask(self, now: datetime, in_flight: int) -> bool:
        """While it is down: one at a time, and seldom."""
        return self.probe_at is None or (in_flight == 0 and now >= self.probe_at)


@dataclass(slots=True)
class Pace:
    """A rate a second, spread evenly; seconds are of a monotonic clock."""

    next_s: float = 0.0

    def wait_s(self, rate: int | None, now_s: float) -> float:
        """Take one: 0 when it may be sent now, else nothing is taken, and how long to wait."""
        if rate is None:
            return 0.0
        begins_s = max(self.next_s, now_s - BURST_S)
        if begins_s > now_s:
            return begins_s - now_s
        self.next_s = begins_s + 1 / rate
        return 0.0
