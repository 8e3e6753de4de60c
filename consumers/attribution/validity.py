"""What may be wrong with a touch that stands: one check for each verdict, each with its figures. Pure.

Verdicts are functions of what is on record, never of the order in which it came.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache

from consumers.attribution.facts import Candidate, Conversion, Facts, LinkDay
from consumers.attribution.haste import too_soon
from schemas.devices import OTHER
from schemas.ids import received_us
from schemas.partitions import DAY_US
from schemas.rules import RuleSet
from schemas.validity import FINDINGS, OF_INSTALLS, VERDICTS, Finding, Verdict

Figures = Mapping[str, int | str]
Check = Callable[[Conversion, Candidate, Facts], Figures | None]


def verdicts(conversion: Conversion, one: Candidate, facts: Facts, rules: RuleSet) -> dict[Verdict, Figures]:
    """Every verdict on the touch that this app asks for, with its figures."""
    found: dict[Verdict, Figures] = {}
    for name, check in CHECKS.items():
        if conversion.kind != "install" and name in OF_INSTALLS:
            continue
        if rules.mode(name) != "off" and (figures := check(conversion, one, facts)) is not None:
            found[name] = figures
    return found


def rejecting(found: Mapping[Verdict, Figures], rules: RuleSet, *, test: bool = False) -> Verdict | None:
    """The first of the verdicts for which this app lets a touch fall; `test`: of a test install."""
    return next((name for name in VERDICTS if name in found and rules.mode(name, test=test) == "reject"), None)


def _finding(name: Finding) -> Check:
    def check(_: Conversion, one: Candidate, __: Facts) -> Figures | None:
        return {} if name in one.flags else None

    return check


def _duplicate(_: Conversion, one: Candidate, facts: Facts) -> Figures | None:
    first = facts.duplicate_of.get(one.touch_id)
    return {"of": first} if first is not None else None


def _repeat(_: Conversion, one: Candidate, facts: Facts) -> Figures | None:
    before = facts.repeat_of.get(one.touch_id)
    return {"of": before} if before is not None else None


@lru_cache(maxsize=10_000)
def _day(touch_id: str) -> int:
    """Of its receipt; asked for once to read the figures, and by every check that uses them."""
    return received_us(touch_id) // DAY_US


def judged_day(touch_id: str, conversion_us: int) -> int:
    """The closed day, in days since 1970, by which a touch's link is judged: that of its receipt, else the day before
    the conversion's."""
    return min(_day(touch_id), conversion_us // DAY_US - 1)


def _link_day(conversion: Conversion, one: Candidate, facts: Facts) -> LinkDay | None:
    return facts.link_days.get((one.link, judged_day(one.touch_id, conversion.received_us)))


def _flooding(conversion: Conversion, one: Candidate, facts: Facts) -> Figures | None:
    day = _link_day(conversion, one, facts)
    return {"clicks": day.week_clicks, "installs": day.week_installs} if day is not None and day.flooding else None


def _delays(conversion: Conversion, one: Candidate, facts: Facts) -> Figures | None:
    day = _link_day(conversion, one, facts)
    return {"installs": day.installs, "within_hour": day.first_hour} if day is not None and day.delays else None


def _injection(conversion: Conversion, one: Candidate, _: Facts) -> Figures | None:
    """Too soon before the install, or by Play's own two times: clicked after the download had begun.

    A fingerprint that may be a neighbour's has fallen before it comes here (`standing`).
    """
    if (figures := too_soon(conversion, one)) is not None:
        return figures
    clicked_us, begun_us = conversion.play.clicked_us, conversion.play.begun_us
    if one.method == "referrer" and clicked_us is not None and begun_us is not None and begun_us < clicked_us:
        return {"seconds_after_begin": (clicked_us - begun_us) // 1_000_000}
    return None


def _other_os(conversion: Conversion, one: Candidate, _: Facts) -> Figures | None:
    known = one.os != OTHER != conversion.os
    return {"touch": one.os, "install": conversion.os} if known and one.os != conversion.os else None


CHECKS: dict[Verdict, Check] = {
    **{name: _finding(name) for name in FINDINGS},
    "duplicate": _duplicate,
    "repeat": _repeat,
    "flooding": _flooding,
    "delays": _delays,
    "injection": _injection,
    "other_os": _other_os,
}
