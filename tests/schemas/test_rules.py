import json

import pytest

from schemas.errors import ConfigError
from schemas.rules import DEFAULT, HOURS, PRESETS, Rule, check, parse_rules


def test_the_presets_are_the_vendors_documented_defaults() -> None:
    def windows(preset: str) -> list[tuple[str, str, int]]:
        return [(rule.method, rule.touch_kind, rule.window_hours) for rule in PRESETS[preset]]

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


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_passes_its_own_check(preset: str) -> None:
    check(PRESETS[preset])


def test_the_default_looks_back_a_week_at_most() -> None:
    assert DEFAULT.window_ms_max == 7 * 24 * 3_600_000


@pytest.mark.parametrize("method", HOURS)
def test_the_ends_of_each_range_are_allowed(method: str) -> None:
    low, high = HOURS[method]  # type: ignore[index]
    for hours in (low, high):
        rules = [{"method": method, "touch_kind": "click", "window_hours": hours}]
        assert parse_rules(json.dumps(rules)) == (Rule(method, "click", hours),)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ([], "the rules are empty"),
        ({}, "Expected `array`, got `object`"),
        ([{"method": "identifier", "touch_kind": "click", "window_hours": 23}], r"rules\[0\].window_hours is 23"),
        ([{"method": "referrer", "touch_kind": "click", "window_hours": 721}], "referrer takes 24 to 720 hours"),
        ([{"method": "fingerprint", "touch_kind": "click", "window_hours": 0}], "fingerprint takes 1 to 168 hours"),
        ([{"method": "fingerprint", "touch_kind": "click", "window_hours": 169}], "fingerprint takes 1 to 168 hours"),
        ([{"method": "guess", "touch_kind": "click", "window_hours": 24}], r"Invalid enum value 'guess'.*\.method"),
        ([{"method": "identifier", "touch_kind": "tap", "window_hours": 24}], r"Invalid enum value 'tap'.*touch_kind"),
        ([{"method": "identifier", "touch_kind": "click"}], "missing required field `window_hours`"),
        ([{"method": "identifier", "touch_kind": "click", "window_hours": 24, "x": 1}], "unknown field `x`"),
        ([{"method": "referrer", "touch_kind": "impression", "window_hours": 24}], r"rules\[0\].touch_kind"),
        ([{"method": "identifier", "touch_kind": "click", "window_hours": 24}] * 2, r"rules\[1\] says identifier"),
    ],
)
def test_what_is_wrong_is_named(rules: object, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_rules(json.dumps(rules))


def test_what_is_no_json_is_named() -> None:
    with pytest.raises(ConfigError, match="the rules are not usable"):
        parse_rules("[{")
