from typing import Any, get_args

import pytest

from consumers.attribution.facts import NOTHING, Candidate, Facts, LinkDay, Play
from consumers.attribution.validity import CHECKS, judged_day, rejecting, verdicts
from schemas.ids import new_id
from schemas.reasons import SENTENCES
from schemas.rules import DEFAULT, Method, RuleSet
from schemas.validity import FINDINGS, VERDICTS, Finding, Mode, Verdict
from tests.consumers.attribution.samples import AT_US, DAY_US, HOUR_US, MINUTE_US, SECOND_US, install, touch

RULES = DEFAULT.rules
DAY = AT_US // DAY_US


def found(one: Candidate, facts: Facts = NOTHING, **of_install: Any) -> dict[str, Any]:
    return {name: dict(figures) for name, figures in verdicts(install(**of_install), one, facts, RULES).items()}


def with_mode(verdict: Verdict, mode: Mode) -> RuleSet:
    return RuleSet(rules=RULES.rules, validity={verdict: mode})


def test_every_verdict_has_a_check_a_mode_and_a_sentence() -> None:
    assert set(CHECKS) == set(VERDICTS) == {*FINDINGS, *get_args(Verdict)}
    assert set(VERDICTS) <= set(SENTENCES)
    assert set(VERDICTS.values()) <= set(get_args(Mode))


def test_a_touch_like_any_other_has_no_verdict() -> None:
    assert found(touch()) == {}


@pytest.mark.parametrize("finding", FINDINGS)
def test_what_a_touch_shows_by_itself_stands_among_its_flags(finding: Finding) -> None:
    assert found(touch(flags=["head", finding])) == {finding: {}}


def test_a_verdict_that_is_off_is_not_even_looked_for() -> None:
    one = touch(flags=["bot", "prefetch"])
    assert list(verdicts(install(), one, NOTHING, with_mode("bot", "off"))) == ["prefetch"]


def test_a_touch_falls_for_the_first_verdict_that_rejects() -> None:
    both: dict[Verdict, Any] = {"other_os": {}, "injection": {}, "no_agent": {}, "prefetch": {}}
    assert rejecting(both, RULES) == "prefetch"
    assert rejecting(both, with_mode("other_os", "reject")) == "prefetch"
    assert rejecting(both, with_mode("no_agent", "reject")) == "no_agent"
    assert rejecting(both, with_mode("prefetch", "tag")) == "injection"
    assert rejecting({"other_os": {}, "no_agent": {}}, RULES) is None
    assert rejecting({}, RULES) is None


def test_a_copy_names_the_touch_that_it_repeats() -> None:
    one = touch()
    assert found(one, Facts(duplicate_of={one.touch_id: "first"})) == {"duplicate": {"of": "first"}}
    assert found(one, Facts(repeat_of={one.touch_id: "before"})) == {"repeat": {"of": "before"}}
    assert found(one, Facts(duplicate_of={"other": "first"}, repeat_of={"other": "first"})) == {}


# The link's day


def test_a_link_is_judged_by_the_closed_day_of_the_touchs_receipt() -> None:
    for ago_us, day in (
        (0, DAY - 1),
        (HOUR_US, DAY - 1),
        (DAY_US, DAY - 1),
        (2 * DAY_US, DAY - 2),
        (8 * DAY_US, DAY - 8),
    ):
        assert judged_day(new_id(AT_US - ago_us), AT_US) == day


def test_a_link_that_floods_says_with_how_many_clicks_and_installs() -> None:
    one, day = touch(link="7"), judged_day(touch().touch_id, AT_US)
    flood = LinkDay(installs=1, first_hour=1, week_clicks=12_000, week_installs=1, flooding=True, delays=False)
    assert found(one, Facts(link_days={("7", day): flood})) == {"flooding": {"clicks": 12_000, "installs": 1}}
    assert found(one, Facts(link_days={("8", day): flood, ("7", day - 1): flood})) == {}
    assert found(one, Facts(link_days={("7", day): flood._replace(flooding=False)})) == {}


def test_a_link_whose_installs_come_late_says_how_many_came_in_time() -> None:
    one, day = touch(link="7"), judged_day(touch().touch_id, AT_US)
    slow = LinkDay(installs=40, first_hour=2, week_clicks=900, week_installs=40, flooding=False, delays=True)
    assert found(one, Facts(link_days={("7", day): slow})) == {"delays": {"installs": 40, "within_hour": 2}}


# Injection


@pytest.mark.parametrize("method", ["identifier", "referrer", "fingerprint"])
def test_a_touch_that_came_too_soon_before_the_install_was_injected(method: Method) -> None:
    assert found(touch(method, age_us=10 * SECOND_US)) == {}
    assert found(touch(method, age_us=9 * SECOND_US)) == {"injection": {"seconds": 9}}
    begun = Play(server_begun_us=AT_US - 2 * MINUTE_US)
    assert found(touch(method), play=begun) == {"injection": {"seconds_after_begin": 60}}


def test_plays_own_click_after_its_own_begin_is_compared_by_one_clock_and_only_for_the_click_it_names() -> None:
    play = Play(clicked_us=AT_US, begun_us=AT_US - 20 * SECOND_US)
    assert found(touch("referrer"), play=play) == {"injection": {"seconds_after_begin": 20}}
    assert found(touch(), play=play) == {}
    for right in (
        Play(clicked_us=AT_US, begun_us=AT_US),
        Play(clicked_us=AT_US),
        Play(begun_us=AT_US - HOUR_US),
    ):
        assert found(touch("referrer"), play=right) == {}


# The operating system


@pytest.mark.parametrize(
    ("theirs", "ours", "figures"),
    [
        ("android", "android", None),
        ("ios", "android", {"touch": "ios", "install": "android"}),
        ("other", "android", None),
        ("ios", "other", None),
    ],
)
def test_another_operating_system_is_said(theirs: str, ours: str, figures: dict[str, str] | None) -> None:
    assert found(touch(os=theirs), os=ours) == ({"other_os": figures} if figures else {})
