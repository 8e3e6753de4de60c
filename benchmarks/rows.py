"""What Postgres shows of a load: when sampled hits became rows, and at the end which are missing or stored twice."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from schemas.ids import floor_id
from schemas.keys import click_id_key

WINDOW = 64
"""Samples asked for at once: the oldest that have not arrived. Asking must not become the load."""

APP_OF_LINK = "SELECT app FROM links WHERE id = $1"
ARRIVED = "SELECT click_id FROM touches WHERE click_key = ANY($1::bigint[]) AND id >= $2::uuid"
STORED = """
SELECT click_id, count(*) AS times FROM touches
WHERE id >= $1::uuid AND starts_with(click_id, $2) GROUP BY click_id
"""


class Samples:
    """Every so many-th hit of a load, and when its row was first seen."""

    def __init__(self, app: str, prefix: str, numbers: Sequence[int]) -> None:
        self.seen_at: dict[int, float] = {}
        self._prefix = prefix
        self._waiting = {number: click_id_key(app, "click", f"{prefix}-{number}") for number in numbers}
        self._floor = floor_id(time.time_ns() // 1000 - 60_000_000)

    async def look(self, connection: asyncpg.Connection) -> None:
        """Note which of the oldest have arrived."""
        keys = [key for _, key in zip(range(WINDOW), self._waiting.values(), strict=False)]
        if not keys:
            return
        for row in await connection.fetch(ARRIVED, keys, self._floor):
            prefix, _, number = row["click_id"].rpartition("-")
            if prefix == self._prefix and self._waiting.pop(int(number), None) is not None:
                self.seen_at[int(number)] = time.time()

    def only(self, numbers: set[int]) -> None:
        """Forget the others: they were never acknowledged, so nobody owes a row for them."""
        self._waiting = {number: key for number, key in self._waiting.items() if number in numbers}

    @property
    def waiting(self) -> int:
        return len(self._waiting)


@dataclass(frozen=True, slots=True)
class Account:
    """Acknowledged hits against rows."""

    acknowledged: int
    stored: int
    missing: int
    double: int
    unacknowledged_stored: int
    """Rows of hits whose answer the generator never saw: allowed, a 2xx promises a row, not the other way."""


async def account(connection: asyncpg.Connection, since_s: float, prefix: str, acknowledged: set[int]) -> Account:
    """Compare one load's acknowledged numbers with the rows of its click ids."""
    rows = await connection.fetch(STORED, floor_id(int((since_s - 60) * 1e6)), f"{prefix}-")
    times = {int(row["click_id"].rpartition("-")[2]): row["times"] for row in rows}
    return Account(
        acknowledged=len(acknowledged),
        stored=sum(times.values()),
        missing=len(acknowledged - times.keys()),
        double=sum(count > 1 for count in times.values()),
        unacknowledged_stored=len(times.keys() - acknowledged),
    )
