"""Where batches come from: Kafka, or the journals of this host. Two files of one shape."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import msgspec


class Partition(NamedTuple):
    """One ordered stretch of a log. `log` carries its identity: another log is another partition."""

    log: str
    number: int


class Record(msgspec.Struct, frozen=True, gc=False):
    """One line of a batch, and where it stands. Made for every line: cheaper than a tuple, and no work for the GC."""

    offset: int
    value: bytes


class Chunk(NamedTuple):
    """Records of one partition, in order: whole batches, each with its tally."""

    partition: Partition
    start: int
    """The position before: what must stand in `log_positions` for the chunk to count."""
    next: int
    records: list[Record]


class Hole(NamedTuple):
    """A stretch of a partition that is not there any more."""

    partition: Partition
    start: int
    stop: int


class Positions(Protocol):
    """What a source asks of the consumer's positions in Postgres."""

    async def start(self, partition: Partition, first: int) -> int:
        """Where to go on, `first` is the lowest offset there is; a hole between is put on record."""

    async def hole(self, hole: Hole) -> None:
        """Put a hole on record and move the position behind it."""


class Source(Protocol):
    """The swap point. A source reads every partition that is this member's to read."""

    async def read(self) -> Chunk | None:
        """The next chunk of any partition; None when nothing came for a moment.

        A chunk may hold records that were read before: an edge that was not sure writes them again.
        Raises LogReplaced when the log is not the one the position belongs to.
        """

    async def seek(self, partition: Partition) -> None:
        """Go on from the position that Postgres holds: another member may have moved it."""

    async def stored(self, partition: Partition, position: int) -> None:
        """Everything below the position is in Postgres: the log may let it go."""

    async def ends(self) -> Mapping[Partition, int]:
        """One past the last durable record of every partition, now."""

    async def close(self) -> None:
        """Let go of the log."""
