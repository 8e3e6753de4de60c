"""A website's way from a click to its visit, and a child's click that leaves no trace, over HTTP, SQL and files."""

import json
import re
import time
from collections.abc import Iterator

import pytest

from tests.support.product import Product, eventually, query

GAID = "9d7c5a52-1c7e-4a55-9a51-6f0a1f1d2e77"
DEVICE = "203.0.113.77"
ORIGIN = "https://shop.example"
PERSON = {"Accept": "text/html", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0"}


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    product = Product(tmp_path_factory.mktemp("product"))
    try:
        product.start()
        yield product
    finally:
        product.stop()


def all_is_stored(product: Product) -> dict[str, object]:
    facts: dict[str, object] = eventually(
        lambda: (found := product.facts("verify", code=None)) and found["unread_batches"] == 0 and found
    )
    return facts


def test_a_click_a_visit_and_a_payment_of_a_website(product: Product) -> None:
    made = product.facts("app", "create", "shop", "--kind", "web", "--origin", ORIGIN)
    web_key = next(key["key"] for key in made["keys"] if key["kind"] == "web")
    product.facts("link", "create", "w1", "--app", "shop", "--target", "web=https://shop.example/p?a=1#top")
    landing = eventually(
        lambda: (answer := product.get("/c/w1?click_id=7", PERSON))[0] == 302 and answer[1]["Location"]
    )
    found = re.fullmatch(r"https://shop\.example/p\?a=1&touchline_id=([0-9a-f-]{36})#top", landing)
    assert found
    visit = {"visitor_id": "p-1", "url": landing, "touchline_id": found[1], "visit_id": "v-1"}
    event = {"name": "payment", "occurred_at": time.time(), "ids": {"visitor_id": "p-1"}}
    for path, body in (("/v1/visits", visit), ("/v1/visits", visit), ("/v1/events", event)):
        status, _, said = product.post(path, body, key=web_key)
        assert (status, json.loads(said)["reason"]) == (403, "origin_not_allowed")
        status, headers, said = product.post_from(ORIGIN, path, body, key=web_key)
        assert status == 202, said
        assert headers["Access-Control-Allow-Origin"] == ORIGIN
    assert all_is_stored(product)["balanced"]
    assert [tuple(row) for row in product.sql("SELECT visitor_id, touch::text, link FROM visits")] == [
        ("p-1", found[1], None)
    ]
    assert len(product.sql("SELECT FROM touches WHERE id = $1::text::uuid AND app = 'shop'", found[1])) == 1
    assert len(product.sql("SELECT FROM events WHERE app = 'shop' AND ids->>'visitor_id' = 'p-1'")) == 1
    assert len(product.sql("SELECT FROM rejects WHERE reason = 'duplicate' AND detail = 'visit_id'")) == 1


def test_a_childs_click_leaves_neither_identifier_nor_address_on_the_disk(product: Product) -> None:
    product.facts("app", "create", "kids", "--coppa")
    product.facts("link", "create", "k1", "--app", "kids", "--fallback-url", "https://kids.example/")
    ping: dict[str, str | int] = {
        "google_aid": GAID,
        "sub1": GAID,
        "device_ip": DEVICE,
        "device_ua": "x",
        "click_timestamp": int(time.time()),
    }
    eventually(lambda: product.get(f"/c/k1?{query(**ping)}&noredirect")[0] == 204)
    assert product.get(f"/c/k1?{query(**ping | {'click_timestamp': 'now'})}&noredirect")[0] == 400
    assert all_is_stored(product)["balanced"]
    (row,) = product.sql("SELECT ip::text, query, flags FROM touches WHERE app = 'kids'")
    assert (row["ip"], row["flags"]) == ("203.0.113.0/24", ["coppa", "non_public"])
    # the journals, the snapshot of the links, Postgres with its WAL, and what was printed
    for path in product.folder.rglob("*"):
        if path.is_file():
            written = path.read_bytes()
            assert GAID.encode() not in written, path
            assert DEVICE.encode() not in written, path
