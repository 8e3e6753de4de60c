"""A partner for `touchline bench postbacks`: takes postbacks and answers at once, or never.

`python -m benchmarks.sink PORT`. `/hang…` is never answered. `/taken` says as JSON what else came since `/reset`: how
many requests, how many different keys, and percentiles in milliseconds of the time since `due` (Unix µs in the query).
"""

import asyncio
import json
import sys
import time
from typing import cast

import uvloop

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
KEY = b"Idempotency-Key: "
PERCENTILES = (50.0, 90.0, 99.0, 100.0)


class Taken:
    """What came."""

    def __init__(self) -> None:
        self.count = 0
        self.keys: set[bytes] = set()
        self.delays_us: list[int] = []

    def facts(self) -> dict[str, object]:
        delays = sorted(self.delays_us)
        return {
            "count": self.count,
            "keys": len(self.keys),
            "delays_ms": {
                f"p{share:g}": delays[min(len(delays) - 1, int(len(delays) * share / 100))] / 1000
                for share in PERCENTILES if delays
            },
        }  # fmt: skip


class Partner(asyncio.Protocol):
    """One connection; a request without a body at a time."""

    taken = Taken()

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        self._head += data
        while (end := self._head.find(b"\r\n\r\n")) >= 0:
            head, self._head = self._head[:end], self._head[end + 4 :]
            self._take(head)

    def _take(self, head: bytes) -> None:
        assert self._transport is not None
        target = head.split(b" ", 2)[1]
        if target == b"/taken":
            body = json.dumps(Partner.taken.facts()).encode()
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            return
        if target == b"/reset":
            Partner.taken = Taken()
            self._transport.write(ANSWER)
            return
        if target.startswith(b"/hang"):
            return
        taken = Partner.taken
        taken.count += 1
        at = head.find(KEY) + len(KEY)
        taken.keys.add(head[at : head.find(b"\r\n", at)])
        due = target.rpartition(b"due=")[2]
        if due.isdigit():
            taken.delays_us.append(time.time_ns() // 1000 - int(due))
        self._transport.write(ANSWER)


async def main(port: int) -> None:
    """Until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Partner, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
