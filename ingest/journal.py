"""The journal's writer: group commit in one thread, answers released by fdatasync.

The thread takes all batches that wait, numbers and writes them, syncs once, publishes the new end
and tells the event loop. Numbers count only what became durable, so that a hole in them is a loss.
"""

import asyncio
import fcntl
import json
import logging
import os
import queue
import socket
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ingest.batch import Batch
from ingest.segments import Segments, sync
from schemas import journal as format
from schemas.codec import encode
from schemas.errors import ConfigError, NotDurable
from schemas.events import Tally
from schemas.journal import Position
from schemas.topics import Topic

log = logging.getLogger(__name__)

TIDY_EVERY_S = 10.0
TRY_AGAIN_S = 1.0
LOCK_PATIENCE_S = 30.0
GROUP_BYTES_MAX = 8 * 2**20


class Written(NamedTuple):
    """A batch that is on disk, as the shipper needs it."""

    batch: Batch
    number: int
    payload: bytes
    next: Position


class Journal:
    """One worker's journal of one topic. `append` and the callbacks run in the event loop."""

    def __init__(
        self,
        folder: Path,
        topic: Topic,
        *,
        bytes_max: int,
        done: Callable[[Path], Position],
        written: Callable[[list[Written]], None],
    ) -> None:
        """`done` tells below which position segments may go; `written` gets what is on disk, in order."""
        self.folder = folder
        self.topic = topic
        self.waiting_bytes = 0
        self.trouble: str | None = None
        """Why the last group could not be made durable; None when all is well."""
        self._bytes_max = bytes_max
        self._done = done
        self._written = written
        self._queue: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
        self._logged_at = 0.0

    def open(self) -> None:
        """Lock, recover, start the thread. Raises ConfigError when another process keeps the lock."""
        self._loop = asyncio.get_running_loop()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self.folder / "lock")
        self.identity = _identity(self.folder, self.topic)
        self._segments = Segments(self.folder, self.identity.uuid)
        recovered = self._segments.recover()
        self._end, self._number = recovered.position, recovered.number
        self._end_file = os.open(self.folder / "end", os.O_RDWR | os.O_CREAT, 0o644)
        self._publish()
        self._thread = threading.Thread(target=self._run, name=f"journal-{self.topic}", daemon=True)
        self._thread.start()

    @property
    def end(self) -> Position:
        """One past the last durable byte."""
        return self._end

    @property
    def bytes_on_disk(self) -> int:
        """Of all its segments."""
        return self._segments.bytes_on_disk

    def append(self, batch: Batch) -> None:
        """Take a batch; it is told `synced` or `failed` later."""
        self.waiting_bytes += batch.size
        self._queue.put(batch)

    async def drained(self) -> None:
        """Return once every batch taken so far is durable or failed."""
        while self.waiting_bytes:  # noqa: ASYNC110
            await asyncio.sleep(0.002)

    async def close(self) -> None:
        """Write what waits, then end."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        self._segments.close()
        os.close(self._end_file)
        os.close(self._lock)

    def _run(self) -> None:
        tidied_at = 0.0
        while True:
            group = self._next_group()
            if group:
                self._commit(group)
            elif self.trouble:
                self._try_again()
            if time.monotonic() - tidied_at > TIDY_EVERY_S:
                self._tidy()
                tidied_at = time.monotonic()
            if group is None:
                return

    def _next_group(self) -> list[Batch] | None:
        try:
            first = self._queue.get(timeout=TRY_AGAIN_S if self.trouble else TIDY_EVERY_S)
        except queue.Empty:
            return []
        if first is None:
            return None
        group, size = [first], first.size
        while size < GROUP_BYTES_MAX:
            try:
                following = self._queue.get_nowait()
            except queue.Empty:
                break
            if following is None:
                self._queue.put(None)
                break
            group.append(following)
            size += following.size
        return group

    def _try_again(self) -> None:
        """In trouble nobody may send anything any more: find out alone whether the disk is well again."""
        try:
            self._check_room()
            self._segments.probe()
        except (OSError, NotDurable) as error:
            self.trouble = str(error)
        else:
            self.trouble = None

    def _commit(self, group: list[Batch]) -> None:
        try:
            written = self._write(group)
        except (OSError, NotDurable) as error:
            self._give_up(group, error)
            return
        except Exception as error:  # a bug must not end the thread: every later hit would wait for ever
            log.exception("%s", self.folder)
            self._give_up(group, error)
            return
        self.trouble = None
        self._tell(self._released, group, written)

    def _write(self, group: list[Batch]) -> list[Written]:
        """Frames to the disk, synced. Raises OSError or NotDurable; then nothing of the group counts."""
        self._check_room()
        self._segments.make_room(sum(batch.size + 256 + 64 * len(batch.counts) for batch in group))
        written: list[Written] = []
        frames: list[bytes] = []
        number, byte = self._number, self._segments.byte
        for batch in group:
            number += 1
            payload = self._payload(batch, number)
            frames.append(format.pack_frame(self._segments.boot, number, payload))
            byte += len(frames[-1])
            written.append(Written(batch, number, payload, format.position(self._segments.segment, byte)))
        self._segments.append(b"".join(frames))
        self._number, self._end = number, written[-1].next
        self._publish()
        return written

    def _tidy(self) -> None:
        try:
            self._segments.tidy(self._done(self.folder), self._bytes_max)
        except OSError as error:
            log.warning("%s: old segments stay: %s", self.folder, error)

    def _check_room(self) -> None:
        if self._segments.bytes_on_disk > self._bytes_max:
            self._tidy()
            if self._segments.bytes_on_disk > self._bytes_max:
                raise NotDurable(f"the journal is over its limit of {self._bytes_max} bytes and nothing may go")

    def _payload(self, batch: Batch, number: int) -> bytes:
        tally = Tally(
            kind="tally",
            v=1,
            topic=self.topic,
            journal=self.identity.uuid,
            boot=self._segments.boot,
            number=number,
            counts=[(subject, batch.hour, count) for subject, count in batch.counts.items()],
        )
        return b"\n".join([*batch.lines, encode(tally)])

    def _publish(self) -> None:
        end = format.End(self._end, self._number, self._segments.boot)
        os.pwrite(self._end_file, format.pack_end(end), 0)

    def _give_up(self, group: list[Batch], error: Exception) -> None:
        self.trouble = str(error)
        if time.monotonic() - self._logged_at > 1:
            log.error("%s: %d records are not durable: %s", self.folder, sum(len(b.lines) for b in group), error)
            self._logged_at = time.monotonic()
        self._tell(self._failed, group)

    def _tell(self, callback: Callable[..., None], *arguments: object) -> None:
        self._loop.call_soon_threadsafe(callback, *arguments)

    def _released(self, group: list[Batch], written: list[Written]) -> None:
        self.waiting_bytes -= sum(batch.size for batch in group)
        self._written(written)
        for batch in group:
            batch.synced()

    def _failed(self, group: list[Batch]) -> None:
        self.waiting_bytes -= sum(batch.size for batch in group)
        for batch in group:
            batch.failed()


def _lock(path: Path) -> int:
    """Hold the file's lock; a predecessor that is just ending gets some time."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    deadline = time.monotonic() + LOCK_PATIENCE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise ConfigError(f"another edge writes the journal {path.parent}; stop it first") from None
            time.sleep(0.1)


def _identity(folder: Path, topic: Topic) -> format.Identity:
    path = folder / "journal.json"
    if not path.exists():
        scratch = path.with_suffix(".new")
        with scratch.open("w") as file:
            json.dump({"uuid": str(uuid.uuid4()), "topic": topic, "host": socket.gethostname()}, file)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
        sync(folder)
    return format.read_identity(folder)
