"""The rejects consumer: what the edge refused, whole, with the reason it gave."""

from collections.abc import Sequence

import asyncpg

from consumers.runner import Row, Stored
from consumers.sources import Record
from schemas.codec import decode_reject
from schemas.errors import DeadLetter
from schemas.ids import received_us
from schemas.sql import load


class RejectsHandler:
    """Stores rejects under the consumer name `edge`."""

    def decode(self, record: Record) -> Row:
        """Raises DeadLetter."""
        reject = decode_reject(record.value)
        try:
            received_us(reject.id)
        except ValueError as error:
            raise DeadLetter("undecodable", str(error), subject=reject.link) from None
        return Row(record, reject.id, reject.link, reject)

    async def store(self, connection: asyncpg.Connection, rows: Sequence[Row]) -> Stored:
        """One row each."""
        values = [
            (
                row.id,
                row.subject,
                row.value.reason,
                row.value.parameter,
                row.value.detail,
                row.record.value,
                row.record.offset,
            )
            for row in rows
        ]
        new = await connection.fetch(load("rejects")["insert"], *zip(*values, strict=True))
        return Stored(len(new), [])
