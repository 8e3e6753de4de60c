"""Validity verdicts: what may be wrong with a touch, and what an app does about it.

A verdict never deletes anything. `tag` keeps it on record with the decision; `reject` lets the touch
fall through to the next candidate; `off` does not even look.
"""

from typing import Final, Literal, get_args

Finding = Literal["bot", "no_agent", "data_centre", "non_public", "prefetch"]
"""What a touch shows by itself: found when it is stored, and kept among its flags."""

Verdict = Literal[Finding, "duplicate", "repeat", "flooding", "delays", "injection", "other_os"]
"""Every verdict: findings, and those that need other touches, the link's day, or the install."""

Mode = Literal["off", "tag", "reject"]

TESTERS_REPEAT: Final[frozenset[Verdict]] = frozenset({"duplicate", "repeat"})
"""Testers click the same link again and again: these verdicts are found for test installs, and never reject."""

OF_INSTALLS: Final[frozenset[Verdict]] = frozenset({"flooding", "delays", "injection"})
"""They compare with downloads and installs: nothing is wrong with a link that brings users back and no installs, or a
click that opens the app within a second."""

FINDINGS: Final[tuple[Finding, ...]] = get_args(Finding)
"""In the order in which a touch keeps them."""

VERDICTS: dict[Verdict, Mode] = {
    "bot": "reject",
    "no_agent": "tag",
    "data_centre": "tag",
    "non_public": "tag",
    "prefetch": "reject",
    "duplicate": "reject",
    "repeat": "tag",
    "flooding": "reject",
    "delays": "tag",
    "injection": "reject",
    "other_os": "tag",
}
"""Every verdict with its mode for apps that say nothing, in the order in which a rejected touch is given its reason."""

DUPLICATE_DAYS = 7
"""A touch with the click id of an earlier one of the same app, partner and link within so many days is a duplicate
(AppMetrica, protocols §1.6); one without a click id is always unique."""

REPEAT_S = 10
"""A click from the same address and agent on the same link so soon after another is a repeat (protocols §7.1)."""

INJECTION_S = 10
"""Nobody downloads and starts an app faster than this after a touch (protocols §7.2)."""

WEEK_DAYS = 7
"""A link is judged by so many days up to the judged one: the window in which its clicks may bring installs."""

FLOODING_CLICKS_MIN = 500
"""Clicks of a link on a day below which nothing is said about flooding."""

FLOODING_SHARE = 0.15
"""A link floods when it brings less than this share of what the app's other links would have brought with its clicks
of the week, …"""

FLOODING_EXPECTED_MIN = 20
"""… and that would have been so many installs;"""

FLOODING_RATE_MAX = 0.0001
"""or when it brings so few installs a click, whatever others do (protocols §1.6), …"""

FLOODING_ALONE_CLICKS_MIN = 30_000
"""… from so many clicks of the week on."""

DELAYS_INSTALLS_MIN = 30
"""Attributed installs of a link in a day below which nothing is said about their delays."""

DELAYS_FIRST_HOUR_MIN = 0.15
"""At least so large a share of a link's installs comes within an hour of their touch. A guess, on the careful side."""
