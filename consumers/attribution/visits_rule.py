"""Which ad brought a website's conversion: the last tagged visit of the visitor. Pure.

A visit is tagged when its landing names a hit or a tracking link. Organic and direct visits never replace
a tagged one. Within a session, visits at most 30 minutes apart, the source cannot change: a session that
opened with a source keeps it, one that opened with none takes its first tagged visit. The answer is a
function of the set of visits: the order in which they arrived is nothing to it.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

HOUR_US: Final = 3_600_000_000
SESSION_GAP_US: Final = HOUR_US // 2
WINDOW_HOURS_DEFAULT: Final = 30 * 24
WINDOW_HOURS_MIN: Final = 1
WINDOW_HOURS_MAX: Final = 90 * 24


class Seen(NamedTuple):
    """A visit as the rule sees it."""

    at_us: int
    id: str
    touch_id: str | None
    link: str | None

    @property
    def is_tagged(self) -> bool:
        """Whether it names what brought the visitor."""
        return self.touch_id is not None or self.link is not None


class Source(NamedTuple):
    """What brought the visitor: a hit, or the tracking link of a landing without one."""

    visit: str
    at_us: int
    touch_id: str | None
    link: str | None


def source_of(
    event_at_us: int, visits: Iterable[Seen], window_us: int = WINDOW_HOURS_DEFAULT * HOUR_US
) -> Source | None:
    """The source of a conversion at this time among all visits of its visitor; None: organic.

    Visits after the event and tagged ones older than the window are nothing to it.
    """
    before = sorted((visit for visit in visits if visit.at_us <= event_at_us), key=_order)
    tagged = [visit for visit in before if visit.is_tagged and visit.at_us >= event_at_us - window_us]
    opening = _opening(event_at_us, before)
    standing = [visit for visit in tagged if opening is None or _order(visit) <= _order(opening)]
    chosen = standing[-1] if standing else tagged[0] if tagged else None
    return Source(chosen.id, chosen.at_us, chosen.touch_id, chosen.link) if chosen is not None else None


def _order(visit: Seen) -> tuple[int, str]:
    return visit.at_us, visit.id


def _opening(event_at_us: int, before: list[Seen]) -> Seen | None:
    """The first visit of the session in which the event lies; None: the event opens a session of its own."""
    opening: Seen | None = None
    next_us = event_at_us
    for visit in reversed(before):
        if next_us - visit.at_us > SESSION_GAP_US:
            break
        opening, next_us = visit, visit.at_us
    return opening
