"""What partners were told, seen and repeated from the shell."""

from typing import Any

import pytest

from tests.console.conftest import Console

PUT = """
INSERT INTO postbacks (app, partner, event, key, method, url, state, due_at, attempts, first_at)
VALUES ($1, $2, $3, $4, 'GET', 'https://partner.example/pb?c=1', $5,
        now() - interval '2 days', 1, now() - interval '2 days')
RETURNING id
"""
ATTEMPT = """
INSERT INTO postback_attempts (postback, number, at, status, latency_ms, answer, error)
VALUES ($1, 1, now(), $2, 12, $3, $4)
"""


@pytest.fixture
def ids(console: Console) -> dict[str, int]:
    console.sql("INSERT INTO partners (id, title) VALUES ('p', 'P')")
    found = {}
    for app, partner, state in (
        ("shop", "p", "sent"),
        ("shop", None, "dead"),
        ("game", "p", "superseded"),
        ("game", None, "waiting"),
    ):
        ((found[state],),) = console.sql(PUT, app, partner, "install", f"key {state}", state)
    console.sql(ATTEMPT, found["sent"], 200, b"noted \x1b[31m\xff", None)
    console.sql(ATTEMPT, found["dead"], None, b"", "No answer within 5 s.")
    return found


def listed(console: Console, *arguments: str) -> list[Any]:
    return [one["state"] for one in console.facts("postback", "list", *arguments)]


def test_postbacks_are_listed_the_latest_first(console: Console, ids: dict[str, int]) -> None:
    assert listed(console) == ["waiting", "superseded", "dead", "sent"]
    assert listed(console, "--app", "shop") == ["dead", "sent"]
    assert listed(console, "--partner", "p") == ["superseded", "sent"]
    assert listed(console, "--partner", "p", "--state", "sent") == ["sent"]
    assert listed(console, "--limit", "1") == ["waiting"]
    assert listed(console, "--before", str(ids["dead"])) == ["sent"]
    shown = console.run("postback", "list").stdout
    assert "https://partner.example/pb?c=1" in shown and "superseded" in shown
    assert "no such postbacks" in console.run("postback", "list", "--app", "none").stdout
    assert "--state 'gone'" in console.refusal("postback", "list", "--state", "gone", code=2)


def test_one_is_shown_with_its_attempts(console: Console, ids: dict[str, int]) -> None:
    sent = console.facts("postback", "show", str(ids["sent"]))
    assert (sent["key"], sent["partner"], sent["tries"][0]["status"]) == ("key sent", "p", 200)
    page = console.run("postback", "show", str(ids["sent"])).stdout
    assert "noted" in page and "\x1b" not in page
    assert "No answer within 5 s." in console.run("postback", "show", str(ids["dead"])).stdout
    assert "'999' does not exist" in console.refusal("postback", "show", "999", code=1)


def test_one_is_sent_once_more(console: Console, ids: dict[str, int]) -> None:
    for state in ("dead", "sent", "waiting"):
        again = console.facts("postback", "resend", str(ids[state]))
        assert (again["state"], again["key"], again["first_at"]) == ("waiting", f"key {state}", None)
    due = console.sql("SELECT bool_and(due_at > now() - interval '1 minute') FROM postbacks WHERE state = 'waiting'")
    assert due == [(True,)]
    noted = console.sql(
        "SELECT action, kind, subject, before, after FROM audit WHERE kind = 'postback' ORDER BY id LIMIT 1"
    )
    assert noted == [("resend", "postback", str(ids["dead"]), '{"state": "dead"}', '{"state": "waiting"}')]


def test_what_does_not_hold_or_is_being_sent_is_not_sent_again(console: Console, ids: dict[str, int]) -> None:
    assert "superseded" in console.refusal("postback", "resend", str(ids["superseded"]), code=1)
    console.sql("UPDATE postbacks SET leased_until = now() + interval '10 seconds' WHERE id = $1", ids["waiting"])
    assert "just now" in console.refusal("postback", "resend", str(ids["waiting"]), code=1)
    assert console.sql("SELECT count(*) FROM audit WHERE kind = 'postback'") == [(0,)]
