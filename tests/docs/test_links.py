"""docs/links.md and the code agree: targets, sub ids, columns, and the signature that a reader makes by it."""

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import msgspec

from console.links_csv import COLUMNS, ROWS_MAX, parse
from schemas.links import LinkKind, Protection, Store, Stores
from schemas.protection import SECRET_CHARS, check, is_signed
from schemas.sub_ids import SUB_IDS, UTM
from tests.docs.document import DOCUMENT, reasons

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "links.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def names(title: str) -> list[str]:
    """The first cells of the table under this head."""
    table = PAGE.split(f"| {title} |", 1)[1].split("\n\n")[0]
    return re.findall(r"^\| ((?:`\w+`(?:, | … )?)+)(?: …)? \|", table, re.MULTILINE)


def test_the_readme_leads_to_it() -> None:
    assert "(docs/links.md)" in (ROOT / "README.md").read_text()


def test_every_target_and_kind_stands_there() -> None:
    assert sorted(names("target | for")) == sorted(f"`{store}`" for store in get_args(Store))
    assert names("kind | is for") == [f"`{kind}`" for kind in get_args(LinkKind)]


def test_the_sub_ids_and_what_fills_them_stand_there() -> None:
    rows = re.findall(r"^\| `(utm_\w+)` \| `(mt_\w+)` \|$", PAGE, re.MULTILINE)
    assert dict(rows) == UTM
    assert set(re.findall(r"\{(mt_\w+)\}", PAGE)) == set(SUB_IDS) - {"mt_sub2", "mt_sub3", "mt_sub4"}


def test_the_stores_and_the_protection_are_what_the_edge_reads() -> None:
    stores, protection = blocks("json")
    assert msgspec.json.decode(stores, type=Stores).hosts == ("go.shop.example",)
    assert set(msgspec.json.decode(stores)) <= set(Stores.__struct_fields__)
    check(msgspec.json.decode(protection, type=Protection))
    assert f"{SECRET_CHARS[0]} to {SECRET_CHARS[1]} printable" in PAGE


def test_a_reader_signs_as_the_edge_does() -> None:
    (program,) = blocks("python")
    (told,) = blocks("text")
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    ).stdout
    assert said == told
    query = said.strip().partition("?")[2]
    assert is_signed(("an-example-secret-of-32-letters!",), "click", "1019409635088005254", query)


def test_the_reasons_are_those_of_the_document() -> None:
    assert sorted(names("reason | why")) == sorted(
        f"`{one}`" for one in reasons(DOCUMENT["components"]["responses"]["UnprovenPing"])
    )


def test_the_columns_are_those_of_the_file() -> None:
    told = {name for cell in names("column | holds") for name in re.findall(r"\w+", cell)}
    assert told <= set(COLUMNS)
    assert set(COLUMNS[:10]) <= told
    assert f"{ROWS_MAX:,}".replace(",", " ") in PAGE
    (window,) = re.findall(r"`(identifier click \d+; .*?)`", PAGE)
    assert parse(f"app,windows\nshop,{window}\n")[1] == []
