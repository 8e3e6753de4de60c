"""docs/partners.md says what the product does: the profiles, their calls, and a profile that can be copied."""

import re
from pathlib import Path
from typing import get_args

from console.profile_rules import faults
from console.profiles import Call, Postback, Profile, Style, parse_profile, shipped

PAGE = (Path(__file__).parents[2] / "docs" / "partners.md").read_text()
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("|")]


def test_every_profile_is_in_the_table_with_its_sources() -> None:
    shown = {cells[0]: cells[1:] for cells in ROWS if len(cells) == 6 and cells[0].startswith("`")}
    assert shown == {
        f"`{one.name}`": [
            one.title,
            one.kind,
            one.call or "–",
            ", ".join(postback.event for postback in one.postbacks) or "–",
            ", ".join(f"[{place}]({source.url})" for place, source in enumerate(one.sources, 1)),
        ]
        for one in shipped().values()
    }


def test_the_way_each_call_goes_is_told() -> None:
    assert {cells[0] for cells in ROWS if len(cells) == 4} == {f"`{call}`" for call in get_args(Call)} | {
        "calls by",
        "---",
    }


def test_every_style_is_named() -> None:
    assert [style for style in get_args(Style) if f"`{style}`" not in PAGE] == []


def test_the_profile_to_copy_is_a_good_one() -> None:
    (text,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert faults(parse_profile(text.encode())) == []


def test_every_field_is_told() -> None:
    told = " ".join(" ".join(cells) for cells in ROWS if len(cells) == 2)
    fields = [*Profile.__struct_fields__, *Postback.__struct_fields__]
    assert [name for name in fields if f"`{name}`" not in told] == []
