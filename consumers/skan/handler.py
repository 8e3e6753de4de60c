"""The consumer of Apple's postbacks: every body becomes a row, one of each id counts."""

from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec

from consumers.forgotten import Forgotten
from consumers.runner import Row, Stored
from consumers.skan.judging import REASONS, Claim, Subject, judge
from consumers.skan.reading import Reading, Said, read
from consumers.sources import Record
from process.metrics import Meters
from schemas import metrics
from schemas.codec import decode_apple
from schemas.errors import DeadLetter
from schemas.events import ApplePostback
from schemas.ids import received_us
from schemas.skan.keys import AppleKeys
from schemas.sql import load

COLUMNS = (
    *("id", "framework", "transaction", "verdict", "reason", "version", "hash", "body"),
    *Said.__struct_fields__,
)
_NOTHING_SAID = (None,) * len(Said.__struct_fields__)


class Postback(msgspec.Struct, frozen=True, gc=False):
    """A body and what was read of it."""

    record: ApplePostback
    reading: Reading

    @property
    def subject(self) -> Subject | None:
        """What it claims; None when it does not verify."""
        if self.reading.said is None or self.reading.transaction is None:
            return None
        return self.record.framework, self.reading.transaction


class SkanHandler:
    """Verifies and judges; nothing that came is left out."""

    def __init__(self, keys: AppleKeys, meters: Meters) -> None:
        self._keys = keys
        self._verdicts = meters.counter(metrics.SKAN_VERDICTS)
        self.forgotten = Forgotten()

    def decode(self, record: Record) -> Row:
        """A body, verified or not. Raises DeadLetter."""
        postback = decode_apple(record.value)
        try:
            received_us(postback.id)
        except ValueError as error:
            raise DeadLetter("undecodable", str(error), subject=postback.framework) from None
        reading = read(postback.framework, postback.body, self._keys)
        return Row(record, postback.id, postback.framework, Postback(postback, reading))

    async def store(self, connection: asyncpg.Connection, rows: Sequence[Row]) -> Stored:
        """One row a body. Verdicts are made by one process at a time: two of them could both find themselves first."""
        sql = load("skan")
        await connection.execute(sql["turn"])
        stand = {str(row["id"]) for row in await connection.fetch(sql["standing_ids"], [row.id for row in rows])}
        new: dict[str, Postback] = {row.id: row.value for row in rows if row.id not in stand}
        claims = [(one.subject, Claim(id, one.reading.hash)) for id, one in new.items() if one.subject is not None]
        standing = await _standing(connection, {subject for subject, _ in claims})
        judged = judge(claims, standing)
        for (framework, transaction), hash in sorted(judged.displaced.items()):
            await connection.execute(
                sql["displace"], framework, transaction, hash, REASONS["duplicate"], REASONS["changed"]
            )
        values = [_values(id, one, judged.verdicts.get(id, "invalid")) for id, one in new.items()]
        await connection.copy_records_to_table("skan_postbacks", records=values, columns=COLUMNS)
        for value in values:
            self._verdicts.labels(value[1], value[3]).inc()
        return Stored(len(values), [])


async def _standing(connection: asyncpg.Connection, subjects: set[Subject]) -> dict[Subject, Claim]:
    if not subjects:
        return {}
    rows = await connection.fetch(load("skan")["standing"], *map(list, zip(*sorted(subjects), strict=True)))
    return {(row["framework"], row["transaction"]): Claim(str(row["id"]), row["hash"]) for row in rows}


def _values(id: str, one: Postback, verdict: str) -> tuple[Any, ...]:
    reading = one.reading
    return (
        id,
        one.record.framework,
        reading.transaction,
        verdict,
        REASONS.get(verdict, reading.reason),
        reading.version,
        reading.hash,
        one.record.body,
        *(msgspec.structs.astuple(reading.said) if reading.said is not None else _NOTHING_SAID),
    )
