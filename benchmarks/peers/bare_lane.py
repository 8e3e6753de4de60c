"""The least that acknowledges durably: aiohttp's C parser, one record of JSON, our batches and our journal, 204.

No links, no rules, no limits, no counters, no second lane: what remains is what the edge would cost if it asked
nothing. `python -m benchmarks.peers.bare_lane`, with Touchline's settings in the environment.
"""

import asyncio
import os
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import uvloop
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_parser import HttpRequestParser

from benchmarks import kafka
from benchmarks.plan import Cores
from benchmarks.processes import Server, free_ports
from ingest.answer import NO_CONTENT
from ingest.listen import BACKLOG, listening_socket
from ingest.recorder import MACHINE_PATIENCE_S, Recorder
from process.metrics import Meters
from schemas.codec import encode
from schemas.events import Hit
from schemas.ids import new_id
from schemas.settings import Settings
from schemas.topics import HITS, TOPICS

ANSWER = NO_CONTENT.wire(b"Sat, 01 Jan 2000 00:00:00 GMT", head=False, close=False)


class Lane(asyncio.Protocol):
    """One connection; whole heads only, as load programs send them."""

    def __init__(self, recorder: Recorder) -> None:
        self._hits = recorder.batcher(HITS)
        self._transport: asyncio.Transport | None = None
        loop = asyncio.get_running_loop()
        self._parser = HttpRequestParser(BaseProtocol(loop), loop, 2**16, max_line_size=32_768, max_field_size=32_768)
        self._peer = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self._peer = transport.get_extra_info("peername")[0]

    def data_received(self, data: bytes) -> None:
        messages, _, _ = self._parser.feed_data(data)
        for message, _ in messages:
            path, _, query = message.path.partition("?")
            now_us = time.time_ns() // 1000
            hit = Hit(
                v=1,
                id=new_id(now_us),
                kind="click",
                link=path,
                app="demo",
                mode="s2s",
                touched_us=now_us,
                ip=self._peer,
                ua=message.headers.get("User-Agent", ""),
                query=query,
            )
            batch = self._hits.add(encode(hit), path, now_us)
            assert batch is not None, "too much waits"
            batch.wait(MACHINE_PATIENCE_S, self._answer)

    def _answer(self, durable: bool) -> None:
        assert durable and self._transport is not None
        if not self._transport.is_closing():
            self._transport.write(ANSWER)


async def serve() -> None:
    """Until it is killed."""
    settings = Settings.read(os.environ)
    recorder = Recorder(settings, 0, Meters())
    recorder.open()
    listening = await listening_socket(settings)
    server = await asyncio.get_running_loop().create_server(lambda: Lane(recorder), sock=listening, backlog=BACKLOG)
    await server.serve_forever()


@contextmanager
def running(folder: Path, cores: Cores, bootstrap: str | None) -> Iterator[tuple[Server, str]]:
    """The server and where it will listen; its journal goes to Kafka as the edge's does."""
    folder.mkdir()
    port, prefix = free_ports([0]), f"bench-bare-{secrets.token_hex(4)}."
    argv = [sys.executable, "-m", "benchmarks.peers.bare_lane"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TOUCHLINE_")}
    environment |= {"TOUCHLINE_DATA": str(folder), "TOUCHLINE_EDGE_PORT": str(port), "TOUCHLINE_BIND": "127.0.0.1"}
    if bootstrap is not None:
        environment |= {"TOUCHLINE_KAFKA": bootstrap, "TOUCHLINE_TOPIC_PREFIX": prefix}
        kafka.create(bootstrap, prefix, TOPICS)
    try:
        with Server(argv, folder / "bare_lane.log", cores=cores.server, env=environment) as server:
            yield server, f"http://127.0.0.1:{port}"
    finally:
        if bootstrap is not None:
            kafka.delete(bootstrap, prefix, TOPICS)


if __name__ == "__main__":
    uvloop.run(serve())
