"""One HTTP request of a postback, with its redirects, and what came of it in words."""

import asyncio
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, NamedTuple, Protocol
from urllib.parse import urljoin

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
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
    """The client: connections are kept, cookies are not, and no proxy of the environment is used."""

    def __init__(self, guard: Guard, look_up: LookUp = socket.getaddrinfo, answer_s: float = ANSWER_S) -> None:
        self._guard = guard
        self._answer_s = answer_s
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                resolver=GuardedResolver(guard, look_up),
                ttl_dns_cache=NAMES_KEPT_S,
                keepalive_timeout=KEEP_ALIVE_S,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            trust_env=False,
        )

    async def __aenter__(self) -> "Asker":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def ask(self, method: str, url: str, body: str | None, key: str, secret: str | None) -> Answer:
        """One attempt, redirects included; never raises for what the other side does."""
        began_s = time.perf_counter()
        asked = _Asked(self._session, self._guard, key, secret)
        refused, error = False, None
        try:
            async with asyncio.timeout(self._answer_s):
                await asked.follow(method, url, (body or "").encode() if method == "POST" else b"")
        except NotAllowed as why:
            refused, error = True, str(why)
        except TimeoutError:
            error = f"No answer within {self._answer_s:g} s."
        except (aiohttp.ClientError, OSError, ValueError) as why:
            error = in_words(why)
        latency_ms = int((time.perf_counter() - began_s) * 1000)
        if asked.succeeds:  # it came in time; what its body did afterwards takes nothing back
            return Answer(asked.status, latency_ms, asked.body)
        return Answer(asked.status, latency_ms, asked.body, error and storable(error), refused)


class _Asked:
    """One attempt, as far as it has come."""

    def __init__(self, session: aiohttp.ClientSession, guard: Guard, key: str, secret: str | None) -> None:
        self._session, self._guard, self._key, self._secret = session, guard, key, secret
        self.status: int | None = None
        self.body = b""

    @property
    def succeeds(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    async def follow(self, method: str, url: str, body: bytes) -> None:
        """Ask, and ask again wherever a redirect leads."""
        for _ in range(REDIRECTS_MAX + 1):
            target = parse_target(url)
            self._guard.check_literal(target)
            location = await self._ask(method, target, body)
            if location is None:
                return
            url = urljoin(target.url, location)
            if self.status == 303 or (self.status in (301, 302) and method == "POST"):
                method, body = "GET", b""
        raise aiohttp.ClientError(f"It redirects more than {REDIRECTS_MAX} times.")

    async def _ask(self, method: str, target: Target, body: bytes) -> str | None:
        """Where the answer redirects to; None: nowhere."""
        made = headers(self._key, method, target.url, body, self._secret)
        url = URL(target.url, encoded=True)
        # aiohttp asks a second time by itself when a kept connection proves to be closed, though only with GET
        for again in (method == "POST", False):
            try:
                async with self._session.request(
                    method, url, data=body or None, headers=made, allow_redirects=False
                ) as response:  # fmt: skip
                    self.status, self.body = response.status, b""
                    await self._read(response)
                    return response.headers.get("Location") if response.status in REDIRECTS else None
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                if not again or isinstance(error, aiohttp.ClientConnectorError):
                    raise
        raise AssertionError("unreachable")

    async def _read(self, response: aiohttp.ClientResponse) -> None:
        read = 0
        while not response.content.at_eof():
            part = await response.content.read(READ_BYTES_MAX)
            self.body = (self.body + part)[:ANSWER_BYTES]
            read += len(part)
            if read > READ_BYTES_MAX:
                response.close()
                return


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
    if isinstance(error, aiohttp.ClientResponseError):
        return f"The answer is not valid HTTP: {error.message}"
    return f"{error or type(error).__name__}"
