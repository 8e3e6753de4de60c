"""The segment files of one journal: recovery, appending, and letting go of what is done."""

import errno
import logging
import os
import time
import uuid
from pathlib import Path

from schemas import journal as format
from schemas.journal import End, Position

log = logging.getLogger(__name__)

KEPT_S = 7 * 86_400
FULL_SHARE = 0.9
PROBE_BYTES = 256 * 1024


class Segments:
    """Used by the journal's thread alone. `segment` and `byte` say where the next frame goes."""

    def __init__(self, folder: Path, journal_uuid: str) -> None:
        self.segment = 0
        self.byte = 0
        self.boot = 0
        """Grows with every start, and whenever a segment had to be abandoned: Kafka may know numbers
        of batches that never became durable here, and those numbers come again."""
        self.bytes_on_disk = 0
        self._folder = folder
        self._uuid = uuid.UUID(journal_uuid).bytes
        self._file = -1

    def recover(self) -> End:
        """The end of what is whole; the torn segment is never appended to again."""
        stated = format.read_end(self._folder)
        present = format.segments(self._folder)
        end = stated.position if stated and not present else format.START
        number, boot = (stated.number, stated.boot) if stated else (0, 0)
        for segment in reversed(present):
            path = format.segment_path(self._folder, segment)
            frames = list(format.scan(path))
            if frames:
                end, number, boot = frames[-1].next, max(number, frames[-1].number), max(boot, frames[-1].boot)
                sync(path)  # whole frames that were not published yet become durable now
                break
        self.boot = boot + 1
        # a journal nothing was written to yet states a position in no segment
        written = [format.segment_of(stated.position)] if stated and stated.number else []
        self.segment = max([0, *present, *written])
        self.measure()
        return End(end, number, self.boot)

    def make_room(self, size: int) -> None:
        """Have a segment open that takes so many bytes. Raises OSError."""
        if self._file >= 0 and os.fstat(self._file).st_nlink == 0:
            log.error("%s: segment %d was deleted while it was written", self._folder, self.segment)
            self.abandon()
        if self._file < 0 or self.byte + size > format.SEGMENT_BYTES_MAX:
            self._open_next()

    def append(self, frames: bytes) -> None:
        """Write and sync. Raises OSError; then nothing of it counts."""
        rest = memoryview(frames)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            # the disk is full: take the torn frame back, the segment stays good
            os.ftruncate(self._file, self.byte)
            os.lseek(self._file, self.byte, os.SEEK_SET)
            raise
        try:
            os.fdatasync(self._file)
        except OSError:
            # after an error the kernel may have dropped the pages: never sync this file again
            self.abandon()
            raise
        self.byte += len(frames)
        self.bytes_on_disk += len(frames)

    def probe(self) -> None:
        """Whether the disk takes anything: a page beside the segments, written, synced and removed. Raises OSError."""
        path = self._folder / "probe"
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            if os.write(file, b"\0" * PROBE_BYTES) < PROBE_BYTES:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fdatasync(file)
        finally:
            os.close(file)
            path.unlink(missing_ok=True)

    def abandon(self) -> None:
        """Leave the segment, a new boot begins."""
        try:
            os.ftruncate(self._file, self.byte)
        except OSError as error:
            log.error("%s: segment %d keeps frames that are not durable: %s", self._folder, self.segment, error)
        self.close()
        self.boot += 1

    def _open_next(self) -> None:
        self.close()
        segment = self.segment + 1
        path = format.segment_path(self._folder, segment)
        header = format.segment_header(self._uuid, segment)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            if os.write(file, header) < len(header):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fdatasync(file)
            sync(self._folder)
        except OSError:
            os.close(file)
            path.unlink(missing_ok=True)
            raise
        self._file, self.segment, self.byte = file, segment, len(header)

    def tidy(self, done: Position, bytes_max: int) -> None:
        """Delete segments below `done` (read, or shipped) once they are old or room is needed."""
        now = time.time()
        for segment in format.segments(self._folder):
            if segment >= min(self.segment, format.segment_of(done)):
                break
            path = format.segment_path(self._folder, segment)
            try:
                status = path.stat()
                if now - status.st_mtime > KEPT_S or self.bytes_on_disk > bytes_max * FULL_SHARE:
                    path.unlink()
                    self.bytes_on_disk -= status.st_size
            except FileNotFoundError:
                continue
        self.measure()

    def measure(self) -> None:
        """Bring `bytes_on_disk` up to date."""
        self.bytes_on_disk = sum(path.stat().st_size for path in self._folder.glob("*.seg"))

    def close(self) -> None:
        """Close the open segment, if any."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def sync(path: Path) -> None:
    """fsync of a file or folder by its path."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
