"""Whether stated confidences hold: of what is stated to be sure to 70 %, 70 % should be true. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from benchmarks.attribution.scoring import Candidate, Decided
from benchmarks.attribution.truth import Launch

BINS = 10
DECIDING = frozenset({"fingerprint", "organic"})
"""Where the confidence decides: an identifier's installs have the same touch as a fingerprint nearly always."""


class Statement(NamedTuple):
    """A stated confidence, and whether the touch was of the install's own device."""

    stated: float
    true: bool


class Bin(NamedTuple):
    """Statements of like confidence; means are None where there are none."""

    low: float
    high: float
    installs: int
    stated: float | None
    true: float | None


def statements(
    pairs: Iterable[tuple[Launch, Decided | None]], devices: Mapping[str, int | None]
) -> tuple[list[Statement], bool]:
    """What was stated of the best fingerprint candidate of each install that no surer method decided, and whether
    candidates state it themselves.

    Those below a threshold count too, where candidates state their confidence; else only the decision's does.
    """
    listed = [(launch, decided) for launch, decided in pairs if decided is not None and decided.method in DECIDING]
    own = any(one.confidence is not None for _, decided in listed for one in decided.candidates)
    found: list[Statement] = []
    for launch, decided in listed:
        if own:
            best = _best(decided.candidates)
            touch, stated = (best.touch_id, best.confidence) if best else (None, None)
        else:
            touch, stated = (decided.touch, decided.confidence) if decided.method == "fingerprint" else (None, None)
        if touch is not None and stated is not None:
            found.append(Statement(stated, devices.get(touch) == launch.device))
    return found, own


def _best(candidates: Sequence[Candidate]) -> Candidate | None:
    """The surest fingerprint; of equals the one that won, else the first."""
    stated = [one for one in candidates if one.method == "fingerprint" and one.confidence is not None]
    return max(stated, key=lambda one: (one.confidence or 0.0, one.verdict == "won"), default=None)


def bins(said: Iterable[Statement]) -> list[Bin]:
    """Ten equal ones; the last holds 1.0 too."""
    held: list[list[Statement]] = [[] for _ in range(BINS)]
    for one in said:
        # rounded: 0.7 * 10 is a little more than 7, other products a little less
        held[min(int(round(one.stated * BINS, 6)), BINS - 1)].append(one)
    return [
        Bin(
            number / BINS,
            (number + 1) / BINS,
            len(group),
            sum(one.stated for one in group) / len(group) if group else None,
            sum(one.true for one in group) / len(group) if group else None,
        )
        for number, group in enumerate(held)
    ]


def calibration_error(found: Iterable[Bin]) -> float | None:
    """ECE: the mean distance between what is stated and what is true, weighted by count. None without statements."""
    filled = [(one.installs, one.stated, one.true) for one in found if one.stated is not None and one.true is not None]
    total = sum(count for count, _, _ in filled)
    return sum(count * abs(stated - true) for count, stated, true in filled) / total if total else None


def area_under_curve(said: Iterable[Statement]) -> float | None:
    """The chance that a true one is stated surer than a false one, ties half. None without both."""
    ordered = sorted(said)
    trues = sum(one.true for one in ordered)
    falses = len(ordered) - trues
    if not trues or not falses:
        return None
    ranks = 0.0  # sum of the true ones' ranks; equals share the mean of theirs
    at = 0
    while at < len(ordered):
        end = at
        while end < len(ordered) and ordered[end].stated == ordered[at].stated:
            end += 1
        ranks += sum(one.true for one in ordered[at:end]) * (at + 1 + end) / 2
        at = end
    return (ranks - trues * (trues + 1) / 2) / (trues * falses)
