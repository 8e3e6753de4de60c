"""A Kafka topic as a log. The group only shares the partitions out; positions stand in Postgres."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from consumers.sources import Chunk, Partition, Positions, Record
from process.kafka import stop_client
from process.postgres import AWAY
from schemas.codec import is_tally
from schemas.errors import LogReplaced
from schemas.topics import Consumer

log = logging.getLogger(__name__)

POLL_MS = 200
RECORDS_MAX = 10_000
HELD_RECORDS_MAX = 20_000
HELD_POLLS_MAX = 10
CALL_TIMEOUT_S = 10.0


class KafkaSource(ConsumerRebalanceListener):  # type: ignore[misc]
    """Reads the partitions of one topic that the group gives to this member."""

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        consumer: Consumer,
        positions: Positions,
        identity: Callable[[str, str], Awaitable[str]],
    ) -> None:
        """`identity(cluster id, topic)` gives the topic's epoch: part of the log's name."""
        self._bootstrap = bootstrap
        self._topic = topic
        self._group = f"touchline-{consumer}-{topic}"
        self._positions = positions
        self._identity = identity
        self._kafka: Any = None
        """Member of the group: reads."""
        self._asker: Any = None
        """No member: asks where the log ends."""
        self._log = ""
        self._at: dict[int, int] = {}
        self._held: dict[int, list[Record]] = {}
        self._held_polls: dict[int, int] = {}
        self._ready: list[Chunk] = []

    async def read(self) -> Chunk | None:
        """The next chunk; raises KafkaError or OSError while the brokers are away: call again."""
        await self._join()
        if self._ready:
            return self._ready.pop(0)
        try:
            found = await self._kafka.getmany(timeout_ms=POLL_MS, max_records=RECORDS_MAX)
        except (OffsetOutOfRangeError, NoOffsetForPartitionError):
            for partition in list(self._at):
                await self.seek(Partition(self._log, partition))
            return None
        for topic_partition, messages in found.items():
            self._take(topic_partition.partition, messages)
        for partition in list(self._held):
            self._cut(partition, grew=any(tp.partition == partition for tp in found))
        return self._ready.pop(0) if self._ready else None

    def _take(self, partition: int, messages: Iterable[Any]) -> None:
        if partition in self._at:
            held = self._held.setdefault(partition, [])
            held.extend(Record(message.offset, message.value or b"") for message in messages)

    def _cut(self, partition: int, *, grew: bool) -> None:
        """Make a chunk of the whole batches; a rest without its tally waits for it, but not for ever."""
        held = self._held[partition]
        whole = next((n for n in range(len(held), 0, -1) if is_tally(held[n - 1].value)), 0)
        polls = self._held_polls[partition] = 0 if grew else self._held_polls.get(partition, 0) + 1
        if not whole and (len(held) > HELD_RECORDS_MAX or polls > HELD_POLLS_MAX):
            whole = len(held)  # not written by an edge: no tally will come
        if whole:
            start, following = self._at[partition], held[whole - 1].offset + 1
            self._ready.append(Chunk(Partition(self._log, partition), start, following, held[:whole]))
            self._at[partition] = following
            del held[:whole]
        if not held:
            del self._held[partition]
            self._held_polls.pop(partition, None)

    async def seek(self, partition: Partition) -> None:
        """Go on from the position in Postgres, if the partition is still ours."""
        number = partition.number
        if number not in self._at:
            return
        self._forget(number)
        self._at[number] = await self._start(number)
        self._kafka.seek(TopicPartition(self._topic, number), self._at[number])

    async def _start(self, number: int) -> int:
        topic_partition = TopicPartition(self._topic, number)
        first = (await self._kafka.beginning_offsets([topic_partition]))[topic_partition]
        end = (await self._kafka.end_offsets([topic_partition]))[topic_partition]
        start = await self._positions.start(Partition(self._log, number), first)
        if start > end:
            raise LogReplaced(
                f"{self._topic}/{number} ends at {end}, but {start} was stored: the topic was made anew."
                " Run `touchline topics --renew` if that was meant."
            )
        return start

    def _forget(self, number: int) -> None:
        self._held.pop(number, None)
        self._ready = [chunk for chunk in self._ready if chunk.partition.number != number]

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Called by aiokafka before the first record of an assignment."""
        for topic_partition in assigned:
            self._at[topic_partition.partition] = 0
            try:
                await self.seek(Partition(self._log, topic_partition.partition))
            except (*AWAY, KafkaError) as error:
                # aiokafka would swallow it; without a seek the next read fails and seeks again
                log.warning("%s/%d: position not read yet: %s", self._topic, topic_partition.partition, error)

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Called by aiokafka before a rebalance: unread chunks are somebody else's now."""
        for topic_partition in revoked:
            self._at.pop(topic_partition.partition, None)
            self._forget(topic_partition.partition)

    async def stored(self, partition: Partition, position: int) -> None:
        """Nothing: Kafka's retention does not wait for us, and the position is Postgres' to keep."""

    async def ends(self) -> Mapping[Partition, int]:
        """The high watermarks of all partitions, asked outside the group."""
        if self._asker is None:
            self._asker = await self._start_client(group=None)
        async with asyncio.timeout(CALL_TIMEOUT_S):
            await self._asker._client.force_metadata_update()
            numbers = sorted(self._asker.partitions_for_topic(self._topic) or ())
            found = await self._asker.end_offsets([TopicPartition(self._topic, number) for number in numbers])
        return {Partition(self._log, tp.partition): end for tp, end in found.items()}

    async def _join(self) -> None:
        if self._kafka is None:
            kafka = await self._start_client(group=self._group)
            kafka.subscribe([self._topic], listener=self)
            self._kafka = kafka

    async def _start_client(self, *, group: str | None) -> Any:
        kafka = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="none",
            session_timeout_ms=6000,
            heartbeat_interval_ms=1500,
            max_partition_fetch_bytes=4 * 2**20,
            fetch_max_wait_ms=100,
            check_crcs=False,
            metadata_max_age_ms=30_000,
        )
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                await kafka.start()
                cluster = await self._cluster_id()
                epoch = await self._identity(cluster, self._topic)
        except BaseException:
            await stop_client(kafka)
            raise
        self._log = f"kafka:{cluster}:{self._topic}:{epoch}"
        return kafka

    async def _cluster_id(self) -> str:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        try:
            await admin.start()
            return str((await admin.describe_cluster())["cluster_id"])
        finally:
            await admin.close()

    async def close(self) -> None:
        """Leave the group within a deadline."""
        for kafka in (self._kafka, self._asker):
            if kafka is not None:
                await stop_client(kafka)
        self._kafka = self._asker = None
