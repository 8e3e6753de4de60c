"""How far each consumer is behind its log: positions of Postgres against the ends of the log. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from console.status.database import Position
from schemas.journal import Position as JournalPosition
from schemas.journal import byte_of, segment_of
from schemas.topics import READS, TOPICS, Topic


def in_journals(positions: Iterable[Position], journals: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row per consumer and journal it has a position in; without lag when the journal is another host's."""
    here = {f"journal:{one['uuid']}": one for one in journals if "uuid" in one}
    found = []
    for one in positions:
        if not one.log.startswith("journal:"):
            continue
        local = here.get(one.log)
        at = JournalPosition(one.offset)
        found.append(
            {
                "consumer": one.consumer,
                "log": one.log,
                "position": f"{segment_of(at)}:{byte_of(at)}",
                "lag_batches": local["unread_batches"] if local else None,
                "lag_bytes": local["unread_bytes"] if local else None,
                "oldest_unread_seconds": local["oldest_unread_seconds"] if local else None,
                "stored_at": one.updated_at,
            }
        )
    return found


def in_kafka(
    positions: Iterable[Position], ends: Mapping[tuple[Topic, int], int], topic_prefix: str
) -> list[dict[str, Any]]:
    """A row per consumer and partition: of the newest epoch that the consumer has read."""
    newest: dict[tuple[str, int], Position] = {}
    for one in positions:
        if one.log.startswith("kafka:"):
            key = (one.consumer, one.partition)
            newest[key] = max(newest.get(key, one), one, key=lambda position: _epoch(position.log))
    names = {topic_prefix + topic: topic for topic in TOPICS}
    read: set[tuple[Topic, int]] = set()
    found = []
    for (consumer, partition), one in sorted(newest.items()):
        topic = names.get(one.log.split(":")[2])
        end = ends.get((topic, partition)) if topic is not None else None
        if topic is not None:
            read.add((topic, partition))
        found.append(_row(consumer, one.log, partition, one.offset, end, one.updated_at))
    readers = {topic: consumer for consumer, topic in READS.items()}
    found += [
        _row(readers[topic], topic_prefix + topic, partition, None, end, None)
        for (topic, partition), end in sorted(ends.items())
        if (topic, partition) not in read
    ]
    return found


def _epoch(log: str) -> int:
    """Of `kafka:CLUSTER:TOPIC:EPOCH`."""
    epoch = log.rpartition(":")[2]
    return int(epoch) if epoch.isdigit() else 0


def _row(
    consumer: str, log: str, partition: int, position: int | None, end: int | None, stored_at: Any
) -> dict[str, Any]:
    return {
        "consumer": consumer,
        "log": log,
        "partition": partition,
        "position": position,
        "end": end,
        "lag_records": max(end - (position or 0), 0) if end is not None else None,
        "stored_at": stored_at,
    }
