"""`link show` says which address goes where in ads that SKAdNetwork attributes."""

import pytest

from schemas.sql import load
from tests.console.conftest import Console

STORE = "https://apps.apple.com/app/id123456789"


@pytest.fixture
def shop(console: Console) -> Console:
    console.sql("""INSERT INTO apps (id, title, stores) VALUES ('shop', 'Shop', '{"app_store": "123456789"}')""")
    console.sql("INSERT INTO partners (id, title) VALUES ('adnet', 'Adnet')")
    console.sql("INSERT INTO campaigns (id, title, partner) VALUES ('spring', '', 'adnet'), ('autumn', '', 'adnet')")
    return console


def count_spring(console: Console) -> None:
    """By SKAdNetwork."""
    console.sql(
        "INSERT INTO skan_sources (app, kind, source, campaign) VALUES ('shop', 'campaign_id', '45', 'spring'),"
        " ('shop', 'source_identifier', '43', 'spring')"
    )


def test_the_addresses_of_a_link_stand_in_their_places(shop: Console) -> None:
    made = shop.facts("link", "create", "7", "--app", "shop", "--campaign", "spring", "--kind", "tracking")
    their = made["partner_urls"][0]["click"].partition("?")[2].removesuffix("&noredirect")
    assert "{" in their
    assert made["skan"] == {
        "landing": STORE,
        "click_tracking": f"https://go.example/c/7.gif?{their}",
        "view_tracking": f"https://go.example/i/7.gif?{their}",
    }
    page = shop.run("link", "show", "7").stdout
    _, _, places = page.partition("SKAdNetwork: where which address goes\n")
    assert all(f"    {address}\n" in places for address in made["skan"].values())
    assert [name in places for name in ("<ClickThrough>", "<ClickTracking>", "<Impression>")] == [True] * 3


def test_a_link_to_no_app_of_the_store_has_none(shop: Console) -> None:
    shop.sql("UPDATE apps SET stores = '{}'")
    assert shop.facts("link", "create", "7", "--app", "shop")["skan"] is None
    assert "SKAdNetwork" not in shop.run("link", "show", "7").stdout


def test_a_redirect_link_is_warned_of_once_its_campaign_counts(shop: Console) -> None:
    create = ("--app", "shop", "--fallback-url", "https://shop.example/")
    shop.run("link", "create", "7", *create, "--campaign", "spring")
    shop.run("link", "create", "8", *create, "--campaign", "spring", "--kind", "tracking")
    shop.run("link", "create", "9", *create, "--campaign", "autumn")
    shop.run("link", "create", "10", *create)
    assert [one["remarks"] for one in shop.facts("link", "list")] == [[]] * 4
    count_spring(shop)
    said = {one["id"]: one["remarks"] for one in shop.facts("link", "list")}
    assert {link for link, remarks in said.items() if remarks} == {"7"}
    assert "skan.click_tracking" in said["7"][0]
    assert "Note: SKAdNetwork counts for the campaign 'spring'" in shop.run("link", "show", "7").stdout
    shop.sql("UPDATE skan_sources SET deleted_at = now()")
    assert shop.facts("link", "show", "7")["remarks"] == []


def test_a_page_of_links_looks_up_the_sources_by_their_campaign(shop: Console) -> None:
    shop.sql(
        "INSERT INTO links (id, app, campaign, created_at) SELECT i::text, 'shop', 'autumn', now() - i * interval '1 s'"
        " FROM generate_series(1, 20000) i"
    )
    shop.sql(
        "INSERT INTO skan_sources (app, network, kind, source, campaign) SELECT 'shop', n || '.skadnetwork',"
        " 'source_identifier', s::text, 'spring' FROM generate_series(1, 10) n, generate_series(1000, 3000) s"
    )
    shop.sql("ANALYZE")
    statement = load("manage")["links"]
    for number, value in enumerate(("NULL", "NULL", "false", "NULL", "NULL", "NULL", "NULL", "101"), 1):
        statement = statement.replace(f"${number}", value)
    plan = [row[0] for row in shop.sql(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {statement}")]
    assert any("links_created_at" in line for line in plan), plan
    assert any("skan_sources_campaign" in line for line in plan), plan
    assert not any("Seq Scan on skan_sources" in line for line in plan), plan
