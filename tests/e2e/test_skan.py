"""Apple's postbacks through the running product: HTTP in, verdicts in Postgres, `skan show` for people."""

import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from benchmarks.apple import SETTING, kit_postback, payload, postback, text
from tests.support import skan_vectors
from tests.support.product import Product, eventually

PATHS = {
    "skadnetwork": "/.well-known/skadnetwork/report-attribution/",
    "adattributionkit": "/.well-known/appattribution/report-attribution/",
}


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    keys = f"{SETTING},{skan_vectors.setting()}"
    product = Product(tmp_path_factory.mktemp("skan"), TOUCHLINE_SKAN_KEYS=keys)
    product.start()
    yield product
    product.stop()


def send(product: Product, body: Mapping[str, Any] | bytes, framework: str = "skadnetwork") -> int:
    raw = body if isinstance(body, bytes) else text(body)
    headers = {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(product.url + PATHS[framework], raw, headers)) as answer:
        return int(answer.status)


def stored(product: Product, count: int) -> list[str]:
    """The verdicts in order of receipt, once so many are there."""
    eventually(lambda: product.sql("SELECT count(*) FROM skan_postbacks")[0]["count"] >= count)
    return [row["verdict"] for row in product.sql("SELECT verdict FROM skan_postbacks ORDER BY id")]


def test_nine_retries_while_the_consumer_dies_count_once_and_are_shown(product: Product) -> None:
    body = postback()
    for n in range(9):
        if n in (2, 5):
            product.kill("consume skan")
        assert send(product, body) == 200
    changed = {**body, "conversion-value": 63}
    assert send(product, changed) == 200
    assert send(product, {**body, "app-id": 1}) == 200
    assert stored(product, 11) == ["valid"] + ["duplicate"] * 8 + ["changed", "invalid"]

    found = product.facts("skan", "show", body["transaction-id"].upper())["postbacks"]
    assert [one["verdict"] for one in found] == ["valid"] + ["duplicate"] * 8 + ["changed", "invalid"]
    assert [one["body"] for one in found] == [body] * 9 + [changed, {**body, "app-id": 1}]
    assert {one["version"] for one in found} == {"4.0"}
    assert all(one["received_at"] > "2026" and one["reason"] for one in found)
    assert "does not verify" in found[-1]["reason"]
    page = product.touchline("skan", "show", body["transaction-id"])
    assert "duplicate" in page and "changed" in page and body["transaction-id"] in page

    eventually(lambda: product.facts("verify", code=None)["balanced"])
    [account] = product.facts("verify")["frameworks"]
    assert (account["framework"], account["received"], account["stored"]) == ("skadnetwork", 11, 11)


def test_an_adattributionkit_postback_is_shown_by_its_own_id(product: Product) -> None:
    said = payload()
    assert send(product, kit_postback(said), "adattributionkit") == 200

    def shown() -> Any:
        return product.sql("SELECT FROM skan_postbacks WHERE transaction = $1", said["postback-identifier"].lower())

    eventually(shown)
    [found] = product.facts("skan", "show", said["postback-identifier"])["postbacks"]
    assert (found["verdict"], found["version"], found["framework"]) == ("valid", None, "adattributionkit")


@pytest.mark.data
def test_the_third_party_vectors_each_on_empty_tables(product: Product) -> None:
    for one in skan_vectors.file()["vectors"]:
        product.sql("TRUNCATE skan_postbacks")
        assert send(product, one["postback"], one["framework"]) == 200
        assert stored(product, 1) == ["valid" if one["expect_valid"] else "invalid"], one["id"]
