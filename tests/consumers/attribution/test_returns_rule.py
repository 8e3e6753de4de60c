from typing import Any

import pytest

from consumers.attribution.decide import decide
from consumers.attribution.facts import Conversion, Facts
from consumers.attribution.returns_rule import conversion_of_return, has_returned, of_clicks
from consumers.attribution.validity import verdicts
from schemas.addresses import parse_address
from schemas.events import Device
from schemas.reasons import SENTENCES
from schemas.rules import DEFAULT, PRESETS, Named, RuleSet
from tests.consumers.attribution.samples import AT_US, DAY_US, GAID, HOUR_US, MINUTE_US, SECOND_US, install, touch

RULES = DEFAULT.rules


def rules(days: int) -> RuleSet:
    return RuleSet(rules=RULES.rules, reengagement_days=days)


@pytest.mark.parametrize(
    ("away_us", "days", "returned"),
    [
        (30 * DAY_US, 30, False),
        (30 * DAY_US + 1, 30, True),
        (DAY_US + 1, 1, True),
        (DAY_US, 1, False),
        (3000 * DAY_US, 0, False),
        (-400 * DAY_US, 30, False),
    ],
)
def test_a_user_returns_after_more_than_the_days_of_the_rules(away_us: int, days: int, returned: bool) -> None:
    assert has_returned(AT_US, AT_US - away_us, rules(days)) is returned


def a_return(**changes: Any) -> Conversion:
    values: dict[str, Any] = {
        "event_id": "019b7711-9680-7000-8005-000000000005",
        "app": "demo",
        "received_us": AT_US,
        "at_us": AT_US,
        "active_us": AT_US - 40 * DAY_US,
        "ids": [GAID],
        "touch_id": None,
        "device": Device(os="Android", os_version="13", model="Pixel 8", manufacturer="Google", locale="en_US"),
        "ip": "203.0.113.7",
        "test": False,
    }
    return conversion_of_return(**values | changes)


def test_its_device_is_that_of_the_install_but_for_the_version_of_the_system() -> None:
    one = a_return()
    assert (one.os, one.os_version, one.model, one.maker, one.language) == ("android", "", "Pixel 8", "Google", "en-us")
    assert (one.kind, one.network) == ("re-engagement", parse_address("203.0.113.7"))
    assert a_return(ip=None).network is None


@pytest.mark.parametrize("said", [None, "", "c-1", "019b76da"])
def test_what_is_no_touch_id_names_no_touch(said: str | None) -> None:
    assert a_return(touch_id=said).touch_ids == frozenset()


@pytest.mark.parametrize("method", ["identifier", "referrer", "fingerprint"])
def test_a_click_brings_a_user_back_by_every_method(method: Any) -> None:
    one = touch(method)
    decision = decide(a_return(touch_id=one.touch_id.upper()), [one], RULES.of_clicks)
    assert (decision.method, decision.winner) == (method, one)


def test_a_touch_before_the_last_activity_brought_nobody_back() -> None:
    one = a_return(active_us=AT_US - 3 * DAY_US)
    before, after = touch(age_us=3 * DAY_US + 1), touch(age_us=3 * DAY_US, number=2)
    assert [judged.reason for judged in decide(one, [before], RULES).judged] == ["before_activity"]
    assert decide(one, [before, after], RULES).winner is after
    assert decide(one, [touch(age_us=8 * DAY_US)], RULES).judged[0].reason == "outside_window"
    assert "before_activity" in SENTENCES


def test_no_view_brings_anybody_back() -> None:
    named = of_clicks(Named("app-3", PRESETS["appmetrica"]))
    assert named.name == "app-3"
    view = touch(kind="impression", age_us=HOUR_US)
    assert [one.reason for one in decide(a_return(), [view], named.rules).judged] == ["method_off"]


def test_verdicts_that_compare_with_installs_say_nothing_about_a_return() -> None:
    at_once = touch(age_us=SECOND_US)
    assert set(verdicts(install(), at_once, Facts(), RULES)) == {"injection"}
    assert verdicts(a_return(), at_once, Facts(), RULES) == {}
    bot = touch(age_us=MINUTE_US, flags=["bot"])
    assert set(verdicts(a_return(), bot, Facts(), RULES)) == {"bot"}


def test_the_devices_installs_do_not_take_a_return_away() -> None:
    assert decide(a_return(test=True), [touch()], RULES, Facts(test=True)).test
