"""Installs of test devices and sandboxes: attributed anew each time, however often the tester clicks."""

import pytest

from consumers.attribution.decide import decide
from consumers.attribution.facts import Facts, Label
from schemas.reasons import LOST, WON
from schemas.rules import PRESETS, RuleSet
from schemas.validity import VERDICTS, Verdict
from tests.consumers.attribution.samples import AT_US, HOUR_US, install, touch

RULES = PRESETS["touchline"]
EARLIER = ("019b7711-9680-7000-8005-000000000001", AT_US - HOUR_US)


def test_a_test_install_is_attributed_anew_where_another_is_a_reinstall() -> None:
    again = decide(install(), [touch()], RULES, Facts(earlier=EARLIER))
    assert (again.method, again.winner, again.test) == ("reinstall", None, False)
    tested = decide(install(), [touch()], RULES, Facts(earlier=EARLIER, test=True))
    assert (tested.method, tested.winner, tested.test) == ("identifier", touch(), True)
    assert tested.earlier == EARLIER[0], "it stays on record that the device had the app before"


def test_a_test_install_without_a_touch_is_organic_and_no_reinstall() -> None:
    assert decide(install(), [], RULES, Facts(earlier=EARLIER, test=True)).method == "organic"


def test_a_preinstall_label_wins_in_tests_too() -> None:
    label = Label("1", None, None)
    found = decide(install(label=label), [touch()], RULES, Facts(earlier=EARLIER, test=True))
    assert (found.method, found.label, found.test) == ("preinstall", label, True)


@pytest.mark.parametrize("verdict", ["duplicate", "repeat"])
def test_a_second_click_of_a_tester_is_tagged_where_anothers_falls(verdict: Verdict) -> None:
    rules = RuleSet(rules=RULES.rules, validity={verdict: "reject"})
    of = {"019b76da-a87b-774b-8001-000000000001": "019b76da-a87b-774b-8001-000000000000"}
    copies, repeats = (of, {}) if verdict == "duplicate" else ({}, of)
    (judged,) = decide(install(), [touch()], rules, Facts(copies, repeats)).judged
    assert (judged.verdict, judged.reason, list(judged.found)) == (LOST, verdict, [verdict])
    (judged,) = decide(install(), [touch()], rules, Facts(copies, repeats, test=True)).judged
    assert (judged.verdict, judged.reason, list(judged.found)) == (WON, "latest_of_method", [verdict])


def test_other_verdicts_hold_for_testers_as_for_anybody() -> None:
    robot = touch(flags=["bot"])
    assert decide(install(), [robot], RULES, Facts(test=True)).judged[0].reason == "bot"


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("mode", ["off", "tag", "reject"])
def test_only_the_rejection_of_copies_is_softer_for_tests(verdict: Verdict, mode: str) -> None:
    rules = RuleSet(rules=RULES.rules, validity={verdict: mode})  # type: ignore[dict-item]
    assert rules.mode(verdict) == mode
    softer = verdict in ("duplicate", "repeat") and mode == "reject"
    assert rules.mode(verdict, test=True) == ("tag" if softer else mode)
