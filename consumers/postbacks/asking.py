"""One HTTP request of a postback, with its redirects, and what came of it in words."""

import asyncio
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, NamedTuple, Protocol
from urllib.parse import urljoin
from weakref import WeakSet

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from consumers.postbacks.guard import Guard, NotAllowed, Target, parse_target
from consumers.postbacks.schedule import ANSWER_S
from consumers.postbacks.signature import headers

ANSWER_BYTES = 500
"""Of an answer so much is kept."""
READ_BYTES_MAX = 16_384
"""An answer that is longer costs its connection."""
ERROR_CHARS_MAX = 500
REDIRECTS_MAX = 3
REDIRECTS = frozenset((301, 302, 303, 307, 308))
KEEP_ALIVE_S = 15.0
ORIGINS_MAX = 4096
NO_TIMEOUT = aiohttp.ClientTimeout(total=None)
"""The whole attempt has one."""
NAMES_KEPT_S = 30
LOOK_UPS_MAX = 64
"""At a time: a name that hangs takes one."""


class Answer(NamedTuple):
    """What came of an attempt: a status, or an error in words, or both."""

    status: int | None
    latency_ms: int
    body: bytes = b""
    error: str | None = None
    refused: bool = False
    """It must not be asked for: not by us, and not later."""

    @property
    def succeeded(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class LookUp(Protocol):
    """Addresses of a name, as `socket.getaddrinfo` gives them; raises OSError."""

    def __call__(self, host: str, port: int, family: int = ..., type: int = ...) -> list[Any]: ...


class GuardedResolver(AbstractResolver):
    """Gives the addresses that may be connected to, and the client connects to none but these: a name that changes
    between check and use changes nothing."""

    def __init__(self, guard: Guard, look_up: LookUp = socket.getaddrinfo) -> None:
        self._guard = guard
        self._look_up = look_up
        # threads of our own: the loop's few would wait for one partner's dead name server
        self._threads = ThreadPoolExecutor(LOOK_UPS_MAX, "look-up")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises OSError for a name that is not known, NotAllowed."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            self._threads, lambda: self._look_up(host, port, family=family, type=socket.SOCK_STREAM)
        )
        addresses = list(dict.fromkeys((str(its[0]), kind) for kind, _, _, _, its in found))
        permitted = set(self._guard.check_found(host, [address for address, _ in addresses]))
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST
            )
            for address, kind in addresses
            if address in permitted
        ]  # fmt: skip

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class Asker:
    """The client: connections are kept, cookies are not, and no proxy of the environment is used.

    aiohttp's connector (names, TLS, kept connections) and parser, without its session, requests and responses: those
    would take nearly half of a postback's time.
    """

    def __init__(self, guard: Guard, look_up: LookUp = socket.getaddrinfo, answer_s: float = ANSWER_S) -> None:
        self._guard = guard
        self._answer_s = answer_s
        self._resolver = GuardedResolver(guard, look_up)
        self._connector = aiohttp.TCPConnector(
            limit=0, resolver=self._resolver, ttl_dns_cache=NAMES_KEPT_S, keepalive_timeout=KEEP_ALIVE_S
        )
        self._origins: dict[str, aiohttp.ClientRequest] = {}
        self._used: WeakSet[object] = WeakSet()

    async def __aenter__(self) -> "Asker":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._connector.close()
        await self._resolver.close()

    async def ask(self, method: str, url: str, body: str | None, key: str, secret: str | None) -> Answer:
        """One attempt, redirects included; never raises for what the other side does."""
        began_s = time.perf_counter()
        got = _Got()
        refused, error = False, None
        try:
            async with asyncio.timeout(self._answer_s):
                await self._follow(got, method, url, (body or "").encode() if method == "POST" else b"", key, secret)
        except NotAllowed as why:
            refused, error = True, str(why)
        except TimeoutError:
            error = f"No answer within {self._answer_s:g} s."
        except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as why:
            error = in_words(why)
        latency_ms = int((time.perf_counter() - began_s) * 1000)
        answer = Answer(got.status, latency_ms, got.body)
        if answer.succeeded or error is None:  # it came in time; what its body did afterwards takes nothing back
            return answer
        return answer._replace(error=storable(error), refused=refused)

    async def _follow(self, got: "_Got", method: str, url: str, body: bytes, key: str, secret: str | None) -> None:
        """Ask, and ask again wherever a redirect leads."""
        for _ in range(REDIRECTS_MAX + 1):
            target = parse_target(url)
            self._guard.check_literal(target)
            location = await self._ask(got, target, request(method, target, body, key, secret))
            if location is None:
                return
            url = urljoin(target.url, location)
            if got.status == 303 or (got.status in (301, 302) and method == "POST"):
                method, body = "GET", b""
        raise aiohttp.ClientError(f"It redirects more than {REDIRECTS_MAX} times.")

    async def _ask(self, got: "_Got", target: Target, sent: bytes) -> str | None:
        """Where the answer redirects to; None: nowhere."""
        while True:
            connection = await self._connector.connect(self._origin(target), [], NO_TIMEOUT)
            kept = connection.protocol in self._used
            try:
                return await got.exchange(connection, sent)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                if not kept:  # else it was closed while nobody asked
                    raise
            finally:
                self._use(connection)

    def _use(self, connection: Connection) -> None:
        """Let it be kept, unless its answer was not read to its end."""
        if connection.protocol is not None:
            self._used.add(connection.protocol)
            connection.release()

    def _origin(self, target: Target) -> aiohttp.ClientRequest:
        """What the connector must know."""
        made = self._origins.get(target.origin)
        if made is None:
            if len(self._origins) >= ORIGINS_MAX:
                self._origins.clear()
            loop = asyncio.get_running_loop()
            made = self._origins[target.origin] = aiohttp.ClientRequest(
                "GET", URL(target.origin, encoded=True), loop=loop
            )  # fmt: skip
        return made


class _Got:
    """What an attempt has brought so far."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.body = b""

    async def exchange(self, connection: Connection, sent: bytes) -> str | None:
        """Send a request and read its answer; where it redirects to. Closes the connection unless it can be kept."""
        protocol, transport = connection.protocol, connection.transport
        if protocol is None or transport is None:
            raise aiohttp.ServerDisconnectedError
        try:
            protocol.set_response_params(read_until_eof=True, auto_decompress=False)
            transport.write(sent)
            while True:
                message, payload = await protocol.read()
                if not 100 <= message.code <= 199 or message.code == 101:
                    break
            self.status, self.body = message.code, b""
            read = 0
            while not payload.at_eof() and read <= READ_BYTES_MAX:
                part = await payload.read(READ_BYTES_MAX)
                self.body = (self.body + part)[:ANSWER_BYTES]
                read += len(part)
        except BaseException:
            connection.close()
            raise
        return message.headers.get("Location") if message.code in REDIRECTS else None


def request(method: str, target: Target, body: bytes, key: str, secret: str | None) -> bytes:
    """The bytes of one. Raises ValueError for what would be another header."""
    lines = [f"{method} {target.path} HTTP/1.1", f"Host: {target.authority}"]
    lines += [f"{name}: {value}" for name, value in headers(key, method, target.url, body, secret).items()]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    if not all(line.isprintable() for line in lines):
        raise ValueError("It holds control characters.")
    return "\r\n".join((*lines, "\r\n")).encode() + body


def storable(text: str) -> str:
    """As Postgres takes it: the other side's bytes may stand in it."""
    return text[:ERROR_CHARS_MAX].encode(errors="backslashreplace").decode().replace("\0", "\\0")


def in_words(error: Exception) -> str:
    """What went wrong between us and the other side."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"The name {error.host} was not found."
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        why = error.__cause__ or error
        return f"No secure connection: {getattr(why, 'verify_message', '') or getattr(why, 'reason', '') or why}"
    if isinstance(error, ssl.SSLError):
        return f"No secure connection: {error.reason or error}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"No connection: {error.strerror or error}."
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "The connection was closed before an answer."
    if isinstance(error, HttpProcessingError):
        return f"The answer is not valid HTTP: {' '.join(error.message.split())}"
    return f"{error or type(error).__name__}"
