"""How decisions are scored: every figure here is worked out by hand."""

from collections import Counter
from typing import Any

import msgspec
import pytest

from benchmarks.attribution.calibration import Statement, area_under_curve, bins, calibration_error, statements
from benchmarks.attribution.scoring import (
    Candidate,
    Cell,
    Decided,
    Share,
    confusion,
    is_right,
    right_touches,
    score_methods,
)
from benchmarks.attribution.truth import Label, Launch
from benchmarks.attribution.verdicts import FraudScore, score_injection, score_touches
from schemas.events import Device, Install

Pair = tuple[Launch, Decided | None]


def launch(number: int, **truth: Any) -> Launch:
    """An organic install of device `number`, unless the truth says otherwise."""
    install = Install(
        v=1, id=f"i-{number}", app="a", install_id=f"{number}", installed_us=0, device=Device(os="Android")
    )
    return Launch(install=install, device=number, launched_us=0, arrives_us=0, **{"touch": None, **truth})


def by(method: str, touch: str | None = None, *candidates: Candidate, confidence: float | None = None) -> Decided:
    return Decided(method=method, touch=touch, confidence=confidence, candidates=list(candidates))


def seen(touch: str, method: str = "fingerprint", **further: Any) -> Candidate:
    return Candidate(touch_id=touch, method=method, **{"verdict": "lost", "reason": "earlier_than_winner", **further})


def test_retries_and_repeats_are_as_right_as_the_touch_that_is_due() -> None:
    one = launch(1, touch="t", same=("retry", "repeat"), earlier=("e",), due="repeat", due_method="identifier")

    assert right_touches(one) == {"t", "retry", "repeat"}
    assert is_right(one, by("referrer", "t")) and not is_right(one, by("identifier", "e"))


def test_an_earlier_touch_that_is_due_has_no_equals() -> None:
    one = launch(1, touch="t", same=("retry",), earlier=("e",), due="e", due_method="identifier")

    assert right_touches(one) == {"e"}


def test_a_reinstall_is_recognised_by_whichever_touch_and_a_first_install_is_none() -> None:
    assert is_right(launch(1, reinstall=True, touch="t", due="t", due_method="identifier"), by("reinstall"))
    assert is_right(launch(1, reinstall=True, touch="t", due="t", due_method="identifier"), by("identifier", "t"))
    assert not is_right(launch(1), by("reinstall"))


def test_an_organic_decision_is_right_where_nothing_is_due() -> None:
    assert is_right(launch(1), by("organic"))
    assert is_right(launch(1, touch="t"), by("organic"))  # nothing in the records connects them
    assert not is_right(launch(1, touch="t", due="t", due_method="referrer"), by("organic"))
    assert not is_right(launch(1), by("identifier", "t"))
    assert not is_right(launch(1), None)


DEVICES: dict[str, int | None] = {"t1": 1, "t2": 2, "t3": 3, "t4": 4, "e4": 4, "x": 99, "inj": 5, "bot": None}
PAIRS: list[Pair] = [
    (launch(1, touch="t1", due="t1", due_method="identifier"), by("identifier", "t1")),  # right
    (launch(2, touch="t2", due="t2", due_method="identifier"), by("fingerprint", "t2")),  # right, by another method
    (launch(3, touch="t3", due="t3", due_method="fingerprint"), by("fingerprint", "x")),  # a stranger's
    (launch(4, touch="t4", earlier=("e4",), due="t4", due_method="identifier"), by("identifier", "e4")),  # its own
    (launch(5, injected="inj"), by("identifier", "inj")),  # organic, claimed by fraud
    (launch(6), by("fingerprint", "bot")),  # organic, given to a touch of nobody
    (launch(7), by("organic")),  # right
    (launch(8, touch="t8", due="t8", due_method="referrer"), by("organic")),  # missed
    (launch(9, touch="t9"), None),  # nothing due, and not decided
]


def test_precision_is_of_decisions_and_recall_of_what_is_due() -> None:
    scores = {score.method: score for score in score_methods(PAIRS, DEVICES)}

    assert scores["identifier"].precision == Share(1, 3)
    assert scores["identifier"].recall == Share(2, 3)
    assert scores["identifier"].strict == Share(1, 3)
    assert scores["identifier"].errors == Counter({"own device": 1, "injected": 1})
    assert scores["identifier"].wrong_organic == 1
    assert scores["fingerprint"].precision == Share(1, 3)
    assert scores["fingerprint"].recall == scores["fingerprint"].strict == Share(0, 1)
    assert scores["fingerprint"].errors == Counter({"another device": 2})
    assert scores["fingerprint"].wrong_organic == 1
    assert scores["referrer"].precision == Share(0, 0)
    assert scores["referrer"].recall == Share(0, 1)
    assert scores["none"].precision == Share(1, 2)
    assert scores["none"].recall == scores["none"].strict == Share(1, 4)  # of installs 5, 6, 7 and 9


def test_confusion_counts_every_install_once() -> None:
    cells = confusion(PAIRS)

    assert sum(cell.right + cell.wrong for cell in cells) == len(PAIRS)
    assert Cell("identifier", "fingerprint", 1, 0) in cells
    assert Cell("organic", "fingerprint", 0, 1) in cells
    assert Cell("referrer", "organic", 0, 1) in cells
    assert Cell("unmatchable", "undecided", 0, 1) in cells


def test_a_share_states_how_sure_it_is() -> None:
    assert Share(0, 0).value is None and Share(0, 0).interval() is None
    # Wilson, 8 of 10: the middle is (0.8 + 0.19208) / 1.38416, the reach sqrt(0.38416 * (0.16 + 0.09604)) / 1.38416
    low, high = Share(8, 10).interval() or (0, 0)
    assert (low, high) == pytest.approx((0.71674 - 0.22658, 0.71674 + 0.22658), abs=1e-4)
    assert Share(10, 10).interval() == pytest.approx((1 / 1.38416, 1.0))


def test_the_best_fingerprint_of_each_install_is_a_statement_also_when_it_did_not_win() -> None:
    pairs: list[Pair] = [
        (launch(1), by("organic", None, seen("t1", confidence=0.3), seen("x", confidence=0.2))),
        (launch(2), by("fingerprint", "t2", seen("x", confidence=0.8), seen("t2", confidence=0.8, verdict="won"))),
        (launch(3), by("fingerprint", "x", seen("t3", confidence=0.4), seen("x", confidence=0.9, verdict="won"))),
        (launch(4), by("identifier", "t4", seen("t4", "identifier", verdict="won"))),  # nothing stated
        (launch(5), None),
    ]

    said, own = statements(pairs, DEVICES)

    assert own and said == [Statement(0.3, True), Statement(0.8, True), Statement(0.9, False)]


def test_where_candidates_state_nothing_decisions_by_fingerprint_do() -> None:
    pairs: list[Pair] = [
        (launch(1), by("fingerprint", "t1", seen("t1", verdict="won"), confidence=0.7)),
        (launch(2), by("identifier", "t2", confidence=1.0)),
    ]

    said, own = statements(pairs, DEVICES)

    assert not own and said == [Statement(0.7, True)]


SAID = [
    Statement(0.15, False),
    Statement(0.15, True),
    Statement(0.7, False),
    Statement(0.76, True),
    Statement(1.0, True),
]


def test_bins_hold_what_lies_in_them() -> None:
    found = bins(SAID)

    assert [one.installs for one in found] == [0, 2, 0, 0, 0, 0, 0, 2, 0, 1]
    assert (found[1].stated, found[1].true) == (0.15, 0.5)
    assert found[7].stated == pytest.approx(0.73) and found[7].true == 0.5
    assert found[0].stated is None and found[9].true == 1.0
    # 2/5 of |0.15 - 0.5|, 2/5 of |0.73 - 0.5|, 1/5 of 0
    assert calibration_error(found) == pytest.approx(0.4 * 0.35 + 0.4 * 0.23)
    assert calibration_error(bins([])) is None


def test_the_area_counts_pairs_and_ties_half() -> None:
    # (true, false) pairs: 0.15 ties 0.15 and loses to 0.7; 0.76 and 1.0 win both: (0.5 + 0 + 2 + 2) of 6
    assert area_under_curve(SAID) == pytest.approx(4.5 / 6)
    assert area_under_curve([Statement(0.5, True), Statement(0.2, True)]) is None


LABELS: dict[str, Label] = {
    "c1": "clean", "c2": "clean", "c3": "clean", "r1": "retry", "r2": "retry", "p1": "repeat",
    "f1": "flooding", "b1": "bot", "inj1": "injection", "inj2": "injection", "inj3": "injection",
}  # fmt: skip


def test_verdicts_are_scored_against_labels() -> None:
    duplicates = score_touches("duplicates", LABELS, {"r1", "p1"})
    bots = score_touches("bots", LABELS, {"b1", "c2", "p1", "f1"})

    assert duplicates == FraudScore("duplicates", Share(1, 2), Share(1, 4))  # repeats are honest
    assert bots == FraudScore("bots", Share(1, 1), Share(1, 3))  # only clean ones are asked
    assert score_touches("flooding", LABELS, set()) == FraudScore("flooding", Share(0, 1), Share(0, 3))


def test_injection_is_scored_over_what_decisions_looked_at() -> None:
    pairs: list[Pair] = [
        (launch(1, injected="inj1"), by("organic", None, seen("inj1", "identifier", reason="injection"), seen("c1"))),
        (
            launch(2, injected="inj2"),
            by("identifier", "inj2", seen("inj2", "identifier"), seen("c2", tags=("injection",))),
        ),
        (launch(3, injected="inj3"), by("organic", None, seen("c1"), seen("inj1"))),  # inj1 is another's here
    ]

    score, unseen = score_injection(pairs, LABELS)

    assert score == FraudScore("injection", Share(1, 2), Share(1, 2))
    assert unseen == 1


def test_a_tag_counts_whether_or_not_the_touch_fell_by_it() -> None:
    tagged = msgspec.structs.replace(seen("inj1", "identifier", verdict="won"), tags=("delays", "injection"))

    score, _ = score_injection([(launch(1, injected="inj1"), by("identifier", "inj1", tagged))], LABELS)

    assert score.found == Share(1, 1)
