"""What holds of every decision, over generated histories."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.attribution.decide import Decision, Judged, decide
from consumers.attribution.facts import Candidate
from consumers.attribution.validity import rejecting, verdicts
from schemas.events import TouchKind
from schemas.reasons import LOST, SENTENCES, WON
from schemas.rules import DECIDED, RuleSet
from schemas.validity import VERDICTS, Mode, Verdict
from tests.consumers.attribution.histories import MODES, History, histories, touches
from tests.consumers.attribution.samples import AT_US, DAY_US

every = settings(max_examples=1000, deadline=None)

OUTDONE = ("earlier_than_winner", "less_certain_method")
"""Why a touch that stands loses to another touch."""


def decided(history: History, **changes: Any) -> Decision:
    one = history._replace(**changes)
    return decide(one.conversion, one.candidates, one.rules, one.facts)


def with_mode(rules: RuleSet, verdict: Verdict, mode: Mode) -> RuleSet:
    return msgspec.structs.replace(rules, validity={**rules.validity, verdict: mode})


def delivered(candidates: list[Candidate]) -> list[Candidate]:
    """As the reader hands them over: a touch once for each method, however often it came."""
    return list({(one.method, one.touch_id): one for one in candidates}.values())


@every
@given(histories(), st.data())
def test_no_order_and_no_repetition_changes_a_decision(history: History, data: st.DataObject) -> None:
    order = data.draw(st.permutations(history.candidates))
    again = data.draw(st.lists(st.sampled_from(order), max_size=4)) if order else []
    split = data.draw(st.integers(0, len(order)))
    assert decided(history, candidates=delivered([*order[split:], *again, *order[:split]])) == decided(history)


@every
@given(histories())
def test_what_every_decision_says_of_its_candidates(history: History) -> None:
    decision = decided(history)
    assert decision.method in DECIDED
    assert decision == decided(history)
    each_is_judged_once_and_one_at_most_wins(history, decision)
    a_confidence_is_stated_of_standing_fingerprints(history, decision)
    the_winner_stands_by_every_verdict_that_rejects(history, decision)
    the_winner_is_the_latest_of_the_first_rule_that_is_met(history, decision)
    a_label_comes_before_an_earlier_install_and_both_before_any_touch(history, decision)
    for one in decision.judged:
        assert {one.reason, *one.found} <= set(SENTENCES)
        assert set(one.found) <= set(VERDICTS)


def each_is_judged_once_and_one_at_most_wins(history: History, decision: Decision) -> None:
    assert sorted(id(one.candidate) for one in decision.judged) == sorted(id(one) for one in history.candidates)
    winners = [one.candidate for one in decision.judged if one.verdict == WON]
    assert winners == ([decision.winner] if decision.winner else [])
    assert {one.verdict for one in decision.judged} <= {WON, LOST}
    assert (decision.winner is None) == (decision.method in ("preinstall", "reinstall", "organic"))
    assert decision.winner is None or decision.winner.method == decision.method


def a_confidence_is_stated_of_standing_fingerprints(history: History, decision: Decision) -> None:
    for one in decision.judged:
        stands = one.verdict == WON or one.reason in {*OUTDONE, "unsure", "preinstalled", "reinstalled", "same_link"}
        assert (one.confidence is not None) == (one.candidate.method == "fingerprint" and stands)
        if one.confidence is not None:
            assert 0 <= one.confidence <= 1
            assert (one.reason == "unsure") == (one.confidence < history.rules.confidence_min)
    assert (decision.confidence is None) == (decision.method in ("organic", "reinstall"))


def the_winner_stands_by_every_verdict_that_rejects(history: History, decision: Decision) -> None:
    if decision.winner is not None:
        found = verdicts(history.conversion, decision.winner, history.facts, history.rules)
        assert rejecting(found, history.rules) is None
        assert [name for name in found if history.rules.mode(name) == "reject"] == []


def the_winner_is_the_latest_of_the_first_rule_that_is_met(history: History, decision: Decision) -> None:
    outdone = [one.candidate for one in decision.judged if one.reason in OUTDONE]
    order: list[tuple[str, TouchKind]] = [(rule.method, rule.touch_kind) for rule in history.rules.rules]

    def rank(one: Candidate) -> tuple[int, int, str]:
        return -order.index((one.method, one.touch_kind)), one.touched_us, one.touch_id

    if decision.winner is None:
        assert outdone == []
    else:
        assert max([decision.winner, *outdone], key=rank) is decision.winner


def a_label_comes_before_an_earlier_install_and_both_before_any_touch(history: History, decision: Decision) -> None:
    conversion, earlier, rules = history.conversion, history.facts.earlier, history.rules
    again = earlier is not None and conversion.at_us - earlier[1] < rules.reattribution_days * DAY_US
    assert decision.earlier == (earlier[0] if earlier else None)
    assert (decision.method == "preinstall") == (conversion.label is not None)
    same_link = any(one.reason == "same_link" for one in decision.judged)
    assert not same_link or history.facts.earlier_link is not None
    assert (decision.method == "reinstall") == ((again or same_link) and conversion.label is None)
    assert decision.label == conversion.label


@every
@given(histories(), st.sampled_from(list(VERDICTS)))
def test_what_a_verdicts_mode_changes(history: History, verdict: Verdict) -> None:
    """Between off and tag only the record; a touch that has it never wins by reject."""
    off, tag, reject = (decided(history, rules=with_mode(history.rules, verdict, mode)) for mode in MODES)
    assert (off.method, off.winner, off.confidence) == (tag.method, tag.winner, tag.confidence)
    assert [without(one, verdict) for one in tag.judged] == [without(one, verdict) for one in off.judged]
    assert [one for one in off.judged if verdict in one.found] == []
    with_it = [id(one.candidate) for one in tag.judged if verdict in one.found]
    assert reject.winner is None or id(reject.winner) not in with_it
    # a threshold may let one more fingerprint count when a rival of it falls
    if tag.winner is not None and id(tag.winner) not in with_it and history.rules.confidence_min == 0:
        assert reject.winner is tag.winner


def without(one: Judged, verdict: Verdict) -> Judged:
    return one._replace(found={name: figures for name, figures in one.found.items() if name != verdict})


FALLS: list[dict[str, Any]] = [
    {"flags": ["late"]},
    {"touched_us": AT_US - 40 * DAY_US},
    {"touched_us": AT_US + DAY_US},
    {"flags": ["bot"]},
    {"app": "elsewhere"},
]


@every
@given(histories(), touches(st.just(99)), st.sampled_from(FALLS))
def test_a_touch_that_cannot_count_changes_no_winner(history: History, other: Candidate, why: dict[str, Any]) -> None:
    """It may be one more device behind an address, which makes every fingerprint there less sure, never surer."""
    rules = with_mode(msgspec.structs.replace(history.rules, confidence_min=0), "bot", "reject")
    fallen = msgspec.structs.replace(other, **why)
    before = decided(history, rules=rules)
    after = decided(history, rules=rules, candidates=[*history.candidates, fallen])
    assert (after.method, after.winner) == (before.method, before.winner)
    known = {id(one.candidate): one.confidence for one in before.judged}
    for one in after.judged:
        was = known.get(id(one.candidate))
        assert one.confidence is None if was is None else one.confidence is not None and one.confidence <= was
