"""An edge gets SIGKILL in the middle of a frame's write while a consumer reads its journal: the reader goes on.

The torn bytes are put behind the durable end while the reader stands there, as a write leaves them
that the kernel had taken in part; then a new edge takes the journal over.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from schemas import journal
from schemas.journal import End, Position
from tests.support.load import Load
from tests.support.product import TOUCHLINE, Product, eventually

LINK = "1019409635088005254"
HITS = 600
TAILS = ("half a frame", "half a header", "a frame with a flipped bit", "zeros")


@pytest.fixture
def product(tmp_path: Path, database_url: str) -> Product:
    return Product(tmp_path / "product", TOUCHLINE_DATABASE_URL=database_url)


@contextmanager
def reader(product: Product) -> Iterator[subprocess.Popen[bytes]]:
    """`touchline consume touches`, ended in order."""
    with product.log.open("ab") as log:
        command = [sys.executable, TOUCHLINE, "consume", "touches"]
        process = subprocess.Popen(command, env=product.environment, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, product.output()


def torn(kind: str, frame: bytes) -> bytes:
    """What may stand behind the durable end."""
    return {
        "half a frame": frame[: len(frame) // 2],
        "half a header": frame[: journal.FRAME_HEADER.size // 2],
        "a frame with a flipped bit": frame[:-9] + bytes([frame[-9] ^ 4]) + frame[-8:],
        "zeros": b"\0" * 4096,
    }[kind]


def published(folder: Path) -> End:
    end = journal.read_end(folder)
    assert end is not None
    return end


def read_to(folder: Path) -> Position:
    """Where the consumer stands."""
    return Position(journal.published(folder / "read.touches"))


@pytest.mark.timeout(300)
def test_a_reader_at_the_end_goes_on_behind_each_tear(product: Product) -> None:
    folder = product.folder / "data" / "journals" / "w0" / "hits"
    acknowledged: set[str] = set()
    edge = product.start_edge()
    with reader(product) as consumer:
        for kind in TAILS:
            load = Load(product.url, LINK, HITS, prefix=f"load-{kind}")
            edge = asyncio.run(torn_under_load(product, edge, load, kind))
            assert load.broken > 0, "nothing was interrupted"
            acknowledged |= load.acknowledged
        eventually(lambda: read_to(folder) == published(folder).position, what=product.output)
        assert consumer.poll() is None
        edge.send_signal(signal.SIGTERM)
        assert edge.wait(30) == 0, product.output()
    rows = product.sql("SELECT click_id FROM touches WHERE click_id LIKE 'load-%'")
    stored = Counter(row["click_id"] for row in rows)
    assert acknowledged - set(stored) == set()
    assert {click_id for click_id, count in stored.items() if count > 1} == set()
    facts = product.facts("verify")
    assert facts["balanced"]
    assert facts["holes"] == []
    assert len(journal.segments(folder)) == len(TAILS) + 1


async def torn_under_load(
    product: Product, edge: subprocess.Popen[bytes], load: Load, kind: str
) -> subprocess.Popen[bytes]:
    """The edge is killed and its journal torn in the middle of the load; gives the edge that came after it."""
    following: list[subprocess.Popen[bytes]] = []

    def kill_and_tear() -> None:
        edge.kill()
        edge.wait()
        tear(product, kind)
        following.append(product.start_edge())

    await asyncio.gather(load.run(), load.reached(HITS // 2, kill_and_tear))
    return following[0]


def tear(product: Product, kind: str) -> None:
    """Torn bytes behind the durable end, once the reader stands there."""
    folder = product.folder / "data" / "journals" / "w0" / "hits"
    end = published(folder)
    eventually(lambda: read_to(folder) == end.position, what=product.output)
    segment = journal.segment_path(folder, journal.segment_of(end.position))
    first = next(journal.scan(segment))
    frame = segment.read_bytes()[journal.byte_of(first.at) : journal.byte_of(first.next)]
    with segment.open("r+b") as file:
        file.truncate(journal.byte_of(end.position))
        file.seek(0, os.SEEK_END)
        file.write(torn(kind, frame))
