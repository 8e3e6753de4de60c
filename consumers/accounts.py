"""The accounting rows of a chunk: tallies, counted once, and rejects, kept whole."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

import asyncpg

from consumers.sources import Partition, Record
from schemas.events import Tally
from schemas.ids import hour_of, received_us
from schemas.sql import load


class Rejected(NamedTuple):
    """A record that is not stored, and why."""

    partition: Partition
    record: Record
    consumer: str
    reason: str
    detail: str = ""
    parameter: str | None = None
    id: str | None = None
    subject: str | None = None
    """Link; app for conversions; None when neither the record nor its batch's tally tells."""
    hour: int | None = None
    """Hour of receipt, when no id tells it."""


async def count_tallies(connection: asyncpg.Connection, tallies: Sequence[Tally]) -> None:
    """Add the tallies that were not counted before, in the rows' transaction."""
    if not tallies:
        return
    by_key = {(tally.journal, tally.boot, tally.number): tally for tally in tallies}
    rows = [
        (
            *key,
            tally.topic,
            min((hour for _, hour, _ in tally.counts), default=0),
            max((hour for _, hour, _ in tally.counts), default=0),
        )
        for key, tally in sorted(by_key.items())
    ]
    counted = await connection.fetch(load("log")["count_batches"], *zip(*rows, strict=True))
    received: Counter[tuple[str, str, int]] = Counter()
    for journal, boot, number in counted:
        tally = by_key[str(journal), boot, number]
        for subject, hour, records in tally.counts:
            received[tally.topic, subject, hour] += records
    if received:
        sums = [(*key, records) for key, records in sorted(received.items())]
        await connection.execute(load("log")["add_received"], *zip(*sums, strict=True))


async def keep_rejects(connection: asyncpg.Connection, rejects: Sequence[Rejected]) -> list[tuple[str, str]]:
    """Store the rejects; gives (consumer, reason) of those that are new."""
    if not rejects:
        return []
    rows = [
        (
            reject.id or _made_up_id(reject),
            reject.consumer,
            reject.subject,
            hour_of(received_us(reject.id)) if reject.id else reject.hour,
            reject.reason,
            reject.parameter,
            reject.detail.replace("\0", "\ufffd")[:2000],
            reject.record.value,
            *reject.partition[:1],
            reject.partition.number,
            reject.record.offset,
        )
        for reject in rejects
    ]
    new = await connection.fetch(load("log")["reject"], *zip(*rows, strict=True))
    return [(row["consumer"], row["reason"]) for row in new]


def allot(rejects: list[Rejected], tallies: Sequence[Tally], known: Iterable[tuple[str, int]]) -> list[Rejected]:
    """Give unreadable records the link and hour that their batches' tallies have left over."""
    if all(reject.subject is not None for reject in rejects):
        return rejects
    left: Counter[tuple[str, int]] = Counter()
    for tally in tallies:
        for subject, hour, records in tally.counts:
            left[subject, hour] += records
    left.subtract(known)
    left.subtract((r.subject, hour_of(received_us(r.id))) for r in rejects if r.subject and r.id)
    places = iter(sorted(left.elements()))
    return [
        reject if reject.subject is not None else reject._replace(**_place(next(places, None))) for reject in rejects
    ]


def _place(place: tuple[str, int] | None) -> dict[str, Any]:
    return {"subject": place[0], "hour": place[1]} if place else {}


def _made_up_id(reject: Rejected) -> str:
    """The same for the same record at the same place: a chunk that is read again adds nothing."""
    place = f"{reject.partition.log}/{reject.partition.number}/{reject.record.offset}/{reject.record.value!r}"
    return str(uuid5(NAMESPACE_URL, place))
