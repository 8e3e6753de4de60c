"""The curves of the world: what a public click log says of them, or stated figures of our own.

From `traffic/click_distributions.json` in TOUCHLINE_TEST_DATA (aggregates of 100 000 sampled clicks of four
days) are taken: the quantiles of the click-to-install delay, the clicks by hour of the day, the popularity
of apps, and how uneven systems (OS versions) are. Not taken: how many clicks an address has, because the
sample thins a log out and with it every crowd; and the days, which are too few for a 7 day window.
"""

import json
import math
import os
import random
from bisect import bisect_right
from itertools import accumulate
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.processes import PROJECT


class Shapes(msgspec.Struct, frozen=True, kw_only=True):
    """Curves to draw from."""

    source: str
    delay_minutes: tuple[tuple[float, float], ...]
    """(share, minutes): so many installs come within so many minutes; straight in the logarithm between."""
    hours: tuple[float, ...]
    """Weight of each hour of the day, UTC."""
    apps: tuple[float, ...]
    """Weights, the most popular first."""
    versions: tuple[float, ...]
    """Weights of operating system versions, the most common first."""


OWN = Shapes(
    source="own",
    delay_minutes=((0.0, 0.25), (0.5, 5.0), (0.9, 240.0), (0.99, 600.0), (1.0, 720.0)),
    hours=tuple(1 + 0.8 * math.sin((hour - 9) / 24 * 2 * math.pi) for hour in range(24)),
    apps=tuple(1 / rank for rank in range(1, 41)),
    versions=tuple(1 / rank for rank in range(1, 11)),
)
"""Where the log is not there: half install within 5 minutes, nearly all within half a day; Zipf's law; a day's wave.
Round figures, not fitted to the log."""


def shapes() -> Shapes:
    """The click log's curves when TOUCHLINE_TEST_DATA holds it, else `OWN`."""
    path = PROJECT / os.environ.get("TOUCHLINE_TEST_DATA", "../shared/data") / "traffic" / "click_distributions.json"
    return measured(path) if path.is_file() else OWN


def measured(path: Path) -> Shapes:
    """The curves of a file of aggregates."""
    log: dict[str, Any] = json.loads(path.read_text())
    delay = log["click_to_install_minutes"]
    quantiles = (
        (0.0, delay["min"]),
        (0.5, delay["p50"]),
        (0.9, delay["p90"]),
        (0.99, delay["p99"]),
        (1.0, delay["max"]),
    )
    return Shapes(
        source=path.name,
        # whole minutes in the log: its 0 is anything below one
        delay_minutes=tuple((share, max(float(minutes), 0.25)) for share, minutes in quantiles),
        hours=tuple(map(float, log["clicks_by_utc_hour"])),
        apps=tuple(float(count) for _, count in log["app"]["top10"]),
        versions=tuple(float(count) for _, count in log["os"]["top10"]),
    )


def draw_delay_s(dice: random.Random, curve: tuple[tuple[float, float], ...]) -> float:
    """Seconds from a touch to the first launch."""
    share = dice.random()
    at = min(bisect_right([point[0] for point in curve], share), len(curve) - 1)
    (low, first), (high, last) = curve[at - 1], curve[at]
    return 60 * first * math.exp(math.log(last / first) * (share - low) / (high - low))


class Clock:
    """Times within the history, by the weight of their hour."""

    def __init__(self, shape: Shapes, begins_s: int, days: int) -> None:
        self.begins_us, self.hours = begins_s * 1_000_000, days * 24
        self._weights = [shape.hours[hour % 24] for hour in range(self.hours)]
        self._sums = list(accumulate(self._weights))

    @property
    def ends_us(self) -> int:
        return self.begins_us + self.hours * 3_600_000_000

    def draw_us(self, dice: random.Random, first_hour: int = 0) -> int:
        """A time from `first_hour` of the history on."""
        low = self._sums[first_hour - 1] if first_hour else 0.0
        hour = min(bisect_right(self._sums, low + dice.random() * (self._sums[-1] - low)), self.hours - 1)
        return self.begins_us + int((hour + dice.random()) * 3_600_000_000)

    def ordered(self, dice: random.Random, count: int) -> "list[tuple[int, int]]":
        """(start of the hour, touches in it), `count` in all, so that a stream needs no more than an hour in memory."""
        bounds = [round(count * total / self._sums[-1]) for total in (0.0, *self._sums)]
        return [(self.begins_us + hour * 3_600_000_000, bounds[hour + 1] - bounds[hour]) for hour in range(self.hours)]
