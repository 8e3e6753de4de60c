from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.attribution.decide import Decision, decide
from consumers.attribution.facts import Candidate, Label
from schemas.events import TouchKind
from schemas.identifiers import DeviceId, md5, sha1
from schemas.reasons import LOST, SENTENCES, WON
from schemas.rules import DEFAULT, Method, Rule
from tests.consumers.attribution.samples import AT_US, DAY_US, GAID, HOUR_US, MINUTE_US, SECOND_US, install, touch

SKEW_US = 5 * MINUTE_US
MS_US = 1000

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
        f"{one.candidate.touch_id[-1]} {one.candidate.method}": (one.verdict, one.reason) for one in decision.verdicts
    }


def reason_for(one: Candidate, **of_install: Any) -> str:
    """Why a lone candidate won or fell."""
    (verdict,) = decide(install(**of_install), [one]).verdicts
    return verdict.reason


def test_the_default_rules_are_those_of_the_design() -> None:
    assert [(rule.method, rule.touch_kind, rule.window_ms * MS_US) for rule in DEFAULT.rules] == WINDOWS


def test_nothing_found_is_organic() -> None:
    assert decide(install(), []) == Decision("organic", None, None, [])


@pytest.mark.parametrize(("method", "kind", "window_us"), WINDOWS)
def test_each_method_counts_within_its_window(method: Method, kind: TouchKind, window_us: int) -> None:
    for age_us in (-SKEW_US, 0, SECOND_US, window_us):
        one = touch(method, kind, age_us=age_us)
        decision = decide(install(), [one])
        assert (decision.method, decision.winner) == (method, one)
        assert why(decision) == {f"1 {method}": (WON, "latest_of_method")}
    for age_us, reason in ((window_us + MS_US, "outside_window"), (-SKEW_US - MS_US, "after_install")):
        decision = decide(install(), [touch(method, kind, age_us=age_us)])
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
        decision = decide(install(), candidates)
        assert decision.winner == candidates[0]
        assert [one.reason for one in decision.verdicts if one.verdict == LOST] == ["less_certain_method"] * (
            len(candidates) - 1
        )
        candidates = candidates[1:]


def test_any_click_beats_the_latest_view() -> None:
    view = touch("identifier", "impression", age_us=0, number=2)
    for method in ("identifier", "referrer", "fingerprint"):
        click = touch(method, age_us=20 * HOUR_US)
        assert decide(install(), [view, click]).winner == click


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


@pytest.mark.parametrize("method", ["identifier", "referrer", "fingerprint"])
def test_a_late_touch_is_never_matched(method: Method) -> None:
    assert reason_for(touch(method, flags=["head", "late"])) == "delivered_late"
    assert reason_for(touch(method, flags=["head"])) == "latest_of_method"


@pytest.mark.parametrize("method", ["identifier", "referrer", "fingerprint"])
def test_a_touch_of_another_app_falls(method: Method) -> None:
    assert reason_for(touch(method, app="other")) == "other_app"


# The key is only a hash: what it stands for is compared.


@pytest.mark.parametrize(
    ("theirs", "reason"),
    [
        (GAID, "latest_of_method"),
        (DeviceId("google_aid", "raw", GAID.value.upper()), "latest_of_method"),
        (DeviceId("google_aid", "sha1", sha1(GAID.value)), "latest_of_method"),
        (DeviceId("google_aid", "sha1", sha1(GAID.value.upper())), "latest_of_method"),
        (DeviceId("google_aid", "md5", md5(GAID.value.upper())), "latest_of_method"),
        (DeviceId("oaid", "raw", GAID.value), "other_value"),
        (DeviceId("google_aid", "raw", GAID.value[:-1] + "e"), "other_value"),
        (DeviceId("google_aid", "md5", md5("x")), "other_value"),
    ],
)
def test_an_identifier_is_compared_whatever_its_form(theirs: DeviceId, reason: str) -> None:
    assert reason_for(touch(ids=[theirs])) == reason
    assert reason_for(touch(ids=[DeviceId("oaid", "raw", "x"), theirs])) == reason


def test_an_install_without_identifiers_has_no_device() -> None:
    assert reason_for(touch(), ids=[]) == "other_value"


@pytest.mark.parametrize(
    ("of_touch", "of_install", "reason"),
    [
        ({"click_id": "c1"}, {}, "latest_of_method"),
        ({"click_id": None, "external_click_id": "c1"}, {}, "latest_of_method"),
        ({"click_id": "c2", "external_click_id": "c1"}, {}, "latest_of_method"),
        ({"click_id": "C1"}, {}, "other_value"),
        ({"click_id": None}, {}, "other_value"),
        ({"click_id": None}, {"click_ids": frozenset[str]()}, "other_value"),
        ({"click_id": None}, {"touch_ids": frozenset({touch().touch_id})}, "latest_of_method"),
        ({"click_id": None}, {"touch_ids": frozenset({touch(number=2).touch_id})}, "other_value"),
    ],
)
def test_a_referrer_names_the_touch_or_its_click(
    of_touch: dict[str, Any], of_install: dict[str, Any], reason: str
) -> None:
    assert reason_for(touch("referrer", **of_touch), **of_install) == reason


@pytest.mark.parametrize(
    ("of_touch", "of_install", "reason"),
    [
        ({"ip": "203.0.113.0/24"}, {}, "latest_of_method"),
        ({"ip": "203.0.113.128/25"}, {}, "other_network"),
        ({"ip": "2001:db8:1:2::1"}, {"ip": "2001:db8:1:2:9::9"}, "latest_of_method"),
        ({"ip": "2001:db8:1:2::1"}, {"ip": "2001:db8:1:3::1"}, "other_network"),
        ({"os_version": "13"}, {}, "other_os_version"),
        ({"model": "Pixel 7"}, {}, "other_model"),
    ],
)
def test_a_print_must_not_contradict_the_install(
    of_touch: dict[str, Any], of_install: dict[str, Any], reason: str
) -> None:
    assert reason_for(touch("fingerprint", **of_touch), **of_install) == reason


def test_only_prints_are_compared_by_what_they_look_like() -> None:
    for method in ("identifier", "referrer"):
        assert reason_for(touch(method, ip="192.0.2.1", model="other", os_version="1")) == "latest_of_method"


def test_confidence_is_1_for_what_a_device_or_a_store_said() -> None:
    for method in ("identifier", "referrer"):
        assert decide(install(), [touch(method), touch("fingerprint", number=2)]).confidence == 1.0


def test_the_confidence_of_a_print_falls_with_other_phones_behind_the_address() -> None:
    alone = decide(install(), [touch("fingerprint")]).confidence
    crowd = [touch("fingerprint", number=number, ua=f"phone {number}") for number in range(1, 4)]
    among = decide(install(), crowd).confidence
    assert alone is not None
    assert among == pytest.approx(alone / 3, abs=0.01)
    # a phone that the install contradicts is no part of the crowd
    other = touch("fingerprint", number=4, ua="phone 4", model="Pixel 7")
    assert decide(install(), [*crowd, other]).confidence == among


def test_ages_are_whole_seconds_and_never_negative() -> None:
    candidates = [touch(age_us=90 * SECOND_US + 999_999), touch(age_us=-MINUTE_US, number=2)]
    assert {one.candidate.touch_id[-1]: one.age_s for one in decide(install(), candidates).verdicts} == {
        "1": 90,
        "2": 0,
    }


def test_the_rules_are_data() -> None:
    view, click = touch("identifier", "impression"), touch("identifier", number=2)
    turned = (Rule("identifier", "impression", 24), Rule("identifier", "click", 24))
    assert decide(install(), [view, click], turned).winner == view
    prints = (Rule("fingerprint", "impression", 1),)
    one = touch("fingerprint", "impression")
    decision = decide(install(), [one, click], prints)
    assert decision.winner == one
    assert why(decision)["2 identifier"] == (LOST, "method_off")
    assert decide(install(), [click], ()).method == "organic"


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
    assert [one.candidate.touch_id[-1] for one in decision.verdicts] == ["5", "1", "2", "3"]


def test_every_reason_has_a_sentence() -> None:
    candidates = [
        touch(),
        touch(age_us=HOUR_US, number=2),
        touch("fingerprint", number=3),
        touch(age_us=8 * DAY_US, number=4),
        touch(age_us=-HOUR_US, number=5),
        touch(flags=["late"], number=6),
        touch(ids=[], number=7),
        touch(app="other", number=8),
        touch("fingerprint", ip="192.0.2.1", number=9),
        touch("fingerprint", os_version="1", number=10),
        touch("fingerprint", model="other", number=11),
        touch("referrer", "impression", number=12),
    ]
    given_reasons = {one.reason for one in decide(install(), candidates).verdicts}
    labelled = install()._replace(label=Label("1", None, None))
    given_reasons |= {one.reason for one in decide(labelled, candidates[:1]).verdicts}
    assert given_reasons == set(SENTENCES)


CANDIDATES = st.builds(
    touch,
    st.sampled_from(["identifier", "referrer", "fingerprint"]),
    st.sampled_from(["click", "impression"]),
    age_us=st.sampled_from([-HOUR_US, -MINUTE_US, 0, MINUTE_US, HOUR_US, 2 * DAY_US, 8 * DAY_US]),
    number=st.integers(1, 5),
    flags=st.sampled_from([[], ["late"]]),
    app=st.sampled_from(["demo", "demo", "other"]),
    ua=st.sampled_from(["phone", "other phone"]),
)
HISTORIES = st.lists(CANDIDATES, max_size=5, unique_by=lambda one: (one.method, one.touch_id))


@given(HISTORIES)
def test_the_order_of_the_candidates_does_not_matter(candidates: list[Candidate]) -> None:
    first = decide(install(), candidates)
    for order in list(permutations(candidates))[:24]:
        again = decide(install(), order)
        assert (again.method, again.winner, again.confidence) == (first.method, first.winner, first.confidence)
        assert sorted(again.verdicts, key=repr) == sorted(first.verdicts, key=repr)


@given(HISTORIES)
def test_every_candidate_gets_one_verdict_and_one_at_most_wins(candidates: list[Candidate]) -> None:
    decision = decide(install(), candidates)
    assert sorted(one.candidate for one in decision.verdicts) == sorted(candidates)
    winners = [one.candidate for one in decision.verdicts if one.verdict == WON]
    assert winners == ([decision.winner] if decision.winner else [])
    assert (decision.method == "organic") == (decision.winner is None)


@given(HISTORIES, CANDIDATES)
def test_a_touch_that_falls_by_itself_changes_no_winner(candidates: list[Candidate], other: Candidate) -> None:
    fallen = other._replace(touch_id="019b76da-a87b-774b-8001-00000000ffff", flags=["late"])
    assert decide(install(), [*candidates, fallen]).winner == decide(install(), candidates).winner


def test_a_preinstall_label_wins_over_every_touch() -> None:
    click, old = touch("identifier"), touch("identifier", age_us=8 * DAY_US, number=2)
    label = Label("77", "campaign", "partner")
    decision = decide(install()._replace(label=label), [old, click])
    assert decision == Decision("preinstall", None, 1.0, decision.verdicts, label)
    assert why(decision) == {"1 identifier": (LOST, "preinstalled"), "2 identifier": (LOST, "outside_window")}
