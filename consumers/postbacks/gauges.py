"""What the metrics say of sending."""

from datetime import datetime

from prometheus_client import Counter

from consumers.postbacks.store import Result
from process.metrics import Meters
from schemas import metrics

OWN = ""
"""Label of the operator's own postbacks."""


class Gauges:
    """Counters of what came of attempts."""

    def __init__(self, meters: Meters) -> None:
        self._outcomes = meters.counter(metrics.POSTBACKS)
        self._delay = meters.histogram(metrics.POSTBACK_DELAY_SECONDS)
        self._labelled: dict[tuple[str | None, str], Counter] = {}

    def count(self, partner: str | None, result: Result, now: datetime) -> None:
        """One attempt that has ended now."""
        outcome = "failed" if result.state == "waiting" else result.state
        counter = self._labelled.get((partner, outcome))
        if counter is None:  # finding it by its labels takes as long as all the rest
            counter = self._labelled[partner, outcome] = self._outcomes.labels(partner or OWN, outcome)
        counter.inc()
        if result.state == "sent":
            due_at = min(result.claimed.due_at, result.claimed.first_at or result.claimed.due_at)
            self._delay.observe(max(0.0, (now - due_at).total_seconds()))
