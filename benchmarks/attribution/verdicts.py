"""How well fraud is recognised: verdicts against the labels of touches. Pure."""

from collections.abc import Collection, Iterable, Mapping
from typing import Literal, NamedTuple

from benchmarks.attribution.scoring import Decided, Share
from benchmarks.attribution.truth import Label, Launch

Kind = Literal["duplicates", "injection", "flooding", "bots"]
BOT_VERDICTS = frozenset({"bot", "no_agent", "data_centre"})
INJECTION = "injection"

LABELLED: Mapping[Kind, Label] = {
    "duplicates": "retry",
    "injection": "injection",
    "flooding": "flooding",
    "bots": "bot",
}
HONEST: Mapping[Kind, frozenset[Label]] = {
    "duplicates": frozenset({"clean", "repeat"}),
    "flooding": frozenset({"clean"}),
    "bots": frozenset({"clean"}),
}
"""Whose touches should not have the verdict. Of injection: every other candidate."""


class FraudScore(NamedTuple):
    """Of one kind of fraud."""

    kind: Kind
    found: Share
    """Touches with the verdict, of those labelled so."""
    accused: Share
    """Honest touches with the verdict, of all honest ones."""


def score_touches(kind: Kind, labels: Mapping[str, Label], having: Collection[str]) -> FraudScore:
    """Over all touches; `having`: ids of those with the verdict."""
    fraud, honest = LABELLED[kind], HONEST[kind]
    named = [labels[one] for one in having if one in labels]
    every = list(labels.values())
    return FraudScore(
        kind,
        Share(sum(label == fraud for label in named), sum(label == fraud for label in every)),
        Share(sum(label in honest for label in named), sum(label in honest for label in every)),
    )


def score_injection(
    pairs: Iterable[tuple[Launch, Decided | None]], labels: Mapping[str, Label]
) -> tuple[FraudScore, int]:
    """Over touches that decisions looked at, and how many injected ones none of their own installs looked at."""
    own = [0, 0]
    unseen = 0
    others: dict[str, bool] = {}
    for launch, decided in pairs:
        seen: dict[str, bool] = {}
        for one in decided.candidates if decided else ():
            seen[one.touch_id] = seen.get(one.touch_id, False) or one.reason == INJECTION or INJECTION in one.tags
        if launch.injected is not None and launch.injected in seen:
            own[0] += seen[launch.injected]
            own[1] += 1
        elif launch.injected is not None:
            unseen += 1
        for touch, accused in seen.items():
            if labels.get(touch) != "injection":
                others[touch] = others.get(touch, False) or accused
    return FraudScore("injection", Share(own[0], own[1]), Share(sum(others.values()), len(others))), unseen
