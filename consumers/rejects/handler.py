"""The rejects consumer: what the edge refused, whole, with the reason it gave."""

from collections.abc import Sequence

import asyncpg

from consumers.forgotten import Forgotten
from consumers.runner import Row, Stored
from consumers.sources import Record
from schemas.codec import decode_reject
from schemas.errors import DeadLetter
from schemas.forgetting import STUB
from schemas.ids import received_us
from schemas.sql import load


class RejectsHandler:
    """Stores rejects under the consumer name `edge`."""

    def __init__(self) -> None:
        self.forgotten = Forgotten()

    def decode(self, record: Record) -> Row:
        """Raises DeadLetter."""
        reject = decode_reject(record.value)
        try:
            received_us(reject.id)
        except ValueError as error:
            raise DeadLetter("undecodable", str(error), subject=reject.link) from None
        return Row(record, reject.id, reject.link, reject)

    async def store(self, connection: asyncpg.Connection, rows: Sequence[Row]) -> Stored:
        """One row each; of a forgotten device only that it was refused, and why."""
        forgotten = await self.forgotten.refused(connection, [row.value for row in rows])
        values = [
            (
                row.id,
                row.subject,
                row.value.reason,
                row.value.parameter,
                row.value.detail if row.id not in forgotten else "",
                row.record.value if row.id not in forgotten else STUB,
                row.record.offset,
            )
            for row in rows
        ]
        new = await connection.fetch(load("rejects")["insert"], *zip(*values, strict=True))
        return Stored(len(new), [])
