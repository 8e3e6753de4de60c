"""Ids made at the edge: UUIDv7 (RFC 9562 §5.7), which carry the time of receipt.

The 12 bits after the version hold the fraction of the millisecond (method 3 of §6.2),
so ids of one process sort by time down to about a quarter of a microsecond.
"""

import os
import re
import struct
from collections.abc import Iterator
from typing import NewType

RecordId = NewType("RecordId", str)
"""Lower-case text of a UUIDv7."""

US_PER_HOUR = 3_600_000_000

_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


def _random_words() -> Iterator[int]:
    """62 unguessable bits a turn; the kernel is asked once per 512 ids."""
    while True:
        for word in struct.unpack("<512Q", os.urandom(4096)):
            yield word & 0x3FFF_FFFF_FFFF_FFFF


_words = _random_words()


def new_id(now_us: int) -> RecordId:
    """A new id whose time of receipt is `now_us` (Unix microseconds)."""
    return _text(now_us, 0x8000_0000_0000_0000 | next(_words))


def floor_id(at_us: int) -> RecordId:
    """The lowest id any record received at `at_us` or later can have."""
    return _text(max(at_us, 0) // 1000 * 1000, 0)


_millis, _millis_text = -1, ""
"""The last millisecond and its text: a busy edge makes many ids in one."""


def _text(at_us: int, low: int) -> RecordId:
    global _millis, _millis_text
    millis, micros = divmod(at_us, 1000)
    if millis != _millis:
        text = f"{millis:012x}"
        _millis, _millis_text = millis, f"{text[:8]}-{text[8:]}"
    return RecordId(f"{_millis_text}-7{micros * 4096 // 1000:03x}-{low >> 48:04x}-{low & 0xFFFF_FFFF_FFFF:012x}")


def received_us(record_id: str) -> int:
    """Unix microseconds of receipt, whole milliseconds. Raises ValueError when it is no UUIDv7."""
    if _UUID7.fullmatch(record_id) is None:
        raise ValueError(f"{record_id!r} is no UUIDv7")
    return int(record_id[:8] + record_id[9:13], 16) * 1000


def hour_of(at_us: int) -> int:
    """Whole hours since 1970: the grain of the accounting."""
    return at_us // US_PER_HOUR
