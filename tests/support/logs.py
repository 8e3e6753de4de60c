"""A log of either kind for the contract suite: batches go in as the edge writes them, a source reads them."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Protocol

import asyncpg
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.records_to_delete import RecordsToDelete

from consumers.positions import PostgresPositions
from consumers.sources import Source
from consumers.sources.journals import JournalSource
from consumers.sources.kafka import KafkaSource
from ingest.batch import Batch
from ingest.journal import Journal
from ingest.sender import Sender
from process.metrics import Meters
from process.postgres import open_pool
from schemas.codec import encode
from schemas.events import Hit, Tally
from schemas.ids import hour_of, new_id, received_us
from schemas.settings import Settings
from schemas.topics import HITS

LINK = "link-1"


class Log(Protocol):
    """What the contract suite does to a log."""

    async def append(self, batches: Sequence[Sequence[Hit]]) -> None:
        """Write batches, durably, each with its tally."""

    async def lose_beginning(self) -> None:
        """Drop the oldest part, as retention or an accident would."""

    async def replace(self) -> None:
        """Another log takes the place of this one."""

    def source(self, positions: PostgresPositions) -> Source:
        """A new reader."""

    async def close(self) -> None:
        """Let go of everything."""


def hits(count: int, prefix: str = "hit") -> list[Hit]:
    """Clicks with click ids `prefix-0`, `prefix-1`, …"""
    now_us = time.time_ns() // 1000
    return [
        Hit(
            v=1,
            id=new_id(now_us + n),
            kind="click",
            link=LINK,
            app="app-1",
            mode="s2s",
            touched_us=now_us,
            ip="203.0.113.7",
            ua="Mozilla/5.0 (Linux; Android 14; Pixel 8)",
            query=f"click_id={prefix}-{n}",
        )
        for n in range(count)
    ]


class JournalLog:
    """A journal written by the edge's own writer."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._worker = 0
        self._journal = self._open()

    def _open(self) -> Journal:
        folder = self._data / "journals" / f"w{self._worker}" / HITS
        journal = Journal(folder, HITS, bytes_max=10**9, done=lambda _: 1 << 32, written=lambda _: None)  # type: ignore[arg-type,return-value]
        journal.open()
        return journal

    async def append(self, batches: Sequence[Sequence[Hit]]) -> None:
        for one in batches:
            await self.append_lines([encode(hit) for hit in one], [hour_of(received_us(hit.id)) for hit in one])

    async def append_lines(self, lines: Sequence[bytes], hours: Sequence[int] = ()) -> None:
        """One batch, of an hour, of lines that need not be hits."""
        now = hour_of(time.time_ns() // 1000)
        for hour, some in groupby(zip(lines, hours or [now] * len(lines), strict=True), key=lambda pair: pair[1]):
            batch = Batch(asyncio.get_running_loop(), hour, waits_for_kafka=False)
            for line, _ in some:
                batch.add(line, LINK)
            self._journal.append(batch)
            assert await batch.released

    @property
    def end(self) -> int:
        return self._journal.end

    async def lose_beginning(self) -> None:
        first = min(self._journal.folder.glob("*.seg"))
        assert len(list(self._journal.folder.glob("*.seg"))) > 1
        first.unlink()

    async def replace(self) -> None:
        await self._journal.close()
        for path in self._journal.folder.iterdir():
            path.unlink()
        self._journal = self._open()

    async def reopen(self) -> None:
        await self._journal.close()
        self._journal = self._open()

    def source(self, positions: PostgresPositions) -> Source:
        return JournalSource(self._data, HITS, "touches", positions)

    async def close(self) -> None:
        await self._journal.close()


class KafkaLog:
    """A topic of a real broker, written by the edge's own producer."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._number = 0
        self._sender: Sender | None = None

    async def create(self) -> None:
        async with self._admin() as admin:
            answer = await admin.create_topics([NewTopic(self._topic, 1, 1)])
            assert not any(error[1] for error in answer.topic_errors), answer

    @contextlib.asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        await admin.start()
        try:
            yield admin
        finally:
            await admin.close()

    async def append(self, batches: Sequence[Sequence[Hit]]) -> None:
        if self._sender is None:
            self._sender = Sender(self._bootstrap, self._topic)
            await self._sender.connect(asyncio.Event())
        for one in batches:
            self._number += 1
            tally = Tally(
                kind="tally",
                v=1,
                topic=HITS,
                journal="00000000-0000-4000-8000-000000000001",
                boot=1,
                number=self._number,
                counts=[(LINK, hour_of(time.time_ns() // 1000), len(one))],
            )
            await self._sender.send(b"\n".join([*map(encode, one), encode(tally)]))

    async def lose_beginning(self) -> None:
        async with self._admin() as admin:
            await admin.delete_records({TopicPartition(self._topic, 0): RecordsToDelete(before_offset=5)})

    async def replace(self) -> None:
        async with self._admin() as admin:
            await admin.delete_topics([self._topic])
            for _ in range(100):
                answer = await admin.create_topics([NewTopic(self._topic, 1, 1)])
                if not any(error[1] for error in answer.topic_errors):
                    break
                await asyncio.sleep(0.1)
        await self.close()

    def source(self, positions: PostgresPositions) -> Source:
        return KafkaSource(self._bootstrap, self._topic, "touches", positions, positions.epoch)

    async def close(self) -> None:
        if self._sender is not None:
            await self._sender.close()
            self._sender = None


async def pool_of(database_url: str) -> asyncpg.Pool:
    """A pool as the consumers open it."""
    return await open_pool(Settings.read({"TOUCHLINE_DATABASE_URL": database_url}))


def positions_of(pool: asyncpg.Pool) -> PostgresPositions:
    """Positions as the touches consumer keeps them."""
    return PostgresPositions(pool, "touches", Meters())
