"""The fast lane: complete clicks and impressions without a request object, a task or a future for each.

A protocol on aiohttp's own C parser. Whatever is unusual is handed, with its unread bytes, to
aiohttp's handler, which stays the judge of what is odd. One unanswered hit a connection: later
bytes wait, and a hand-over waits too, otherwise a second answer could overtake the first.
"""

import asyncio
import logging
import re
import time
from typing import Any, cast

from aiohttp.http_parser import HttpRequestParser, RawRequestMessage

from ingest import heads
from ingest.accept import accept
from ingest.answer import Answer, problem
from ingest.batch import Batch
from ingest.caller import Caller, caller
from ingest.hits import PATIENCE_S, peer_text
from ingest.lanes import Lanes
from ingest.touch import Form, Outcome, Request

log = logging.getLogger(__name__)

HEAD_BYTES_MAX = 65_536
"""More than aiohttp takes: a head that is refused only for its length still leads a person somewhere."""
WAITING_BYTES_MAX = 65_536
PLAIN_BYTES_MAX = 8_000
"""Far below aiohttp's limits."""
IDLE_S = 75.0
HEAD_S = 60.0
CONNECTIONS_MAX = 20_000

FORMS: dict[str, Form] = {"serve": "serve", "c": "click", "i": "impression"}
GIF_FORMS: dict[str, Form] = {"c": "click_gif", "i": "impression_gif"}
STARTS = (b"GET /serve/", b"GET /c/", b"GET /i/", b"HEAD /serve/", b"HEAD /c/", b"HEAD /i/")
_LONGEST_START = max(map(len, STARTS))
_END = b"\r\n\r\n"


class Lane(asyncio.Protocol):
    """One connection."""

    __slots__ = (
        "_active_s", "_batch", "_buffer", "_by_proxy", "_ended", "_fed", "_head", "_head_since_s", "_lanes", "_outcome",
        "_parser", "_peer", "_reading", "_refused", "_stuck", "_transport",
    )  # fmt: skip

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self._parser: HttpRequestParser | None = None
        """Of heads that are odd or come in pieces."""
        self._buffer = b""
        self._fed = 0
        """So much of the buffer's head the parser has seen."""
        self._refused = False
        """The parser refused the head for its target or a cookie only: its end is waited for."""
        self._outcome: Outcome | None = None
        """Of the one hit that is not answered yet."""
        self._batch: Batch | None = None
        self._head = False
        self._stuck = False
        """The client does not read its answers."""
        self._reading = True
        self._ended = False
        self._head_since_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        peer = transport.get_extra_info("peername")
        self._peer = peer_text(peer[0] if isinstance(peer, tuple) else None)
        self._by_proxy = self._lanes.hits.proxies.trusts(self._peer)
        self._active_s = self._lanes.loop.time()
        if len(self._lanes.open) >= CONNECTIONS_MAX:
            self._transport.abort()
            return
        self._lanes.open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio's. A hit that waits is recorded all the same; its answer finds nobody."""
        self._lanes.open.discard(self)
        self._outcome = None
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        """asyncio's. Never raises."""
        self._active_s = self._lanes.loop.time()
        if self._outcome is None and not self._buffer and not self._stuck:
            try:
                if self._serve_plain(data):
                    return
            except Exception:
                self._give_up()
                return
        self._buffer = self._buffer + data if self._buffer else data
        if self._outcome is None and not self._stuck:
            self._go_on()
        waits = self._outcome is not None or self._stuck
        if waits and self._reading and len(self._buffer) > WAITING_BYTES_MAX:
            self._transport.pause_reading()
            self._reading = False

    def eof_received(self) -> bool:
        """asyncio's. A client may end its side and still wait for its answer."""
        self._ended = True
        return self._outcome is not None or self._stuck

    def pause_writing(self) -> None:
        """asyncio's."""
        self._stuck = True

    def resume_writing(self) -> None:
        """asyncio's."""
        self._stuck = False
        if self._outcome is None:
            self._go_on()

    def _go_on(self) -> None:
        """Take requests from the buffer until one waits for its batch, or none is whole."""
        try:
            while self._buffer and self._outcome is None and not self._stuck and self._take_one():
                pass
        except Exception:
            self._give_up()
            return
        if self._outcome is None and not self._transport.is_closing():
            if not self._reading and len(self._buffer) <= WAITING_BYTES_MAX:
                self._transport.resume_reading()
                self._reading = True
            if self._ended:
                self._transport.close()

    def _take_one(self) -> bool:
        """Whether the buffer may hold another request."""
        buffer = self._buffer
        if self._fed == 0 and self._serve_plain(buffer):
            return self._outcome is None
        if self._fed == 0 and not buffer.startswith(STARTS):
            if len(buffer) >= _LONGEST_START or not any(start.startswith(buffer) for start in STARTS):
                return self._hand_over()
            self._head_since_s = self._head_since_s or self._active_s
            return False
        end = buffer.find(_END, max(0, self._fed - 3))
        stop = end + 4 if end >= 0 else len(buffer)
        if not self._refused:
            try:
                messages = self._parse(buffer[self._fed : stop])
            except Exception:  # the parser's own errors: whatever it is, the head is refused
                if not heads.is_for_its_target(buffer[:stop], self._lanes.parser()):
                    return self._refuse()
                self._refused = True
                messages = []
        self._fed = stop
        if end < 0:
            if stop > HEAD_BYTES_MAX:
                return self._refuse()
            self._head_since_s = self._head_since_s or self._active_s
            return False
        if self._refused:
            return self._answer_refused_target(buffer[:stop])
        target = heads.TARGET.match(messages[0][0].path) if len(messages) == 1 else None
        if target is None or heads.is_unusual(messages[0][0]):
            return self._hand_over()
        self._buffer, self._fed, self._head_since_s = buffer[stop:], 0, 0.0
        return self._judge(messages[0][0], target)

    def _serve_plain(self, buffer: bytes) -> bool:
        """Whether this was one whole usual request with a plain first line: nearly all are, and it is served."""
        if len(buffer) > PLAIN_BYTES_MAX:
            return False
        text = buffer.decode("latin-1")
        line = heads.LINE.match(text)
        if line is None:
            return False
        lanes, peer, rest = self._lanes, self._peer, text[line.end() :]
        asks = None if self._by_proxy else lanes.known.get(rest)
        if asks is None:
            headers = lanes.headers(buffer[line.end() :])
            if headers is None:
                return False
            asks = caller(headers)
            if self._by_proxy:
                peer = lanes.hits.proxies.client(peer, headers)
            else:
                lanes.remember(rest, asks)
        self._buffer, self._head_since_s = b"", 0.0
        method, first, link, query = line.groups()
        self._serve(asks, peer, method, first, link, query)
        return True

    def _parse(self, data: bytes) -> list[Any]:
        if self._parser is None:
            self._parser = self._lanes.parser()
        messages: list[Any] = self._parser.feed_data(data)[0]
        return messages

    def _judge(self, message: RawRequestMessage, target: re.Match[str]) -> bool:
        headers = message.headers
        if heads.bad_host(headers.get("Host", ""), stated="Host" in headers):
            return self._refuse("bad_host", "The Host header names no host.")
        peer = self._lanes.hits.proxies.client(self._peer, headers)
        self._serve(caller(headers), peer, message.method, *target.groups())
        return self._outcome is None

    def _serve(self, asks: Caller, peer: str, method: str, first: str, link: str, query: str | None) -> None:
        hits = self._lanes.hits
        form = FORMS[first]
        if form != "serve" and link.endswith(".gif"):
            form, link = GIF_FORMS[first], link[:-4]
        self._head = method == "HEAD"
        now_us = time.time_ns() // 1000
        request = Request(form, link, asks.host, query or "", asks, peer, self._head, now_us)
        try:
            outcome = accept(request, hits.links)
        except Exception:
            outcome = hits.last_resort(request)
        taken = hits.take(outcome, now_us)
        if isinstance(taken, Answer):
            self._write(taken)
            return
        self._outcome, self._batch = outcome, taken
        taken.wait(PATIENCE_S[outcome.patience], self._settled)

    def _settled(self, durable: bool) -> None:
        """The batch was released, or patience has ended."""
        outcome, batch = self._outcome, self._batch
        if outcome is None:
            return  # the client is gone
        self._outcome = self._batch = None
        self._write(self._lanes.hits.settle(outcome, batch, durable=durable))
        if self._buffer or self._ended or not self._reading:
            self._go_on()

    def _write(self, answer: Answer, *, close: bool = False) -> None:
        if self._transport.is_closing():
            return
        close = close or (self._lanes.draining and not self._buffer)
        self._transport.write(self._lanes.wire(answer, head=self._head, close=close))
        if close:
            self._transport.close()

    def _answer_refused_target(self, head: bytes) -> bool:
        hits = self._lanes.hits
        self._head = head.startswith(b"HEAD")
        now_us = time.time_ns() // 1000
        outcome = heads.outcome(head, self._lanes.parser(), self._peer, hits.links, now_us)
        if outcome is None:
            return self._refuse()
        taken = hits.take(outcome, now_us)
        assert isinstance(taken, Answer)  # a reject waits for nothing
        self._buffer = b""
        self._write(taken, close=True)
        return False

    def _refuse(self, reason: str = "bad_request", detail: str = "This is not valid HTTP.") -> bool:
        """400 and a close: what follows cannot be trusted to be a request."""
        self._buffer = b""
        self._head = False
        self._write(self._lanes.hits.say(problem(400, reason, detail)), close=True)
        return False

    def _hand_over(self) -> bool:
        """The connection is aiohttp's from here on, with everything that was not answered."""
        self._lanes.open.discard(self)
        if not self._reading:
            self._transport.resume_reading()
        handler = self._lanes.make_handler()
        self._transport.set_protocol(handler)
        handler.connection_made(self._transport)
        buffer, self._buffer = self._buffer, b""
        handler.data_received(buffer)
        if self._ended:
            handler.eof_received()
        return False

    def close_if_idle(self, now_s: float) -> None:
        """Nothing came for long, or a head takes too long."""
        if self._outcome is None:
            slow_head = self._head_since_s and now_s - self._head_since_s > HEAD_S
            if slow_head or now_s - self._active_s > IDLE_S:
                self.abort()

    def close_if_done(self) -> None:
        """While draining: nothing is open on this connection."""
        if self._outcome is None and not self._buffer:
            self._transport.close()

    def _give_up(self) -> None:
        log.exception("a connection's bytes")
        self.abort()

    def abort(self) -> None:
        """At once."""
        self._transport.abort()
