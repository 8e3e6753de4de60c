"""The journals of this host as a log: what the consumers read without Kafka."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from consumers.sources import Chunk, Hole, Partition, Positions, Record
from schemas import journal
from schemas.errors import CorruptJournal
from schemas.journal import Position
from schemas.topics import Consumer, Topic

CHUNK_BYTES = 4 * 2**20
POLL_S = 0.01
QUIET_S = 0.2
RESCAN_S = 1.0


class JournalSource:
    """Reads every worker's journal of one topic under the data folder."""

    def __init__(self, data: Path, topic: Topic, consumer: Consumer, positions: Positions) -> None:
        self._data = data
        self._topic = topic
        self._consumer = consumer
        self._positions = positions
        self._folders: dict[Partition, Path] = {}
        self._at: dict[Partition, Position] = {}
        self._turn = 0
        self._scanned_at = float("-inf")

    async def read(self) -> Chunk | None:
        """The next chunk, the journals in turn; waits up to a moment for one."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + QUIET_S
        while True:
            if loop.time() - self._scanned_at > RESCAN_S:
                await self._rescan()
                self._scanned_at = loop.time()
            for partition in self._in_turn():
                chunk = await self._read(partition)
                if chunk is not None:
                    return chunk
            if loop.time() > deadline:
                return None
            await asyncio.sleep(POLL_S)

    def _in_turn(self) -> list[Partition]:
        partitions = sorted(self._at)
        self._turn += 1
        cut = self._turn % len(partitions) if partitions else 0
        return partitions[cut:] + partitions[:cut]

    async def _read(self, partition: Partition) -> Chunk | None:
        folder, at = self._folders[partition], self._at[partition]
        end = journal.read_end(folder)
        if end is None or end.position <= at:
            return None
        frames, gap = journal.read_frames(folder, at, end=end.position, bytes_max=CHUNK_BYTES)
        if gap is not None:
            await self._positions.hole(Hole(partition, at, gap.stop))
            self._at[partition] = gap.stop
            return None
        if not frames:
            return None
        records = [Record(frame.at, line) for frame in frames for line in frame.payload.split(b"\n")]
        self._at[partition] = frames[-1].next
        return Chunk(partition, at, frames[-1].next, records)

    async def _rescan(self) -> None:
        for folder in journal.journals(self._data, self._topic):
            try:
                partition = partition_of(folder)
            except CorruptJournal:
                continue  # it is being made just now
            if partition not in self._at:
                self._folders[partition] = folder
                await self.seek(partition)

    async def seek(self, partition: Partition) -> None:
        """Go on from the stored position; a new journal starts at its first segment."""
        present = journal.segments(self._folders[partition])
        first = journal.position(present[0], 0) if present else journal.START
        self._at[partition] = Position(await self._positions.start(partition, first))

    async def stored(self, partition: Partition, position: int) -> None:
        """Tell the writer, which deletes segments that everybody has read."""
        journal.publish(self._folders[partition] / f"read.{self._consumer}", position)

    async def ends(self) -> Mapping[Partition, int]:
        """The published durable ends; a journal nothing was ever written to has none."""
        found: dict[Partition, int] = {}
        for folder in journal.journals(self._data, self._topic):
            end = journal.read_end(folder)
            if end is not None and end.number:
                found[partition_of(folder)] = end.position
        return found

    async def close(self) -> None:
        """Nothing is held between reads."""


def partition_of(folder: Path) -> Partition:
    """The partition that a journal's folder is. Raises CorruptJournal."""
    return Partition(f"journal:{journal.read_identity(folder).uuid}", 0)
