"""docs/skan.md says of bids and links what the code does."""

import json
import re
from pathlib import Path
from typing import get_args

import msgspec

from console.manage.skan_bids import SkanBid
from console.manage.skan_uses import WHERE, SkanUses
from console.skan_bids.answering import IMPS_MAX, answer
from console.skan_bids.making import Wanted
from console.skan_bids.reasons import INVALID, Fault, Nothing, Unanswered
from tests.console.skan_bids.support import tools

PAGE = (Path(__file__).parents[2] / "docs" / "skan.md").read_text()
BIDS = PAGE.partition("## Bids")[2].partition("\n## ")[0]
LINKS = PAGE.partition("## Tracking links")[2].partition("\n## ")[0]


def rows(part: str, title: str) -> list[list[str]]:
    """The cells under this head."""
    table = part.split(f"| {title} |", 1)[1].split("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_every_field_stands_there() -> None:
    named = [re.findall(r"`(\w+)`", row[0])[0] for row in rows(BIDS, "field | holds")]
    assert named == list(SkanBid.__struct_fields__)
    assert f"at most {IMPS_MAX} impressions" in BIDS


def test_every_reason_stands_there_with_what_an_exchange_makes_of_it() -> None:
    told = {
        code: row[1]
        for row in rows(BIDS, "reason | `loss_reason` | why")
        for code in re.findall(r"`(\w+)`", row[0])
    }  # fmt: skip
    assert told == dict.fromkeys(get_args(Nothing), "") | dict.fromkeys(get_args(Fault), str(INVALID))
    assert all(f"`{code}`" in BIDS for code in get_args(Unanswered))


def test_the_example_is_answered_as_it_says() -> None:
    asked, told = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", BIDS, re.DOTALL))
    body = msgspec.convert(asked, SkanBid)
    wanted = Wanted(campaign_id=body.campaign_id, source_identifier=body.source_identifier, items=("123456789",))
    made = json.loads(msgspec.json.encode(answer(body.request, None, {}, wanted, tools())))
    for one in made["imps"][0]["skadn"]["fidelities"]:
        one |= {"nonce": "…", "signature": "…"}
    assert made == told


def test_every_address_of_a_link_has_its_place() -> None:
    told = {row[0].strip("`"): row[1] for row in rows(LINKS, "`skan` of a link | in VAST | in HTML")}
    assert list(told) == list(SkanUses.__struct_fields__) == list(WHERE)
    for name, where in WHERE.items():
        assert re.findall(r"<\w+>", told[name]) == re.findall(r"<\w+>", where)
