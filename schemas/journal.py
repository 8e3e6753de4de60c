"""The journal's format and its reader.

A journal is a folder of one worker and topic: `journal.json` (its identity), segments
`0000000001.seg`, `0000000002.seg`, … and `end`, the published durable end. A segment is a header
and frames; a frame is one batch: JSON lines, the tally last. A writer never appends behind a torn
frame: recovery seals the segment and starts the next, so a reader that stood at the tear goes on.

Position = segment << 32 | byte: one integer that grows, of the first byte not read yet.
"""

import json
import struct
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import NamedTuple, NewType

from schemas.errors import CorruptJournal

Position = NewType("Position", int)

START = Position(1 << 32)
"""Before the first frame of the first segment."""

SEGMENT_BYTES_MAX = 64 * 2**20
FRAME_BYTES_MAX = 4 * 2**20

SEGMENT_HEADER = struct.Struct("<8s16sI4x")
SEGMENT_MAGIC = b"TLSEG001"
FRAME_HEADER = struct.Struct("<4sIIIQ")
"""magic, payload bytes, CRC32 of (boot, number, payload), boot, number."""
FRAME_MAGIC = b"TLF1"
_WHOLE_FRAME_BYTES_MAX = FRAME_HEADER.size + FRAME_BYTES_MAX
END = struct.Struct("<IIQII")
"""segment, byte, number of the last batch, boot, CRC32 of what stands before."""


class Frame(NamedTuple):
    """One batch, and where it stands."""

    boot: int
    number: int
    payload: bytes
    at: Position
    next: Position


class End(NamedTuple):
    """Where the durable part of a journal ends: readers stop there."""

    position: Position
    number: int
    """Number of the last batch ever given out; 0 when there is none."""
    boot: int


def position(segment: int, byte: int) -> Position:
    """The position of a byte of a segment."""
    return Position(segment << 32 | byte)


def segment_of(at: Position) -> int:
    """The segment's number."""
    return at >> 32


def byte_of(at: Position) -> int:
    """The byte within the segment."""
    return at & 0xFFFF_FFFF


def segment_path(folder: Path, segment: int) -> Path:
    """Path of a segment's file."""
    return folder / f"{segment:010d}.seg"


def segments(folder: Path) -> list[int]:
    """Numbers of the segments on disk, ascending."""
    return sorted(int(path.stem) for path in folder.glob("*.seg"))


def segment_header(uuid: bytes, segment: int) -> bytes:
    """First bytes of a segment; `uuid` is the journal's, 16 bytes."""
    return SEGMENT_HEADER.pack(SEGMENT_MAGIC, uuid, segment)


def pack_frame(boot: int, number: int, payload: bytes) -> bytes:
    """A whole frame."""
    return FRAME_HEADER.pack(FRAME_MAGIC, len(payload), _crc(boot, number, payload), boot, number) + payload


def _crc(boot: int, number: int, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(struct.pack("<IQ", boot, number)))


def pack_end(end: End) -> bytes:
    """What the file `end` holds."""
    body = struct.pack("<IIQI", segment_of(end.position), byte_of(end.position), end.number, end.boot)
    return body + struct.pack("<I", zlib.crc32(body))


def read_end(folder: Path) -> End | None:
    """The published end; None when none was published or a host's crash tore it."""
    for _ in range(3):  # a reader may catch the writer in the middle of its 24 bytes
        try:
            data = (folder / "end").read_bytes()
        except FileNotFoundError:
            return None
        if len(data) == END.size and zlib.crc32(data[:-4]) == int.from_bytes(data[-4:], "little"):
            segment, byte, number, boot, _ = END.unpack(data)
            return End(position(segment, byte), number, boot)
    return None


class Identity(NamedTuple):
    """What `journal.json` says."""

    uuid: str
    topic: str
    host: str


def read_identity(folder: Path) -> Identity:
    """Raises CorruptJournal when the file is missing or holds something else."""
    try:
        stated = json.loads((folder / "journal.json").read_text())
        return Identity(stated["uuid"], stated["topic"], stated["host"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorruptJournal(f"{folder / 'journal.json'} does not name a journal: {error}") from None


def journals(data: Path, topic: str) -> list[Path]:
    """Folders of every worker's journal of the topic under the data folder."""
    return sorted(path.parent for path in data.glob(f"journals/*/{topic}/journal.json"))


class Gap(NamedTuple):
    """Durable frames that are not on disk any more: from `start` up to `stop`."""

    start: Position
    stop: Position


def read_frames(folder: Path, at: Position, *, end: Position, bytes_max: int) -> "tuple[list[Frame], Gap | None]":
    """Frames from `at` up to `end`, about `bytes_max` of them; the gap that stood before them, if any.

    A tear at the end of a sealed segment is no gap: nothing durable stood there.
    Frames that were published and cannot be read are one, up to the next whole frame.
    """
    frames: list[Frame] = []
    taken = 0
    while at < end and taken < bytes_max:
        segment = segment_of(at)
        path = segment_path(folder, segment)
        if not path.exists():
            if frames:
                break
            following = [number for number in segments(folder) if number > segment and position(number, 0) < end]
            return [], Gap(at, position(following[0], 0) if following else end)
        found = list(scan(path, from_byte=byte_of(at), bytes_max=bytes_max - taken, end=end))
        frames += found
        taken += sum(len(frame.payload) for frame in found)
        if found:
            at = found[-1].next
            continue
        following_frame = _resume(path, byte_of(at), end)
        if following_frame is None and segment < segment_of(end):
            at = position(segment + 1, 0)
        elif frames:
            break
        else:
            return [], Gap(at, following_frame or end)
    return frames, None


def _resume(path: Path, from_byte: int, end: Position) -> Position | None:
    """The next whole frame behind bytes that are none; None when there is none before `end`: a tear."""
    start = max(from_byte, SEGMENT_HEADER.size)
    with path.open("rb") as file:
        file.seek(start)
        rest = file.read()
    found = rest.find(FRAME_MAGIC, 1)
    while found >= 0:
        frame = _next_frame(BytesIO(rest[found : found + _WHOLE_FRAME_BYTES_MAX]).read, int(path.stem), start + found)
        if frame is not None and frame.at < end:
            return frame.at
        found = rest.find(FRAME_MAGIC, found + 1)
    return None


def scan(path: Path, *, from_byte: int = 0, bytes_max: int = 2**62, end: Position = Position(2**62)) -> Iterator[Frame]:
    """Whole frames of one segment file, up to the first torn one."""
    segment = int(path.stem)
    taken = 0
    at = max(from_byte, SEGMENT_HEADER.size)
    with path.open("rb", buffering=1 << 16) as file:
        file.seek(at)
        while taken < bytes_max and position(segment, at) < end:
            frame = _next_frame(file.read, segment, at)
            if frame is None:
                return
            taken += len(frame.payload)
            at = byte_of(frame.next)
            yield frame


def _next_frame(read: Callable[[int], bytes], segment: int, at: int) -> Frame | None:
    head = read(FRAME_HEADER.size)
    if len(head) < FRAME_HEADER.size:
        return None
    magic, size, crc, boot, number = FRAME_HEADER.unpack(head)
    if magic != FRAME_MAGIC or size > FRAME_BYTES_MAX:
        return None
    payload = read(size)
    if len(payload) < size or _crc(boot, number, payload) != crc:
        return None
    here = position(segment, at)
    return Frame(boot, number, payload, here, position(segment, at + FRAME_HEADER.size + size))


def publish(path: Path, value: int) -> None:
    """One integer for another process to see, replaced as a whole."""
    scratch = path.with_suffix(".new")
    scratch.write_text(f"{value}\n")
    scratch.replace(path)


def published(path: Path) -> int:
    """The integer another process left; 0 when it left none."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0
