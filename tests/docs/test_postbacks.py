"""docs/postbacks.md says what the code does: macros, events, modes, bounds."""

import re
from pathlib import Path
from typing import get_args

import pytest

from console.manage.templates import Mode
from consumers.postbacks.planning import TELL_DAYS
from schemas.macro_values import PREFIXES, SUB_IDS, known_macros
from schemas.macros import NUMBER_CHARS_MAX, URL_VALUE_CHARS_MAX
from schemas.templates import CONVERSION_EVENTS, NO_PAYMENT_NAMES, PAYMENT, PAYMENT_NAMES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "postbacks.md").read_text()


def test_it_is_short_enough_to_be_read_and_the_readme_leads_to_it() -> None:
    assert len(PAGE.splitlines()) <= 150
    assert "(docs/postbacks.md)" in (ROOT / "README.md").read_text()


def test_the_table_has_every_macro_once_and_no_other() -> None:
    table = PAGE.split("## Macros")[1].split("## Encoding")[0]
    rows = [line.strip("|").split("|")[1] for line in table.splitlines() if line.startswith("| ")][1:]
    named = re.findall(r"`(\w+)`", " ".join(rows))
    utm = [name for name in SUB_IDS.values() if name is not None]
    assert sorted(named) == sorted([*known_macros(), *utm])


@pytest.mark.parametrize(
    "name", [*CONVERSION_EVENTS, PAYMENT, *PAYMENT_NAMES, *NO_PAYMENT_NAMES, *get_args(Mode), *PREFIXES]
)
def test_every_name_stands_there(name: str) -> None:
    assert re.search(rf"`\{{?{name}", PAGE)


def test_the_bounds_stand_there() -> None:
    assert f"than {URL_VALUE_CHARS_MAX} characters" in PAGE
    assert f"{NUMBER_CHARS_MAX} characters" in PAGE
    assert f"more than {TELL_DAYS} days ago" in PAGE
