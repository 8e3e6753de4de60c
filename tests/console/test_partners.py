import pytest

from tests.console.conftest import Console


def test_a_partner_is_created_changed_listed_and_deleted(console: Console) -> None:
    assert "No partners yet" in console.run("partner", "list").stdout
    made = console.facts("partner", "create", "adnet", "--parameter", "click_id={clickid}", "--sending", '{"rate": 5}')
    assert (made["title"], made["parameters"], made["sending"]) == ("adnet", {"click_id": "{clickid}"}, {"rate": 5})
    changed = console.facts(
        "partner", "set", "adnet", "--title", "Ad network", "--sending", '{"secret": "s3cret-of-16-characters"}'
    )
    assert (changed["title"], changed["sending"]) == ("Ad network", {"secret": "…"})
    assert "s3cret-" not in console.run("partner", "show", "adnet").stdout
    assert console.facts("partner", "show", "adnet") == changed
    console.run("campaign", "create", "spring", "--partner", "adnet")
    assert "has campaigns, 1 of them" in console.refusal("partner", "delete", "adnet", code=1)
    console.run("campaign", "delete", "spring")
    assert console.facts("partner", "delete", "adnet")["deleted_at"] is not None
    assert console.facts("partner", "list") == []
    assert "partner 'adnet' does not exist" in console.refusal(
        "campaign", "create", "autumn", "--partner", "adnet", code=1
    )


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["create", "x", "--parameter", "click_id"], 2, "parameter 'click_id' is not OURS=MACRO"),
        (["create", "x", "--sending", "[1]"], 2, "sending '[1]' is no JSON object"),
        (["show", "none"], 1, "partner 'none' does not exist; `touchline partner list`"),
        (["set", "none"], 2, "nothing to change"),
    ],
)
def test_a_refusal_is_one_sentence(console: Console, arguments: list[str], code: int, said: str) -> None:
    assert console.refusal("partner", *arguments, code=code).startswith(f"touchline partner {arguments[0]}: {said}")
