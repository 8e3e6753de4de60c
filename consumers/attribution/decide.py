"""Which touch caused an install: facts in, decision out. Pure; readable from top to bottom.

Every candidate is judged by itself first: whether it can have caused the install (`standing`), whether it is valid
(`validity`), how sure a fingerprint is (`fingerprint`). Then the rules choose among those that stand.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from consumers.attribution.facts import NOTHING, Candidate, Conversion, Facts, Label
from consumers.attribution.fingerprint import confidences, crowd
from consumers.attribution.standing import NO_WINDOWS, why_it_falls
from consumers.attribution.validity import Figures, rejecting, verdicts
from schemas.partitions import DAY_US
from schemas.reasons import LOST, WON
from schemas.rules import DEFAULT, RuleSet, Windows
from schemas.validity import Verdict

LISTED_MAX = 40
"""Candidates that a decision lists; the others are counted by reason."""

OF_DAYS = frozenset({"flooding", "delays"})
"""Verdicts by what the link did on a day."""

OTHERS = frozenset(
    {"other_model", "other_os_version", "other_network", "outside_window", "outside_own_window", "after_install"}
)


class Judged(NamedTuple):
    """What became of a candidate."""

    candidate: Candidate
    age_s: int
    verdict: str
    reason: str
    confidence: float | None = None
    found: Mapping[Verdict, Figures] = {}
    would_have_won: bool = False
    """If its link were not judged by its day."""


class Decision(NamedTuple):
    """The outcome for one install; `winner` is None when no touch decided it."""

    method: str
    winner: Candidate | None
    confidence: float | None
    judged: list[Judged]
    label: Label | None = None
    """Instead of a winner, with the method `preinstall`."""
    earlier: str | None = None
    """The device's install of the app before this one."""
    more: Mapping[str, int] = {}
    """Reason → candidates that are not listed."""
    test: bool = False
    """It counts in no report and no money."""


class Standing(NamedTuple):
    """A candidate that was judged by itself."""

    candidate: Candidate
    falls: str | None
    found: Mapping[Verdict, Figures]
    confidence: float | None


def decide(
    conversion: Conversion,
    candidates: Sequence[Candidate],
    rules: RuleSet = DEFAULT.rules,
    facts: Facts = NOTHING,
    falls: Sequence[str | None] | None = None,
) -> Decision:
    """A pre-install label wins, then the device's earlier install, unless this one is a test; else the first rule that
    a standing candidate meets, by its latest (touched, id); a link never wins the same device twice.

    `falls`: what `why_they_fall` says, when it is known.
    """
    reasons = why_they_fall(conversion, candidates, rules, facts.own_windows) if falls is None else falls
    looked_at = _by_themselves(conversion, list(zip(candidates, reasons, strict=True)), rules, facts)
    earlier, earlier_us = facts.earlier or (None, 0)
    label, winner, robbed = conversion.label, None, None
    if label is not None:
        method, why = "preinstall", "preinstalled"
    elif earlier is not None and not facts.test and conversion.at_us - earlier_us < rules.reattribution_days * DAY_US:
        method, why = "reinstall", "reinstalled"
    else:
        winner = _chosen([one.candidate for one in looked_at if one.falls is None], rules)
        method, why = winner.method if winner else "organic", ""
        if winner is not None and winner.link == facts.earlier_link and not facts.test:
            winner, method, why = None, "reinstall", "same_link"
        if any(one.falls in OF_DAYS for one in looked_at):
            robbed = _unjudged(conversion, list(zip(candidates, reasons, strict=True)), rules, facts)
    judged = [_judged(conversion, one, winner, why, robbed) for one in looked_at]
    judged.sort(key=_latest_first)
    listed, more = _listed(judged)
    sure = next((one.confidence for one in judged if one.verdict == WON), None)
    return Decision(
        method=method,
        winner=winner,
        confidence=1.0 if label is not None or (winner and winner.method != "fingerprint") else sure,
        judged=listed,
        label=label,
        earlier=earlier,
        more=more,
        test=facts.test,
    )


def why_they_fall(
    conversion: Conversion, candidates: Sequence[Candidate], rules: RuleSet, own_windows: Mapping[str, Windows]
) -> list[str | None]:
    """Why each cannot have caused the conversion; None of those that can: only of these the rest of the record is
    asked."""
    windows_us = rules.windows_us
    if not own_windows:
        return [why_it_falls(conversion, one, windows_us) for one in candidates]
    return [why_it_falls(conversion, one, windows_us, own_windows.get(one.link, NO_WINDOWS)) for one in candidates]


def _by_themselves(
    conversion: Conversion, candidates: Sequence[tuple[Candidate, str | None]], rules: RuleSet, facts: Facts
) -> list[Standing]:
    """Falls by itself, by a verdict, or as a fingerprint that is not sure enough."""
    looked_at: list[Standing] = []
    for one, falls in candidates:
        found = verdicts(conversion, one, facts, rules) if falls is None else {}
        looked_at.append(Standing(one, falls or rejecting(found, rules, test=facts.test), found, None))
    prints = [one for one, _ in candidates if one.method == "fingerprint"]
    standing = [one.candidate for one in looked_at if one.falls is None and one.candidate.method == "fingerprint"]
    if not standing:
        return looked_at
    sure = confidences(conversion, standing, crowd(conversion, prints))
    return [_with_confidence(one, sure, rules.confidence_min) for one in looked_at]


def _with_confidence(one: Standing, sure: Mapping[str, float], confidence_min: float) -> Standing:
    if one.falls is not None or one.candidate.method != "fingerprint":
        return one
    confidence = sure[one.candidate.touch_id]
    return one._replace(confidence=confidence, falls="unsure" if confidence < confidence_min else None)


def _chosen(standing: Sequence[Candidate], rules: RuleSet) -> Candidate | None:
    for rule in rules.rules:
        meeting = [one for one in standing if (one.method, one.touch_kind) == (rule.method, rule.touch_kind)]
        if meeting:
            return max(meeting, key=lambda one: (one.touched_us, one.touch_id))
    return None


def _unjudged(
    conversion: Conversion, candidates: Sequence[tuple[Candidate, str | None]], rules: RuleSet, facts: Facts
) -> Candidate | None:
    """Who would have won if links were not judged by their days: what a link brings is counted without regard to
    what is said of it, or no word about it would ever be taken back."""
    looked_at = _by_themselves(conversion, candidates, rules, facts._replace(link_days={}))
    return _chosen([one.candidate for one in looked_at if one.falls is None], rules)


def _judged(
    conversion: Conversion, one: Standing, winner: Candidate | None, why: str, robbed: Candidate | None
) -> Judged:
    age_s = max(conversion.at_us - one.candidate.touched_us, 0) // 1_000_000
    reason = one.falls or why or _against(one.candidate, winner)
    verdict = WON if one.candidate is winner else LOST
    would = one.candidate is robbed and one.falls in OF_DAYS
    return Judged(one.candidate, age_s, verdict, reason, one.confidence, one.found, would)


def _against(one: Candidate, winner: Candidate | None) -> str:
    assert winner is not None, "a standing candidate meets its own rule, so some rule has decided"
    if one is winner:
        return "latest_of_method"
    same_rule = (one.method, one.touch_kind) == (winner.method, winner.touch_kind)
    return "earlier_than_winner" if same_rule else "less_certain_method"


def _latest_first(one: Judged) -> tuple[bool, int, str, str]:
    return one.verdict != WON, -one.candidate.touched_us, one.candidate.touch_id, one.candidate.method


def _listed(judged: list[Judged]) -> tuple[list[Judged], Mapping[str, int]]:
    """The first forty; behind a crowded address those that are merely somebody else's give way."""
    if len(judged) <= LISTED_MAX:
        return judged, {}
    ranked = sorted(judged, key=lambda one: (not one.would_have_won, one.reason in OTHERS, *_latest_first(one)))
    more = Counter(one.reason for one in ranked[LISTED_MAX:])
    return sorted(ranked[:LISTED_MAX], key=_latest_first), dict(sorted(more.items()))
