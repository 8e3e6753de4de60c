"""Kafka slow, gone and back: answers are released by the journal, and everything is shipped in the end."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from ingest.batch import KAFKA_PATIENCE_S, Batch, Batcher
from ingest.journal import Journal
from ingest.shipper import Shipper
from schemas import journal as journal_format
from schemas.codec import decode_hit, decode_tally, encode, is_tally
from schemas.ids import received_us
from schemas.topics import HITS
from tests.support.logs import hits
from tests.support.mock_kafka import MockKafka

TOPIC = "hits"
PARTITIONS = 3


class Worker:
    """A journal and its shipper, as the edge wires them."""

    def __init__(self, folder: Path, bootstrap: str) -> None:
        self.shipper = Shipper(bootstrap, TOPIC)
        self.journal = Journal(folder, HITS, bytes_max=10**9, done=self.shipper.done, written=self.shipper.offer)
        self.journal.open()
        self.shipper.start(self.journal)
        self.batcher = Batcher(
            HITS, self.journal, waits_for_kafka=lambda: not self.shipper.away, flushed=lambda _: None
        )

    async def connected(self) -> None:
        while self.shipper.away:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    def add(self, prefix: str, count: int = 5) -> Batch:
        """One batch of hits."""
        batch = None
        for hit in hits(count, prefix):
            batch = self.batcher.add(encode(hit), hit.link, received_us(hit.id))
        self.batcher.flush()
        assert batch is not None
        return batch

    async def shipped(self, seconds: float = 20) -> None:
        """Until the watermark has reached the end."""
        async with asyncio.timeout(seconds):
            while self.shipper.watermark < self.journal.end:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def close(self) -> None:
        await self.journal.drained()
        await self.shipper.close()
        await self.journal.close()


@pytest.fixture
async def worker(tmp_path: Path, mock_kafka: MockKafka) -> AsyncIterator[Worker]:
    mock_kafka.create_topic(TOPIC, PARTITIONS)
    worker = Worker(tmp_path / "hits", mock_kafka.bootstrap)
    await worker.connected()
    yield worker
    await worker.close()


async def arrived(bootstrap: str, topic: str = TOPIC) -> tuple[set[str], set[int]]:
    """Queries of the hits and batch numbers that Kafka holds."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, n) for n in range(PARTITIONS)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        clicks: set[str] = set()
        numbers: set[int] = set()
        for partition in partitions:
            at = 0
            consumer.seek(partition, 0)
            while at < ends[partition]:
                found = await consumer.getmany(partition, timeout_ms=1000)
                for message in found.get(partition, []):
                    at = message.offset + 1
                    if is_tally(message.value):
                        numbers.add(decode_tally(message.value).number)
                    else:
                        clicks.add(decode_hit(message.value).query)
        return clicks, numbers
    finally:
        await consumer.stop()


def expected(*prefixes: str, count: int = 5) -> set[str]:
    return {f"click_id={prefix}-{n}" for prefix in prefixes for n in range(count)}


async def test_a_batch_is_released_once_kafka_has_it(worker: Worker, mock_kafka: MockKafka) -> None:
    batch = worker.add("a")
    assert await asyncio.wait_for(batch.released, KAFKA_PATIENCE_S)
    assert await arrived(mock_kafka.bootstrap) == (expected("a"), {1})


async def test_slow_kafka_costs_half_a_second_and_then_the_journal_carries_it(
    worker: Worker, mock_kafka: MockKafka
) -> None:
    await worker.add("warm").released
    mock_kafka.round_trip_ms(1, 1500)
    started = time.monotonic()
    assert await worker.add("slow").released
    waited = time.monotonic() - started
    assert KAFKA_PATIENCE_S * 0.9 < waited < 1.4
    await worker.shipped()
    mock_kafka.round_trip_ms(1, 0)
    assert (await arrived(mock_kafka.bootstrap))[0] == expected("warm", "slow")


async def test_gone_kafka_is_noticed_found_again_and_gets_the_backlog(worker: Worker, mock_kafka: MockKafka) -> None:
    await worker.add("before").released
    mock_kafka.down(1)
    for number in range(20):
        assert await worker.add(f"away{number}").released
    async with asyncio.timeout(20):
        while not worker.shipper.away:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    started = time.monotonic()
    assert await worker.add("known").released
    assert time.monotonic() - started < KAFKA_PATIENCE_S * 0.9  # nobody waits for what is known to be gone
    mock_kafka.up(1)
    assert await worker.add("back").released
    await worker.shipped(40)
    clicks, numbers = await arrived(mock_kafka.bootstrap)
    assert clicks == expected("before", "known", "back", *(f"away{n}" for n in range(20)))
    assert numbers == set(range(1, 24))


async def test_what_was_not_shipped_is_shipped_by_the_next_process(tmp_path: Path, mock_kafka: MockKafka) -> None:
    mock_kafka.create_topic(TOPIC, PARTITIONS)
    mock_kafka.down(1)
    first = Worker(tmp_path / "hits", mock_kafka.bootstrap)
    for number in range(3):
        assert await first.add(f"b{number}").released
    await first.close()
    mock_kafka.up(1)
    second = Worker(tmp_path / "hits", mock_kafka.bootstrap)
    await second.connected()
    assert await second.add("later").released
    await second.shipped(30)
    clicks, numbers = await arrived(mock_kafka.bootstrap)
    assert clicks == expected("b0", "b1", "b2", "later")
    assert numbers == {1, 2, 3, 4}
    shipped = journal_format.published(tmp_path / "hits" / "shipped")
    await second.close()
    assert journal_format.published(tmp_path / "hits" / "shipped") == second.journal.end >= shipped


async def test_segments_go_only_after_the_acknowledgement(worker: Worker, mock_kafka: MockKafka) -> None:
    await worker.add("a").released
    await worker.shipped()
    assert worker.shipper.done(worker.journal.folder) <= worker.journal.end
    mock_kafka.down(1)
    await worker.add("b").released
    assert worker.shipper.watermark < worker.journal.end
