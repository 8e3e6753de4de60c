"""Records on their way to durability: the batchers, the journals and the wait for them."""

import asyncio
import time
from pathlib import Path

from ingest.batch import Batch, Batcher
from ingest.journal import Journal
from ingest.shipper import Shipper
from process.metrics import Meters
from schemas import metrics
from schemas.counters import Counters
from schemas.journal import Position, published
from schemas.settings import Settings
from schemas.topics import READS, TOPICS, Topic

MACHINE_PATIENCE_S = 2.0
PERSON_PATIENCE_S = 0.25


class Recorder:
    """The journals of one worker, one a topic, with their shippers when Kafka is the log."""

    def __init__(self, settings: Settings, worker: int, meters: Meters) -> None:
        self._settings = settings
        self._folder = settings.data / "journals" / f"w{worker}"
        self._meters = meters
        self._durable_seconds = meters.histogram(metrics.DURABLE_SECONDS)
        self._batch_records = meters.histogram(metrics.BATCH_RECORDS)
        self.journals: dict[Topic, Journal] = {}
        self.shippers: dict[Topic, Shipper] = {}
        self._batchers: dict[Topic, Batcher] = {}

    def open(self) -> None:
        """Open the counters and the journals, start the shippers."""
        self.counters = Counters(self._folder / "counters")
        for topic in TOPICS:
            self._open(topic)

    def _open(self, topic: Topic) -> None:
        shipper = None
        if self._settings.kafka:
            shipper = Shipper(self._settings.kafka, self._settings.topic_prefix + topic)
            self.shippers[topic] = shipper
        journal = Journal(
            self._folder / topic,
            topic,
            bytes_max=self._settings.journal_bytes_max,
            done=shipper.done if shipper else lambda folder: _read_by_all(folder, topic),
            written=shipper.offer if shipper else lambda written: None,
        )
        journal.open()
        if shipper:
            shipper.start(journal)
        waits = self._settings.acknowledges_kafka()
        self.journals[topic] = journal
        self._batchers[topic] = Batcher(
            topic,
            journal,
            waits_for_kafka=lambda: waits and shipper is not None and not shipper.away,
            flushed=lambda batch: self._observe(topic, batch),
        )

    def _observe(self, topic: Topic, batch: Batch) -> None:
        self._batch_records.labels(topic).observe(len(batch.lines))
        flushed_at = time.perf_counter()
        seconds = self._durable_seconds.labels(topic)
        batch.released.add_done_callback(lambda _: seconds.observe(time.perf_counter() - flushed_at))

    def batcher(self, topic: Topic) -> Batcher:
        """Where the topic's records go."""
        return self._batchers[topic]

    async def durable_for_machine(self, *batches: Batch | None) -> bool:
        """Whether all became durable in time; a `False` is a 503 and counted as refused."""
        waiting = [batch.released for batch in batches if batch is not None]
        if len(waiting) == len(batches) and await _all_durable(waiting, MACHINE_PATIENCE_S):
            return True
        self.counters.add_refused()
        return False

    def refused(self) -> None:
        """Count a 503, before it is said."""
        self.counters.add_refused()

    def unrecorded(self, batch: Batch | None) -> None:
        """Count an answer to a person whose hit is not durable yet, until it is."""
        self.counters.add_unrecorded(1)
        if batch is not None and not batch.released.done():
            batch.released.add_done_callback(self._take_back)

    def _take_back(self, released: "asyncio.Future[bool]") -> None:
        if not released.cancelled() and released.result():
            self.counters.add_unrecorded(-1)

    def trouble(self) -> str | None:
        """Why records cannot be made durable now; remarks that start with `ok:` are weaker durability."""
        for journal in self.journals.values():
            if journal.trouble:
                return f"journal {journal.topic}: {journal.trouble}"
        away = [topic for topic, shipper in self.shippers.items() if shipper.away]
        return f"ok: Kafka is away ({', '.join(away)}), the journal carries it" if away else None

    def measure(self) -> None:
        """Bring the gauges up to date."""
        self._meters.gauge(metrics.UNRECORDED).set(self.counters.unrecorded)
        self._meters.gauge(metrics.REFUSED).set(self.counters.refused)
        for topic, journal in self.journals.items():
            self._meters.gauge(metrics.JOURNAL_BYTES).labels(topic).set(journal.bytes_on_disk)
        for topic, shipper in self.shippers.items():
            self._meters.gauge(metrics.KAFKA_AWAY).labels(topic).set(shipper.away)
            self._meters.gauge(metrics.UNSHIPPED).labels(topic).set(shipper.unshipped)

    async def close(self) -> None:
        """Flush, then the shippers, last the journals: a shipper reads the journal until its end."""
        for batcher in self._batchers.values():
            batcher.flush()
        await asyncio.sleep(0)
        for journal in self.journals.values():
            await journal.drained()
        for shipper in self.shippers.values():
            await shipper.close()
        for journal in self.journals.values():
            await journal.close()
        self.counters.close()


async def _all_durable(waiting: "list[asyncio.Future[bool]]", patience_s: float) -> bool:
    if not all(future.done() for future in waiting):
        await asyncio.wait(waiting, timeout=patience_s)
    return all(future.done() and not future.cancelled() and future.result() for future in waiting)


def _read_by_all(folder: Path, topic: Topic) -> Position:
    """How far every consumer of the topic has read: segments below may go."""
    readers = [consumer for consumer, read in READS.items() if read == topic]
    return Position(min(published(folder / f"read.{consumer}") for consumer in readers))
