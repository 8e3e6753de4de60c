"""An open-loop generator: sends when it is time, not when the last answer came, and times from the intended send.

`python -m benchmarks.open_loop` reads its orders as JSON from standard input and writes what it found as JSON.
One request at a time per connection; when all are busy requests queue, and the wait counts as theirs. Its clock
ticks each millisecond. Rate 0 is a closed loop: each connection sends as soon as it has its answer.
"""

import asyncio
import gc
import json
import sys
import time
from array import array
from collections import Counter, deque
from typing import Any, cast
from urllib.parse import urlsplit

import uvloop

TICK_S = 0.001
LATE_S = 0.005
DRAIN_S = 10.0
PERCENTILES = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99, 100.0)


class Connection(asyncio.Protocol):
    """One keep-alive connection with at most one open request."""

    def __init__(self, generator: "Generator") -> None:
        self._generator = generator
        self._transport: asyncio.Transport | None = None
        self._got = b""
        self.number: int | None = None
        self.due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self._generator.free(self)

    def send(self, number: int, due: float) -> None:
        assert self._transport is not None
        self.number, self.due = number, due
        self._transport.write(self._generator.request(number))

    def data_received(self, data: bytes) -> None:
        self._got += data
        if self.number is None or not _complete(self._got):
            return
        status, number, self._got, self.number = int(self._got[9:12]), self.number, b"", None
        self._generator.answered(status, number, self.due)
        self._generator.free(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._generator.lost(self)


def _complete(answer: bytes) -> bool:
    head = answer.find(b"\r\n\r\n")
    if head < 0:
        return False
    at = answer[:head].lower().find(b"content-length:")
    length = int(answer[at + 15 : head].split(b"\r\n", 1)[0]) if at >= 0 else 0
    return len(answer) >= head + 4 + length


class Generator:
    """Sends numbers from 1 on, and keeps what became of them."""

    def __init__(self, templates: list[bytes], rate: float, seconds: float) -> None:
        self.times = array("d")
        self._dues = array("d")
        self.statuses: Counter[int] = Counter()
        self.acknowledged = bytearray()
        self.sent = self.late = self.broken = 0
        self.lag_max_s = 0.0
        self._templates, self._rate, self._seconds = templates, rate, seconds
        self._idle: list[Connection] = []
        self._queue: deque[tuple[int, float]] = deque()
        self._open = 0
        self._running = False
        self.lost_connections = 0
        self.started_at = self._start = self.last = 0.0

    def request(self, number: int) -> bytes:
        return self._templates[number % len(self._templates)] % (number, number)

    def free(self, connection: Connection) -> None:
        if self._queue:
            connection.send(*self._queue.popleft())
        elif self._running and not self._rate and time.perf_counter() < self._start + self._seconds:
            self._begin(time.perf_counter(), connection)
        else:
            self._idle.append(connection)

    def answered(self, status: int, number: int, due: float) -> None:
        self.last = time.perf_counter()
        self.times.append(self.last - due)
        self._dues.append(due - self._start)
        self.statuses[status] += 1
        self.acknowledged[number] = 200 <= status < 400
        self._open -= 1

    def lost(self, connection: Connection) -> None:
        self.lost_connections += 1
        if connection.number is not None:
            self.broken += 1
            self._open -= 1
        if connection in self._idle:
            self._idle.remove(connection)

    def _begin(self, due: float, connection: Connection | None = None) -> None:
        self.sent += 1
        self._open += 1
        self.acknowledged.append(0)
        if connection is None and self._idle:
            connection = self._idle.pop()
        if connection is None:
            self._queue.append((self.sent, due))
        else:
            connection.send(self.sent, due)

    async def run(self, host: str, port: int, connections: int) -> None:
        """Connect, send for so many seconds, wait for what is open."""
        loop = asyncio.get_running_loop()
        await asyncio.gather(
            *(loop.create_connection(lambda: Connection(self), host, port) for _ in range(connections))
        )
        self.acknowledged.append(0)  # numbers start at 1
        self.started_at, self._start, self._running = time.time(), time.perf_counter(), True
        if not self._rate:
            for connection in [self._idle.pop() for _ in range(len(self._idle))]:
                self.free(connection)
        while (now := time.perf_counter()) < self._start + self._seconds:
            self._send_due(now)
            await self._reconnect(loop, host, port, connections)
            before = time.perf_counter()
            await asyncio.sleep(TICK_S)
            self.lag_max_s = max(self.lag_max_s, time.perf_counter() - before - TICK_S)
        self._send_due(self._start + self._seconds)
        deadline = time.perf_counter() + DRAIN_S
        while self._open > 0 and time.perf_counter() < deadline:
            await self._reconnect(loop, host, port, connections)
            await asyncio.sleep(TICK_S)
        self._running = False

    def _send_due(self, now: float) -> None:
        while self._rate and (due := self._start + self.sent / self._rate) <= now:
            if due >= self._start + self._seconds:
                return
            # our own fault, busy connections or not: while we were away nobody read their answers either
            self.late += time.perf_counter() - due > LATE_S
            self._begin(due)

    async def _reconnect(self, loop: asyncio.AbstractEventLoop, host: str, port: int, connections: int) -> None:
        """The server may close a connection; a new one takes its place."""
        missing, self.lost_connections = self.lost_connections, 0
        for _ in range(min(missing, connections)):
            try:
                await loop.create_connection(lambda: Connection(self), host, port)
            except OSError:
                self.lost_connections += 1
                return

    def facts(self) -> dict[str, Any]:
        """What was found; times in milliseconds from the intended send."""
        ordered = sorted(self.times)
        places = [min(int(len(ordered) * share / 100), len(ordered) - 1) for share in PERCENTILES]
        seconds = max(self.last - self._start, 1e-9)
        return {
            "started_at": self.started_at,
            "seconds": seconds,
            "sent": self.sent,
            "answered": len(ordered),
            "answered_per_s": len(ordered) / seconds,
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "broken": self.broken,
            "unanswered": self.sent - len(ordered) - self.broken,
            "percentiles_ms": [[share, ordered[place] * 1000] for share, place in zip(PERCENTILES, places, strict=True)]
            if ordered
            else [],
            "p99_ms_by_second": self._by_second(),
            "late_share": self.late / max(self.sent, 1),
            "lag_max_ms": self.lag_max_s * 1000,
            "unacknowledged": [number for number in range(1, self.sent + 1) if not self.acknowledged[number]],
        }

    def _by_second(self) -> list[float | None]:
        """p99 of what was to be sent in each second; None where nothing of it was answered."""
        seconds: dict[int, list[float]] = {}
        for due, time_s in zip(self._dues, self.times, strict=True):
            seconds.setdefault(max(int(due), 0), []).append(time_s)
        ordered = (sorted(seconds.get(second, ())) for second in range(max(seconds, default=-1) + 1))
        return [times[int(len(times) * 0.99)] * 1000 if times else None for times in ordered]


def main() -> None:
    """Orders in, findings out."""
    orders = json.load(sys.stdin)
    url = urlsplit(orders["url"])
    generator = Generator([text.encode() for text in orders["templates"]], orders["rate"], orders["seconds"])
    gc.freeze()
    gc.disable()  # its pauses would be taken for the server's
    uvloop.run(generator.run(url.hostname or "127.0.0.1", url.port or 80, orders["connections"]))
    json.dump(generator.facts(), sys.stdout)


if __name__ == "__main__":
    main()
