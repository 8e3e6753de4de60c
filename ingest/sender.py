"""A Kafka producer for whole batches: one outstanding batch a partition, acks=all.

Idempotence stays off (its failures hang aiokafka 0.14, its issues 1101 and 1017); what arrives twice is
counted once downstream. Compression is zstd: lz4 is slow there and runs on the event loop.
"""

import asyncio
import logging
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from process.kafka import stop_client
from process.life import sleep_unless
from schemas.errors import TouchlineError

log = logging.getLogger(__name__)

BATCH_BYTES_MAX = 900_000
REQUEST_TIMEOUT_MS = 5000
SEND_TIMEOUT_S = 12.0
CONNECT_PAUSE_S = (0.2, 0.5, 1.0)


class SendFailed(TouchlineError):
    """Kafka did not acknowledge in time; it may have stored the batch all the same: send it again."""


class Sender:
    """One producer of one topic."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._producer: Any = None
        self._free: asyncio.Queue[int] = asyncio.Queue()
        self._partitions = 0
        self._waiting = 0
        self.away = True
        """Known to be out of reach; cleared by the first success."""

    def can_take(self) -> bool:
        """Whether a batch would be on its way at once, or behind at most one more a partition."""
        return not self.away and self._waiting < 2 * self._partitions

    def found_again(self) -> None:
        """Somebody else reached Kafka: try again."""
        if self._producer is not None:
            self.away = False

    async def connect(self, stop: asyncio.Event) -> None:
        """Connect, patiently; returns once connected or stopped."""
        attempt = 0
        while self._producer is None and not stop.is_set():
            try:
                await self._start()
            except (KafkaError, OSError, TimeoutError) as error:
                if attempt == 0:
                    log.warning("Kafka topic %s: %s; trying again", self._topic, error or type(error).__name__)
                pause = CONNECT_PAUSE_S[min(attempt, len(CONNECT_PAUSE_S) - 1)]
                attempt += 1
                await sleep_unless(stop, pause)

    async def _start(self) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            acks="all",
            enable_idempotence=False,
            compression_type="zstd",
            linger_ms=0,
            max_batch_size=BATCH_BYTES_MAX,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            retry_backoff_ms=50,
            metadata_max_age_ms=60_000,
        )
        try:
            await producer.start()
            async with asyncio.timeout(REQUEST_TIMEOUT_MS / 1000):
                partitions = await producer.partitions_for(self._topic)
            if not partitions:
                raise KafkaError(f"topic {self._topic} does not exist, create it with `touchline topics`")
        except BaseException:
            await stop_client(producer)
            raise
        for partition in sorted(partitions):
            self._free.put_nowait(partition)
        self._partitions = len(partitions)
        self._producer = producer
        self.away = False
        log.info("Kafka topic %s found, %d partitions", self._topic, len(partitions))

    async def send(self, payload: bytes) -> None:
        """Deliver the lines of a batch as one Kafka batch. Raises SendFailed."""
        if self._producer is None:
            raise SendFailed("not connected")
        self._waiting += 1
        try:
            partition = await self._free.get()
            try:
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await self._send(payload, partition)
            finally:
                self._free.put_nowait(partition)
        except (KafkaError, OSError, TimeoutError) as error:
            if not self.away:
                log.warning("Kafka topic %s is away: %s", self._topic, error or type(error).__name__)
            self.away = True
            raise SendFailed(str(error) or type(error).__name__) from None
        finally:
            self._waiting -= 1
        if self.away:
            log.info("Kafka topic %s is back", self._topic)
            self.away = False

    async def _send(self, payload: bytes, partition: int) -> None:
        builder = self._producer.create_batch()
        deliveries = []
        for line in payload.split(b"\n"):
            if builder.append(timestamp=None, key=None, value=line) is None:
                # too large for one Kafka batch: the tally still goes last, on the same partition
                builder.close()
                deliveries.append(await self._producer.send_batch(builder, self._topic, partition=partition))
                builder = self._producer.create_batch()
                builder.append(timestamp=None, key=None, value=line)
        builder.close()
        deliveries.append(await self._producer.send_batch(builder, self._topic, partition=partition))
        for delivery in deliveries:
            await delivery

    async def close(self) -> None:
        """Stop within a deadline: aiokafka's own stop can wait for ever."""
        if self._producer is not None:
            await stop_client(self._producer)
            self._producer = None
