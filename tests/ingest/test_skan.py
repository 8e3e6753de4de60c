"""Where Apple's devices report installs to: 200 once it is stored, whatever it is."""

import asyncio

import aiohttp
import pytest

from ingest.skan import POSTBACK_BYTES_MAX
from tests.ingest.edge import Edge
from tests.ingest.samples import SDK_KEY

PATHS = {
    "/.well-known/skadnetwork/report-attribution/": "skadnetwork",
    "/.well-known/skadnetwork/report-attribution": "skadnetwork",
    "/.well-known/appattribution/report-attribution/": "adattributionkit",
    "/.well-known/appattribution/report-attribution": "adattributionkit",
}
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(("path", "framework"), PATHS.items())
async def test_a_postback_is_taken_whole(edge: Edge, client: aiohttp.ClientSession, path: str, framework: str) -> None:
    body = b'{"version" : "4.0", "transaction-id":"6aafb7a5-0170-41b5-bbe4-fe71dedf1e30"}'
    async with client.post(path, data=body, headers=JSON) as answer:
        assert (answer.status, await answer.read()) == (200, b"")
    [stored] = await edge.apple_postbacks()
    assert (stored.framework, stored.body) == (framework, body)
    assert edge.metric(f'touchline_skan_received_total{{framework="{framework}"}}') == 1


async def test_what_will_not_verify_is_taken_too(edge: Edge, client: aiohttp.ClientSession) -> None:
    bodies = [b"", b"\xff\x00", b"not json", b"{}", b"x" * POSTBACK_BYTES_MAX]
    for body in bodies:
        async with client.post("/.well-known/skadnetwork/report-attribution/", data=body) as answer:
            assert answer.status == 200
    assert [one.body for one in await edge.apple_postbacks()] == bodies


async def test_a_body_without_a_length_is_read_to_its_end(edge: Edge, client: aiohttp.ClientSession) -> None:
    async def pieces() -> object:
        for piece in (b'{"a"', b":1}"):
            yield piece
            await asyncio.sleep(0.01)

    async with client.post("/.well-known/appattribution/report-attribution/", data=pieces()) as answer:
        assert answer.status == 200
    assert [one.body for one in await edge.apple_postbacks()] == [b'{"a":1}']


@pytest.mark.parametrize("chunked", [False, True])
async def test_no_device_sends_so_much(edge: Edge, client: aiohttp.ClientSession, chunked: bool) -> None:
    body = b"x" * (POSTBACK_BYTES_MAX + 1)

    async def pieces() -> object:
        yield body

    path = "/.well-known/skadnetwork/report-attribution/"
    async with client.post(path, data=pieces() if chunked else body) as answer:
        assert answer.status == 413
        assert (await answer.json())["reason"] == "body_too_large"
    assert await edge.apple_postbacks() == []


async def test_nothing_of_the_device_is_written_down(edge: Edge, client: aiohttp.ClientSession) -> None:
    headers = {"User-Agent": "iPhone-of-somebody", "X-Forwarded-For": "198.51.100.7", **JSON}
    async with client.post("/.well-known/skadnetwork/report-attribution/", data=b"{}", headers=headers) as answer:
        assert answer.status == 200
    [line] = await edge.lines("skan")
    assert b"iPhone" not in line and b"198.51" not in line and b"127.0.0.1" not in line


async def test_only_posts_are_taken(edge: Edge, client: aiohttp.ClientSession) -> None:
    async with client.get("/.well-known/skadnetwork/report-attribution/") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize("path", [*PATHS, "/.well-known/skadnetwork/get-signed-payload", "/v1/installs", "/v1/events"])
async def test_a_body_that_cannot_be_read_ends_the_connection_and_fills_no_log(
    edge: Edge, client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    headers = {"Content-Encoding": "gzip", "Authorization": f"Bearer {SDK_KEY}", "Connection": "keep-alive"}
    for _ in range(2):
        async with client.post(path, data=b"this is not compressed", headers=headers) as answer:
            assert (answer.status, answer.headers["X-Touchline-Reason"]) == (400, "bad_body")
            assert answer.headers["Connection"] == "close"
    await asyncio.sleep(0.05)
    assert [one for one in caplog.records if one.levelname == "ERROR"] == []
