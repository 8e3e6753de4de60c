"""The consumer of Apple's postbacks on a real Postgres."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import asyncpg
import pytest

from benchmarks.apple import KEYS, text
from consumers.skan.handler import SkanHandler
from consumers.sources import Record
from process.metrics import Meters
from schemas.codec import encode
from schemas.events import ApplePostback, Framework
from schemas.ids import new_id
from schemas.skan.keys import AppleKeys
from tests.support.logs import pool_of


class Skan:
    """Stores bodies as the consumer does, and tells what stands."""

    def __init__(self, pool: asyncpg.Pool, keys: AppleKeys) -> None:
        self.pool = pool
        self.keys = keys

    async def store(self, records: Sequence[ApplePostback]) -> int:
        handler = SkanHandler(self.keys, Meters())
        rows = [handler.decode(Record(0, encode(one))) for one in records]
        async with self.pool.acquire() as connection, connection.transaction():
            return (await handler.store(connection, rows)).rows

    async def put(self, *bodies: Mapping[str, Any] | bytes, framework: Framework = "skadnetwork") -> None:
        """As if they came one after the other, just now."""
        await self.store([record(body, framework=framework) for body in bodies])

    async def verdicts(self) -> list[str]:
        """In order of receipt."""
        return [row["verdict"] for row in await self.pool.fetch("SELECT verdict FROM skan_postbacks ORDER BY id")]


def record(
    body: Mapping[str, Any] | bytes, *, framework: Framework = "skadnetwork", at_us: int | None = None
) -> ApplePostback:
    raw = body if isinstance(body, bytes) else text(body)
    return ApplePostback(v=1, id=new_id(at_us or time.time_ns() // 1000), framework=framework, body=raw)


@pytest.fixture
async def skan(database_url: str) -> AsyncIterator[Skan]:
    pool = await pool_of(database_url)
    yield Skan(pool, KEYS)
    pool.terminate()
