"""The rules of attribution, as data. The field's words; the first rule that finds a touch decides."""

from typing import Literal, NamedTuple

from schemas.events import TouchKind

Method = Literal["identifier", "referrer", "fingerprint"]

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

CLOCK_SKEW_MS = 300_000
"""A device's clock may be this far behind ours: a touch up to this long "after" the install counts."""

INSTALLED_BEFORE_MS = 24 * HOUR_MS
"""The device's own time of install counts when it is up to this long before the receipt."""


class Rule(NamedTuple):
    """A method that counts touches of one kind within a look-back window."""

    method: Method
    touch_kind: TouchKind
    window_ms: int


RULES: tuple[Rule, ...] = (
    Rule("identifier", "click", 7 * DAY_MS),
    Rule("referrer", "click", 7 * DAY_MS),
    Rule("fingerprint", "click", 24 * HOUR_MS),
    Rule("identifier", "impression", 24 * HOUR_MS),
)
"""Most certain first. Views by fingerprint are off, views never carry a referrer."""

RULES_NAME = "default-1"
"""Kept with every decision."""

WINDOW_MS_MAX = max(rule.window_ms for rule in RULES)
