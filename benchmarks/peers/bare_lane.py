"""The least that acknowledges durably: a protocol on aiohttp's C parser, JSON, batches of 4 ms, fdatasync, 204.

No links, no checks, no tally, nothing to recover from: what remains when everything Touchline promises is left
out. `python -m benchmarks.peers.bare_lane PORT FILE`.
"""

import asyncio
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import orjson
import uvloop
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_parser import HttpRequestParser

from benchmarks.plan import Cores
from benchmarks.processes import Server, free_ports

BATCH_S = 0.004
ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"


class Batches:
    """Collects records for some milliseconds, then writes and syncs them in the one thread; one after the other."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="disk")
        self._records: list[bytes] = []
        self._waiting: list[asyncio.Transport] = []
        self._loop = asyncio.get_running_loop()

    def add(self, record: bytes, transport: asyncio.Transport) -> None:
        if not self._records:
            self._loop.call_later(BATCH_S, self._flush)
        self._records.append(record)
        self._waiting.append(transport)

    def _flush(self) -> None:
        records, waiting, self._records, self._waiting = self._records, self._waiting, [], []
        written = self._loop.run_in_executor(self._disk, self._write, records)
        written.add_done_callback(lambda done: _answer(done, waiting))

    def _write(self, records: list[bytes]) -> None:
        os.write(self._file, b"\n".join(records))
        os.fdatasync(self._file)


def _answer(done: "asyncio.Future[None]", waiting: list[asyncio.Transport]) -> None:
    done.result()
    for transport in waiting:
        if not transport.is_closing():
            transport.write(ANSWER)


class Lane(asyncio.Protocol):
    """One connection; whole heads only, as load programs send them."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self._transport: asyncio.Transport | None = None
        self._parser: HttpRequestParser | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        loop = asyncio.get_running_loop()
        self._parser = HttpRequestParser(BaseProtocol(loop), loop, 2**16, max_line_size=32_768, max_field_size=32_768)

    def data_received(self, data: bytes) -> None:
        assert self._parser is not None and self._transport is not None
        messages, _, _ = self._parser.feed_data(data)
        for message, _ in messages:
            path, _, query = message.path.partition("?")
            hit = {
                "at_us": time.time_ns() // 1000,
                "path": path,
                "query": query,
                "ua": message.headers.get("User-Agent", ""),
                "ip": self._transport.get_extra_info("peername")[0],
            }
            self._batches.add(orjson.dumps(hit), self._transport)


async def serve(port: int, path: str) -> None:
    """Until it is killed."""
    batches = Batches(path)
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: Lane(batches), "127.0.0.1", port, backlog=4096)
    await listening.serve_forever()


def server(folder: Path, cores: Cores) -> tuple[Server, str]:
    """The server and where it will listen."""
    folder.mkdir()
    port = free_ports([0])
    argv = [sys.executable, "-m", "benchmarks.peers.bare_lane", str(port), str(folder / "records")]
    return Server(argv, folder / "bare_lane.log", cores=cores.server), f"http://127.0.0.1:{port}"


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), sys.argv[2]))
