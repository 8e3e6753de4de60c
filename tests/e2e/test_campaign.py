"""A campaign from its partner to the money, as a new user has it: the shell, the API, HTTP, and a partner's server."""

import json
import re
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from tests.support.product import Product, eventually

PHONE = (
    "Mozilla/5.0 (Linux; Android 13; SM-G991B) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/125.0.0.0 Mobile Safari/537.36"
)
GAID = "7b6c9a1e-0f1d-4c55-8f6e-3f6d2b1a9c04"
CLICK = "click & 1/é"


class PartnersServer:
    """Takes postbacks."""

    def __init__(self) -> None:
        self.received: list[tuple[str, dict[str, list[str]], str, bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                asked = parse_qs(parts.query, keep_blank_values=True)
                outer.received.append((parts.path, asked, self.headers["Idempotency-Key"], body))
                self.send_response(200)
                self.end_headers()

            do_POST = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def at(self, path: str) -> list[tuple[dict[str, list[str]], str, bytes]]:
        return [(asked, key, body) for its, asked, key, body in self.received if its == path]

    def end(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def partner() -> Iterator[PartnersServer]:
    server = PartnersServer()
    yield server
    server.end()


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    product = Product(tmp_path_factory.mktemp("campaign"), TOUCHLINE_POSTBACK_TARGETS="127.0.0.1")
    try:
        product.start()
        yield product
    finally:
        product.stop()


def ask(product: Product, token: str, path: str, body: object = None) -> Any:
    """The management API's answer."""
    port = product.environment["TOUCHLINE_CONSOLE_PORT"]
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v1{path}",
        None if body is None else json.dumps(body).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def admin_token(product: Product) -> str:
    """As it was printed when the tables were made."""
    found = re.search(r"tl_[A-Za-z0-9_-]+", product.output())
    assert found is not None, product.output()
    return found[0]


MACROS = (
    "click={click_id}&id={google_aid}&how={match_type}&sub={site_id}&unknown={no_such_thing}"
    "&price={price}&currency={currency}&event={conversion_event_name}"
)


def set_up(product: Product, token: str, partner: PartnersServer) -> tuple[str, str]:
    """Everything that a new user makes, by the shell and by the API; gives the app's server key and the address for the
    partner's form, with the partner's macros in it."""
    app = product.facts("app", "create", "shop", "--title", "Shop")
    own = (
        "click_id={cid}",
        "google_aid=[GAID]",
        "device_ip={ip}",
        "device_ua={ua}",
        "click_timestamp={ts}",
        "site_id={s}",
    )
    product.facts("partner", "create", "adnet", *(word for one in own for word in ("--parameter", one)))
    ask(product, token, "/campaigns", {"id": "spring", "partner": "adnet", "traffic": "in_app"})
    for asked in (
        {"model": "cpi", "price": "1.234567", "currency": "USD"},
        {"model": "cpa", "event": "payment", "price": "0.10", "currency": "USD"},
        {"model": "cpc", "price": "0.000001", "currency": "USD"},
        {"model": "share", "percent": "12.5"},
    ):
        ask(product, token, "/tariffs", {"campaign": "spring", "starts_on": "2020-01-01", **asked})
    link = product.facts(
        "link", "create", "--app", "shop", "--campaign", "spring", "--fallback-url", "https://shop.example/"
    )
    for event in ("install", "payment"):
        words = ("--app", "shop", "--partner", "adnet", "--event", event, "--url", f"{partner.url}/{event}?{MACROS}")
        product.facts("postback-template", "create", *words)
    body = '{"click": "{click_id}", "sum": {price}}'
    template = {"app": "shop", "event": "payment", "mode": "all", "method": "POST", "url": f"{partner.url}/own"}
    ask(product, token, "/postback-templates", template | {"body": body})
    key = next(one["key"] for one in app["keys"] if one["kind"] == "server")
    return key, next(one["click"] for one in link["partner_urls"] if "{cid}" in one["click"])


def click_install_and_pay(product: Product, key: str, address: str) -> None:
    """As the partner's ad server, the phone and the shop do."""
    now = int(time.time())
    values = {
        "{cid}": CLICK,
        "[GAID]": GAID,
        "{ip}": "81.2.69.142",
        "{ua}": PHONE,
        "{ts}": str(now - 60),
        "{s}": "front page",
    }
    for macro, value in values.items():
        address = address.replace(macro, quote(value, safe=""))
    path = "/" + address.split("/", 3)[3] + "&noredirect=1"
    eventually(lambda: product.get(path)[0] == 204)
    device = {"os": "Android", "os_version": "13", "model": "SM-G991B"}
    install = {
        "install_id": "i-1",
        "installed_at": now,
        "ids": {"google_aid": GAID},
        "device": device,
        "ip": "81.2.69.142",
    }
    assert product.post("/v1/installs", install, key)[0] == 202
    payment = {"event_id": "order-1", "install_id": "i-1", "name": "payment", "occurred_at": now}
    paid = payment | {"revenue": {"amount": "4.990001", "currency": "EUR"}}
    assert product.post("/v1/events", paid, key)[0] == 202


def test_from_partner_to_postback_and_money(product: Product, partner: PartnersServer) -> None:
    token = admin_token(product)
    key, address = set_up(product, token, partner)
    click_install_and_pay(product, key, address)

    told = {"click": [CLICK], "id": [GAID], "how": ["identifier"], "sub": ["front page"], "unknown": [""]}
    asked = eventually(lambda: partner.at("/install"), what=product.output)[0][0]
    assert asked == told | {"price": [""], "currency": [""], "event": ["install"]}
    asked = eventually(lambda: partner.at("/payment"), what=product.output)[0][0]
    assert asked == told | {"price": ["4.990001"], "currency": ["EUR"], "event": ["payment"]}
    own = eventually(lambda: partner.at("/own"), what=product.output)[0][2]
    assert json.loads(own) == {"click": CLICK, "sum": 4.990001}
    sent = eventually(lambda: _sent(product, token), what=product.output)
    assert sorted(one["key"] for one in sent) == sorted(key for _, _, key, _ in partner.received)

    # 1.234567 for the install, 0.10 for the payment, 0.000001 for the click; an eighth of the revenue
    cost = {"USD": "1.334568", "EUR": "0.62375"}
    money = eventually(lambda: (found := _money(product))["cost"] == cost and found, what=product.output)
    assert (money["revenue"], money["clicks"], money["installs"]) == ({"EUR": "4.990001"}, 1, 1)
    by_api = ask(product, token, "/campaigns/spring/money")
    assert {name: by_api[name] for name in money} == money


def _sent(product: Product, token: str) -> list[dict[str, Any]] | None:
    """All three, once each is sent."""
    found: list[dict[str, Any]] = ask(product, token, "/postbacks?app=shop")["items"]
    return found if [one["state"] for one in found] == ["sent"] * 3 else None


def _money(product: Product) -> dict[str, Any]:
    found: dict[str, Any] = product.facts("campaign", "show", "spring")["money"]
    return found
