"""Which touch caused an install: facts in, decision out. Pure; readable from top to bottom.

Every candidate gets a verdict: it stands or falls by itself first, then the rules choose among
those that stand.
"""

from collections.abc import Sequence
from typing import NamedTuple

from consumers.attribution.facts import Candidate, Conversion, Label
from consumers.attribution.fingerprint import confidence, differs
from schemas.identifiers import same_device
from schemas.reasons import LOST, WON
from schemas.rules import CLOCK_SKEW_US, DEFAULT, Rule


class Verdict(NamedTuple):
    """What became of a candidate."""

    candidate: Candidate
    age_s: int
    verdict: str
    reason: str


class Decision(NamedTuple):
    """The outcome for one install; `winner` is None for an organic and for a pre-installed one."""

    method: str
    winner: Candidate | None
    confidence: float | None
    verdicts: list[Verdict]
    label: Label | None = None
    """Instead of a winner, with the method `preinstall`."""


def decide(conversion: Conversion, candidates: Sequence[Candidate], rules: Sequence[Rule] = DEFAULT.rules) -> Decision:
    """A pre-install label wins; else the first rule that a standing candidate meets, by its latest (touched, id)."""
    falls = {index: why_it_falls(conversion, one, rules) for index, one in enumerate(candidates)}
    standing = [one for index, one in enumerate(candidates) if falls[index] is None]
    if conversion.label is not None:
        verdicts = [
            _verdict(conversion, one, falls[index] or "preinstalled", None) for index, one in enumerate(candidates)
        ]
        verdicts.sort(key=_latest_first)
        return Decision("preinstall", None, 1.0, verdicts, conversion.label)
    winner: Candidate | None = None
    for rule in rules:
        meeting = [one for one in standing if (one.method, one.touch_kind) == (rule.method, rule.touch_kind)]
        if meeting:
            winner = max(meeting, key=lambda one: (one.touched_us, one.touch_id))
            break
    verdicts = [_verdict(conversion, one, falls[index], winner) for index, one in enumerate(candidates)]
    verdicts.sort(key=_latest_first)
    return Decision(
        method=winner.method if winner else "organic",
        winner=winner,
        confidence=_confidence(conversion, winner, standing),
        verdicts=verdicts,
    )


def _latest_first(one: Verdict) -> tuple[bool, int, str]:
    return one.verdict != WON, -one.candidate.touched_us, one.candidate.touch_id


def why_it_falls(conversion: Conversion, one: Candidate, rules: Sequence[Rule]) -> str | None:
    """The first reason why the candidate cannot have caused the install; None when it stands."""
    rule = next((r for r in rules if (r.method, r.touch_kind) == (one.method, one.touch_kind)), None)
    if rule is None:
        return "method_off"
    if one.app != conversion.app:
        return "other_app"
    if not _same_value(conversion, one):
        return "other_value"
    if "late" in one.flags:
        return "delivered_late"
    age_ms = (conversion.at_us - one.touched_us) // 1000
    if age_ms < -CLOCK_SKEW_US // 1000:
        return "after_install"
    if age_ms > rule.window_ms:
        return "outside_window"
    return differs(conversion, one) if one.method == "fingerprint" else None


def _same_value(conversion: Conversion, one: Candidate) -> bool:
    """The key that found the touch is only a hash: compare what it stands for."""
    if one.method == "identifier":
        return any(same_device(ours, theirs) for ours in conversion.ids for theirs in one.ids)
    if one.method == "referrer":
        clicks = {one.click_id, one.external_click_id}
        return one.touch_id in conversion.touch_ids or bool(clicks & conversion.click_ids)
    return True


def _verdict(conversion: Conversion, one: Candidate, falls: str | None, winner: Candidate | None) -> Verdict:
    age_s = max(conversion.at_us - one.touched_us, 0) // 1_000_000
    if falls is not None:
        return Verdict(one, age_s, LOST, falls)
    assert winner is not None, "a standing candidate meets its own rule, so some rule has decided"
    if one is winner:
        return Verdict(one, age_s, WON, "latest_of_method")
    same_rule = (one.method, one.touch_kind) == (winner.method, winner.touch_kind)
    return Verdict(one, age_s, LOST, "earlier_than_winner" if same_rule else "less_certain_method")


def _confidence(conversion: Conversion, winner: Candidate | None, standing: Sequence[Candidate]) -> float | None:
    """1 for what a device or a store said itself; an estimate for a fingerprint."""
    if winner is None:
        return None
    if winner.method != "fingerprint":
        return 1.0
    return confidence(conversion, winner, [one for one in standing if one.method == "fingerprint"])
