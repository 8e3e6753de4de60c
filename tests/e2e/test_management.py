"""A change through the management API reaches the running edge; the token for it is what the first start printed."""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.product import Product, eventually

PERSON = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"}


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    running = Product(tmp_path / "touchline")
    running.start()
    yield running
    running.stop()


def ask(product: Product, token: str, method: str, path: str, body: object = None) -> tuple[int, Any]:
    address = f"http://127.0.0.1:{product.environment['TOUCHLINE_CONSOLE_PORT']}/api/v1{path}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"Authorization": f"Bearer {token}"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_a_change_through_the_api_reaches_the_edge(product: Product) -> None:
    tokens = re.findall(r"^tl_[0-9a-f]{10}_[\w-]{43}$", product.output(), re.MULTILINE)
    assert len(tokens) == 1
    token = tokens[0]
    status, _ = ask(product, token, "POST", "/apps", {"id": "shop"})
    assert status == 201
    status, link = ask(
        product, token, "POST", "/links",
        {"app": "shop", "targets": [{"store": "web", "url": "https://shop.example/one"}]},
    )  # fmt: skip
    assert status == 201

    def landing() -> str | None:
        return product.get(f"/c/{link['id']}", PERSON)[1].get("Location")

    eventually(lambda: (landing() or "").startswith("https://shop.example/one"))
    changed = {"targets": [{"store": "web", "url": "https://shop.example/two"}]}
    assert ask(product, token, "PATCH", f"/links/{link['id']}", changed)[0] == 200
    eventually(lambda: (landing() or "").startswith("https://shop.example/two"), seconds=5)
    assert product.facts("link", "show", link["id"]) == ask(product, token, "GET", f"/links/{link['id']}")[1]
    product.crash()
    product.start()
    assert product.output().count("printed this once") == 1
    assert ask(product, token, "GET", "/links")[0] == 200
