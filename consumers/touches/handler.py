"""The touches consumer: hits → rows of `touches`."""

from collections.abc import Sequence

import asyncpg

from consumers.runner import Row, Stored
from consumers.sources import Record
from consumers.touches.country import Countries
from consumers.touches.row import COLUMNS, TouchRow, touch_row
from schemas.codec import decode_hit
from schemas.errors import DeadLetter
from schemas.ids import received_us
from schemas.sql import load


class TouchesHandler:
    """Parses hits and stores them; hits older than the oldest partition are rejected `too_old`."""

    def __init__(self, countries: Countries) -> None:
        self._countries = countries
        self.oldest_us = 0
        """First moment of receipt that a partition holds; whoever makes partitions sets it."""

    def decode(self, record: Record) -> Row:
        """A hit with everything that can be known about it. Raises DeadLetter."""
        hit = decode_hit(record.value)
        try:
            at_us = received_us(hit.id)
        except ValueError as error:
            raise DeadLetter("undecodable", str(error), subject=hit.link) from None
        if at_us < self.oldest_us:
            raise DeadLetter("too_old", "received before the oldest partition", record_id=hit.id, subject=hit.link)
        return Row(record, hit.id, hit.link, touch_row(hit, self._countries))

    async def store(self, connection: asyncpg.Connection, rows: Sequence[Row]) -> Stored:
        """COPY to the stage, insert what is new."""
        touches: list[TouchRow] = [row.value for row in rows]
        await connection.execute(load("touches")["stage"])
        await connection.copy_records_to_table(
            "stage_touches", records=[touch.values for touch in touches], columns=COLUMNS
        )
        new = {str(row["id"]) for row in await connection.fetch(load("touches")["insert"])}
        more = [
            (key, touch.touched_us, row.id)
            for row, touch in zip(rows, touches, strict=True)
            if touch.more_keys and row.id in new
            for key in touch.more_keys
        ]
        if more:
            await connection.execute(load("touches")["more_keys"], *zip(*more, strict=True))
        return Stored(len(new), [])
