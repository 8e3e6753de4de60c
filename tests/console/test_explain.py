from typing import Any

import pytest

from console.explanation import duration
from schemas.reasons import SENTENCES
from tests.console.conftest import Console

TOUCH = "01890000-0000-7000-8000-000000000001"


def candidate(**changes: Any) -> dict[str, Any]:
    return {
        "touch_id": TOUCH,
        "method": "identifier",
        "touch_kind": "click",
        "link": "77",
        "click_id": "c-1",
        "age_seconds": 12,
        "verdict": "won",
        "reason": "latest_of_method",
    } | changes


def test_a_decision_explains_itself(console: Console) -> None:
    loser = candidate(touch_id=TOUCH[:-1] + "2", age_seconds=7500, verdict="lost", reason="earlier_than_winner")
    console.add_decision(console.add_install("i-1"), touch=TOUCH, candidates=[candidate(), loser])
    facts = console.facts("explain", "i-1")
    assert facts["decision"] == {
        "method": "identifier",
        "touch_id": TOUCH,
        "link": "77",
        "click_id": "c-1",
        "touch_kind": "click",
        "confidence": 1.0,
    }
    assert facts["candidates"][0] == candidate(sentence=SENTENCES["latest_of_method"])
    assert facts["candidates"][1] == {**loser, "sentence": SENTENCES["earlier_than_winner"]}
    assert (facts["install_id"], facts["app"], facts["rules"], facts["decisions"]) == ("i-1", "shop", "default-1", 1)
    page = console.run("explain", "i-1").stdout
    assert page.startswith(
        "Attributed to click c-1 of link 77 (campaign spring, partner adnet) by identifier, 12 s before the install.\n"
    )
    assert "2 h 5 min" in page
    assert SENTENCES["earlier_than_winner"] in page


def test_the_last_decision_counts(console: Console) -> None:
    install = console.add_install("i-1", decided=False)
    console.add_decision(install, touch=None, candidates=[])
    console.add_decision(install, number=2, touch=TOUCH, candidates=[candidate()])
    facts = console.facts("explain", "i-1")
    assert (facts["decision"]["method"], facts["decisions"]) == ("identifier", 2)
    assert "decided again soon" in console.run("explain", "i-1").stdout


def test_organic_is_said_in_words(console: Console) -> None:
    console.add_decision(console.add_install("none"), touch=None, candidates=[])
    lost = candidate(verdict="lost", reason="outside_window", age_seconds=8 * 86_400)
    console.add_decision(console.add_install("old"), touch=None, candidates=[lost])
    assert console.facts("explain", "none")["decision"] == {
        "method": "organic", "touch_id": None, "link": None, "click_id": None, "touch_kind": None, "confidence": None
    }  # fmt: skip
    assert console.run("explain", "none").stdout.startswith("Organic: no click or impression of this device was found")
    page = console.run("explain", "old").stdout
    assert page.startswith("Organic: one touch was found and does not count")
    assert "8 d" in page
    assert SENTENCES["outside_window"] in page


def test_an_install_that_waits_has_no_decision_yet(console: Console) -> None:
    console.add_install("i-1", decided=False)
    facts = console.facts("explain", "i-1")
    assert (facts["decision"], facts["candidates"], facts["decisions"]) == (None, [], 0)
    assert console.run("explain", "i-1").stdout.startswith("Not decided yet: it waits until every touch")


def test_an_unknown_install_may_not_have_been_read_yet(console: Console) -> None:
    said = console.refusal("explain", "i-1", "--json", code=1)
    assert said.startswith("touchline explain: install_id 'i-1' is not stored: it may not have been read yet")


def test_a_byte_that_is_no_utf8_is_a_wrong_argument(console: Console) -> None:
    said = console.refusal("explain", "\udcff", code=1)
    assert said.startswith("touchline explain: An argument is nothing that Postgres could hold: ")


def test_one_install_id_in_several_apps_needs_the_app(console: Console) -> None:
    for app in ("shop", "game"):
        console.add_install("i-1", app=app)
    said = console.refusal("explain", "i-1", code=1)
    assert said.endswith("stands in several apps (game, shop): say which with --app.")
    assert console.facts("explain", "i-1", "--app", "game")["app"] == "game"
    assert "for app 'other'" in console.refusal("explain", "i-1", "--app", "other", code=1)


def test_a_senders_control_characters_do_not_reach_the_terminal(console: Console) -> None:
    evil = candidate(click_id="\x1b[2Jgone")
    console.add_decision(console.add_install("i-1"), touch=TOUCH, candidates=[evil])
    page = console.run("explain", "i-1").stdout
    assert "\x1b" not in page
    assert r"\x1b[2Jgone" in page


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "59 min 59 s"),
        (3605, "1 h"),
        (90_000, "1 d 1 h"),
        (86_460, "1 d"),
    ],
)
def test_ages_are_said_in_their_two_largest_units(seconds: int, words: str) -> None:
    assert duration(seconds) == words


def test_a_preinstalled_app_is_said_to_be_one(console: Console) -> None:
    install = console.add_install("i-1")
    console.sql(
        "INSERT INTO decisions (install, number, method, link, campaign, partner, confidence, candidates, rules)"
        " VALUES ($1, 1, 'preinstall', '77', 'c', 'maker', 1, '[]', 'default-1')",
        install,
    )
    assert console.facts("explain", "i-1")["sentence"] == (
        "Pre-installed: the app came to the device by link 77 (campaign c, partner maker),"
        " which wins over clicks and views."
    )
