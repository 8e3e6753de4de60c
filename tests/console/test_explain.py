import json
import re
from typing import Any

import pytest

from console.explanation import WOULD_HAVE_WON
from console.remarks import duration, said
from schemas.reasons import SENTENCES
from schemas.validity import VERDICTS
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
    rest: dict[str, Any] = {"confidence": None, "tags": [], "figures": {}, "remarks": []}
    assert facts["candidates"][0] == candidate(sentence=SENTENCES["latest_of_method"], **rest)
    assert facts["candidates"][1] == {**loser, "sentence": SENTENCES["earlier_than_winner"], **rest}
    assert (facts["more"], facts["tags"], facts["earlier"]) == ({}, [], None)
    assert (facts["replayed"], facts["too_late"], facts["decided_again_soon"]) == (False, False, False)
    assert (facts["install_id"], facts["app"], facts["rules"], facts["decisions"]) == ("i-1", "shop", "default-1", 1)
    page = console.run("explain", "i-1").stdout
    assert page.startswith(
        "Attributed to click c-1 of link 77 (campaign spring, partner adnet) by identifier, 12 s before the install.\n"
    )
    assert "2 h 5 min" in page
    assert SENTENCES["earlier_than_winner"] in page


def test_the_last_decision_counts(console: Console) -> None:
    install = console.add_install("i-1")
    console.add_decision(install, touch=None, candidates=[])
    console.sql("INSERT INTO marks (conversion) VALUES ($1)", install)
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
    owner: dict[str, Any] = {
        "method": "preinstall",
        "link": "77",
        "campaign": "c",
        "partner": "maker",
        "confidence": 1.0,
    }
    console.add_decision(console.add_install("i-1"), touch=None, candidates=[], **owner)
    assert console.facts("explain", "i-1")["sentence"] == (
        "Pre-installed: the app came to the device by link 77 (campaign c, partner maker),"
        " which wins over clicks and views."
    )


# Verdicts


@pytest.mark.parametrize(
    ("tag", "figures", "sentence"),
    [
        ("flooding", {"clicks": 12_000, "installs": 0}, "Its link floods: 12 000 clicks on that day, 0 installs."),
        ("flooding", {"clicks": 950, "installs": 1}, "Its link floods: 950 clicks on that day, 1 install."),
        (
            "delays",
            {"installs": 40, "within_hour": 2},
            "Of its link's 40 installs on that day 2 came within an hour.",
        ),
        ("injection", {"seconds": 3}, "It came 3 s before the first start: nobody installs that fast."),
        ("injection", {"seconds_after_begin": 90}, "It came 1 min 30 s after the download had begun."),
        ("duplicate", {"of": TOUCH}, f"Its click id was counted before on the same link, with touch {TOUCH}."),
        (
            "repeat",
            {"of": TOUCH},
            f"The same address and agent had touched the same link seconds before, with touch {TOUCH}.",
        ),
        (
            "other_os",
            {"touch": "ios", "install": "android"},
            "The touch came from ios, the install from android.",
        ),
    ],
)
def test_a_verdict_is_said_with_its_figures(tag: str, figures: dict[str, Any], sentence: str) -> None:
    assert said(tag, figures) == sentence
    assert said(tag, {}) == SENTENCES[tag]


def test_every_verdict_can_be_said() -> None:
    assert all(said(verdict, {}) == SENTENCES[verdict] for verdict in VERDICTS)
    assert said("of a later version", {}) == "of a later version"


def test_a_touch_that_fell_by_a_verdict_says_its_figures_and_a_winner_what_else_is_known_of_it(
    console: Console,
) -> None:
    figures = {"flooding": {"clicks": 12_000, "installs": 0}}
    fell = candidate(verdict="lost", reason="flooding", tags=["flooding"], figures=figures, would_have_won=True)
    winner = candidate(tags=["data_centre", "other_os"], figures={"other_os": {"touch": "ios", "install": "android"}})
    tags = ["data_centre", "other_os"]
    console.add_decision(console.add_install("i-1"), touch=TOUCH, candidates=[winner, fell], tags=tags)
    facts = console.facts("explain", "i-1")
    assert facts["tags"] == tags
    first, second = facts["candidates"]
    assert first["sentence"] == SENTENCES["latest_of_method"]
    assert first["remarks"] == [SENTENCES["data_centre"], "The touch came from ios, the install from android."]
    assert (second["tags"], second["figures"], second["remarks"]) == (["flooding"], figures, [WOULD_HAVE_WON])
    page = console.run("explain", "i-1").stdout
    for sentence in (*first["remarks"], WOULD_HAVE_WON, "Its link floods: 12 000 clicks on that day, 0 installs."):
        assert sentence in page


def test_what_is_only_counted_is_counted_in_words(console: Console) -> None:
    lost = candidate(verdict="lost", reason="outside_window")
    more = {"other_model": 23, "outside_window": 1}
    console.add_decision(console.add_install("i-1"), touch=None, candidates=[lost], more=json.dumps(more))
    assert console.facts("explain", "i-1")["more"] == more
    page = console.run("explain", "i-1").stdout
    assert page.startswith("Organic: 25 touches were found and none counts")
    assert f"… and 23 more: {SENTENCES['other_model']}" in page


# Fingerprints, reinstalls, what came later


def test_a_fingerprint_says_how_sure_it_is(console: Console) -> None:
    winner = candidate(method="fingerprint", confidence=0.83)
    changes: dict[str, Any] = {"method": "fingerprint", "confidence": 0.83}
    console.add_decision(console.add_install("i-1"), touch=TOUCH, candidates=[winner], **changes)
    assert console.facts("explain", "i-1")["candidates"][0]["confidence"] == 0.83
    page = console.run("explain", "i-1").stdout
    assert "by fingerprint, 12 s before the install, with a confidence of 83%.\n" in page
    assert re.search(r"fingerprint +83% +WON", page)


def test_organic_because_no_fingerprint_was_sure_says_how_sure_the_best_was(console: Console) -> None:
    unsure = [
        candidate(method="fingerprint", confidence=confidence, verdict="lost", reason="unsure")
        for confidence in (0.31, 0.42)
    ]
    console.add_decision(console.add_install("i-1"), touch=None, candidates=unsure)
    assert console.facts("explain", "i-1")["sentence"] == (
        "Organic: the best fingerprint is sure by 42% only, which is less than the rules ask for,"
        " so no partner brought this install."
    )


def test_a_reinstall_names_the_install_before_it(console: Console) -> None:
    before = console.add_install("i-0")
    lost = candidate(verdict="lost", reason="reinstalled")
    changes: dict[str, Any] = {"method": "reinstall", "earlier": before}
    console.add_decision(console.add_install("i-1"), touch=None, candidates=[lost], **changes)
    facts = console.facts("explain", "i-1")
    assert (facts["decision"]["method"], facts["earlier"]["install_id"]) == ("reinstall", "i-0")
    page = console.run("explain", "i-1").stdout
    day = facts["earlier"]["received_at"][:10]
    assert page.startswith(
        f"The device had the app before (install i-0 of {day}): a reinstall, its first attribution stands.\n"
    )
    assert SENTENCES["reinstalled"] in page


def test_a_touch_that_came_too_late_is_noted(console: Console) -> None:
    install = console.add_install("i-1")
    console.add_decision(install, touch=None, candidates=[])
    said_late = "A touch came more than seven days after this install and changed nothing."
    assert said_late not in console.run("explain", "i-1").stdout
    console.sql("UPDATE installs SET too_late = true")
    assert console.facts("explain", "i-1")["too_late"]
    assert said_late in console.run("explain", "i-1").stdout


def test_a_decision_made_again_by_replay_says_so(console: Console) -> None:
    console.add_decision(console.add_install("i-1"), touch=None, candidates=[], replayed=True)
    assert console.facts("explain", "i-1")["replayed"]
    assert "by the rules default-1, replayed" in console.run("explain", "i-1").stdout
