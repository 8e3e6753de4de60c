"""The journals of this host: where they end, how far they are read, what is left. Reads files only."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from schemas import journal
from schemas.counters import read_counts
from schemas.errors import CorruptJournal
from schemas.ids import received_us
from schemas.journal import Position
from schemas.topics import READS, TOPICS, Topic

READER: Mapping[Topic, str] = {topic: consumer for consumer, topic in READS.items()}
"""Which consumer reads a topic's journals; with Kafka it is the shipper."""


class Unread(NamedTuple):
    """What stands between a reader and the durable end."""

    batches: int | None
    """None when the first of them cannot be read."""
    bytes: int
    oldest_s: float | None


NOTHING = Unread(0, 0, None)


def journals(data: Path, positions: Mapping[str, int] | None, *, kafka: bool) -> list[dict[str, Any]]:
    """Facts of every journal; `positions`: log → position in Postgres, None when Postgres is away."""
    found = []
    for topic in TOPICS:
        for folder in journal.journals(data, topic):
            try:
                found.append(_journal(folder, topic, positions, kafka=kafka))
            except (OSError, CorruptJournal) as error:
                found.append({"topic": topic, "worker": folder.parent.name, "why": str(error)})
    return found


def _journal(folder: Path, topic: Topic, positions: Mapping[str, int] | None, *, kafka: bool) -> dict[str, Any]:
    identity = journal.read_identity(folder)
    end = journal.read_end(folder)
    at = _read_up_to(folder, topic, identity.uuid, positions, kafka=kafka)
    rest = unread(folder, at, end) if end is not None else NOTHING
    return {
        "topic": topic,
        "worker": folder.parent.name,
        "uuid": identity.uuid,
        "host": identity.host,
        "end": place(end.position) if end is not None and end.number else None,
        "last_batch": end.number if end is not None else 0,
        "read_by": "shipper" if kafka else READER[topic],
        "read_up_to": place(at) if at else None,
        "unread_batches": rest.batches,
        "unread_bytes": rest.bytes,
        "oldest_unread_seconds": rest.oldest_s,
        "bytes_on_disk": sum(_size(path) for path in folder.glob("*.seg")),
    }


def _read_up_to(folder: Path, topic: Topic, uuid: str, positions: Mapping[str, int] | None, *, kafka: bool) -> Position:
    """Postgres' word, or what the reader left beside the journal when Postgres is away."""
    if kafka:
        return Position(journal.published(folder / "shipped"))
    if positions is not None:
        return Position(positions.get(f"journal:{uuid}", 0))
    return Position(journal.published(folder / f"read.{READER[topic]}"))


def unread(folder: Path, at: Position, end: journal.End) -> Unread:
    """The batches from `at` to `end`: only the first of them is read."""
    present = journal.segments(folder)
    if not end.number or at >= end.position or not present:
        return NOTHING
    at = max(at, journal.position(present[0], 0))
    frames, _ = journal.read_frames(folder, at, end=end.position, bytes_max=1)
    left = sum(_bytes_between(folder, segment, at, end.position) for segment in present)
    if not frames:
        return Unread(None if left else 0, left, None)
    oldest_us = _received_us(frames[0].payload)
    age_s = max(time.time() - oldest_us / 1_000_000, 0.0) if oldest_us is not None else None
    return Unread(end.number - frames[0].number + 1, left, None if age_s is None else round(age_s, 3))


def _bytes_between(folder: Path, segment: int, at: Position, end: Position) -> int:
    if not journal.segment_of(at) <= segment <= journal.segment_of(end):
        return 0
    first = journal.byte_of(at) if segment == journal.segment_of(at) else 0
    size = _size(journal.segment_path(folder, segment))
    last = journal.byte_of(end) if segment == journal.segment_of(end) else size
    return max(last - max(first, journal.SEGMENT_HEADER.size), 0)


def _received_us(payload: bytes) -> int | None:
    try:
        return received_us(orjson.loads(payload.partition(b"\n")[0])["id"])
    except (ValueError, KeyError, TypeError):
        return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # the writer has just let it go
        return 0


def place(at: Position) -> str:
    """`segment:byte`"""
    return f"{journal.segment_of(at)}:{journal.byte_of(at)}"


def counts(data: Path) -> list[dict[str, Any]]:
    """What each worker counted: redirects without a durable hit, and 503 answers."""
    return [
        {"worker": path.parent.name, **read_counts(path)._asdict()} for path in sorted(data.glob("journals/*/counters"))
    ]
