"""The journal's writer on a real disk: durability, recovery, limits."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ingest import journal as writer
from ingest.batch import Batch
from ingest.journal import Journal, Written
from schemas import journal as format
from schemas.codec import decode_tally
from schemas.errors import ConfigError
from schemas.journal import Position, read_end, read_frames, segment_path, segments

ALL = 2**62


class Disk:
    """A journal's folder, opened and closed as often as a test likes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written: list[Written] = []
        self.done = Position(0)

    @asynccontextmanager
    async def journal(self, bytes_max: int = 10**9) -> AsyncIterator[Journal]:
        journal = Journal(
            self.folder, "hits", bytes_max=bytes_max, done=lambda _: self.done, written=self.written.extend
        )
        journal.open()
        yield journal
        await journal.close()

    def lines(self, at: Position = format.START) -> list[bytes]:
        """What a reader gets, without tallies."""
        end = read_end(self.folder)
        assert end is not None
        found: list[bytes] = []
        while at < end.position:
            frames, gap = read_frames(self.folder, at, end=end.position, bytes_max=ALL)
            assert gap is None
            if not frames:
                break
            at = frames[-1].next
            found += [line for frame in frames for line in frame.payload.split(b"\n")[:-1]]
        return found

    def numbers(self) -> list[tuple[int, int]]:
        """(boot, number) of every frame."""
        paths = [segment_path(self.folder, segment) for segment in segments(self.folder)]
        return [(frame.boot, frame.number) for path in paths for frame in format.scan(path)]


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "hits")


async def put(journal: Journal, *lines: bytes) -> bool:
    """Whether the batch became durable."""
    batch = Batch(asyncio.get_running_loop(), 7, waits_for_kafka=False)
    for line in lines:
        batch.add(line, "link")
    journal.append(batch)
    return await batch.released


async def test_a_batch_is_a_frame_with_its_tally(disk: Disk) -> None:
    async with disk.journal() as journal:
        assert await put(journal, b"one", b"two")
        assert disk.lines() == [b"one", b"two"]
        tally = decode_tally(disk.written[0].payload.rpartition(b"\n")[2])
    assert (tally.journal, tally.boot, tally.number) == (journal.identity.uuid, 1, 1)
    assert tally.counts == [("link", 7, 2)]


async def test_readers_never_see_more_than_is_synced(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fdatasync
    seen: list[list[bytes]] = []

    def fdatasync(descriptor: int) -> None:
        seen.append(disk.lines())
        real(descriptor)

    async with disk.journal() as journal:
        await put(journal, b"first")
        monkeypatch.setattr(os, "fdatasync", fdatasync)
        assert await put(journal, b"second")
        monkeypatch.undo()
        assert seen == [[b"first"]]
        assert disk.lines() == [b"first", b"second"]


async def test_numbers_go_on_after_a_restart_and_the_boot_grows(disk: Disk) -> None:
    for text in (b"a", b"b", b"c"):
        async with disk.journal() as journal:
            assert await put(journal, text)
    assert disk.numbers() == [(1, 1), (2, 2), (3, 3)]
    assert segments(disk.folder) == [1, 2, 3]
    assert disk.lines() == [b"a", b"b", b"c"]


async def test_a_torn_end_is_sealed_at_every_byte(disk: Disk) -> None:
    async with disk.journal() as journal:
        await put(journal, b"whole")
        after_first = journal.end
        await put(journal, b"torn")
    path = segment_path(disk.folder, 1)
    whole = path.read_bytes()
    end = (disk.folder / "end").read_bytes()
    for cut in range(format.byte_of(after_first), len(whole), 3):
        path.write_bytes(whole[:cut])
        (disk.folder / "end").write_bytes(end)
        segment_path(disk.folder, 2).unlink(missing_ok=True)
        async with disk.journal() as journal:
            assert await put(journal, b"next")
        assert disk.lines() == [b"whole", b"next"], cut
        # number 2 was given out and is gone: never given again, so its loss can be seen
        assert [number for _, number in disk.numbers()] == [1, 3], cut


async def test_frames_that_were_synced_but_not_published_count(disk: Disk) -> None:
    async with disk.journal() as journal:
        await put(journal, b"one")
        published = (disk.folder / "end").read_bytes()
        await put(journal, b"two")
    (disk.folder / "end").write_bytes(published)
    async with disk.journal():
        assert disk.lines() == [b"one", b"two"]


async def test_numbers_of_a_deleted_segment_are_not_given_again(disk: Disk) -> None:
    async with disk.journal() as journal:
        await put(journal, b"gone")
        await put(journal, b"gone too")
    segment_path(disk.folder, 1).unlink()
    async with disk.journal() as journal:
        await put(journal, b"after")
    assert disk.numbers() == [(2, 3)]
    end = read_end(disk.folder)
    assert end is not None
    frames, gap = read_frames(disk.folder, format.START, end=end.position, bytes_max=ALL)
    assert (frames, gap) == ([], format.Gap(format.START, format.position(2, 0)))


async def test_after_a_failed_sync_the_segment_is_abandoned_and_numbers_stay_whole(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with disk.journal() as journal:
        assert await put(journal, b"good")
        monkeypatch.setattr(os, "fdatasync", failing(errno.EIO))
        assert not await put(journal, b"lost")
        assert "injected" in str(journal.trouble)
        monkeypatch.undo()
        assert await put(journal, b"again")
        assert journal.trouble is None
    assert disk.lines() == [b"good", b"again"]
    assert disk.numbers() == [(1, 1), (2, 2)]
    assert segments(disk.folder) == [1, 2]


async def test_a_full_disk_takes_the_torn_frame_back(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write

    def half(descriptor: int, data: bytes) -> int:
        if len(data) < 10:
            raise OSError(errno.ENOSPC, "no space left")
        return real(descriptor, bytes(data)[: len(data) // 2])

    async with disk.journal() as journal:
        assert await put(journal, b"good")
        monkeypatch.setattr(os, "write", half)
        assert not await put(journal, b"too much")
        monkeypatch.undo()
        assert await put(journal, b"again")
    assert disk.lines() == [b"good", b"again"]
    assert segments(disk.folder) == [1]


async def test_a_deleted_segment_is_noticed_and_left(disk: Disk) -> None:
    async with disk.journal() as journal:
        await put(journal, b"deleted")
        segment_path(disk.folder, 1).unlink()
        assert await put(journal, b"kept")
    assert disk.numbers() == [(2, 2)]


async def test_over_its_limit_it_refuses_until_readers_have_moved_on(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(format, "SEGMENT_BYTES_MAX", 400)
    async with disk.journal(bytes_max=1500) as journal:
        while await put(journal, b"x" * 100):
            pass
        assert "over its limit" in str(journal.trouble)
        unread = segments(disk.folder)
        assert unread[0] == 1, "an unread segment was deleted"
        disk.done = format.position(unread[-1], 0)
        assert await put(journal, b"fits again")
        assert segments(disk.folder)[0] > 1


async def test_a_second_writer_is_refused_with_a_sentence(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "LOCK_PATIENCE_S", 0.3)
    async with disk.journal():
        second = Journal(disk.folder, "hits", bytes_max=1, done=lambda _: Position(0), written=print)
        with pytest.raises(ConfigError, match="another edge writes the journal"):
            second.open()


async def test_segments_roll_over(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(format, "SEGMENT_BYTES_MAX", 1000)
    async with disk.journal() as journal:
        for number in range(20):
            assert await put(journal, b"%d" % number * 100)
    assert len(segments(disk.folder)) > 3
    assert disk.lines() == [b"%d" % number * 100 for number in range(20)]
    assert max(path.stat().st_size for path in disk.folder.glob("*.seg")) <= 1000


def failing(code: int) -> Callable[[int], None]:
    def fail(_: int) -> None:
        raise OSError(code, "injected")

    return fail
