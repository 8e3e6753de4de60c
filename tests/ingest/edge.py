"""A running edge: the real application, recorder and journals on a real socket, without Postgres and Kafka."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from ingest.app import make_app, open_lanes
from ingest.client_address import TrustedProxies
from ingest.hits import HitHandler, Hits
from ingest.lane import Lane
from ingest.lanes import Lanes
from ingest.links import Links
from ingest.recorder import Recorder
from ingest.sdk import SdkHandler
from ingest.skan import SkanHandler
from ingest.skan_ids import SkanIds
from ingest.skan_web import SkanWeb
from ingest.well_known import WellKnown
from process.metrics import Meters
from schemas import journal
from schemas.codec import decode_apple, decode_conversion, decode_hit, decode_reject, is_tally
from schemas.events import ApplePostback, Conversion, Hit, Reject
from schemas.settings import Settings
from schemas.skan.lists import IdList
from schemas.topics import CONVERSIONS, HITS, REJECTS, SKAN, Topic
from tests.ingest.samples import some_links


class NoPostgres:
    """Stands where the pool is: the edge serves without it."""

    async def fetchrow(self, *_: object) -> None:
        raise ConnectionError("there is no Postgres here")


class Edge:
    """One edge, its address and what it wrote."""

    def __init__(self, data: Path) -> None:
        self.settings = Settings.read({"TOUCHLINE_DATA": str(data)})
        self.links: Links = some_links()
        self.meters = Meters()
        self.recorder = Recorder(self.settings, 0, self.meters)
        self.port = 0
        self.lanes: Lanes

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def hits(self) -> list[Hit]:
        """Every durable hit, in order."""
        return [decode_hit(line) for line in await self.lines(HITS)]

    async def rejects(self) -> list[Reject]:
        return [decode_reject(line) for line in await self.lines(REJECTS)]

    async def conversions(self) -> list[Conversion]:
        return [decode_conversion(line) for line in await self.lines(CONVERSIONS)]

    async def apple_postbacks(self) -> list[ApplePostback]:
        return [decode_apple(line) for line in await self.lines(SKAN)]

    async def lines(self, topic: Topic) -> list[bytes]:
        """Every durable record of a topic as it stands in the journal, tallies aside."""
        await asyncio.sleep(0.01)  # an open batch is flushed after 4 ms
        writer = self.recorder.journals[topic]
        await writer.drained()
        frames, gap = journal.read_frames(writer.folder, journal.START, end=writer.end, bytes_max=2**30)
        assert gap is None or writer.end == journal.START
        return [line for frame in frames for line in frame.payload.split(b"\n") if not is_tally(line)]

    def metric(self, line: str) -> float:
        """The value of one line of /metrics; 0 when there is none."""
        for stated in self.meters.exposition().decode().splitlines():
            name, _, value = stated.rpartition(" ")
            if name == line:
                return float(value)
        return 0.0


NO_IDS = IdList(company_domain="localhost", entries=())


@asynccontextmanager
async def running_edge(
    data: Path,
    *,
    fast: bool = True,
    pool: Any = None,
    network_keys: Mapping[str, EllipticCurvePrivateKey] = MappingProxyType({}),
    ids: IdList = NO_IDS,
) -> AsyncIterator[Edge]:
    """Made of the same parts as ingest/app.py makes it; `fast` False: aiohttp's handlers serve everything."""
    edge = Edge(data)
    edge.recorder.open()
    pool = pool or NoPostgres()
    hits = Hits(edge.links, edge.recorder, TrustedProxies(()), edge.meters)
    app = make_app(
        HitHandler(hits),
        SdkHandler(edge.links, edge.recorder, pool, hits, edge.meters),
        SkanHandler(edge.recorder, hits, edge.meters),
        WellKnown(edge.links),
        SkanWeb(network_keys, pool, hits),
        SkanIds(ids),
    )
    edge.lanes, runner = await open_lanes(app, hits)
    factory: Any = (lambda: Lane(edge.lanes)) if fast else edge.lanes.make_handler
    server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0, backlog=4096)
    edge.port = server.sockets[0].getsockname()[1]
    try:
        yield edge
    finally:
        server.close()
        await edge.lanes.drain(0.2)
        await runner.cleanup()
        await edge.recorder.close()


async def exchange(port: int, raw: bytes, *, ended: bool = False, patience_s: float = 2.0) -> bytes:
    """Everything the edge answers to these bytes; raises TimeoutError when it keeps silent and open.

    A complete answer or a close ends the wait; with `ended` the client says that nothing follows.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
    try:
        writer.write(raw)
        if ended:
            writer.write_eof()
        answered = b""
        async with asyncio.timeout(patience_s):
            while not is_whole(answered):
                data = await reader.read(65536)
                if not data:
                    break
                answered += data
        return answered
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def is_whole(answered: bytes) -> bool:
    """Whether the bytes hold one complete answer, as far as its own length says."""
    head, end, body = answered.partition(b"\r\n\r\n")
    if not end:
        return False
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return len(body) >= int(value)
    return True


def status_of(answered: bytes) -> int:
    """The status of the first answer; 0 when the connection was closed without one."""
    return int(answered.split(b" ", 2)[1]) if answered.startswith(b"HTTP/") else 0
