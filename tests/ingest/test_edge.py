"""The edge over real HTTP: what browsers, ad servers and SDKs see."""

import asyncio
import gzip
import io
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from ingest import batch, recorder
from ingest.answer import GIF
from ingest.bodies import BODY_BYTES_MAX
from schemas.events import Install
from tests.ingest.edge import Edge, exchange, status_of
from tests.ingest.samples import (
    ANDROID,
    ANDROID_FIREFOX,
    APPLE_URL,
    FALLBACK_URL,
    IPHONE,
    LINK,
    PAUSED,
    PAUSED_NOWHERE,
    PLAY_URL,
    REVOKED_KEY,
    SDK_KEY,
    SERVER_KEY,
    TRACKING,
    VENDOR_SAMPLE,
    link,
    put,
)

PERSON = {"User-Agent": ANDROID_FIREFOX, "Sec-Fetch-Mode": "navigate", "Accept": "text/html"}
SDK = {"Authorization": f"Bearer {SDK_KEY}"}
INSTALL: dict[str, Any] = {"install_id": "i-1", "installed_at": 1_767_225_600, "device": {"os": "Android"}}
EVENT: dict[str, Any] = {"event_id": "e-1", "name": "payment", "occurred_at": 1_767_225_600, "install_id": "i-1"}

Client = aiohttp.ClientSession


def ping(**more: str) -> str:
    facts = f"device_ip=203.0.113.7&device_ua={quote(ANDROID)}&click_timestamp={int(time.time())}&noredirect"
    return "&".join((f"/serve/{LINK}?{facts}", *(f"{name}={value}" for name, value in more.items())))


async def get(
    client: Client, path: str, *, method: str = "GET", **headers: str
) -> tuple[aiohttp.ClientResponse, bytes]:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.request(method, path, headers=names, allow_redirects=False) as response:
        return response, await response.read()


async def post(
    client: Client, path: str, value: object, key: str = SDK_KEY, **headers: str
) -> tuple[aiohttp.ClientResponse, Any]:
    authorization = {"Authorization": f"Bearer {key}"} if key else {}
    sent: dict[str, Any] = {"data": io.BytesIO(value)} if isinstance(value, bytes) else {"json": value}
    async with client.post(path, headers=authorization | headers, **sent) as response:
        return response, await response.json(content_type=None)


def reason(response: aiohttp.ClientResponse) -> str | None:
    return response.headers.get("X-Touchline-Reason")


# People


async def test_a_person_is_sent_to_the_store_and_recorded(edge: Edge, client: Client) -> None:
    response, body = await get(client, f"/serve/{LINK}?click_id=c1&x=%D0%BF", **PERSON)
    (hit,) = await edge.hits()
    assert (response.status, body) == (302, b"")
    assert response.headers["Location"] == f"{PLAY_URL}&referrer=touchline_id%3D{hit.id}"
    assert response.headers["Cache-Control"] == "no-store"
    assert (hit.kind, hit.mode, hit.ip, hit.ua) == ("click", "redirect", "127.0.0.1", ANDROID_FIREFOX)
    assert hit.query == "click_id=c1&x=%D0%BF"


@pytest.mark.parametrize("path", [f"/serve/{LINK}", f"/serve/{LINK}/", f"/c/{LINK}", f"/c/{LINK}/"])
async def test_each_way_to_a_click_leads_to_the_store(edge: Edge, client: Client, path: str) -> None:
    response, _ = await get(client, path + "?campaign=a%20b", **{**PERSON, "User-Agent": IPHONE})
    assert response.status == 302
    assert response.headers["Location"] == APPLE_URL.replace("{campaign}", "a%20b")
    (hit,) = await edge.hits()
    assert (hit.kind, hit.app) == ("click", "demo-ios")


async def test_a_head_request_is_answered_like_a_get(edge: Edge, client: Client) -> None:
    response, body = await get(client, f"/serve/{LINK}/", method="HEAD", **PERSON)
    assert (response.status, body) == (302, b"")
    assert response.headers["Location"].startswith(PLAY_URL)
    (hit,) = await edge.hits()
    assert hit.flags == ["head"]


async def test_a_paused_link_leads_to_its_fallback(edge: Edge, client: Client) -> None:
    response, _ = await get(client, f"/serve/{PAUSED}", **PERSON)
    assert (response.status, response.headers["Location"]) == (302, FALLBACK_URL)
    assert (await edge.hits())[0].flags == ["paused"]


async def test_a_paused_link_that_leads_nowhere_shows_a_plain_page(edge: Edge, client: Client) -> None:
    response, body = await get(client, f"/c/{PAUSED_NOWHERE}", **PERSON)
    assert (response.status, response.content_type) == (200, "text/html")
    assert response.headers["Cache-Control"] == "no-store"
    assert b"not available" in body
    assert (await edge.hits())[0].flags == ["paused"]


async def test_a_picture_is_the_same_43_bytes_for_clicks_and_impressions(edge: Edge, client: Client) -> None:
    for path in (f"/i/{LINK}.gif", f"/c/{LINK}.gif", f"/i/{LINK}.gif/"):
        response, body = await get(client, path)
        assert (response.status, response.content_type) == (200, "image/gif")
        assert response.headers["Cache-Control"] == "no-store"
        assert body == GIF
    assert (len(GIF), GIF[:6], GIF[-1:]) == (43, b"GIF89a", b";")
    assert [hit.kind for hit in await edge.hits()] == ["impression", "click", "impression"]


async def test_an_impression_in_a_page_is_empty(edge: Edge, client: Client) -> None:
    response, body = await get(client, f"/i/{LINK}", Sec_Fetch_Mode="no-cors", Sec_Fetch_Dest="image")
    assert (response.status, body) == (204, b"")
    assert (await edge.hits())[0].mode == "page"


async def test_a_tracking_link_answers_beside_the_landing(edge: Edge, client: Client) -> None:
    response, body = await get(client, f"/serve/{TRACKING}", **PERSON)
    assert (response.status, body) == (204, b"")
    (hit,) = await edge.hits()
    assert (hit.kind, hit.mode) == ("click", "page")


# Machines


@pytest.mark.parametrize(
    ("host", "kind"),
    [("redirect.localhost", "click"), ("IMPRESSION.localhost:80", "impression"), ("ads.example", "click")],
)
async def test_the_host_tells_clicks_from_impressions(edge: Edge, client: Client, host: str, kind: str) -> None:
    response, body = await get(client, ping(), Host=host)
    assert (response.status, body) == (204, b"")
    assert (await edge.hits())[0].kind == kind


async def test_the_host_of_an_absolute_target_counts_first(edge: Edge) -> None:
    raw = f"GET http://impression.localhost{ping()} HTTP/1.1\r\nHost: redirect.localhost\r\n\r\n"
    assert status_of(await exchange(edge.port, raw.encode())) == 204
    (hit,) = await edge.hits()
    assert (hit.kind, hit.query) == ("impression", ping().partition("?")[2])


@pytest.mark.parametrize("host", ["redirect.appmetrica.example", "impression.appmetrica.example"])
async def test_the_vendors_own_sample_is_taken_byte_for_byte(edge: Edge, host: str) -> None:
    raw = f"GET {VENDOR_SAMPLE} HTTP/1.1\r\nHost: {host}\r\n\r\n"
    answered = await exchange(edge.port, raw.encode())
    assert answered.startswith(b"HTTP/1.1 204 No Content\r\n")
    assert answered.endswith(b"\r\n\r\n")
    (hit,) = await edge.hits()
    assert hit.query == VENDOR_SAMPLE.partition("?")[2]
    assert hit.kind == ("click" if host.startswith("redirect") else "impression")
    assert hit.flags == ["late"]


async def test_a_204_to_a_machine_means_on_disk(edge: Edge, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[float] = []
    sync = os.fdatasync

    def slow(descriptor: int) -> None:
        time.sleep(0.05)
        sync(descriptor)
        synced.append(time.monotonic())

    monkeypatch.setattr(os, "fdatasync", slow)
    response, _ = await get(client, ping())
    assert response.status == 204
    assert synced
    assert synced[-1] < time.monotonic()


async def test_a_wrong_ping_is_told_which_parameter(edge: Edge, client: Client) -> None:
    response, _ = await get(client, f"/serve/{LINK}?noredirect&device_ip=203.0.113.7&click_timestamp=1767225600")
    document = await response.json(content_type=None)
    assert (response.status, response.content_type) == (400, "application/problem+json")
    assert reason(response) == "missing_device_ua"
    assert response.headers["Cache-Control"] == "no-store"
    assert document["parameter"] == "device_ua"
    assert document["reason"] == "missing_device_ua"
    assert document["status"] == 400
    assert "device_ua" in document["detail"]
    assert set(document) == {"type", "title", "status", "detail", "reason", "parameter"}
    (reject,) = await edge.rejects()
    assert (reject.link, reject.reason, reject.parameter) == (LINK, "missing_device_ua", "device_ua")
    assert await edge.hits() == []


async def test_a_machine_at_a_paused_link_gets_a_204(edge: Edge, client: Client) -> None:
    response, _ = await get(client, ping().replace(LINK, PAUSED_NOWHERE))
    assert response.status == 204
    assert (await edge.hits())[0].flags == ["paused"]


@pytest.mark.parametrize("path", ["/serve/42", "/c/42", "/i/42.gif", ping().replace(LINK, "42"), "/serve/%00"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_an_unknown_link_is_a_404(edge: Edge, client: Client, path: str, method: str) -> None:
    response, _ = await get(client, path, method=method, **PERSON)
    assert (response.status, reason(response)) == (404, "unknown_link")
    assert await edge.hits() == []


@pytest.mark.parametrize(
    "path", ["/", "/serve", "/serve/", "/serve/1/2", "/x/1", f"//serve/{LINK}", f"/x/../serve/{LINK}"]
)
async def test_an_unknown_path_is_a_404(edge: Edge, path: str) -> None:
    answered = await exchange(edge.port, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert status_of(answered) == 404
    assert b"X-Touchline-Reason: unknown_path\r\n" in answered


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", f"/serve/{LINK}", "GET, HEAD"),
        ("DELETE", f"/c/{LINK}/", "GET, HEAD"),
        ("OPTIONS", f"/i/{LINK}", "GET, HEAD"),
        ("GET", "/v1/installs", "POST"),
        ("PUT", "/v1/events", "OPTIONS, POST"),
    ],
)
async def test_another_method_is_told_which_are_allowed(client: Client, method: str, path: str, allowed: str) -> None:
    response, _ = await get(client, path, method=method)
    assert (response.status, reason(response)) == (405, "method_not_allowed")
    assert response.headers["Allow"] == allowed


async def test_answers_are_counted_by_reason(edge: Edge, client: Client) -> None:
    await get(client, "/serve/42")
    await get(client, ping())
    await get(client, f"/serve/{LINK}?noredirect")
    assert edge.metric('touchline_answers_total{reason="unknown_link",status="404"}') == 1
    assert edge.metric('touchline_answers_total{reason="",status="204"}') == 1
    assert edge.metric('touchline_answers_total{reason="missing_device_ip",status="400"}') == 1
    assert edge.metric('touchline_hits_total{kind="click",mode="s2s"}') == 1


# Odd connections


async def test_bytes_that_are_no_utf_8_in_a_header_do_not_break_the_record(edge: Edge) -> None:
    raw = b"GET /serve/%s HTTP/1.1\r\nHost: x\r\nUser-Agent: caf\xe9 Android\r\nReferer: \xff\r\n\r\n" % LINK.encode()
    assert status_of(await exchange(edge.port, raw)) == 302
    (hit,) = await edge.hits()
    assert (hit.ua, hit.headers["referer"]) == ("caf\ufffd Android", "\ufffd")


async def test_a_body_of_a_get_is_not_taken_for_a_request(edge: Edge) -> None:
    inner = f"GET /serve/{LINK}?inner HTTP/1.1\r\nHost: x\r\n\r\n"
    raw = f"GET /serve/{LINK}?outer HTTP/1.1\r\nHost: x\r\nContent-Length: {len(inner)}\r\n\r\n{inner}"
    assert status_of(await exchange(edge.port, raw.encode())) == 302
    assert [hit.query for hit in await edge.hits()] == ["outer"]


async def test_pipelined_requests_are_answered_in_order(edge: Edge) -> None:
    links = [LINK, "42", PAUSED, TRACKING, LINK]
    raw = "".join(f"GET /serve/{to} HTTP/1.1\r\nHost: x\r\n\r\n" for to in links).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    writer.write(raw)
    answered = b""
    async with asyncio.timeout(3):
        while answered.count(b"HTTP/1.1 ") < len(links):
            answered += await reader.read(65536)
    writer.close()
    assert [int(part[:3]) for part in answered.split(b"HTTP/1.1 ")[1:]] == [302, 404, 302, 204, 302]


async def test_a_head_in_pieces_is_put_together(edge: Edge) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    for byte in f"GET {ping()} HTTP/1.1\r\nHost: x\r\n\r\n".encode():
        writer.write(bytes([byte]))
        await writer.drain()
    async with asyncio.timeout(3):
        assert status_of(await reader.read(4096)) == 204
    writer.close()


async def test_a_client_that_is_gone_before_its_answer_is_recorded_and_breaks_nothing(
    edge: Edge, client: Client, disk: "Disk"
) -> None:
    with disk.stopped():
        for number in range(5):
            _, writer = await asyncio.open_connection("127.0.0.1", edge.port)
            writer.write(f"GET /serve/{LINK}?n={number} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            await writer.drain()
            await asyncio.sleep(0.02)
            writer.transport.abort()
    response, _ = await get(client, ping())
    assert response.status == 204
    assert {f"n={number}" for number in range(5)} <= {hit.query for hit in await edge.hits()}


async def test_a_query_of_30_kb_still_leads_a_person_to_the_store(edge: Edge, client: Client) -> None:
    response, _ = await get(client, f"/serve/{LINK}?a={'x' * 30_000}", **PERSON)
    assert response.status == 302
    assert len((await edge.hits())[0].query) == 30_002


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /serve/%s?a=\xd0\xbf HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /serve/%s?a=b c HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /serve/%s?a=" + b"x" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /serve/%s HTTP/1.1\r\nHost: x\r\nCookie: a=" + b"x" * 40_000 + b"\r\n\r\n",
    ],
    ids=["utf-8", "blank", "long-query", "long-cookie"],
)
async def test_a_head_refused_for_its_query_or_cookie_still_leads_a_person_somewhere(
    fast_edge: Edge, raw: bytes
) -> None:
    answered = await exchange(fast_edge.port, raw.replace(b"%s", LINK.encode()))
    assert status_of(answered) == 302
    assert b"\r\nLocation: " + FALLBACK_URL.encode() in answered
    (reject,) = await fast_edge.rejects()
    assert (reject.reason, reject.link) == ("bad_target", LINK)
    assert await fast_edge.hits() == []


async def test_a_refused_head_is_told_why(edge: Edge) -> None:
    answered = await exchange(edge.port, b"GET /serve/1 HTTP/1.1\r\nContent-Length: x\r\n\r\n")
    assert status_of(answered) == 400
    assert b"x-touchline-reason: " in answered.lower()


# SDKs and servers


async def test_an_install_is_taken_and_its_id_given_back(edge: Edge, client: Client) -> None:
    response, document = await post(client, "/v1/installs", INSTALL, **{"User-Agent": "demo/1.0"})
    assert (response.status, document) == (202, {"install_id": "i-1"})
    (install,) = await edge.conversions()
    assert isinstance(install, Install)
    assert (install.app, install.ip, install.ua) == ("demo", "127.0.0.1", "demo/1.0")


async def test_a_servers_install_has_the_address_it_says(edge: Edge, client: Client) -> None:
    response, _ = await post(client, "/v1/installs", INSTALL | {"ip": "192.0.2.7", "ua": "phone"}, SERVER_KEY)
    assert response.status == 202
    (install,) = await edge.conversions()
    assert (install.ip, install.ua) == ("192.0.2.7", "phone")


async def test_an_array_gives_an_array_of_ids_in_order(edge: Edge, client: Client) -> None:
    ids = [f"e-{number}" for number in range(300)]
    response, document = await post(client, "/v1/events", [EVENT | {"event_id": one} for one in ids])
    assert (response.status, document) == (202, ids)
    assert len(await edge.conversions()) == 300
    response, document = await post(client, "/v1/events", [])
    assert (response.status, document) == (202, [])


async def test_a_pretty_printed_event_is_one_record(edge: Edge, client: Client) -> None:
    text = b'{\n "name": "x", "occurred_at": 1, "install_id": "i", "params": {\n  "a": {\n   "b": 1\n  }\n }\n}\n'
    response, _ = await post(client, "/v1/events", text)
    assert response.status == 202
    assert len(await edge.conversions()) == 1  # the rest of its lines would be records of their own


@pytest.mark.parametrize("key", ["", "wrong", REVOKED_KEY, "\xff"])
@pytest.mark.parametrize("path", ["/v1/installs", "/v1/events"])
async def test_an_unknown_or_revoked_key_is_a_401(edge: Edge, client: Client, path: str, key: str) -> None:
    response, document = await post(client, path, INSTALL, key)
    assert (response.status, reason(response)) == (401, "unknown_key")
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert document["status"] == 401
    assert await edge.conversions() == []


@pytest.mark.parametrize("scheme", ["Basic ", "", "Bearer"])
async def test_a_key_comes_as_bearer(client: Client, scheme: str) -> None:
    async with client.post("/v1/events", json=EVENT, headers={"Authorization": scheme + SDK_KEY}) as response:
        assert response.status == 401


async def test_a_wrong_field_is_a_422_that_names_it(edge: Edge, client: Client) -> None:
    response, document = await post(client, "/v1/installs", [INSTALL, INSTALL | {"device": {}}])
    assert (response.status, reason(response), response.content_type) == (422, "bad_field", "application/problem+json")
    assert (document["parameter"], document["index"]) == ("device.os", 1)
    response, document = await post(
        client, "/v1/events", EVENT | {"revenue": {"amount": "1e999999", "currency": "EUR"}}
    )
    assert (response.status, document["parameter"]) == (422, "revenue.amount")
    assert "index" not in document
    assert await edge.conversions() == []


async def test_too_many_elements_are_a_422(client: Client) -> None:
    response, _ = await post(client, "/v1/events", [EVENT] * 1001)
    assert (response.status, reason(response)) == (422, "too_many_elements")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b'{"name":"x","occurred_at":1,"install_id":"i","params":{"a":"\xff"}}',
        b'{"name":"x","occurred_at":1,"install_id":"i","params":' + b'{"a":' * 9000 + b"1" + b"}" * 9001,
    ],
)
async def test_what_is_no_json_is_a_400(edge: Edge, client: Client, body: bytes) -> None:
    response, _ = await post(client, "/v1/events", body)
    assert (response.status, reason(response)) == (400, "bad_json")
    assert await edge.conversions() == []


async def test_a_body_over_the_limit_is_a_413(edge: Edge, client: Client) -> None:
    response, _ = await post(client, "/v1/events", b" " * (BODY_BYTES_MAX + 1))
    assert (response.status, reason(response)) == (413, "body_too_large")
    response, _ = await post(client, "/v1/events", EVENT)
    assert response.status == 202


async def test_a_compressed_body_is_read_and_bounded_as_what_it_unpacks_to(edge: Edge, client: Client) -> None:
    packed = {"Content-Encoding": "gzip"}
    text = b'{"name":"x","occurred_at":1,"install_id":"i"}'
    response, _ = await post(client, "/v1/events", gzip.compress(text), **packed)
    assert response.status == 202
    response, _ = await post(client, "/v1/events", gzip.compress(b" " * (BODY_BYTES_MAX * 4)), **packed)
    assert (response.status, reason(response)) == (413, "body_too_large")


@pytest.mark.parametrize("body", [b"no gzip", gzip.compress(b"{}", mtime=0)[:5] + b"\xff" * 20])
async def test_a_body_that_does_not_unpack_is_a_400(client: Client, body: bytes) -> None:
    response, _ = await post(client, "/v1/events", body, **{"Content-Encoding": "gzip"})
    assert (response.status, reason(response)) == (400, "bad_body")


async def test_an_attribution_cannot_be_read_while_postgres_is_away(client: Client) -> None:
    response, _ = await get(client, "/v1/installs/i-1", **SDK)
    assert (response.status, reason(response)) == (503, "database_away")
    assert response.headers["Retry-After"] == "1"
    response, _ = await get(client, "/v1/installs/i-1")
    assert (response.status, reason(response)) == (401, "unknown_key")


# A disk in trouble


class Disk:
    """`fdatasync` that fails or waits when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._sync = os.fdatasync
        self._goes_on = threading.Event()
        self._goes_on.set()
        self.broken = False
        monkeypatch.setattr(os, "fdatasync", self._fdatasync)

    def _fdatasync(self, descriptor: int) -> None:
        if self.broken:
            raise OSError(5, "Input/output error")
        self._goes_on.wait(5)
        self._sync(descriptor)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        self._goes_on.clear()
        try:
            yield
        finally:
            self._goes_on.set()


@pytest.fixture
def disk(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


async def test_a_broken_disk_is_a_503_for_machines_and_no_matter_for_people(
    edge: Edge, client: Client, disk: Disk
) -> None:
    disk.broken = True
    response, _ = await get(client, ping())
    assert (response.status, reason(response)) == (503, "not_durable")
    assert response.headers["Retry-After"] == "1"
    response, _ = await post(client, "/v1/installs", INSTALL)
    assert (response.status, reason(response)) == (503, "not_durable")
    response, _ = await post(client, "/.well-known/skadnetwork/report-attribution/", {})
    assert (response.status, reason(response)) == (503, "not_durable")
    assert edge.recorder.counters.refused == 3
    response, _ = await get(client, f"/serve/{LINK}", **PERSON)
    assert response.status == 302
    assert response.headers["Location"].startswith(PLAY_URL)
    response, body = await get(client, f"/i/{LINK}.gif")
    assert (response.status, body) == (200, GIF)
    assert edge.recorder.counters.unrecorded == 2
    assert edge.recorder.trouble() == "journal hits: [Errno 5] Input/output error"
    assert edge.metric('touchline_answers_total{reason="not_durable",status="503"}') == 3

    disk.broken = False
    response, _ = await get(client, ping(click_id="after"))
    assert response.status == 204
    (hit,) = await edge.hits()
    assert hit.query.endswith("click_id=after")
    assert edge.recorder.counters.unrecorded == 2


async def test_a_full_queue_is_a_503_for_machines_and_no_matter_for_people(
    edge: Edge, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "WAITING_BYTES_MAX", -1)
    for path in (ping(), ping()):
        response, _ = await get(client, path)
        assert (response.status, reason(response)) == (503, "not_durable")
        assert response.headers["Retry-After"] == "1"
    response, _ = await post(client, "/v1/events", EVENT)
    assert response.status == 503
    response, _ = await get(client, f"/serve/{LINK}", **PERSON)
    assert response.status == 302
    response, _ = await get(client, f"/serve/{LINK}?noredirect")
    assert response.status == 503  # a reject that finds no room is not dropped in silence either
    assert (edge.recorder.counters.refused, edge.recorder.counters.unrecorded) == (4, 1)
    assert await edge.hits() == []


async def test_a_slow_disk_keeps_a_person_a_quarter_of_a_second_at_most(edge: Edge, client: Client, disk: Disk) -> None:
    with disk.stopped():
        started = time.monotonic()
        response, _ = await get(client, f"/serve/{LINK}", **PERSON)
        waited_s = time.monotonic() - started
        assert response.status == 302
        assert recorder.PERSON_PATIENCE_S <= waited_s + 0.01 < 2
        assert edge.recorder.counters.unrecorded == 1
    assert len(await edge.hits()) == 1
    while edge.recorder.counters.unrecorded:  # noqa: ASYNC110 - taken back: it became durable later
        await asyncio.sleep(0.01)


async def test_a_slow_disk_is_a_503_after_a_machines_patience(
    edge: Edge, client: Client, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert recorder.MACHINE_PATIENCE_S == 2.0
    monkeypatch.setattr(recorder, "MACHINE_PATIENCE_S", 0.05)
    with disk.stopped():
        response, _ = await get(client, ping())
        assert (response.status, reason(response)) == (503, "not_durable")
    assert edge.recorder.counters.refused == 1
    assert len(await edge.hits()) == 1  # written after all: the sender's retry is caught by its click id


async def test_a_link_that_came_meanwhile_is_served(edge: Edge, client: Client) -> None:
    put(edge.links, link("new"))
    response, _ = await get(client, "/c/new", **PERSON)
    assert response.status == 302


async def test_a_person_lands_even_when_our_rules_fail(
    edge: Edge, client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("ingest.lane.accept", broken)
    monkeypatch.setattr("ingest.hits.accept", broken)
    landed, _ = await get(client, f"/serve/{LINK}", **PERSON)
    told, _ = await get(client, f"/serve/{LINK}?noredirect")
    assert (landed.status, landed.headers["Location"]) == (302, FALLBACK_URL)
    assert (told.status, told.headers["X-Touchline-Reason"]) == (500, "internal_error")
    assert edge.recorder.counters.unrecorded == 1
    assert "a bug" in caplog.text
