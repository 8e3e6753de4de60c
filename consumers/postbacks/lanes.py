"""Lanes: what is claimed for a partner, and how much of it may be asked for now. Pure.

Each partner has a lane of its own, and so has each host of the operator's own postbacks: none waits for another.
"""

from collections import deque
from datetime import datetime
from typing import NamedTuple

from consumers.postbacks.schedule import Health, Pace, lasts
from schemas.postbacks import DEFAULT, Sending

AHEAD_S = 0.5
"""So much of what a lane gets done is claimed ahead of its turn."""
AHEAD_MAX = 1000


class Claimed(NamedTuple):
    """A postback that this process may ask for until its lease ends."""

    id: int
    lane: str
    method: str
    url: str
    body: str | None
    key: str
    due_at: datetime
    first_at: datetime | None
    leased_until: datetime


class Lane:
    """The postbacks of one partner. Times are given: `now` of the calendar, `now_s` of a monotonic clock."""

    def __init__(self, name: str, partner: str | None) -> None:
        self.name = name
        self.partner = partner
        self.sending: Sending = DEFAULT
        self.sending_text: str | None = None
        self.health = Health()
        self.in_flight = 0
        self.waiting: deque[Claimed] = deque()
        self.used_at: datetime | None = None
        self._pace = Pace()
        self._done = 0
        self._speed = 0.0
        self._looked_s = 0.0

    def room(self, now: datetime, now_s: float) -> int:
        """How many more may be claimed: what can be in flight, and what will follow soon at its recent speed."""
        passed_s = now_s - self._looked_s
        if passed_s > 0.02:
            self._speed += (self._done / passed_s - self._speed) / 2
            self._done, self._looked_s = 0, now_s
        if self.health.down:
            return int(not self.waiting and self.health.may_ask(now, self.in_flight))
        ahead = min(AHEAD_MAX, self._speed * AHEAD_S)
        wanted = self.sending.concurrency + ahead
        if self.sending.rate is not None:
            wanted = min(wanted, 1 + self.sending.rate * AHEAD_S + self.in_flight)
        return max(0, int(wanted) - self.in_flight - len(self.waiting))

    def take(self, now: datetime, now_s: float) -> Claimed | float | None:
        """The next to ask for, which then is in flight; seconds until there is one; None when an answer or a claim
        must come first. What can no more be asked for within its lease is dropped: somebody claims it again."""
        while self.waiting:
            if self.in_flight >= self.sending.concurrency or not self.health.may_ask(now, self.in_flight):
                return None
            if not lasts(self.waiting[0].leased_until, now):
                self.waiting.popleft()
                continue
            if wait_s := self._pace.wait_s(self.sending.rate, now_s):
                return wait_s
            self.in_flight += 1
            self.used_at = now
            return self.waiting.popleft()
        return None

    def done(self) -> None:
        """One that was in flight has its answer, or none."""
        self.in_flight -= 1
        self._done += 1
