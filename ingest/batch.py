"""Records become batches: one journal frame and one Kafka batch each, released together."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from schemas.ids import US_PER_HOUR
from schemas.topics import Topic

log = logging.getLogger(__name__)

FLUSH_BYTES = 224 * 1024
FLUSH_AFTER_S = 0.005
KAFKA_PATIENCE_S = 0.5
WAITING_BYTES_MAX = 64 * 2**20


class Batch:
    """Records on their way to the disk; `released` tells whether they became durable."""

    __slots__ = (
        "_loop", "_timers", "_waiting", "_waits_for_kafka", "_written", "counts", "hour", "lines", "released", "size",
    )  # fmt: skip

    def __init__(self, loop: asyncio.AbstractEventLoop, hour: int, *, waits_for_kafka: bool) -> None:
        self.hour = hour
        """Hour of receipt of all its records, since 1970."""
        self.lines: list[bytes] = []
        self.counts: dict[str, int] = {}
        """Link or app → records: the tally."""
        self.size = 0
        self.released: asyncio.Future[bool] = loop.create_future()
        self._loop = loop
        self._waiting: dict[float, list[Callable[[bool], None]]] = {}
        self._timers: list[asyncio.TimerHandle] = []
        self._written = False
        self._waits_for_kafka = waits_for_kafka

    def add(self, line: bytes, subject: str) -> None:
        """Take one record."""
        self.lines.append(line)
        self.size += len(line) + 1
        counts = self.counts
        counts[subject] = counts.get(subject, 0) + 1

    def synced(self) -> None:
        """The journal has it on disk."""
        self._written = True
        self._settle()

    def shipped(self) -> None:
        """Kafka has it, or is not waited for any more: the journal carries it."""
        self._waits_for_kafka = False
        self._settle()

    def failed(self) -> None:
        """Not even the journal could take it."""
        self._release(False)

    async def durable_within(self, patience_s: float) -> bool:
        """Whether it became durable in time."""
        if not self.released.done():
            await asyncio.wait([self.released], timeout=patience_s)
        return self.released.done() and self.released.result()

    def wait(self, patience_s: float, waiter: Callable[[bool], None]) -> None:
        """Call `waiter(durable)` once the batch is released, or with False when its patience ends.

        One timer and one pass a batch serve all who wait: a future and a task for each would cost more than the hit.
        """
        waiting = self._waiting.get(patience_s)
        if waiting is None:
            waiting = self._waiting[patience_s] = []
            self._timers.append(self._loop.call_later(patience_s, self._wake, patience_s, False))
        waiting.append(waiter)

    def _settle(self) -> None:
        if self._written and not self._waits_for_kafka:
            self._release(True)

    def _release(self, durable: bool) -> None:
        if self.released.done():
            return
        self.released.set_result(durable)
        for timer in self._timers:
            timer.cancel()
        for patience_s in list(self._waiting):
            self._wake(patience_s, durable)

    def _wake(self, patience_s: float, durable: bool) -> None:
        for waiter in self._waiting.pop(patience_s, ()):
            try:
                waiter(durable)
            except Exception:  # one client's trouble must not keep the others waiting
                log.exception("a waiter failed")


class Sink(Protocol):
    """Where full batches go: the journal."""

    waiting_bytes: int

    def append(self, batch: Batch) -> None:
        """Take a batch; it is told `synced` or `failed` later."""


class Batcher:
    """Collects the records of one topic; flushes by size or time."""

    def __init__(
        self,
        topic: Topic,
        sink: Sink,
        *,
        waits_for_kafka: Callable[[], bool],
        flushed: Callable[[Batch], None],
    ) -> None:
        self.topic = topic
        self._sink = sink
        self._waits_for_kafka = waits_for_kafka
        self._flushed = flushed
        self._loop = asyncio.get_running_loop()
        self._open: Batch | None = None
        self._timer: asyncio.TimerHandle | None = None

    def add(self, line: bytes, subject: str, received_us: int) -> Batch | None:
        """The batch that now holds the record; None when too much waits already: refuse it.

        `received_us` is the time of receipt that the record's id carries: the tally counts by its hour.
        """
        batch, hour = self._open, received_us // US_PER_HOUR
        if batch is None or batch.hour != hour:
            self.flush()  # a batch's tally is of one hour
            if self._sink.waiting_bytes > WAITING_BYTES_MAX:
                return None
            batch = self._open = Batch(self._loop, hour, waits_for_kafka=self._waits_for_kafka())
            self._timer = self._loop.call_later(FLUSH_AFTER_S, self.flush)
        batch.add(line, subject)
        if batch.size >= FLUSH_BYTES:
            self.flush()
        return batch

    def flush(self) -> None:
        """Hand the open batch on."""
        batch, self._open = self._open, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if batch is None:
            return
        self._flushed(batch)
        self._sink.append(batch)
        # Kafka slow or silent: the journal carries the batch and ships it later
        self._loop.call_later(KAFKA_PATIENCE_S, batch.shipped)
