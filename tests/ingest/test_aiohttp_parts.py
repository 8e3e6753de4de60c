"""The parts of aiohttp that the edge uses and aiohttp does not promise.

The fast lane feeds aiohttp's C parser itself and hands connections to aiohttp's handler by hand.
When a test fails here after an upgrade, its sentence names the part: look at who uses it in
`ingest/` (lane.py, lanes.py, heads.py, app.py, listen.py) before `pyproject.toml` allows that version.
"""

import asyncio
import inspect
import tomllib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import http_parser, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_parser import HttpRequestParser, RawRequestMessage
from aiohttp.web_protocol import RequestHandler
from packaging.requirements import Requirement
from packaging.version import Version

HEAD = b"GET /serve/1?a=b HTTP/1.1\r\nHost: localhost\r\nX-Some: one\r\n\r\n"
FIELDS = ("method", "path", "version", "headers", "should_close", "compression", "upgrade", "chunked")
LIMIT = 32_768
PROJECT = Path(__file__).parents[2]


@contextmanager
def part(sentence: str) -> Iterator[None]:
    """Whatever goes wrong inside is told as one sentence about this part."""
    try:
        yield
    except Exception as error:
        pytest.fail(f"aiohttp {aiohttp.__version__}: {sentence} ({type(error).__name__}: {error})", pytrace=False)
    except AssertionError as error:
        pytest.fail(f"aiohttp {aiohttp.__version__}: {sentence} ({error})", pytrace=False)


def parser() -> Any:
    """As ingest/lanes.py makes it."""
    loop = asyncio.get_running_loop()
    return HttpRequestParser(BaseProtocol(loop), loop, 2**16, max_line_size=LIMIT, max_field_size=LIMIT)


def test_the_installed_version_is_one_that_pyproject_allows() -> None:
    dependencies = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["dependencies"]
    (stated,) = (found for found in map(Requirement, dependencies) if found.name == "aiohttp")
    installed = Version(aiohttp.__version__)
    with part(f"pyproject.toml says `{stated}`: name a range that ends before the next minor version"):
        assert stated.specifier.contains(installed)
        assert not stated.specifier.contains(f"{installed.major}.{installed.minor + 1}.0")


async def test_the_parser_is_the_one_in_c() -> None:
    with part("HttpRequestParser is not the C parser, the fast lane would be several times slower"):
        assert HttpRequestParser is not http_parser.HttpRequestParserPy
        assert HttpRequestParser.__module__ == "aiohttp._http_parser"


async def test_the_parser_is_made_from_protocol_loop_and_limit() -> None:
    with part(
        "HttpRequestParser takes other arguments than (protocol, loop, limit, max_line_size=…, max_field_size=…)"
    ):
        made = parser()
        assert made is not None
    with part("HttpRequestParser takes no part in max_line_size"):
        assert len(made.feed_data(b"GET /" + b"a" * (LIMIT - 100) + b" HTTP/1.1\r\nHost: a\r\n\r\n")[0]) == 1
        with pytest.raises(aiohttp.http_exceptions.BadHttpMessage):
            parser().feed_data(b"GET /" + b"a" * (LIMIT + 100) + b" HTTP/1.1\r\nHost: a\r\n\r\n")


async def test_feed_data_gives_messages_an_upgrade_and_a_tail() -> None:
    with part("feed_data of HttpRequestParser gives something else than (messages, upgraded, tail)"):
        messages, upgraded, tail = parser().feed_data(HEAD)
        assert not upgraded
        assert tail == b""
        assert len(messages) == 1
    with part("a message of feed_data is not (RawRequestMessage, payload)"):
        message, _ = messages[0]
        assert isinstance(message, RawRequestMessage)


async def test_feed_data_waits_for_the_rest_of_a_head() -> None:
    with part("feed_data of HttpRequestParser does not go on where the bytes before ended"):
        made = parser()
        for at in range(len(HEAD) - 1):
            assert len(made.feed_data(HEAD[at : at + 1])[0]) == 0, HEAD[: at + 1]
        assert [message.path for message, _ in made.feed_data(HEAD[-1:])[0]] == ["/serve/1?a=b"]
        assert [message.path for message, _ in made.feed_data(HEAD)[0]] == ["/serve/1?a=b"]


async def test_a_message_has_the_fields_that_the_lane_reads() -> None:
    (((message, _),), _, _) = parser().feed_data(HEAD)
    for name in FIELDS:
        with part(f"RawRequestMessage has no field `{name}`"):
            getattr(message, name)
    with part("a plain GET's RawRequestMessage reads differently"):
        assert (message.method, message.path, message.version) == ("GET", "/serve/1?a=b", (1, 1))
        assert not (message.should_close or message.upgrade or message.chunked or message.compression)
    with part("the headers of RawRequestMessage are no multidict in any case"):
        assert message.headers.get("host") == "localhost"
        assert message.headers.getall("x-some") == ["one"]
        assert "Expect" not in message.headers


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (b"Connection: close", "should_close"),
        (b"Connection: Upgrade\r\nUpgrade: websocket", "upgrade"),
        (b"Transfer-Encoding: chunked", "chunked"),
        (b"Content-Encoding: gzip", "compression"),
    ],
)
async def test_what_is_unusual_is_marked(line: bytes, field: str) -> None:
    with part(
        f"`{field}` of RawRequestMessage is not set for {line.decode()!r}: the fast lane would take such requests"
    ):
        messages, _, _ = parser().feed_data(b"GET / HTTP/1.1\r\nHost: a\r\n" + line + b"\r\n\r\n")
        assert getattr(messages[0][0], field)


@pytest.mark.parametrize("head", [b"GET / HTTP/1.1\nHost a\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n", b"\0\0\r\n\r\n"])
async def test_a_bad_head_raises(head: bytes) -> None:
    with (
        part(f"HttpRequestParser takes {head!r}, or raises something that is no BadHttpMessage"),
        pytest.raises(aiohttp.http_exceptions.BadHttpMessage),
    ):
        parser().feed_data(head)


class Handler(RequestHandler):
    """As `PlainHandler` in ingest/app.py."""

    __slots__ = ()

    def handle_error(self, request: Any, status: int = 500, exc: Any = None, message: str | None = None) -> Any:
        response = web.Response(status=status, text="ours")
        response.force_close()
        return response


class Handed(asyncio.Protocol):
    """Hands the connection over with its first bytes, as the lane does."""

    def __init__(self, server: Any, *, ended: bool) -> None:
        self._server = server
        self._ended = ended

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        handler = Handler(self._server, loop=asyncio.get_running_loop(), **self._server._kwargs)
        self._transport.set_protocol(handler)
        handler.connection_made(self._transport)
        handler.data_received(data)
        if self._ended:
            handler.eof_received()


async def answer(_: web.Request) -> web.Response:
    return web.Response(text="served")


async def count(request: web.Request) -> web.Response:
    """The number that aiohttp gives the request on its connection, where ingest/app.py reads it."""
    return web.Response(text=f"request {request.protocol._request_count}")


@asynccontextmanager
async def handing_over(
    app: web.Application, *, ended: bool = False
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a server whose every connection is handed over to aiohttp."""
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=75, max_line_size=LIMIT, max_field_size=LIMIT)
    await runner.setup()
    server = await asyncio.get_running_loop().create_server(lambda: Handed(runner.server, ended=ended), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    try:
        async with asyncio.timeout(10):
            yield reader, writer
    finally:
        writer.close()
        server.close()
        await runner.cleanup()


def plain_app() -> web.Application:
    app = web.Application()
    app.router.add_get("/", answer)
    app.router.add_get("/count", count)
    return app


async def test_a_handler_is_made_from_the_servers_arguments() -> None:
    with part("RequestHandler's arguments are no longer in Server._kwargs"):
        runner = web.AppRunner(plain_app(), max_line_size=LIMIT, max_field_size=LIMIT, keepalive_timeout=75)
        await runner.setup()
        server: Any = runner.server
        assert server._kwargs["max_line_size"] == LIMIT
        assert server._kwargs["max_field_size"] == LIMIT
        assert server._kwargs["keepalive_timeout"] == 75
    with part("RequestHandler takes other arguments than (server, loop=…, **server._kwargs)"):
        Handler(server, loop=asyncio.get_running_loop(), **server._kwargs)
    await runner.cleanup()


async def test_a_connection_is_handed_over_with_its_bytes() -> None:
    with part("RequestHandler does not serve after connection_made and data_received by hand"):
        async with handing_over(plain_app()) as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")


async def test_a_connections_requests_are_counted() -> None:
    with part("request.protocol._request_count does not count a connection's requests from 1"):
        async with handing_over(plain_app()) as (reader, writer):
            for number in (1, 2, 3):
                writer.write(b"GET /count HTTP/1.1\r\nHost: a\r\n\r\n")
                await reader.readuntil(b"\r\n\r\n")
                assert await reader.readexactly(9) == b"request %d" % number


async def test_an_invalid_request_is_answered_by_handle_error() -> None:
    with part("RequestHandler.handle_error(request, status, exc, message) does not make the answer to invalid HTTP"):
        async with handing_over(plain_app()) as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nno colon\r\n\r\n")
            answered = await reader.read()
            assert answered.split(b" ")[1] == b"400"
            assert answered.endswith(b"ours")
    with part("RequestHandler.handle_error has other parameters"):
        stated = list(inspect.signature(RequestHandler.handle_error).parameters)
        assert stated == ["self", "request", "status", "exc", "message"]


async def test_a_client_that_ends_its_side_is_told_to_the_handler() -> None:
    with part("RequestHandler.eof_received() by hand keeps a request from being answered"):
        async with handing_over(plain_app(), ended=True) as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")


async def test_the_last_answer_says_so() -> None:
    async def last(_: web.Request, response: web.StreamResponse) -> None:
        response.force_close()
        response.headers["Connection"] = "close"

    app = plain_app()
    app.on_response_prepare.append(last)
    with part("on_response_prepare comes too late to close a connection and to say so"):
        async with handing_over(app) as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            answered = await reader.read()
            assert answered.lower().count(b"\r\nconnection: close\r\n") == 1


async def test_the_server_knows_its_connections() -> None:
    with part("Server.connections does not hold the handlers that were handed a connection"):
        runner = web.AppRunner(plain_app())
        await runner.setup()
        assert runner.server is not None
        assert list(runner.server.connections) == []
        await runner.cleanup()
