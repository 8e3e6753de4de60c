"""docs/skan.md: the schema in it is one, its sources lead where it says, and its figures are those of the report."""

import re
from pathlib import Path

import msgspec

from console.manage.skan_figures import DIMENSIONS, SkanRow
from schemas.skan.sources import Entry, resolve
from schemas.skan.values import ConversionValues, check, meaning

PAGE = (Path(__file__).parents[2] / "docs" / "skan.md").read_text().partition("## What postbacks mean")[2]


def test_the_schema_is_one() -> None:
    (text,) = re.findall(r"```json\n(\{\n  \"currency\".*?)```", PAGE, re.DOTALL)
    schema = msgspec.json.decode(text, type=ConversionValues)
    check(schema)
    assert all(meaning(schema, 0, value, None) for value in range(64))
    assert meaning(schema, 1, None, "high") != meaning(schema, 2, None, "high")


def test_the_sources_lead_where_it_says() -> None:
    entries = [
        Entry("source_identifier", digits, None, campaign)
        for campaign, digits in re.findall(r"--campaign (\w+) --source-identifier (\d+)", PAGE)
    ]
    assert len(entries) == 2
    told = {digits: resolve("source_identifier", digits, "", entries).campaign for digits in ("5239", "39", "40")}
    assert told == {"5239": "spring", "39": "spring", "40": "fall"}


def test_every_figure_and_dimension_is_explained() -> None:
    rows = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    first = SkanRow.__struct_fields__.index("postbacks")
    assert sorted(named) == sorted(SkanRow.__struct_fields__[first:])
    assert all(f"`{name}`" in PAGE for name in DIMENSIONS)
