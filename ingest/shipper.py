"""Copies a journal to Kafka: the live tail from memory, everything else from the disk.

`offer` gives a freshly synced batch to the live producer if it can take it at once; whatever it
does not take, or cannot deliver, a second producer ships from the disk, so that a backlog never
delays the live tail. A batch may arrive twice: hit ids and tallies are counted once downstream.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from ingest.journal import Journal, Written
from ingest.sender import Sender, SendFailed
from process.life import sleep_unless
from schemas import journal as format
from schemas.journal import Position

log = logging.getLogger(__name__)

BACKLOG_BYTES = 2**20
REST = 2.0
"""After a stretch of the backlog, so many times as long as it took is left to the live traffic alone."""
ACKED_MAX = 100_000
RETRY_S = 0.5
CLOSE_PATIENCE_S = 5.0


class Shipper:
    """Ships one journal; `done` is its watermark on disk."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._topic = topic
        self._live = Sender(bootstrap, topic)
        self._backlog = Sender(bootstrap, topic)
        self._tail: deque[Written] = deque()
        """Batches the live producer took, in order, from the watermark on."""
        self._acked: set[int] = set()
        self._in_flight: dict[int, asyncio.Task[bool]] = {}
        self._gap = True
        """Something between the watermark and the tail stands on the disk only."""
        self._stop = asyncio.Event()
        self._wake = asyncio.Event()

    def start(self, journal: Journal) -> None:
        """Go on where the last process stopped."""
        self._journal = journal
        self._folder = journal.folder
        # what was read from the journal before Kafka came stands in Postgres: it need not travel again
        before = [format.published(path) for path in self._folder.glob("read.*")]
        self._watermark = Position(max(format.START, format.published(self._folder / "shipped"), *before))
        self._saved = self._watermark
        work = (self._live.connect(self._stop), self._ship_backlog(), self._save_now_and_then())
        self._tasks = [asyncio.create_task(one) for one in work]

    @property
    def watermark(self) -> Position:
        """Everything below is acknowledged by Kafka."""
        return self._watermark

    @property
    def away(self) -> bool:
        """Whether Kafka is known to be out of reach: nobody waits for it then."""
        return self._live.away

    @property
    def unshipped(self) -> int:
        """Batches in flight; while there is a backlog, at least this many."""
        return len(self._in_flight) + len(self._tail)

    def done(self, folder: Path) -> Position:
        """Segments below this position may go."""
        return Position(format.published(folder / "shipped"))

    def offer(self, written: Sequence[Written]) -> None:
        """Freshly synced batches, in order."""
        for one in written:
            if not self._live.can_take() or len(self._acked) > ACKED_MAX:
                self._gap = True
                one.batch.shipped()
                continue
            self._in_flight[one.number] = asyncio.create_task(self._ship_live(one))
            if not self._gap:
                self._tail.append(one)
        self._wake.set()

    async def _ship_live(self, one: Written) -> bool:
        """Whether Kafka has it; if not, the backlog ships it."""
        delivered = True
        try:
            await self._live.send(one.payload)
            self._acked.add(one.number)
        except SendFailed:
            delivered = False
            self._gap = True
        del self._in_flight[one.number]
        one.batch.shipped()  # delivered, or the journal carries it: nobody waits any longer
        self._advance()
        return delivered

    def _advance(self) -> None:
        """The watermark goes behind the last batch before which everything is acknowledged."""
        if self._gap:
            self._wake.set()
            return
        while self._tail and self._tail[0].number in self._acked:
            one = self._tail.popleft()
            self._acked.remove(one.number)
            self._watermark = one.next

    async def _ship_backlog(self) -> None:
        while not self._stop.is_set():
            if not self._gap:
                self._wake.clear()
                await self._wake.wait()
                continue
            started = time.monotonic()
            try:
                await self._ship_some()
                await sleep_unless(self._stop, min(REST * (time.monotonic() - started), RETRY_S))
            except SendFailed as error:
                if not self._backlog.away:
                    log.warning("%s: backlog not delivered (%s), trying again", self._topic, error)
                await sleep_unless(self._stop, RETRY_S)

    async def _ship_some(self) -> None:
        """The next stretch of the disk: what is neither acknowledged nor in flight."""
        self._tail.clear()
        end = self._journal.end
        frames, lost = format.read_frames(self._folder, self._watermark, end=end, bytes_max=BACKLOG_BYTES)
        if lost:
            log.error("%s: journal %s lost %s", self._topic, self._folder, lost)
            self._watermark = lost.stop
            return
        if not frames:
            self._acked.clear()
            self._gap = False  # everything up to the end is acknowledged; no await since `end` was read
            return
        await self._backlog.connect(self._stop)
        results = await asyncio.gather(*map(self._deliver, frames), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        self._acked.difference_update(frame.number for frame in frames)
        self._watermark = frames[-1].next
        self._live.found_again()

    async def _deliver(self, frame: format.Frame) -> None:
        live = self._in_flight.get(frame.number)
        if frame.number in self._acked or (live is not None and await live):
            return
        await self._backlog.send(frame.payload)

    async def _save_now_and_then(self) -> None:
        while not await sleep_unless(self._stop, 1.0):
            self._save()

    def _save(self) -> None:
        if self._watermark != self._saved:
            try:
                format.publish(self._folder / "shipped", self._watermark)
                self._saved = self._watermark
            except OSError as error:
                log.warning("%s: watermark not written: %s", self._topic, error)

    async def close(self) -> None:
        """Give the batches in flight a moment; what is left is shipped at the next start."""
        if self._in_flight:
            await asyncio.wait(list(self._in_flight.values()), timeout=CLOSE_PATIENCE_S)
        self._stop.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._save()
        await self._live.close()
        await self._backlog.close()
