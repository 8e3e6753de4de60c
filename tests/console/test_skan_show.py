"""`touchline skan show`: of ids that never came, and of bodies that are no JSON."""

from tests.console.conftest import Console

ROW = """
INSERT INTO skan_postbacks (id, framework, transaction, verdict, reason, hash, body)
VALUES ('019b7748-8500-7000-8006-000000000006', 'skadnetwork', $1, 'invalid', 'x', '', $2)
"""


def test_an_id_that_never_came_is_said(console: Console) -> None:
    assert "'no-such-id' does not exist" in console.refusal("skan", "show", "no-such-id", code=1)


def test_a_body_that_is_no_json_is_shown_as_text(console: Console) -> None:
    for body, shown in (
        (b"\xff{", "\ufffd{"),
        (b'{"n":1e999}', '{"n":1e999}'),
        (b"[" * 300 + b"]" * 300, "[" * 300 + "]" * 300),
        (b'{"a":[1,"\\u00e9"]}', {"a": [1, "é"]}),
    ):
        console.sql("DELETE FROM skan_postbacks")
        console.sql(ROW, "some-id", body)
        [found] = console.facts("skan", "show", "Some-ID")["postbacks"]
        assert found["body"] == shown
        assert console.run("skan", "show", "some-id").stdout
