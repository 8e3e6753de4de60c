"""How right decisions are, from the world's truth. Pure.

A decision is right when it names the touch that is due: what the default rules owe to one who knows every device
(`truth.Launch.due`). When that is the touch which led to the install, its retries and repeats are as right.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from benchmarks.attribution.truth import Launch, Method

METHODS: tuple[Method, ...] = ("identifier", "referrer", "fingerprint", "none")
ORGANIC, REINSTALL = "organic", "reinstall"

Error = Literal["injected", "own device", "another device"]
"""What a wrong touch is: the one injected into this install, another of the same device, a stranger's."""

Z95 = 1.96


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A touch that a decision looked at, as `decisions.candidates` holds it."""

    touch_id: str
    method: str
    verdict: str
    reason: str
    confidence: float | None = None
    tags: tuple[str, ...] = ()


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """The current decision of an install."""

    method: str
    touch: str | None
    confidence: float | None
    candidates: list[Candidate]


class Share(NamedTuple):
    """A part of a whole."""

    part: int
    whole: int

    @property
    def value(self) -> float | None:
        """None of nothing."""
        return self.part / self.whole if self.whole else None

    def interval(self) -> tuple[float, float] | None:
        """Where the share behind these draws lies, 95 % sure: Wilson's score interval."""
        if not self.whole:
            return None
        share, square = self.part / self.whole, Z95**2 / self.whole
        middle = (share + square / 2) / (1 + square)
        reach = (square * (share * (1 - share) + square / 4)) ** 0.5 / (1 + square)
        return max(0.0, middle - reach), min(1.0, middle + reach)


class MethodScore(NamedTuple):
    """Of one method; `none` is the organic decision."""

    method: Method
    precision: Share
    """Decisions by the method that are right, of all by the method."""
    recall: Share
    """Installs to which the method is due that are decided rightly, by whichever method."""
    strict: Share
    """… and by this method."""
    errors: Counter[Error]
    """Of its wrong decisions."""
    wrong_organic: int
    """Wrong decisions on installs that no touch led to."""


class Cell(NamedTuple):
    """Installs alike in what was due and what was decided."""

    due: str
    decided: str
    right: int
    wrong: int


def right_touches(launch: Launch) -> frozenset[str]:
    """The touches that a right decision may name; empty: it is due to nobody."""
    if launch.due is None:
        return frozenset()
    alike = {launch.touch or "", *launch.same}
    return frozenset(alike if launch.due in alike else {launch.due})


def is_right(launch: Launch, decided: Decided | None) -> bool:
    """An organic decision is right where nothing is due, `reinstall` of any reinstall; no decision never is."""
    if decided is None:
        return False
    if decided.method == REINSTALL:
        return launch.reinstall
    if decided.touch is None:
        return decided.method == ORGANIC and launch.due is None
    return decided.touch in right_touches(launch)


def error_of(launch: Launch, touch: str, devices: Mapping[str, int | None]) -> Error:
    """What a wrong touch is; `devices` of every touch."""
    if touch == launch.injected:
        return "injected"
    return "own device" if devices.get(touch) == launch.device else "another device"


def score_methods(
    pairs: Iterable[tuple[Launch, Decided | None]], devices: Mapping[str, int | None]
) -> list[MethodScore]:
    """Every method, over these installs."""
    judged = [(launch, decided, is_right(launch, decided)) for launch, decided in pairs]
    return [_score(method, judged, devices) for method in METHODS]


def _score(
    method: Method, judged: Sequence[tuple[Launch, Decided | None, bool]], devices: Mapping[str, int | None]
) -> MethodScore:
    name = ORGANIC if method == "none" else method
    by = [(launch, decided, right) for launch, decided, right in judged if decided and decided.method == name]
    due = [(decided, right) for launch, decided, right in judged if launch.due_method == method]
    wrong = [(launch, decided.touch) for launch, decided, right in by if not right and decided.touch]
    return MethodScore(
        method=method,
        precision=Share(sum(right for _, _, right in by), len(by)),
        recall=Share(sum(right for _, right in due), len(due)),
        strict=Share(sum(right and decided is not None and decided.method == name for decided, right in due), len(due)),
        errors=Counter(error_of(launch, touch, devices) for launch, touch in wrong),
        wrong_organic=sum(launch.touch is None for launch, _ in wrong),
    )


def confusion(pairs: Iterable[tuple[Launch, Decided | None]]) -> list[Cell]:
    """What was due × what was decided; only what occurs. Nothing due: `organic`, or `unmatchable` after a touch."""
    right: Counter[tuple[str, str]] = Counter()
    wrong: Counter[tuple[str, str]] = Counter()
    for launch, decided in pairs:
        due = launch.due_method if launch.due else "unmatchable" if launch.touch else ORGANIC
        key = due, decided.method if decided else "undecided"
        (right if is_right(launch, decided) else wrong)[key] += 1
    return [Cell(*key, right[key], wrong[key]) for key in sorted(right.keys() | wrong.keys())]
