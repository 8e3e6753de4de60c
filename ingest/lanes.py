"""What the fast lane's connections share: limits, a parser each, the date, their end."""

import asyncio
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any, Protocol

from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_parser import HttpRequestParser

from ingest.answer import NO_CONTENT, Answer
from ingest.caller import Caller, Headers
from ingest.heads import bad_host, is_unusual
from ingest.hits import Hits

LINE_BYTES_MAX = 32_768
PLAIN_LINE = b"GET / HTTP/1.1\r\n"
KNOWN_MAX = 4096
KNOWN_CHARS_MAX = 2048


class Connection(Protocol):
    """What is asked of an open connection."""

    def close_if_idle(self, now_s: float) -> None:
        """Nothing came for long, or a head takes too long."""

    def close_if_done(self) -> None:
        """While draining: nothing is open on this connection."""

    def abort(self) -> None:
        """At once."""


class Lanes:
    """What the lanes of one worker share."""

    def __init__(self, hits: Hits, make_handler: Callable[[], Any]) -> None:
        self.hits = hits
        self.make_handler = make_handler
        """A new connection's handler of aiohttp."""
        self.loop = asyncio.get_running_loop()
        self.draining = False
        self.open: set[Connection] = set()
        self.nobody = BaseProtocol(self.loop)
        """The parser wants a protocol for bodies; the lane takes none."""
        self._parser: HttpRequestParser | None = None
        self._date = b""
        self._date_s = 0
        self._no_content = b""
        self._found = (b"", b"")
        self.known: dict[str, Caller] = {}
        """Head, from behind its first line → what it says: load of the same sender is parsed once."""

    def wire(self, answer: Answer, *, head: bool, close: bool) -> bytes:
        """The bytes of an answer; what pings and redirects have in common is made once a second."""
        now_s = int(time.time())
        if now_s != self._date_s:
            self._date, self._date_s = formatdate(now_s, usegmt=True).encode(), now_s
            self._no_content = NO_CONTENT.wire(self._date, head=False, close=False)
            before, _, after = Answer(302, location="{}").wire(self._date, head=False, close=False).partition(b"{}")
            self._found = before, after
        if not close:
            if answer is NO_CONTENT:
                return self._no_content
            if answer.location:
                before, after = self._found
                return before + answer.location.encode() + after
        return answer.wire(self._date, head=head, close=close)

    def remember(self, rest: str, caller: Caller) -> None:
        """What a head says behind its first line; it may be forgotten at any time."""
        if len(rest) <= KNOWN_CHARS_MAX:
            if len(self.known) >= KNOWN_MAX:
                self.known.clear()
            self.known[rest] = caller

    def parser(self) -> HttpRequestParser:
        """A parser for one connection, with the limits of aiohttp's handler."""
        return HttpRequestParser(
            self.nobody, self.loop, 2**16, max_line_size=LINE_BYTES_MAX, max_field_size=LINE_BYTES_MAX
        )

    def headers(self, rest: bytes) -> Headers | None:
        """Of a head, from behind its first line, when it is whole, usual and names a host; else None.

        The parser is asked with a first line of ours: reading a target costs it more than everything else. One
        parser serves all connections, because between whole heads it remembers nothing.
        """
        parser, self._parser = self._parser or self.parser(), None
        try:
            messages = parser.feed_data(PLAIN_LINE + rest)[0]
        except Exception:  # the parser's own errors: it is asked again, with the whole head
            return None
        if len(messages) != 1 or rest.find(b"\r\n\r\n") != len(rest) - 4 or is_unusual(messages[0][0]):
            return None
        self._parser = parser
        headers: Headers = messages[0][0].headers
        return None if bad_host(headers.get("Host", ""), stated="Host" in headers) else headers

    async def sweep(self, stop: asyncio.Event) -> None:
        """Close connections that were idle for long or do not finish their head."""
        while not stop.is_set():
            await asyncio.sleep(1.0)
            now = self.loop.time()
            for lane in list(self.open):
                lane.close_if_idle(now)

    async def drain(self, seconds: float) -> None:
        """Answer what is open, close the rest."""
        self.draining = True
        deadline = self.loop.time() + seconds
        while self.open and self.loop.time() < deadline:
            for lane in list(self.open):
                lane.close_if_done()
            await asyncio.sleep(0.005)
        for lane in list(self.open):
            lane.abort()
