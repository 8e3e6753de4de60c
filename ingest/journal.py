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
from schemas import journal as format
from schemas.codec import encode
from schemas.errors import ConfigError, NotDurable
from schemas.events import Tally
from schemas.journal import END, Position
from schemas.topics import Topic

log = logging.getLogger(__name__)

KEPT_S = 7 * 86_400
TIDY_EVERY_S = 10.0
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
        self.folder = folder
        self.topic = topic
        self.waiting_bytes = 0
        self.bytes_on_disk = 0
        self.trouble: str | None = None
        """Why the last group could not be made durable; None when all is well."""
        self._bytes_max = bytes_max
        self._done = done
        self._written = written
        self._queue: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
        self._file = -1
        self._end_file = -1
        self._segment = 0
        self._byte = 0
        self._logged_at = 0.0

    def open(self) -> None:
        """Lock, recover, start the thread. Raises ConfigError when another process keeps the lock."""
        self._loop = asyncio.get_running_loop()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self.folder / "lock")
        self.identity = _identity(self.folder, self.topic)
        self._recover()
        self._thread = threading.Thread(target=self._run, name=f"journal-{self.topic}", daemon=True)
        self._thread.start()

    @property
    def end(self) -> Position:
        """One past the last durable byte."""
        return self._end

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
        for descriptor in (self._file, self._end_file, self._lock):
            if descriptor >= 0:
                os.close(descriptor)

    def _recover(self) -> None:
        """Find the last whole frame; the torn segment is never appended to again."""
        stated = format.read_end(self.folder)
        end = format.START
        number, boot = (stated.number, stated.boot) if stated else (0, 0)
        present = format.segments(self.folder)
        for segment in reversed(present):
            path = format.segment_path(self.folder, segment)
            frames = list(format.scan(path))
            if frames:
                end, number, boot = (
                    frames[-1].next,
                    max(number, frames[-1].number),
                    max(boot, frames[-1].boot),
                )
                _sync(path)  # whole frames that were not published yet become durable now
                break
        if stated and not present:
            end = stated.position
        self._end, self._number, self._boot = end, number, boot + 1
        self._segment = max([*present, format.segment_of(stated.position) if stated else 0, 0])
        self.bytes_on_disk = self._size()
        self._end_file = os.open(self.folder / "end", os.O_RDWR | os.O_CREAT, 0o644)
        self._publish()

    def _run(self) -> None:
        tidied_at = 0.0
        while True:
            group = self._next_group()
            if group:
                self._commit(group)
            if time.monotonic() - tidied_at > TIDY_EVERY_S:
                self._tidy()
                tidied_at = time.monotonic()
            if group is None:
                return

    def _next_group(self) -> list[Batch] | None:
        try:
            first = self._queue.get(timeout=TIDY_EVERY_S)
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

    def _commit(self, group: list[Batch]) -> None:
        try:
            written = self._write(group)
        except (OSError, NotDurable) as error:
            self._give_up(group, error)
            return
        self.trouble = None
        self._tell(self._released, group, written)

    def _write(self, group: list[Batch]) -> list[Written]:
        """Frames to the disk, synced. Raises OSError or NotDurable; then nothing of the group counts."""
        if self.bytes_on_disk > self._bytes_max:
            self._tidy()
            if self.bytes_on_disk > self._bytes_max:
                raise NotDurable(f"the journal is over its limit of {self._bytes_max} bytes and nothing may go")
        if self._file >= 0 and os.fstat(self._file).st_nlink == 0:
            log.error("%s: segment %d was deleted while it was written", self.folder, self._segment)
            self._abandon()
        size = sum(batch.size for batch in group)
        if self._file < 0 or self._byte + size > format.SEGMENT_BYTES_MAX:
            self._next_segment()
        written: list[Written] = []
        frames: list[bytes] = []
        number, byte = self._number, self._byte
        for batch in group:
            number += 1
            payload = self._payload(batch, number)
            frame = format.pack_frame(self._boot, number, payload)
            frames.append(frame)
            byte += len(frame)
            written.append(Written(batch, number, payload, format.position(self._segment, byte)))
        self._write_all(b"".join(frames))
        self._sync_file()
        self.bytes_on_disk += byte - self._byte
        self._number, self._byte, self._end = number, byte, written[-1].next
        self._publish()
        return written

    def _payload(self, batch: Batch, number: int) -> bytes:
        tally = Tally(
            kind="tally",
            v=1,
            topic=self.topic,
            journal=self.identity.uuid,
            boot=self._boot,
            number=number,
            counts=[(subject, hour, count) for (subject, hour), count in batch.counts.items()],
        )
        return b"\n".join([*batch.lines, encode(tally)])

    def _write_all(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            # the disk is full: take the torn frame back, the segment stays good
            os.ftruncate(self._file, self._byte)
            os.lseek(self._file, self._byte, os.SEEK_SET)
            raise

    def _sync_file(self) -> None:
        try:
            os.fdatasync(self._file)
        except OSError:
            # after an error the kernel may have dropped the pages: never sync this file again
            self._abandon()
            raise

    def _abandon(self) -> None:
        """Leave the segment; a new boot, because Kafka may know the numbers that now come again."""
        try:
            os.ftruncate(self._file, self._byte)
        except OSError as error:
            log.error("%s: segment %d keeps frames that are not durable: %s", self.folder, self._segment, error)
        os.close(self._file)
        self._file = -1
        self._boot += 1

    def _next_segment(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        segment = self._segment + 1
        path = format.segment_path(self.folder, segment)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            os.write(file, format.segment_header(uuid.UUID(self.identity.uuid).bytes, segment))
            os.fdatasync(file)
            _sync(self.folder)
        except OSError:
            os.close(file)
            path.unlink(missing_ok=True)
            raise
        self._file, self._segment, self._byte = file, segment, format.SEGMENT_HEADER.size

    def _publish(self) -> None:
        os.pwrite(self._end_file, format.pack_end(format.End(self._end, self._number, self._boot)), 0)
        assert END.size == 24

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

    def _tidy(self) -> None:
        """Delete segments that are read or shipped, once they are old or room is needed."""
        done = self._done(self.folder)
        now = time.time()
        for segment in format.segments(self.folder):
            path = format.segment_path(self.folder, segment)
            if segment >= min(self._segment, format.segment_of(done)):
                break
            try:
                status = path.stat()
                if now - status.st_mtime > KEPT_S or self.bytes_on_disk > self._bytes_max * 0.9:
                    path.unlink()
                    self.bytes_on_disk -= status.st_size
            except FileNotFoundError:
                continue
        self.bytes_on_disk = self._size()

    def _size(self) -> int:
        return sum(path.stat().st_size for path in self.folder.glob("*.seg"))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
        _sync(folder)
    return format.read_identity(folder)
