"""A head that was heard before is not parsed again: nobody must be able to tell."""

import asyncio
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from ingest import lanes as module
from ingest.client_address import TrustedProxies
from schemas.addresses import parse_address
from tests.ingest.edge import Edge, exchange, running_edge, status_of
from tests.ingest.samples import ANDROID, DESKTOP, IPHONE, LINK
from tests.ingest.test_lane import all_said, allowed, last_status, third_party_gets

LINE = f"GET /serve/{LINK}?n=1 HTTP/1.1"
TARGET = f"/serve/{LINK}?n=1"
HEADERS = f"Host: redirect.localhost\r\nUser-Agent: {ANDROID}\r\nAccept-Language: de"

ODD_LINES = [
    LINE,
    LINE.replace("GET", "HEAD"),
    LINE.replace("GET", "get"),
    LINE.replace("GET", "POST"),
    LINE.replace("GET ", "GET  "),
    LINE.replace(" HTTP", "  HTTP"),
    LINE.replace(" HTTP", "\tHTTP"),
    LINE.replace("1.1", "1.0"),
    LINE.replace("1.1", "2.0"),
    LINE.replace("HTTP", "http"),
    LINE.replace(TARGET, f"http://impression.localhost{TARGET}"),
    LINE.replace(TARGET, f"/{TARGET}"),
    *(LINE.replace("n=1", f"n={odd}") for odd in ("a b", "a\tb", "a\x01b", "a\x7fb", "пр", "#x?y")),
    *(LINE.replace("n=1", f"n={odd}") for odd in ('"<>\\^`{|}', "%", "%00", "[]", "?")),
    LINE.replace("n=1", f"n={'x' * 9000}"),
    LINE.replace("n=1", f"n={'x' * 40_000}"),
    LINE.replace("?n=1", ""),
    LINE.replace("?n=1", "/?n=1"),
    LINE.replace("?n=1", "//?n=1"),
    LINE.replace("?n=1", "%2F?n=1"),
    LINE.replace("?n=1", "/more"),
    LINE.replace("/serve/", "/serve//"),
    LINE.replace("/serve/", "/none/"),
    LINE.replace("/serve/", "/c/").replace("?n=1", ".gif?n=1"),
    LINE.replace("/serve/", "/i/"),
    LINE.replace(LINK, "unknown"),
    f"{LINE}\r\n{LINE}",
    f"\r\n{LINE}",
]  # fmt: skip


def request(line: str = LINE, headers: str = HEADERS) -> bytes:
    return f"{line}\r\n{headers}\r\n\r\n".encode()


@pytest.mark.data
async def test_third_party_requests_are_answered_alike_the_second_time(tmp_path: Path) -> None:
    requests = third_party_gets()
    async with running_edge(tmp_path / "fast") as fast, running_edge(tmp_path / "plain", fast=False) as plain:
        first = await statuses(fast, requests.values())
        assert fast.lanes.known
        second, theirs = await statuses(fast, requests.values()), await statuses(plain, requests.values())
    differing = {
        name: (once, again, oracle)
        for (name, raw), once, again, oracle in zip(requests.items(), first, second, theirs, strict=True)
        if again != once or (again != oracle and not allowed(raw, again, oracle))
    }
    assert differing == {}


async def test_a_first_line_is_judged_whatever_is_known_of_the_rest(
    fast_edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = [request(line) for line in ODD_LINES]
    monkeypatch.setattr(fast_edge.lanes, "remember", lambda *_: None)
    fresh = await asyncio.gather(*(all_said(fast_edge, raw) for raw in requests))
    assert not fast_edge.lanes.known
    monkeypatch.undo()
    assert status_of(await exchange(fast_edge.port, request())) == 302
    known = await asyncio.gather(*(all_said(fast_edge, raw) for raw in requests))
    assert len(fast_edge.lanes.known) == 1
    answered = zip(ODD_LINES, map(without_moments, known), map(without_moments, fresh), strict=True)
    differing = {line: (one, other) for line, one, other in answered if one != other}
    assert differing == {}


def without_moments(answered: bytes) -> bytes:
    """The answer without its date and the id of its hit."""
    return re.sub(rb"Date: [^\r]*|touchline_id%3D[0-9a-f-]*", b"", answered)


async def statuses(edge: Edge, requests: Iterable[bytes]) -> list[list[int]]:
    """Of each request alone on its connection; some at a time, because silence takes time."""
    limit = asyncio.Semaphore(16)

    async def one(raw: bytes) -> list[int]:
        async with limit:
            return await last_status(edge, b"", raw)

    return await asyncio.gather(*map(one, requests))


async def test_what_follows_a_known_head_is_a_request_of_its_own(fast_edge: Edge) -> None:
    assert status_of(await exchange(fast_edge.port, request())) == 302
    assert await last_status(fast_edge, b"", request() * 3) == [302, 302, 302]
    assert len(await fast_edge.hits()) == 4


async def test_every_head_is_its_own_caller(fast_edge: Edge) -> None:
    agents = (ANDROID, IPHONE, DESKTOP)
    stores = []
    for agent in agents * 2:
        answered = await exchange(fast_edge.port, request(headers=HEADERS.replace(ANDROID, agent)))
        stores.append(
            answered.partition(b"Location: ")[2]
            .partition(
                b"/",
            )[2]
            .split(b"/")[1]
        )
    assert stores == [b"play.google.com", b"apps.apple.com", b"example.com"] * 2
    hits = await fast_edge.hits()
    assert [hit.ua for hit in hits] == [*agents, *agents]
    assert {hit.headers["accept-language"] for hit in hits} == {"de"}


async def test_no_more_heads_are_known_than_there_is_room_for(fast_edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KNOWN_MAX", 5)
    for number in range(12):
        headers = HEADERS.replace("Accept-Language: de", f"Referer: https://n.example/{number}")
        assert status_of(await exchange(fast_edge.port, request(headers=headers))) == 302
        assert len(fast_edge.lanes.known) <= 5
    long = HEADERS + f"\r\nCookie: {'x' * module.KNOWN_CHARS_MAX}"
    assert status_of(await exchange(fast_edge.port, request(headers=long))) == 302
    assert not any("Cookie" in head for head in fast_edge.lanes.known)


async def test_a_trusted_proxy_names_the_client_of_every_request(fast_edge: Edge) -> None:
    loopback = parse_address("127.0.0.0/8")
    assert loopback is not None
    forwarded = request(headers=f"{HEADERS}\r\nX-Forwarded-For: 203.0.113.9")
    for _ in range(2):
        assert status_of(await exchange(fast_edge.port, forwarded)) == 302
    fast_edge.lanes.hits.proxies = TrustedProxies([loopback])
    for _ in range(2):
        assert status_of(await exchange(fast_edge.port, forwarded)) == 302
    assert [hit.ip for hit in await fast_edge.hits()] == ["127.0.0.1", "127.0.0.1", "203.0.113.9", "203.0.113.9"]
