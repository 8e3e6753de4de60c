"""Ids made at the edge: UUIDv7 (RFC 9562 §5.7), which carry the time of receipt.

The 12 bits after the version hold the fraction of the millisecond (method 3 of §6.2),
so ids of one process sort by time down to about a quarter of a microsecond.
"""

import os
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NewType

RecordId = NewType("RecordId", str)
"""Lower-case text of a UUIDv7."""

US_PER_HOUR = 3_600_000_000

_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


def _random_texts() -> Iterator[str]:
    """60 unguessable bits a turn, as the last two groups of an id; the kernel is asked once per 512 ids."""
    while True:
        digits = os.urandom(15 * 256 + 1).hex()
        variant = f"-{'89ab'[int(digits[-1], 16) & 3]}"  # binary 10, and two random bits for all 512
        for at in range(0, 15 * 512, 15):
            yield f"{variant}{digits[at : at + 3]}-{digits[at + 3 : at + 15]}"


_texts = _random_texts()


def new_id(now_us: int) -> RecordId:
    """A new id whose time of receipt is `now_us` (Unix microseconds)."""
    return _time_text(now_us) + next(_texts)  # type: ignore[return-value]  # RecordId() is a call, at every hit


def floor_id(at_us: int) -> RecordId:
    """The lowest id any record received at `at_us` or later can have."""
    return RecordId(f"{_time_text(max(at_us, 0) // 1000 * 1000)}-0000-{0:012x}")


def hour_floor_id(at_us: int) -> RecordId:
    """The same of the hour that holds `at_us`, for bounds that may be wide: made once for many."""
    return _hours_first(at_us // US_PER_HOUR)


@lru_cache(maxsize=2000)
def _hours_first(hour: int) -> RecordId:
    return floor_id(hour * US_PER_HOUR)


_millis, _millis_text = -1, ""
"""The last millisecond and its text: a busy edge makes many ids in one."""


_FRACTIONS = tuple(f"{micros * 4096 // 1000:03x}" for micros in range(1000))
"""Microseconds of a millisecond → 12 bits, as hex."""


def _time_text(at_us: int) -> str:
    """The first three groups."""
    global _millis, _millis_text
    millis, micros = divmod(at_us, 1000)
    if millis != _millis:
        text = f"{millis:012x}"
        _millis, _millis_text = millis, f"{text[:8]}-{text[8:]}-7"
    return _millis_text + _FRACTIONS[micros]


def received_us(record_id: str) -> int:
    """Unix microseconds of receipt, whole milliseconds. Raises ValueError when it is no UUIDv7."""
    if _UUID7.fullmatch(record_id) is None:
        raise ValueError(f"{record_id!r} is no UUIDv7")
    return int(record_id[:8] + record_id[9:13], 16) * 1000


def hour_of(at_us: int) -> int:
    """Whole hours since 1970: the grain of the accounting."""
    return at_us // US_PER_HOUR
