"""Counts of a worker that must outlive it: a small memory-mapped file, readable by others.

`unrecorded`: redirects answered without a durable hit. `refused`: 503 answers.
"""

import mmap
import os
import struct
from pathlib import Path
from typing import NamedTuple

_LAYOUT = struct.Struct("<8sQQ")
_MAGIC = b"TLCOUNT1"


class Counts(NamedTuple):
    """What a worker's file says."""

    unrecorded: int
    refused: int


class Counters:
    """The worker's own file: a count is in it before the answer leaves."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        counts = read_counts(path)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            os.ftruncate(descriptor, _LAYOUT.size)
            self._map = mmap.mmap(descriptor, _LAYOUT.size)
        finally:
            os.close(descriptor)
        self.unrecorded, self.refused = counts
        self._store()

    def add_unrecorded(self, hits: int) -> None:
        """Count a redirect without a durable hit; -1 takes it back when the hit became durable later."""
        self.unrecorded += hits
        self._store()

    def add_refused(self) -> None:
        """Count a 503."""
        self.refused += 1
        self._store()

    def _store(self) -> None:
        _LAYOUT.pack_into(self._map, 0, _MAGIC, self.unrecorded, self.refused)

    def close(self) -> None:
        """Give the map back."""
        self._map.close()


def read_counts(path: Path) -> Counts:
    """The counts of a worker, zeros when it left none."""
    try:
        magic, unrecorded, refused = _LAYOUT.unpack(path.read_bytes())
    except (OSError, struct.error):
        return Counts(0, 0)
    return Counts(unrecorded, refused) if magic == _MAGIC else Counts(0, 0)
