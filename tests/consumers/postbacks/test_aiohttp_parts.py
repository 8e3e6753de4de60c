"""The parts of aiohttp that sending uses and aiohttp does not promise: its connector and protocol without its session.

When a test fails here after an upgrade, its sentence names the part: look at `consumers/postbacks/asking.py` before
`pyproject.toml` allows that version.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp.connector import Connection
from yarl import URL

from tests.ingest.test_aiohttp_parts import part

ANSWER = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 2\r\n\r\nok"
NO_TIMEOUT = aiohttp.ClientTimeout(total=None)


@asynccontextmanager
async def connected(answer: bytes = ANSWER) -> AsyncIterator[tuple[aiohttp.TCPConnector, aiohttp.ClientRequest, int]]:
    """A connector, what it must know of an origin, and the port of a server that gives the answer each time."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(answer)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=1, keepalive_timeout=5)
    with part("ClientRequest(method, url, loop=…) cannot be made without a session"):
        origin = aiohttp.ClientRequest("GET", URL(f"http://127.0.0.1:{port}"), loop=asyncio.get_running_loop())
    try:
        yield connector, origin, port
    finally:
        await connector.close()
        server.close()


async def exchanged(connection: Connection) -> tuple[int, str | None, bytes]:
    protocol, transport = connection.protocol, connection.transport
    assert protocol is not None and transport is not None
    protocol.set_response_params(read_until_eof=True, auto_decompress=False)
    transport.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    message, payload = await protocol.read()
    if message.code == 100:
        message, payload = await protocol.read()
    body = await payload.read(100)
    assert payload.at_eof()
    return message.code, message.headers.get("Location"), body


async def test_an_answer_is_read_from_the_protocol_of_a_connection() -> None:
    async with connected() as (connector, origin, _):
        with part("TCPConnector.connect(request, traces, timeout) gives no connection"):
            connection = await connector.connect(origin, [], NO_TIMEOUT)
        with part("a connection's protocol has no set_response_params or read, or gives something else than of old"):
            assert await exchanged(connection) == (302, "/b", b"ok")
        connection.release()


async def test_a_connection_that_is_released_is_kept_and_known_by_its_protocol() -> None:
    async with connected() as (connector, origin, _):
        with part("a released connection is not kept, or its protocol is another object"):
            first = await connector.connect(origin, [], NO_TIMEOUT)
            await exchanged(first)
            protocol = first.protocol
            first.release()
            second = await connector.connect(origin, [], NO_TIMEOUT)
            assert second.protocol is protocol
            second.close()


async def test_a_closed_connection_says_so() -> None:
    async with connected() as (connector, origin, _):
        with part("a closed connection still has a protocol or a transport"):
            connection = await connector.connect(origin, [], NO_TIMEOUT)
            connection.close()
            assert connection.protocol is None and connection.transport is None
