"""Where a consumer stands in its log: rows of Postgres, moved with the rows they stand for."""

import logging

import asyncpg

from consumers.sources import Hole, Partition
from process.metrics import Meters
from schemas import metrics
from schemas.sql import load
from schemas.topics import Consumer

log = logging.getLogger(__name__)


class PostgresPositions:
    """The positions of one consumer."""

    def __init__(self, pool: asyncpg.Pool, consumer: Consumer, meters: Meters) -> None:
        self._pool = pool
        self._consumer = consumer
        self._holes = meters.counter(metrics.HOLES)

    async def start(self, partition: Partition, first: int) -> int:
        """Where to go on; `first` for a partition never read. A hole before `first` is put on record."""
        key = (self._consumer, partition.log, partition.number)
        async with self._pool.acquire() as connection:
            await connection.execute(load("log")["first_position"], *key, first)
            position: int = await connection.fetchval(load("log")["position"], *key)
        if position < first:
            await self.hole(Hole(partition, position, first))
            return first
        return position

    async def hole(self, hole: Hole) -> None:
        """An alarm and a row: what the log has lost is never skipped in silence."""
        log.error("HOLE in %s/%d: %d to %d is gone", *hole.partition, hole.start, hole.stop)
        self._holes.labels(self._consumer).inc()
        key = (self._consumer, hole.partition.log, hole.partition.number)
        async with self._pool.acquire() as connection, connection.transaction():
            if await connection.fetchval(load("log")["move_position"], *key, hole.start, hole.stop):
                await connection.execute(load("log")["hole"], *key, hole.start, hole.stop)

    async def move(self, connection: asyncpg.Connection, partition: Partition, start: int, stop: int) -> bool:
        """Within the rows' transaction; False when another member was first."""
        key = (self._consumer, partition.log, partition.number)
        return bool(await connection.fetchval(load("log")["move_position"], *key, start, stop))

    async def epoch(self, cluster: str, topic: str) -> str:
        """Part of a Kafka log's identity: aiokafka knows no topic ids."""
        async with self._pool.acquire() as connection:
            return str(await connection.fetchval(load("log")["epoch"], cluster, topic))
