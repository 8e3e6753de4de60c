import json

import msgspec
import pytest

from schemas.errors import ConfigError
from schemas.rules import (
    DEFAULT,
    HOURS,
    PRESETS,
    LinkWindow,
    Rule,
    RuleSet,
    check,
    check_link_windows,
    link_windows_us,
    name_of,
    parse_rules,
    stored_rules,
)
from schemas.validity import VERDICTS


def test_the_presets_are_the_vendors_documented_defaults() -> None:
    def windows(preset: str) -> list[tuple[str, str, int]]:
        return [(rule.method, rule.touch_kind, rule.window_hours) for rule in PRESETS[preset].rules]

    assert windows("touchline") == [
        ("identifier", "click", 168),
        ("referrer", "click", 168),
        ("fingerprint", "click", 24),
        ("identifier", "impression", 24),
    ]
    assert windows("appmetrica") == [
        ("identifier", "click", 240),
        ("referrer", "click", 240),
        ("fingerprint", "click", 24),
        ("identifier", "impression", 24),
        ("fingerprint", "impression", 24),
    ]
    assert windows("mytracker")[:2] == [("referrer", "click", 240), ("identifier", "click", 240)]
    assert windows("adjust") == [
        ("identifier", "click", 168),
        ("referrer", "click", 168),
        ("fingerprint", "click", 6),
        ("identifier", "impression", 24),
    ]


def test_a_user_is_away_for_as_long_as_the_vendors_say() -> None:
    days = {name: preset.reengagement_days for name, preset in PRESETS.items()}
    assert days == {"touchline": 30, "appmetrica": 30, "mytracker": 30, "adjust": 7}


def test_nobody_returns_because_of_a_view() -> None:
    rules = PRESETS["appmetrica"]
    assert rules.of_clicks.rules == tuple(rule for rule in rules.rules if rule.touch_kind == "click")
    assert rules.of_clicks.reengagement_days == rules.reengagement_days


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_passes_its_own_check(preset: str) -> None:
    check(PRESETS[preset])


def test_the_default_looks_back_a_week_at_most() -> None:
    assert DEFAULT.rules.window_ms_max == 7 * 24 * 3_600_000


@pytest.mark.parametrize("method", HOURS)
def test_the_ends_of_each_range_are_allowed(method: str) -> None:
    low, high = HOURS[method]  # type: ignore[index]
    for hours in (low, high):
        rules = [{"method": method, "touch_kind": "click", "window_hours": hours}]
        assert parse_rules(json.dumps({"rules": rules})).rules == (Rule(method, "click", hours),)  # type: ignore[arg-type]


CLICKS = {"method": "identifier", "touch_kind": "click", "window_hours": 24}


def test_what_a_file_does_not_say_is_the_default() -> None:
    rules = parse_rules(json.dumps({"rules": [CLICKS]}))
    default = DEFAULT.rules
    assert (rules.confidence_min, rules.reattribution_days) == (default.confidence_min, default.reattribution_days)
    assert {verdict: rules.mode(verdict) for verdict in VERDICTS} == VERDICTS


def test_a_file_may_say_everything_else_and_survives_being_stored() -> None:
    said = {"rules": [CLICKS], "confidence_min": 0.9, "validity": {"bot": "off"}, "reattribution_days": 0}
    rules = parse_rules(json.dumps(said))
    assert (rules.confidence_min, rules.mode("bot"), rules.mode("prefetch")) == (0.9, "off", "reject")
    assert rules.reattribution_days == 0
    assert stored_rules(msgspec.json.encode(rules)) == rules
    assert name_of("com.example-shop", 3) == "com.example-shop-3"


def test_the_ends_of_the_other_ranges_are_allowed() -> None:
    for confidence, days in ((0, 0), (1, 3650)):
        check(
            RuleSet(
                rules=DEFAULT.rules.rules,
                confidence_min=confidence,
                reattribution_days=days,
                reengagement_days=days,
            )
        )


def test_what_was_stored_by_earlier_ranges_is_still_read() -> None:
    rule = Rule("identifier", "click", 1)
    assert stored_rules(msgspec.json.encode(RuleSet(rules=(rule,)))).rules == (rule,)


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ([], "the rules are empty"),
        ({}, "Expected `array`, got `object`"),
        ([{**CLICKS, "window_hours": 23}], r"rules\[0\].window_hours is 23"),
        ([{**CLICKS, "method": "referrer", "window_hours": 721}], "referrer takes 24 to 720 hours"),
        ([{**CLICKS, "method": "fingerprint", "window_hours": 0}], "fingerprint takes 1 to 168 hours"),
        ([{**CLICKS, "method": "fingerprint", "window_hours": 169}], "fingerprint takes 1 to 168 hours"),
        ([{**CLICKS, "method": "guess"}], r"Invalid enum value 'guess'.*\.method"),
        ([{**CLICKS, "touch_kind": "tap"}], r"Invalid enum value 'tap'.*touch_kind"),
        ([{"method": "identifier", "touch_kind": "click"}], "missing required field `window_hours`"),
        ([{**CLICKS, "x": 1}], "unknown field `x`"),
        ([{**CLICKS, "method": "referrer", "touch_kind": "impression"}], r"rules\[0\].touch_kind"),
        ([CLICKS] * 2, r"rules\[1\] says identifier"),
    ],
)
def test_what_is_wrong_with_a_rule_is_named(rules: object, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_rules(json.dumps({"rules": rules}))


@pytest.mark.parametrize(
    ("windows", "said"),
    [
        ([LinkWindow("identifier", "click", 23)], r"windows\[0\].hours is 23; identifier takes 24 to 720 hours"),
        ([LinkWindow("fingerprint", "click", 169)], r"windows\[0\].hours is 169; fingerprint takes 1 to 168 hours"),
        ([LinkWindow("referrer", "impression", 24)], r"windows\[0\].touch is impression"),
        ([LinkWindow("identifier", "click", 24)] * 2, r"windows\[1\] says identifier by click a second time"),
    ],
)
def test_what_is_wrong_with_a_links_window_is_named(windows: list[LinkWindow], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        check_link_windows(windows)


def test_a_links_windows_have_the_ranges_of_rules() -> None:
    windows = [LinkWindow("identifier", "click", 720), LinkWindow("identifier", "impression", 24)]
    check_link_windows(windows)
    assert link_windows_us(windows) == {
        ("identifier", "click"): 720 * 3_600_000_000,
        ("identifier", "impression"): 24 * 3_600_000_000,
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"confidence_min": -0.01}, "confidence_min is -0.01; it takes 0 to 1"),
        ({"confidence_min": 1.01}, "confidence_min is 1.01"),
        ({"confidence_min": "high"}, r"Expected `float`, got `str` - at `\$.confidence_min`"),
        ({"reattribution_days": -1}, "reattribution_days is -1; it takes 0 to 3650"),
        ({"reattribution_days": 3651}, "reattribution_days is 3651"),
        ({"reengagement_days": -1}, "reengagement_days is -1; it takes 0 to 3650"),
        ({"reengagement_days": 3651}, "reengagement_days is 3651"),
        ({"reengagement_days": "never"}, r"Expected `int`, got `str` - at `\$.reengagement_days`"),
        ({"validity": {"flood": "tag"}}, "Invalid enum value 'flood'"),
        ({"validity": {"flooding": "drop"}}, "Invalid enum value 'drop'"),
        ({"windows": 1}, "unknown field `windows`"),
    ],
)
def test_what_is_wrong_beside_the_rules_is_named(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_rules(json.dumps({"rules": [CLICKS], **changes}))


def test_a_list_of_rules_alone_is_no_longer_enough() -> None:
    with pytest.raises(ConfigError, match="Expected `object`, got `array`"):
        parse_rules(json.dumps([CLICKS]))


def test_what_is_no_json_is_named() -> None:
    with pytest.raises(ConfigError, match="the rules are not usable"):
        parse_rules("[{")
