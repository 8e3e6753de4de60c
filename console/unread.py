"""Batches that were written and not counted yet: still unread, or missing."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import asyncpg

from schemas import journal
from schemas.codec import decode_tally, is_tally
from schemas.errors import CorruptJournal, DeadLetter
from schemas.ids import hour_of
from schemas.journal import End, Identity, Position
from schemas.sql import load
from schemas.topics import READS, TOPICS, Topic


class LocalJournal(NamedTuple):
    """A journal of this host, as it stood before Postgres was asked."""

    folder: Path
    identity: Identity
    end: End
    shipped: Position


class Stretch(NamedTuple):
    """Consecutive batches of one journal that Postgres has not counted."""

    journal: str
    topic: str
    worker: str
    host: str
    first: int
    last: int
    hours: tuple[int, int] | None
    """Hours of receipt between which they lie."""


def local_journals(data: Path) -> dict[str, LocalJournal]:
    """UUID → journal, of every worker and topic under the data folder that was ever written to."""
    found: dict[str, LocalJournal] = {}
    for topic in TOPICS:
        for folder in journal.journals(data, topic):
            try:
                identity = journal.read_identity(folder)
            except CorruptJournal:
                continue
            end = journal.read_end(folder)
            if end is not None and end.number:
                shipped = Position(journal.published(folder / "shipped"))
                found[identity.uuid] = LocalJournal(folder, identity, end, shipped)
    return found


async def sort_out(
    connection: asyncpg.Connection,
    locals_: Mapping[str, LocalJournal],
    *,
    kafka: bool,
    kafka_lag: Mapping[Topic, int],
) -> tuple[list[Stretch], list[Stretch]]:
    """(missing, unread) stretches. What may still stand in Kafka, behind a lag, counts as unread."""
    seen = await connection.fetch(load("verify")["seen_journals"])
    topics = {str(row["journal"]): (row["topic"], row["last"]) for row in seen}
    for uuid, local in locals_.items():
        last = max(local.end.number, topics.get(uuid, ("", 0))[1])
        topics[uuid] = (local.identity.topic, last)
    positions = await _read_positions(connection)
    missing: list[Stretch] = []
    unread: list[Stretch] = []
    for uuid, (topic, last) in sorted(topics.items()):
        for row in await connection.fetch(load("verify")["unseen"], uuid, last):
            local_journal = locals_.get(uuid)
            below = positions.get(uuid, Position(0))
            if kafka:
                below = local_journal.shipped if local_journal else Position(2**62)
            for first, final, gone in _split(local_journal, below, row["first"], row["last"]):
                stretch = await _stretch(connection, uuid, topic, local_journal, first, final)
                (missing if gone and not kafka_lag.get(topic) else unread).append(stretch)
    return missing, unread


async def _read_positions(connection: asyncpg.Connection) -> dict[str, Position]:
    rows = await connection.fetch(load("verify")["positions"])
    readers = set(READS)
    return {
        row["log"].removeprefix("journal:"): Position(row["next_offset"])
        for row in rows
        if row["log"].startswith("journal:") and row["consumer"] in readers
    }


def _split(local: LocalJournal | None, below: Position, first: int, last: int) -> list[tuple[int, int, bool]]:
    """(first, last, gone) parts of a stretch: gone is what nobody will find on the disk any more."""
    if local is None:
        return [(first, last, True)]
    there = _numbers_from(local, below, first, last)
    parts: list[tuple[int, int, bool]] = []
    at = first
    for start, stop in there:
        if at < start:
            parts.append((at, start - 1, True))
        parts.append((start, stop, False))
        at = stop + 1
    if at <= last:
        parts.append((at, last, True))
    return parts


def _numbers_from(local: LocalJournal, below: Position, first: int, last: int) -> list[tuple[int, int]]:
    """Ranges of the numbers within [first, last] that stand on disk at or after `below`."""
    found: list[tuple[int, int]] = []
    for segment in journal.segments(local.folder):
        if segment < journal.segment_of(below):
            continue
        try:
            for frame in journal.scan(journal.segment_path(local.folder, segment), end=local.end.position):
                if frame.at < below or not first <= frame.number <= last:
                    continue
                if found and found[-1][1] == frame.number - 1:
                    found[-1] = (found[-1][0], frame.number)
                else:
                    found.append((frame.number, frame.number))
        except FileNotFoundError:
            continue
    return found


async def _stretch(
    connection: asyncpg.Connection, uuid: str, topic: str, local: LocalJournal | None, first: int, last: int
) -> Stretch:
    before = await connection.fetchval(load("verify")["hour_before"], uuid, first)
    after = await connection.fetchval(load("verify")["hour_after"], uuid, last)
    if local is not None:
        before = before if before is not None else _hour_of_file(local.folder / "journal.json")
        after = after if after is not None else _next_hour(local, last)
    hours = (before, max(before, after)) if before is not None and after is not None else None
    worker = local.folder.parent.name if local else ""
    return Stretch(uuid, topic, worker, local.identity.host if local else "", first, last, hours)


def _next_hour(local: LocalJournal, number: int) -> int | None:
    """Hour of the next batch on disk, else of the last write."""
    for segment in journal.segments(local.folder):
        for frame in journal.scan(journal.segment_path(local.folder, segment)):
            if frame.number > number:
                return _first_hour(frame.payload)
    return _hour_of_file(local.folder / "end")


def _first_hour(payload: bytes) -> int | None:
    line = payload.rpartition(b"\n")[2]
    try:
        return min((hour for _, hour, _ in decode_tally(line).counts), default=None) if is_tally(line) else None
    except DeadLetter:
        return None


def _hour_of_file(path: Path) -> int | None:
    try:
        return hour_of(path.stat().st_mtime_ns // 1000)
    except OSError:
        return None
