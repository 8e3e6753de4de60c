import pytest

from tests.console.conftest import Console


@pytest.fixture
def shop(console: Console) -> Console:
    console.sql("INSERT INTO apps (id, title) VALUES ('shop', 'Shop')")
    console.sql("INSERT INTO partners (id, title) VALUES ('adnet', 'Ad network')")
    return console


def test_a_campaign_is_created_changed_listed_and_deleted(shop: Console) -> None:
    made = shop.facts("campaign", "create", "spring", "--partner", "adnet", "--traffic", "network", "--cost", "both")
    assert (made["kind"], made["traffic"], made["partner"], made["cost"]) == ("ad", "network", "adnet", "both")
    changed = shop.facts("campaign", "set", "spring", "--title", "Spring sale", "--partner", "")
    assert (changed["title"], changed["partner"]) == ("Spring sale", None)
    shop.run("link", "create", "7", "--app", "shop", "--campaign", "spring")
    assert [one["links"] for one in shop.facts("campaign", "list")] == [1]
    page = shop.run("campaign", "show", "spring").stdout
    assert "Spring sale" in page
    assert "has links, 1 of them" in shop.refusal("campaign", "delete", "spring", code=1)
    shop.run("link", "delete", "7")
    assert shop.facts("campaign", "delete", "spring")["deleted_at"] is not None
    assert "No campaigns yet" in shop.run("campaign", "list").stdout
    assert [one["id"] for one in shop.facts("campaign", "list", "--deleted")] == ["spring"]
    actions = shop.sql("SELECT action FROM audit WHERE kind = 'campaign' AND actor LIKE 'shell%' ORDER BY id")
    assert actions == [("create",), ("change",), ("delete",)]


def test_a_preinstall_link_makes_its_campaign_of_that_kind(shop: Console) -> None:
    made = shop.facts("link", "create", "--app", "shop", "--kind", "preinstall", "--campaign", "phones")
    assert (made["kind"], made["urls"]) == ("preinstall", {})
    assert shop.facts("campaign", "show", "phones")["kind"] == "preinstall"
    said = shop.refusal("link", "create", "--app", "shop", "--campaign", "phones", code=1)
    assert "campaign 'phones' is of kind preinstall: its links are preinstall, not redirect" in said


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["create", "x", "--partner", "none"], 1, "partner 'none' does not exist; `touchline partner list`"),
        (["create", "x", "--kind", "none"], 2, "Invalid value for '--kind'"),
        (["create", "\x07"], 2, r"id '\x07' is not 1 to 200 printable"),
        (["show", "none"], 1, "campaign 'none' does not exist; `touchline campaign list`"),
        (["set", "none", "--title", "x"], 1, "campaign 'none' does not exist"),
        (["set", "none"], 2, "nothing to change"),
    ],
)
def test_a_refusal_is_one_sentence(shop: Console, arguments: list[str], code: int, said: str) -> None:
    assert shop.refusal("campaign", *arguments, code=code).startswith(f"touchline campaign {arguments[0]}: {said}")
