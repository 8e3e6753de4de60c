"""The links on disk, so that an edge starts and serves while Postgres is away.

A file of frames, each with its length and CRC32: first what the file is, then some hundred rows
each, then an empty one, by which a file that was cut off is known. Links stay packed as in memory.
"""

import os
import struct
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import msgspec

from ingest.links import DICTIONARY, Links, Row

FORMAT = "touchline links 2"
BEFORE = "touchline links 1"
"""Its links do not say whose they are: it serves, and everything is read again."""
FRAME = struct.Struct("<II")
"""Payload bytes, CRC32 of the payload."""
FRAME_BYTES_MAX = 2**28
ROWS_A_FRAME = 250
MODE = 0o600
"""Partners' secrets are in it."""
BREATH_S = 0.000_5
"""Between two frames: the event loop must not wait long for the interpreter."""


class Head(msgspec.Struct, frozen=True, array_like=True):
    """What a snapshot begins with."""

    format: str
    change: int
    """All changes up to this number are in it."""
    dictionary: bytes
    """The links are packed with it."""


_head = msgspec.msgpack.Decoder(Head)
_rows = msgspec.msgpack.Decoder(list[Row])


def load(path: Path, links: Links) -> None:
    """Take all rows and the change number.

    Raises FileNotFoundError, OSError, or ValueError for a file that is not whole; then `links` may
    hold some rows, and its change number is as before. After a file of the format before it is 0.
    """
    with path.open("rb") as file:
        frames = _frames(file)
        head = _head.decode(next(frames))
        if head.format not in (FORMAT, BEFORE):
            raise ValueError(f"its format is {head.format!r}")
        for payload in frames:
            rows = _rows.decode(payload)
            for row in rows:
                links.take(row, head.dictionary)
            if not rows:
                break
    links.change = head.change if head.format == FORMAT else 0


def save(path: Path, links: Links, *, given_up: Callable[[], bool]) -> int | None:
    """Write all rows; gives their change number, or None when it was given up. For a thread of its own.

    Rows that are put meanwhile may be in it or not: their changes have higher numbers and are read again.
    """
    change = links.change
    scratch = path.with_suffix(".new")
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, MODE), "wb") as file:
        os.fchmod(file.fileno(), MODE)  # one that was left behind may have another
        file.write(_frame(Head(FORMAT, change, DICTIONARY)))
        for rows in _portions(links.rows()):
            if given_up():
                return None
            file.write(_frame(rows))
            time.sleep(BREATH_S)
        file.write(_frame([]))
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
    return change


def _frame(content: object) -> bytes:
    payload = msgspec.msgpack.encode(content)
    return FRAME.pack(len(payload), zlib.crc32(payload)) + payload


def _frames(file: BinaryIO) -> Iterator[bytes]:
    while True:
        start = file.read(FRAME.size)
        size, crc = FRAME.unpack(start) if len(start) == FRAME.size else (0, -1)
        payload = file.read(size) if size <= FRAME_BYTES_MAX else b""
        if len(payload) != size or zlib.crc32(payload) != crc:
            raise ValueError("it is torn")
        yield payload


def _portions(rows: Iterable[Row]) -> Iterator[list[Row]]:
    remaining = iter(rows)
    while portion := list(islice(remaining, ROWS_A_FRAME)):
        yield portion
