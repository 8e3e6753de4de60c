"""docs/attribution.md says what the code does: methods, presets, verdicts, modes, reasons, bounds."""

import re
from pathlib import Path
from typing import get_args

import pytest

from consumers.attribution.candidates import PER_KEY_FIRST, PER_KEY_MAX
from consumers.attribution.decide import LISTED_MAX
from schemas.identifiers import LIMITS
from schemas.reasons import SENTENCES
from schemas.rules import DECIDED, DEFAULT, HOURS, PRESETS, Method, RuleSet, parse_rules
from schemas.validity import (
    DELAYS_FIRST_HOUR_MIN,
    DELAYS_INSTALLS_MIN,
    DUPLICATE_DAYS,
    FLOODING_ALONE_CLICKS_MIN,
    FLOODING_CLICKS_MIN,
    FLOODING_EXPECTED_MIN,
    FLOODING_RATE_MAX,
    FLOODING_SHARE,
    INJECTION_S,
    REPEAT_S,
    VERDICTS,
    Mode,
    Verdict,
)

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "attribution.md").read_text()
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("|")]


def row(name: str) -> list[str]:
    """The table row that begins with this name."""
    (found,) = (cells for cells in ROWS if cells[0] == f"`{name}`")
    return found


def thousands(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def test_it_is_short_enough_to_be_read_and_the_readme_leads_to_it() -> None:
    assert len(PAGE.splitlines()) <= 150
    assert "(docs/attribution.md)" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("verdict", VERDICTS)
def test_every_verdict_stands_there_with_its_mode(verdict: Verdict) -> None:
    assert row(verdict)[1] == VERDICTS[verdict]


@pytest.mark.parametrize(
    "name", [*SENTENCES, *DECIDED, *get_args(Mode), *PRESETS, *sorted(LIMITS), *RuleSet.__struct_fields__]
)
def test_every_name_stands_there(name: str) -> None:
    assert re.search(rf'`{name}(=1)?`|"{name}"', PAGE)


def test_no_verdict_and_no_preset_stands_there_that_does_not_exist() -> None:
    told = {cells[0].strip("`") for cells in ROWS if cells[0].startswith("`")}
    told = {name for names in told for name in re.findall(r"\w+", names)}
    assert told == {*SENTENCES, *PRESETS, *get_args(Method)}


@pytest.mark.parametrize("method", HOURS)
def test_every_methods_range_stands_there(method: Method) -> None:
    low, high = HOURS[method]
    assert row(method)[2] == f"{low} to {high} hours"


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_stands_there_rule_by_rule(preset: str) -> None:
    told = [
        f"{'' if rule.touch_kind == 'click' else 'views by '}{rule.method} {rule.window_hours} h"
        for rule in PRESETS[preset].rules
    ]
    assert row(preset)[1] == ", ".join(told)


def test_the_bounds_are_those_of_the_code() -> None:
    assert f"latest {PER_KEY_FIRST} touches" in PAGE
    assert f"up to {thousands(PER_KEY_MAX)} when" in PAGE
    assert f"lists {LISTED_MAX} candidates" in PAGE
    assert f"`confidence_min` ({DEFAULT.rules.confidence_min}" in PAGE
    assert f"({DEFAULT.rules.reattribution_days}) have passed" in PAGE
    assert f"at most {DUPLICATE_DAYS} days before" in row("duplicate")[2]
    assert f"within the {REPEAT_S} seconds before" in row("repeat")[2]
    assert f"less than {INJECTION_S} seconds before" in row("injection")[2]
    flooding, delays = row("flooding")[2], row("delays")[2]
    assert f"{FLOODING_CLICKS_MIN} clicks or more and less than {FLOODING_SHARE:.0%}".replace("%", " %") in flooding
    assert f"({FLOODING_EXPECTED_MIN} or more)" in flooding
    assert f"{thousands(FLOODING_ALONE_CLICKS_MIN)} clicks in the week and at most one install for" in flooding
    assert f"for {thousands(round(1 / FLOODING_RATE_MAX))} of them" in flooding
    share = f"{DELAYS_FIRST_HOUR_MIN:.0%}".replace("%", " %")
    assert f"of {DELAYS_INSTALLS_MIN} or more installs of its link on that day less than {share}" in delays


def test_the_rules_file_is_one() -> None:
    (text,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    rules = parse_rules(text)
    assert [rule.method for rule in rules.rules] == ["referrer", "identifier", "identifier"]
    assert (rules.mode("data_centre"), rules.mode("repeat")) == ("reject", "off")
