from typing import Any

import pytest

from consumers.attribution.decide import LISTED_MAX, Decision, decide, why_they_fall
from consumers.attribution.facts import Candidate, Facts, Label, LinkDay
from consumers.attribution.validity import judged_day
from schemas.events import TouchKind
from schemas.identifiers import DeviceId
from schemas.reasons import LOST, SENTENCES, WON
from schemas.rules import DEFAULT, Method, Rule, RuleSet, Windows
from schemas.validity import VERDICTS, Mode
from tests.consumers.attribution.samples import AT_US, DAY_US, HOUR_US, MINUTE_US, SECOND_US, install, touch

DAY = judged_day(touch().touch_id, AT_US)
"""The closed day by which the samples' links are judged."""

SKEW_US = 5 * MINUTE_US
MS_US = 1000

SURE = RuleSet(rules=DEFAULT.rules.rules, confidence_min=0)
"""The default rules, for tests in which it does not matter how sure a fingerprint is."""

# (method, kind of touch, window): the defaults of the design, in their order.
WINDOWS: list[tuple[Method, TouchKind, int]] = [
    ("identifier", "click", 7 * DAY_US),
    ("referrer", "click", 7 * DAY_US),
    ("fingerprint", "click", DAY_US),
    ("identifier", "impression", DAY_US),
]


def why(decision: Decision) -> dict[str, tuple[str, str]]:
    """Touch and method → (verdict, reason)."""
    return {
        f"{one.candidate.touch_id[-1]} {one.candidate.method}": (one.verdict, one.reason) for one in decision.judged
    }


def reason_for(one: Candidate, **of_install: Any) -> str:
    """Why a lone candidate won or fell."""
    (judged,) = decide(install(**of_install), [one], SURE).judged
    return judged.reason


def test_the_default_rules_are_those_of_the_design() -> None:
    assert [(rule.method, rule.touch_kind, rule.window_ms * MS_US) for rule in DEFAULT.rules.rules] == WINDOWS


def test_nothing_found_is_organic() -> None:
    assert decide(install(), []) == Decision("organic", None, None, [])


@pytest.mark.parametrize(("method", "kind", "window_us"), WINDOWS)
def test_each_method_counts_within_its_window(method: Method, kind: TouchKind, window_us: int) -> None:
    for age_us in (10 * SECOND_US, MINUTE_US, window_us):
        one = touch(method, kind, age_us=age_us)
        decision = decide(install(), [one], SURE)
        assert (decision.method, decision.winner) == (method, one)
        assert why(decision) == {f"1 {method}": (WON, "latest_of_method")}
    for age_us, reason in ((window_us + MS_US, "outside_window"), (-SKEW_US - MS_US, "after_install")):
        decision = decide(install(), [touch(method, kind, age_us=age_us)], SURE)
        assert (decision.method, decision.winner, decision.confidence) == ("organic", None, None)
        assert why(decision) == {f"1 {method}": (LOST, reason)}


@pytest.mark.parametrize(("method", "kind"), [("referrer", "impression"), ("fingerprint", "impression")])
def test_methods_that_are_off_count_nothing(method: Method, kind: TouchKind) -> None:
    assert reason_for(touch(method, kind)) == "method_off"


def test_the_window_counts_from_the_time_of_the_conversion() -> None:
    one = touch(age_us=7 * DAY_US + HOUR_US)
    assert reason_for(one) == "outside_window"
    assert reason_for(one, at_us=AT_US - 2 * HOUR_US) == "latest_of_method"


def test_precedence_is_by_rule_not_by_time() -> None:
    # each later touch of a less certain method loses to an earlier one of a more certain
    candidates = [
        touch(method, kind, age_us=(10 - number) * HOUR_US, number=number)
        for number, (method, kind, _) in enumerate(WINDOWS)
    ]
    while candidates:
        decision = decide(install(), candidates, SURE)
        assert decision.winner == candidates[0]
        assert [one.reason for one in decision.judged if one.verdict == LOST] == ["less_certain_method"] * (
            len(candidates) - 1
        )
        candidates = candidates[1:]


def test_any_click_beats_the_latest_view() -> None:
    view = touch("identifier", "impression", age_us=10 * SECOND_US, number=2)
    for method in ("identifier", "referrer", "fingerprint"):
        click = touch(method, age_us=20 * HOUR_US)
        assert decide(install(), [view, click], SURE).winner == click


def test_the_latest_of_a_method_wins() -> None:
    candidates = [touch(age_us=age * HOUR_US, number=age) for age in (3, 1, 2)]
    decision = decide(install(), candidates)
    assert decision.winner == candidates[1]
    assert why(decision) == {
        "1 identifier": (WON, "latest_of_method"),
        "2 identifier": (LOST, "earlier_than_winner"),
        "3 identifier": (LOST, "earlier_than_winner"),
    }


def test_of_two_touches_at_one_moment_the_higher_id_wins() -> None:
    candidates = [touch(number=number) for number in (2, 3, 1)]
    assert decide(install(), candidates).winner == candidates[1]


def test_a_winner_that_falls_makes_room_for_the_next_and_both_are_recorded() -> None:
    late = touch(age_us=HOUR_US, number=2, flags=["late"])
    before = touch(age_us=2 * HOUR_US, number=1)
    decision = decide(install(), [late, before])
    assert decision.winner == before
    assert why(decision) == {"1 identifier": (WON, "latest_of_method"), "2 identifier": (LOST, "delivered_late")}


def test_confidence_is_1_for_what_a_device_or_a_store_said() -> None:
    for method in ("identifier", "referrer"):
        assert decide(install(), [touch(method), touch("fingerprint", number=2)]).confidence == 1.0


def test_the_confidence_of_a_print_falls_with_other_phones_behind_the_address() -> None:
    alone = decide(install(), [touch("fingerprint", age_us=20 * HOUR_US)], SURE).confidence
    crowd = [touch("fingerprint", number=number, ua=f"phone {number}", age_us=20 * HOUR_US) for number in range(1, 4)]
    among = decide(install(), crowd, SURE).confidence
    assert alone is not None
    assert among is not None
    assert among < alone / 2
    # a phone that the install contradicts has no share of it, and yet is one of the crowd
    others = [touch("fingerprint", number=number, ua=f"phone {number}", model="Pixel 7") for number in range(4, 40)]
    with_another = decide(install(), [*crowd, *others], SURE).confidence
    assert with_another is not None
    assert with_another < among


def test_a_print_that_is_not_sure_enough_is_organic_and_says_how_sure_it_was() -> None:
    candidates = [touch("fingerprint", number=number, ua=f"phone {number}") for number in (1, 2)]
    decision = decide(install(), candidates, RuleSet(rules=SURE.rules, confidence_min=1))
    assert (decision.method, decision.winner, decision.confidence) == ("organic", None, None)
    assert {one.reason for one in decision.judged} == {"unsure"}
    stated = [one.confidence for one in decide(install(), candidates, SURE).judged]
    assert [one.confidence for one in decision.judged] == stated
    assert None not in stated


def test_an_unsure_print_makes_room_for_a_view() -> None:
    view = touch("identifier", "impression", age_us=HOUR_US, number=2)
    candidates = [touch("fingerprint"), view]
    assert decide(install(), candidates, SURE).winner == candidates[0]
    assert decide(install(), candidates, RuleSet(rules=SURE.rules, confidence_min=1)).winner == view


def test_ages_are_whole_seconds_and_never_negative() -> None:
    candidates = [touch(age_us=90 * SECOND_US + 999_999), touch(age_us=-MINUTE_US, number=2)]
    assert {one.candidate.touch_id[-1]: one.age_s for one in decide(install(), candidates).judged} == {
        "1": 90,
        "2": 0,
    }


def test_the_rules_are_data() -> None:
    view, click = touch("identifier", "impression"), touch("identifier", number=2)
    turned = RuleSet(rules=(Rule("identifier", "impression", 24), Rule("identifier", "click", 24)))
    assert decide(install(), [view, click], turned).winner == view
    prints = RuleSet(rules=(Rule("fingerprint", "impression", 1),), confidence_min=0)
    one = touch("fingerprint", "impression")
    decision = decide(install(), [one, click], prints)
    assert decision.winner == one
    assert why(decision)["2 identifier"] == (LOST, "method_off")
    assert decide(install(), [click], RuleSet(rules=())).method == "organic"


def test_one_touch_found_by_two_methods_is_recorded_by_both() -> None:
    decision = decide(install(), [touch("fingerprint"), touch("identifier")])
    assert decision.method == "identifier"
    assert why(decision) == {
        "1 identifier": (WON, "latest_of_method"),
        "1 fingerprint": (LOST, "less_certain_method"),
    }


def test_verdicts_come_with_the_winner_first_then_the_latest() -> None:
    candidates = [touch("fingerprint", age_us=age * HOUR_US, number=age) for age in (1, 2, 3)]
    candidates.append(touch(age_us=5 * HOUR_US, number=5))
    decision = decide(install(), candidates)
    assert [one.candidate.touch_id[-1] for one in decision.judged] == ["5", "1", "2", "3"]


def test_a_preinstall_label_wins_over_every_touch() -> None:
    click, old = touch("identifier"), touch("identifier", age_us=8 * DAY_US, number=2)
    label = Label("77", "campaign", "partner")
    decision = decide(install(label=label), [old, click])
    assert decision == Decision("preinstall", None, 1.0, decision.judged, label)
    assert why(decision) == {"1 identifier": (LOST, "preinstalled"), "2 identifier": (LOST, "outside_window")}


# The device had the app before


def test_a_device_that_had_the_app_before_is_attributed_anew_only_after_the_days_of_the_rules() -> None:
    before_us = AT_US - 180 * DAY_US
    for earlier_us, method, reason in (
        (before_us, "identifier", "latest_of_method"),
        (before_us + 1, "reinstall", "reinstalled"),
        (AT_US, "reinstall", "reinstalled"),
    ):
        decision = decide(install(), [touch()], facts=Facts(earlier=("before", earlier_us)))
        assert (decision.method, decision.earlier) == (method, "before")
        assert [one.reason for one in decision.judged] == [reason]
        assert (decision.winner is None) == (method == "reinstall")


def test_a_link_never_wins_a_device_twice_however_long_ago() -> None:
    long_ago = Facts(earlier=("before", AT_US - 300 * DAY_US), earlier_link="77")
    decision = decide(install(), [touch(link="77"), touch(number=2, link="78", age_us=DAY_US)], facts=long_ago)
    assert (decision.method, decision.winner, decision.earlier) == ("reinstall", None, "before")
    assert {one.reason for one in decision.judged} == {"same_link"}
    later = [touch(link="77", age_us=DAY_US), touch(number=2, link="78")]
    assert decide(install(), later, facts=long_ago).method == "identifier", "another link brought it back"
    assert decide(install(), [touch(link="77")], facts=long_ago._replace(test=True)).method == "identifier"


def test_with_0_days_every_install_is_attributed_anew() -> None:
    every = RuleSet(rules=SURE.rules, reattribution_days=0)
    facts = Facts(earlier=("before", AT_US - SECOND_US))
    assert decide(install(), [touch()], every, facts).method == "identifier"


def test_a_label_wins_over_the_earlier_install_too() -> None:
    facts = Facts(earlier=("before", AT_US - DAY_US))
    decision = decide(install(label=Label("77", None, None)), [touch()], facts=facts)
    assert (decision.method, decision.earlier) == ("preinstall", "before")


def test_a_reinstall_keeps_what_was_wrong_with_each_touch() -> None:
    facts = Facts(earlier=("before", AT_US - DAY_US))
    decision = decide(install(), [touch(), touch(number=2, flags=["late"])], facts=facts)
    assert why(decision) == {"1 identifier": (LOST, "reinstalled"), "2 identifier": (LOST, "delivered_late")}


# Verdicts


def test_a_touch_that_is_rejected_makes_room_for_the_next_and_one_that_is_tagged_wins_with_its_tag() -> None:
    bot, person = touch(flags=["bot"], number=2), touch(flags=["data_centre"], age_us=HOUR_US)
    decision = decide(install(), [bot, person])
    assert decision.winner == person
    assert why(decision) == {"1 identifier": (WON, "latest_of_method"), "2 identifier": (LOST, "bot")}
    assert [dict(one.found) for one in decision.judged] == [{"data_centre": {}}, {"bot": {}}]


def test_what_cannot_have_caused_the_install_is_not_judged_further() -> None:
    decision = decide(install(), [touch(flags=["bot"], app="other")])
    assert [(one.reason, one.found) for one in decision.judged] == [("other_app", {})]


@pytest.mark.parametrize("mode", ["off", "tag", "reject"])
def test_a_neighbours_click_seconds_before_the_install_accuses_nobody_whatever_the_mode(mode: Mode) -> None:
    rules = RuleSet(rules=SURE.rules, confidence_min=0, validity={"injection": mode})
    before = touch("fingerprint", age_us=HOUR_US)
    decision = decide(install(), [touch("fingerprint", age_us=5 * SECOND_US, number=2, model=""), before], rules)
    assert decision.winner == before
    assert why(decision)["2 fingerprint"] == (LOST, "too_soon")
    assert [one.found for one in decision.judged] == [{}, {}]


def test_a_rejected_print_has_no_share_of_the_confidence() -> None:
    person = touch("fingerprint", age_us=HOUR_US)
    sure: list[float] = []
    for flags in ([], ["bot"]):
        rival = touch("fingerprint", number=2, ua="other", flags=flags)
        judged = decide(install(), [person, rival], SURE).judged
        sure += [one.confidence for one in judged if one.candidate == person and one.confidence is not None]
    beside_a_person, beside_a_bot = sure
    assert beside_a_bot > beside_a_person


def test_contenders_are_those_that_stand_by_themselves() -> None:
    candidates = [touch(flags=["bot"]), touch(number=2, flags=["late"]), touch(number=3, age_us=8 * DAY_US)]
    falls = why_they_fall(install(), candidates, DEFAULT.rules, {})
    assert [why is None for why in falls] == [True, *[False] * (len(candidates) - 1)]
    assert decide(install(), candidates, falls=falls) == decide(install(), candidates)


# Windows that links have of their own

OWN: Windows = {("identifier", "click"): 30 * DAY_US, ("fingerprint", "click"): HOUR_US}


def test_each_candidate_is_judged_by_its_links_own_window() -> None:
    long = touch(link="own", age_us=20 * DAY_US)
    plain = touch(number=2, age_us=20 * DAY_US)
    decision = decide(install(), [long, plain], facts=Facts(own_windows={"own": OWN}))
    assert decision.winner == long
    assert [one.reason for one in decision.judged] == ["latest_of_method", "outside_window"]
    too_old = touch(link="own", age_us=30 * DAY_US + 1)
    assert decide(install(), [too_old], facts=Facts(own_windows={"own": OWN})).judged[0].reason == "outside_own_window"


def test_what_a_links_windows_do_not_say_is_the_apps() -> None:
    view = touch(kind="impression", link="own", age_us=23 * HOUR_US)
    assert decide(install(), [view], facts=Facts(own_windows={"own": OWN})).winner == view
    old_view = touch(kind="impression", link="own", age_us=25 * HOUR_US)
    (judged,) = decide(install(), [old_view], facts=Facts(own_windows={"own": OWN})).judged
    assert judged.reason == "outside_window"


# What is listed


def test_a_decision_lists_forty_and_counts_the_others_by_reason() -> None:
    crowd = [touch("fingerprint", number=n, ua=str(n), model="other") for n in range(1, 61)]
    ours = [touch("fingerprint", number=100 + n, age_us=20 * HOUR_US) for n in range(5)]
    decision = decide(install(), [*crowd, *ours], RuleSet(rules=SURE.rules, confidence_min=1))
    assert len(decision.judged) == LISTED_MAX
    assert {one.candidate.touch_id for one in decision.judged} >= {one.touch_id for one in ours}
    assert decision.more == {"other_model": 60 + 5 - LISTED_MAX}
    listed = [one.candidate.touched_us for one in decision.judged]
    assert listed == sorted(listed, reverse=True)


def test_a_winner_is_always_listed_and_first() -> None:
    winner = touch(age_us=6 * DAY_US, number=500)
    decision = decide(install(), [*(touch("fingerprint", number=n) for n in range(1, 61)), winner], SURE)
    assert decision.judged[0].candidate == decision.winner == winner
    assert sum(decision.more.values()) == 61 - LISTED_MAX


def test_forty_are_all_listed() -> None:
    decision = decide(install(), [touch(number=n) for n in range(1, LISTED_MAX + 1)])
    assert (len(decision.judged), decision.more) == (LISTED_MAX, {})


FLOODS = Facts(link_days={("flood", DAY): LinkDay(0, 0, 12_000, 0, flooding=True, delays=False)})


def test_a_flooding_touch_says_whether_it_would_have_won() -> None:
    latest, earlier = touch(link="flood", number=2), touch(link="flood", age_us=2 * HOUR_US, number=3)
    honest = touch(age_us=HOUR_US)
    decision = decide(install(), [honest, earlier, latest], facts=FLOODS)
    assert decision.winner is honest
    assert [(one.candidate, one.would_have_won) for one in decision.judged] == [
        (honest, False),
        (latest, True),
        (earlier, False),
    ]


def test_a_flooding_touch_that_a_surer_method_beats_would_not_have_won() -> None:
    found = [touch(age_us=HOUR_US), touch("fingerprint", link="flood", number=2)]
    assert not any(one.would_have_won for one in decide(install(), found, facts=FLOODS).judged)


def test_a_flooding_fingerprint_that_is_unsure_would_not_have_won() -> None:
    found = [touch("fingerprint", link="flood", ids=[], model="", os_version="", age_us=9 * HOUR_US)]
    decision = decide(install(), found, facts=FLOODS)
    assert (decision.judged[0].reason, decision.judged[0].would_have_won) == ("flooding", False)


def test_every_reason_that_is_given_has_a_sentence_and_every_sentence_is_given() -> None:
    rules = RuleSet(rules=SURE.rules, validity=dict.fromkeys(VERDICTS, "reject"))
    flags = ["bot", "no_agent", "data_centre", "non_public", "prefetch"]
    facts = Facts(
        duplicate_of={touch(number=21).touch_id: "x"},
        repeat_of={touch(number=22).touch_id: "x"},
        link_days={
            ("flood", DAY): LinkDay(0, 0, 12_000, 0, flooding=True, delays=False),
            ("slow", DAY): LinkDay(40, 0, 1000, 40, flooding=False, delays=True),
        },
    )
    candidates = [
        touch(age_us=HOUR_US),
        touch(age_us=2 * HOUR_US, number=2),
        touch("referrer", number=3),
        touch(age_us=8 * DAY_US, number=4),
        touch(age_us=-HOUR_US, number=5),
        touch(flags=["late"], number=6),
        touch(ids=[], number=7),
        touch(app="other", number=8),
        touch("fingerprint", ip="192.0.2.1", number=9),
        touch("fingerprint", os_version="1", number=10),
        touch("fingerprint", model="other", number=11),
        touch("referrer", "impression", number=12),
        touch("fingerprint", ids=[DeviceId("google_aid", "raw", "x")], device_key=1, number=13),
        touch(number=21),
        touch(number=22),
        touch(link="flood", number=23),
        touch(link="slow", number=24),
        touch(age_us=9 * SECOND_US, number=25),
        touch("fingerprint", age_us=9 * SECOND_US, model="", number=27),
        touch(os="ios", number=26),
        *(touch(flags=[flag], number=30 + at) for at, flag in enumerate(flags)),
    ]
    given_reasons = {one.reason for one in decide(install(), candidates, rules, facts).judged}
    given_reasons |= {one.reason for one in decide(install(label=Label("1", None, None)), candidates[:1]).judged}
    given_reasons |= {one.reason for one in decide(install(), candidates[:1], facts=Facts(earlier=("x", AT_US))).judged}
    twice = Facts(earlier=("x", AT_US - 200 * DAY_US), earlier_link=candidates[0].link)
    given_reasons |= {one.reason for one in decide(install(), candidates[:1], facts=twice).judged}
    unsure = RuleSet(rules=SURE.rules, confidence_min=1)
    given_reasons |= {one.reason for one in decide(install(), [touch("fingerprint")], unsure).judged}
    away = install(kind="re-engagement", active_us=AT_US)
    given_reasons |= {one.reason for one in decide(away, [touch()]).judged}
    own = Facts(own_windows={"1": {("identifier", "click"): MINUTE_US}})
    given_reasons |= {one.reason for one in decide(install(), [touch(age_us=HOUR_US)], facts=own).judged}
    given_reasons |= {one.reason for one in decide(install(), [touch(flags=["preinstall"])]).judged}
    assert given_reasons | {"last_visit"} == set(SENTENCES)
