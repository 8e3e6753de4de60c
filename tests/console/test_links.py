import json

import pytest

from schemas.sql import load
from tests.console.conftest import Console

PLAY = "https://play.google.com/store/apps/details?id=com.example.shop"


@pytest.fixture
def shop(console: Console) -> Console:
    console.sql("INSERT INTO apps (id, title) VALUES ('shop', 'Shop')")
    return console


def as_the_edge_reads_it(console: Console, link: str) -> dict[str, object]:
    rows = console.sql(load("links")["changes"], 0, 1000)
    links = [json.loads(body) for kind, _, body in rows if kind == "link"]
    found: dict[str, object] = next(one for one in links if one["id"] == link)
    return found


def test_a_link_is_created_with_all_it_may_have(shop: Console) -> None:
    made = shop.facts(
        "link", "create", "12345678901234567890", "--app", "shop", "--title", "Spring", "--campaign", "spring",
        "--partner", "adnet", "--target", f"google_play={PLAY}&c={{click_id}}", "--target", "web=https://shop.example/",
        "--deep-link", "google_play=shop://open?c={click_id}", "--fallback-url", "https://shop.example/else",
    )  # fmt: skip
    assert as_the_edge_reads_it(shop, "12345678901234567890") == {
        "id": "12345678901234567890",
        "app": "shop",
        "kind": "redirect",
        "targets": [
            {"store": "google_play", "url": f"{PLAY}&c={{click_id}}", "deep_link": "shop://open?c={click_id}"},
            {"store": "web", "url": "https://shop.example/"},
        ],
        "fallback_url": "https://shop.example/else",
        "paused": False,
        "partner": "adnet",
    }
    assert (made["campaign"], made["partner"], made["title"]) == ("spring", "adnet", "Spring")
    assert shop.sql("SELECT id, partner FROM campaigns") == [("spring", "adnet")]
    assert made["remarks"] == []
    assert shop.facts("link", "show", "12345678901234567890") == made


def test_the_addresses_are_ready_to_copy(shop: Console) -> None:
    made = shop.facts("link", "create", "7abc", "--app", "shop")
    assert made["urls"]["serve"] == "https://go.example/serve/7abc"
    assert made["urls"]["click"] == "https://go.example/c/7abc"
    assert made["urls"]["impression"] == "https://go.example/i/7abc"
    for macro in ("device_ip={device_ip}", "device_ua={device_ua}", "click_timestamp={click_timestamp}", "noredirect"):
        assert macro in made["urls"]["s2s_click"]
    page = shop.run("link", "show", "7abc").stdout
    assert all(f"  {url}\n" in page for url in made["urls"].values())


def test_without_an_id_one_is_made_up(shop: Console) -> None:
    made = [shop.facts("link", "create", "--app", "shop")["id"] for _ in range(2)]
    assert made[0] != made[1]
    assert all(len(one) == 19 and one.isdigit() and one[0] != "0" for one in made)


def test_remarks_say_what_a_person_may_not_expect(shop: Console) -> None:
    fallback = "give --fallback-url"
    without = shop.facts("link", "create", "--app", "shop", "--target", f"google_play={PLAY}")["remarks"]
    assert [fallback in one for one in without] == [True]
    shop.sql("UPDATE apps SET fallback_url = 'https://shop.example/'")
    assert shop.facts("link", "create", "--app", "shop", "--target", f"google_play={PLAY}")["remarks"] == []
    other = shop.facts("link", "create", "--app", "shop", "--target", "google_play=https://shop.example/get")["remarks"]
    assert ["no install referrer" in one for one in other] == [True]
    here = shop.run("link", "create", "--app", "shop", TOUCHLINE_PUBLIC_URL="").stdout
    assert "this machine only" in here
    assert "http://localhost:8080/serve/" in here


def test_a_campaign_keeps_its_partner(shop: Console) -> None:
    create = ("link", "create", "--app", "shop", "--campaign", "spring")
    shop.run(*create, "--partner", "adnet")
    assert shop.facts(*create)["partner"] == "adnet"
    said = shop.refusal(*create, "--partner", "other", code=1)
    assert said.endswith("partner 'other' does not own the campaign 'spring': partner 'adnet' does.")
    assert shop.sql("SELECT id FROM partners") == [("adnet",)]


def test_a_link_is_paused_resumed_and_deleted(shop: Console) -> None:
    shop.run("link", "create", "7", "--app", "shop")
    for command, state, paused in (("pause", "paused", True), ("resume", "active", False), ("delete", "deleted", True)):
        assert shop.facts("link", command, "7")["state"] == state
        assert as_the_edge_reads_it(shop, "7")["paused"] is paused
    assert shop.facts("link", "show", "7")["state"] == "deleted"
    assert "link '7' is deleted" in shop.refusal("link", "resume", "7", code=1)


def test_links_are_listed_the_newest_first(shop: Console) -> None:
    shop.sql("INSERT INTO apps (id, title) VALUES ('game', 'Game')")
    for link, app in (("1", "shop"), ("2", "game"), ("3", "shop")):
        shop.sql("INSERT INTO links (id, app) VALUES ($1, $2)", link, app)
    shop.run("link", "delete", "1")
    assert [link["id"] for link in shop.facts("link", "list")] == ["3", "2"]
    assert [link["id"] for link in shop.facts("link", "list", "--deleted", "--app", "shop")] == ["3", "1"]
    assert [link["id"] for link in shop.facts("link", "list", "--limit", "1")] == ["3"]
    assert "… and more" in shop.run("link", "list", "--limit", "1").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["create", "7", "--app", "shop"], 1, "link create: id '7' is taken: `touchline link show 7`"),
        (["create", "a/b", "--app", "shop"], 2, "link create: id 'a/b' is no link id"),
        (["create", "--app", "game"], 1, "link create: app 'game' does not exist"),
        (["create"], 2, "link create: Missing option '--app'"),
        (
            ["create", "--app", "shop", "--target", "foo"],
            2,
            "link create: target 'foo' is not STORE=URL; STORE is one of",
        ),
        (["create", "--app", "shop", "--target", "web=javascript:alert(1)"], 2, "link create: target 'web=javascript:"),
        (
            ["create", "--app", "shop", "--target", "web=https://a.example", "--target", "web=https://b.example"],
            2,
            "link create: target 'web=https://b.example' names web a second time",
        ),
        (["create", "--app", "shop", "--deep-link", "web=shop://x"], 2, "link create: deep-link 'web=shop://x' has no"),
        (["create", "--app", "shop", "--fallback-url", "shop://x"], 2, "link create: fallback-url 'shop://x' does not"),
        (["create", "--app", "shop", "--partner", "adnet"], 2, "link create: partner 'adnet' needs a --campaign"),
        (["create", "--app", "shop", "--campaign", "\x07"], 2, r"link create: campaign '\x07' is not 1 to"),
        (["show", "8"], 1, "link show: link '8' does not exist"),
        (["pause", "8"], 1, "link pause: link '8' does not exist"),
        (["delete", "8"], 1, "link delete: link '8' does not exist"),
    ],
)
def test_a_refusal_is_one_sentence_that_names_the_argument(
    shop: Console, arguments: list[str], code: int, said: str
) -> None:
    shop.sql("INSERT INTO links (id, app) VALUES ('7', 'shop')")
    assert shop.refusal("link", *arguments, code=code).startswith(f"touchline {said}")
    assert shop.sql("SELECT count(*) FROM links") == [(1,)]


def test_a_websites_link_leads_everybody_to_one_page(console: Console) -> None:
    console.run("app", "create", "site", "--kind", "web", "--origin", "https://shop.example")
    made = console.facts(
        "link", "create", "w1", "--app", "site", "--target", "web=https://shop.example/p?a={click_id}#x"
    )
    assert made["remarks"] == []
    assert as_the_edge_reads_it(console, "w1")["targets"] == [
        {"store": "web", "url": "https://shop.example/p?a={click_id}#x"}
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--target", f"google_play={PLAY}"], "target google_play is a store's"),
        (["--target", "web=http://shop.example/"], "does not start with https://"),
        (["--target", "web=https://shop.example/", "--deep-link", "web=shop://x"], "deep-link opens an app"),
    ],
)
def test_a_websites_link_has_no_store(console: Console, arguments: list[str], said: str) -> None:
    console.run("app", "create", "site", "--kind", "web", "--origin", "https://shop.example")
    assert said in console.refusal("link", "create", "--app", "site", *arguments, code=2)
