"""Every answer that ingest/openapi.json documents, asked for and given by a running edge."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from http.client import HTTPConnection
from itertools import chain
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest

from deploy.demo import KEY, LINK
from ingest.bodies import BODY_BYTES_MAX, ELEMENT_BYTES_MAX, ELEMENTS_MAX
from ingest.skan import POSTBACK_BYTES_MAX
from ingest.skan_web import BODY_BYTES_MAX as TAP_BYTES_MAX
from ingest.stated import S2S_PARAMETERS
from schemas.protection import signed
from schemas.skan.web_ads import source_nonce
from tests.docs.document import DOCUMENT, operations, reasons, resolved, undocumented, validator
from tests.support.product import TOUCHLINE, Product, eventually, free_ports
from tests.support.signing import NETWORK

PHONE = {"User-Agent": "Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/130.0.0.0 Mobile"}
PERSON = {**PHONE, "Accept": "text/html"}
APP = {"Authorization": f"Bearer {KEY}"}
ORIGIN = "https://shop.example"
WEB_KEY = "openapi-web-key"
VISITED = {"Authorization": f"Bearer {WEB_KEY}", "Origin": ORIGIN}
SDK_KEY = "openapi-sdk-key"
SDK = {"Authorization": f"Bearer {SDK_KEY}"}
PAUSED = "paused-1"
SIGNED, SENT = "signed-1", "sent-1"
"""Links of partners whose pings are signed, or come from somewhere else than here."""
SECRET = "openapi-secret-of-a-partner"
OWN_HOST = {"Host": "openapi.example"}
PING = "device_ip=203.0.113.7&device_ua=Mozilla&click_timestamp=1453895044&noredirect"
EVENT = {"name": "level", "occurred_at": 1453895044, "install_id": "openapi-1"}


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class Case(NamedTuple):
    """A request, and the answer of the document that it provokes."""

    path: str
    status: int
    reason: str | None = None
    query: str = ""
    headers: dict[str, str] = {}  # noqa: RUF012
    body: bytes | None = None
    link: str = LINK
    install_id: str = "openapi-1"
    distress: bool = False
    """Asked of an edge that can neither store nor read."""
    asks_first: bool = False
    """A browser's preflight."""

    @property
    def method(self) -> str:
        if self.asks_first:
            return "options"
        return "get" if self.body is None else "post"

    @property
    def target(self) -> str:
        path = self.path.replace("{link}", self.link).replace("{install_id}", self.install_id)
        return f"{path}?{self.query}" if self.query else path


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


def touches(path: str) -> list[Case]:
    ping = dict(one.partition("=")[::2] for one in PING.split("&"))
    wrong = {f"missing_{name}": {**ping, name: ""} for name in S2S_PARAMETERS} | {
        "bad_device_ip": {**ping, "device_ip": "here"},
        "bad_click_timestamp": {**ping, "click_timestamp": "now"},
        "click_timestamp_in_milliseconds": {**ping, "click_timestamp": "1453895044000"},
        "click_timestamp_in_future": {**ping, "click_timestamp": "9999999999"},
    }
    late = signed(SECRET, "impression" if path.startswith("/i/") else "click", SIGNED, f"{PING}&expires=1453895100")
    return [
        Case(path, 403, "bad_signature", PING, link=SIGNED),
        Case(path, 403, "expired", late, link=SIGNED),
        Case(path, 403, "bad_sender", PING, link=SENT),
        Case(path, 200, headers=PERSON, link=PAUSED),
        Case(path, 204, query=PING),
        Case(path, 302, headers=PERSON),
        Case(path, 404, "unknown_link", link="nobody"),
        Case(path, 503, "not_durable", query=PING, distress=True),
        *(Case(path, 400, why, "&".join(f"{k}={v}" for k, v in query.items())) for why, query in wrong.items()),
    ]


def apples(path: str) -> list[Case]:
    """Where Apple's devices report."""
    example = DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["application/json"]["examples"]["one"]["value"]
    return [
        Case(path, 200, body=encoded(example)),
        Case(path, 400, "bad_body", body=b"not compressed", headers={"Content-Encoding": "gzip"}),
        Case(path, 413, "body_too_large", body=b" " * (POSTBACK_BYTES_MAX + 1)),
        Case(path, 503, "not_durable", body=encoded(example), distress=True),
    ]


def posts(path: str) -> list[Case]:
    headers = VISITED if path == "/v1/visits" else APP
    example = DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["application/json"]["examples"]
    cases = [
        Case(path, 202, body=encoded(example["one"]["value"]), headers=headers),
        Case(path, 202, body=encoded(example["array"]["value"]), headers=headers),
        Case(path, 400, "bad_json", body=b"{", headers=headers),
        Case(path, 400, "bad_body", body=b"not compressed", headers={**headers, "Content-Encoding": "gzip"}),
        Case(path, 401, "unknown_key", body=b"{}", headers={"Authorization": "Bearer nobody"}),
        Case(path, 413, "body_too_large", body=b" " * (BODY_BYTES_MAX + 1), headers=headers),
        Case(path, 422, "bad_field", body=b"[{}]", headers=headers),
        Case(path, 422, "element_too_large", body=b'{"a":"%s"}' % (b"a" * ELEMENT_BYTES_MAX), headers=headers),
        Case(path, 422, "too_many_elements", body=encoded([{}] * (ELEMENTS_MAX + 1)), headers=headers),
        Case(path, 503, "not_durable", body=encoded(example["one"]["value"]), headers=headers, distress=True),
    ]
    if path == "/v1/events":
        body = encoded({"name": "level", "occurred_at": 1453895044})
        cases.append(Case(path, 422, "missing_field", body=body, headers=APP))
    else:
        cases.append(Case(path, 403, "wrong_key", body=b"{}", headers=SDK if path == "/v1/visits" else VISITED))
    if path != "/v1/installs":
        elsewhere = {**VISITED, "Origin": "https://elsewhere.example"}
        cases += [
            Case(path, 204, headers={"Origin": ORIGIN}, asks_first=True),
            Case(path, 403, "origin_not_allowed", headers=elsewhere, asks_first=True),
            Case(path, 403, "origin_not_allowed", body=b"{}", headers=elsewhere),
        ]
    return cases


REPORT = "/.well-known/skadnetwork/report-attribution"
TAPPED = "/.well-known/skadnetwork/get-signed-payload"
ISSUED = {name: uuid4() for name in ("here", "elsewhere", "gone")}
"""Nonces of web ads: of ours, of another website, of a network that is not ours any more."""


def tap(nonce: UUID, **changes: object) -> bytes:
    example = DOCUMENT["paths"][TAPPED]["post"]["requestBody"]["content"]["application/json"]["example"]
    return encoded(example | {"source_nonce": source_nonce(nonce)} | changes)


TAPS = [
    Case(TAPPED, 200, body=tap(ISSUED["here"])),
    Case(TAPPED, 400, "bad_field", body=tap(ISSUED["here"], version="3.0")),
    Case(TAPPED, 400, "bad_json", body=b"{"),
    Case(TAPPED, 400, "bad_body", body=b"not compressed", headers={"Content-Encoding": "gzip"}),
    Case(TAPPED, 404, "unknown_nonce", body=tap(uuid4())),
    Case(TAPPED, 404, "other_domain", body=tap(ISSUED["elsewhere"])),
    Case(TAPPED, 404, "no_network_key", body=tap(ISSUED["gone"])),
    Case(TAPPED, 413, "body_too_large", body=b" " * (TAP_BYTES_MAX + 1)),
    Case(TAPPED, 503, "database_away", body=tap(uuid4()), distress=True),
]

OWN = "/v1/installs/{install_id}"
IDS = ("/skadnetworkids.json", "/skadnetworkids.xml")
WELL_KNOWN = (
    "/.well-known/apple-app-site-association",
    "/apple-app-site-association",
    "/.well-known/assetlinks.json",
)
CASES = [
    *chain.from_iterable(touches(path) for path in ("/serve/{link}", "/c/{link}", "/i/{link}")),
    *(Case(path, 200) for path in ("/c/{link}.gif", "/i/{link}.gif")),
    *(Case(path, 404, "unknown_link", link="nobody") for path in ("/c/{link}.gif", "/i/{link}.gif")),
    *chain.from_iterable(posts(path) for path in ("/v1/installs", "/v1/events", "/v1/visits")),
    *chain.from_iterable(apples(path) for path in DOCUMENT["paths"] if path.endswith("/report-attribution")),
    Case(OWN, 200, headers=APP),
    Case(OWN, 202, headers=APP, install_id="openapi-not-sent"),
    Case(OWN, 401, "unknown_key"),
    Case(OWN, 403, "wrong_key", headers=VISITED),
    Case(OWN, 503, "database_away", headers=APP, distress=True),
    *TAPS,
    *(Case(path, 200) for path in IDS),
    Case("/openapi.json", 200),
    Case("/touchline.js", 200),
    *(Case(path, 200, headers=OWN_HOST) for path in WELL_KNOWN),
    *(Case(path, 404, "no_association", headers={"Host": "openapi-none.example"}) for path in WELL_KNOWN),
]


def ask(url: str, method: str, target: str, headers: dict[str, str], body: bytes | None = None) -> Answer:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=15)
    try:
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()


@pytest.fixture(scope="module")
def edge(product: Product) -> str:
    """The address of an edge that is well, with a paused link and a decided install."""
    product.sql("INSERT INTO apps (id, title) VALUES ('openapi', 'An app without a fallback')")
    product.sql(
        "INSERT INTO links (id, app, title, kind, paused) VALUES ($1, 'openapi', 'Paused', 'redirect', true)", PAUSED
    )
    product.sql("INSERT INTO apps (id, title, kind, origins) VALUES ('openapi-web', 'A website', 'web', $1)", [ORIGIN])
    for kind, key in (("sdk", SDK_KEY), ("web", WEB_KEY)):
        digest = sha256(key.encode()).hexdigest()
        product.sql("INSERT INTO app_keys (hash, app, kind) VALUES ($1, 'openapi-web', $2)", digest, kind)
    product.post("/v1/installs", {"install_id": "openapi-1", "installed_at": 1453895044, "device": {"os": "iOS"}})
    stores = {
        "google_play": "com.example.openapi",
        "android_sha256": ["14:6D"],
        "bundle_id": "com.example.openapi",
        "apple_team": "ABCDE12345",
        "hosts": ["openapi.example"],
    }
    product.sql("UPDATE apps SET stores = $1::text::jsonb WHERE id = 'openapi'", encoded(stores).decode())
    for link, protection in ((SIGNED, {"secrets": [SECRET]}), (SENT, {"addresses": ["192.0.2.1"]})):
        text = encoded(protection).decode()
        product.sql("INSERT INTO partners (id, title, protection) VALUES ($1, '', $2::text::jsonb)", link, text)
        product.sql("INSERT INTO campaigns (id, title, partner) VALUES ($1, '', $1)", link)
        product.sql("INSERT INTO links (id, app, campaign) VALUES ($1, 'openapi', $1)", link)
        target = f"/c/{link}?{PING}"
        eventually(partial(_is_refused, product.url, target))
    for name, network, domain in (("here", NETWORK, None), ("elsewhere", NETWORK, "x.example"), ("gone", "a.b", None)):
        product.sql("INSERT INTO skan_web_ads VALUES ($1, $2, 5239, 525463029, $3)", ISSUED[name], network, domain)
    eventually(lambda: product.get(f"/c/{PAUSED}", PERSON)[0] == 200)
    eventually(lambda: product.get("/v1/installs/openapi-1", APP)[0] == 200)
    eventually(lambda: product.get("/v1/installs/openapi-1", VISITED)[0] == 403)
    return product.url


@pytest.fixture(scope="module")
def edge_in_distress(edge: str, product: Product, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An edge whose disk may hold nothing and whose database is away; it knows the links from its snapshot."""
    folder, port = tmp_path_factory.mktemp("distress"), free_ports(240, first=22_000)
    snapshot = product.folder / "data" / "links.snapshot"
    eventually(
        lambda: (
            snapshot.exists()
            and (known := snapshot.read_bytes())
            and LINK.encode() in known
            and b"openapi-web" in known
        )
    )
    shutil.copy(snapshot, folder)
    settings = {
        "TOUCHLINE_DATA": str(folder),
        "TOUCHLINE_DATABASE_URL": f"postgresql://nobody@127.0.0.1:{port + 200}/none",
        "TOUCHLINE_BIND": "127.0.0.1",
        "TOUCHLINE_EDGE_PORT": str(port),
        "TOUCHLINE_METRICS_PORT": str(port + 1),
        "TOUCHLINE_JOURNAL_BYTES_MAX": "1",
    }
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TOUCHLINE_")} | settings
    with (folder / "edge.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, TOUCHLINE, "edge"], env=environment, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        # what is written before the first limit is met is durable: one ping fills the journal
        eventually(lambda: _status(url, f"/c/{LINK}?{PING}") == 503, what=(folder / "edge.log").read_text)
        eventually(lambda: _posted(url) == 503, what=(folder / "edge.log").read_text)
        eventually(lambda: ask(url, "POST", REPORT, {}, b"{}").status == 503, what=(folder / "edge.log").read_text)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0, (folder / "edge.log").read_text()


def _is_refused(url: str, target: str) -> bool:
    return ask(url, "GET", target, {}).status == 403


def _status(url: str, target: str) -> int:
    try:
        return ask(url, "GET", target, {}).status
    except OSError:
        return 0


def _posted(url: str) -> int:
    return ask(url, "POST", "/v1/events", APP, encoded(EVENT)).status


def check(answer: Answer, response: dict[str, Any], reason: str | None, *, head: bool = False) -> None:
    """The answer is the documented one: its headers, its type, its body."""
    assert answer.headers.get("x-touchline-reason") == reason
    for name, header in response.get("headers", {}).items():
        assert name.lower() in answer.headers, f"the header {name} is missing"
        schema = resolved(header)["schema"]
        value: object = answer.headers[name.lower()]
        validator(schema).validate(int(str(value)) if schema["type"] == "integer" else value)
    content = response.get("content", {})
    if not content:
        assert answer.body == b""
        return
    [(content_type, media)] = content.items()
    assert answer.headers["content-type"].partition(";")[0] == content_type
    if head:
        assert answer.body == b""
    elif content_type.endswith("json"):
        body = json.loads(answer.body)
        validator(media["schema"]).validate(body)
        assert undocumented(body, media["schema"]) == set()


def test_every_documented_answer_has_a_case() -> None:
    documented = set()
    for path, method, operation in operations():
        for status, response in operation["responses"].items():
            named: list[str | None] = [*reasons(resolved(response))]
            documented |= {(path, method, int(status), reason) for reason in named or [None]}
    asked = {(case.path, case.method, case.status, case.reason) for case in CASES}
    asked |= {(path, "head", status, reason) for path, method, status, reason in asked if method == "get"}
    # only an event can lack a field in this way
    assert documented - asked == {(path, "post", 422, "missing_field") for path in ("/v1/installs", "/v1/visits")}
    assert asked - documented == set()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.path}-{case.status}-{case.reason}")
def test_the_edge_gives_the_documented_answer(case: Case, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue("edge_in_distress" if case.distress else "edge")
    operation = DOCUMENT["paths"][case.path][case.method]
    answer = ask(url, case.method.upper(), case.target, case.headers, case.body)
    assert answer.status == case.status, answer.body
    check(answer, resolved(operation["responses"][str(case.status)]), case.reason)
    if case.method == "get":
        head = ask(url, "HEAD", case.target, case.headers)
        assert head.status == case.status
        check(head, resolved(operation["responses"][str(case.status)]), case.reason, head=True)


def test_other_paths_and_methods_get_the_answers_documented_for_them(edge: str) -> None:
    responses = DOCUMENT["components"]["responses"]
    for target in ("/", "/serve/", "/v2/installs"):
        answer = ask(edge, "GET", target, {})
        assert answer.status == 404
        check(answer, responses["UnknownPath"], "unknown_path")
    for method, target in (("POST", f"/serve/{LINK}"), ("GET", "/v1/events"), ("DELETE", "/v1/installs/a")):
        answer = ask(edge, method, target, {})
        assert answer.status == 405
        check(answer, responses["MethodNotAllowed"], "method_not_allowed")


def test_the_edge_serves_the_document(edge: str) -> None:
    with urllib.request.urlopen(f"{edge}/openapi.json", timeout=5) as answer:
        assert answer.headers["Content-Type"] == "application/json"
        assert json.load(answer) == DOCUMENT


def test_a_target_that_is_not_valid_http_still_leads_a_person_to_the_fallback(edge: str) -> None:
    for query in (b"site_id=a b", b"site_id=\xc3\xa9"):
        with socket.create_connection((urlsplit(edge).hostname, urlsplit(edge).port or 80), timeout=5) as connection:
            connection.sendall(b"GET /c/%b?%b HTTP/1.1\r\nHost: localhost\r\n\r\n" % (LINK.encode(), query))
            head = connection.makefile("rb").read().partition(b"\r\n\r\n")[0]
        assert head.split(b" ", 2)[1] == b"302"
