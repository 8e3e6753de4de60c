import asyncio

import pytest

from ingest import batch as module
from ingest.batch import FLUSH_AFTER_S, FLUSH_BYTES, WAITING_BYTES_MAX, Batch, Batcher

HOUR = 490_896
NOW_US = HOUR * 3_600_000_000


class Disk:
    """A sink that keeps what it is given and answers when the test says so."""

    def __init__(self) -> None:
        self.waiting_bytes = 0
        self.batches: list[Batch] = []

    def append(self, batch: Batch) -> None:
        self.batches.append(batch)


def batcher(disk: Disk, *, kafka: bool = False) -> Batcher:
    return Batcher("hits", disk, waits_for_kafka=lambda: kafka, flushed=lambda _: None)


async def test_records_that_come_together_share_a_batch() -> None:
    disk = Disk()
    to = batcher(disk)
    first, second = to.add(b"one", "1", NOW_US), to.add(b"two", "2", NOW_US)
    assert first is not None
    assert first is second
    assert disk.batches == []
    await asyncio.sleep(FLUSH_AFTER_S * 3)
    assert disk.batches == [first]
    assert first.lines == [b"one", b"two"]
    third = to.add(b"three", "1", NOW_US)
    assert third is not first


async def test_a_batch_knows_its_tally() -> None:
    to = batcher(Disk())
    for subject in ("1", "1", "2"):
        batch = to.add(b"x", subject, NOW_US)
    assert batch is not None
    assert (batch.hour, batch.counts) == (HOUR, {"1": 2, "2": 1})
    to.flush()


@pytest.mark.parametrize("step_us", [3_600_000_000, -3_600_000_000])
async def test_a_record_of_another_hour_begins_a_batch(step_us: int) -> None:
    disk = Disk()
    to = batcher(disk)
    first, second = to.add(b"x", "1", NOW_US), to.add(b"y", "1", NOW_US + step_us)
    assert first is not None
    assert second is not None
    assert (first.hour, first.lines) == (HOUR, [b"x"])
    assert (second.hour, second.lines) == (HOUR + step_us // 3_600_000_000, [b"y"])
    assert disk.batches == [first]
    to.flush()


async def test_a_full_batch_goes_at_once() -> None:
    disk = Disk()
    to = batcher(disk)
    line = b"x" * 1023
    for _ in range(FLUSH_BYTES // 1024):
        to.add(line, "1", NOW_US)
    assert [len(one.lines) for one in disk.batches] == [FLUSH_BYTES // 1024]
    assert disk.batches[0].size == FLUSH_BYTES
    await asyncio.sleep(FLUSH_AFTER_S * 3)
    assert len(disk.batches) == 1  # the timer went with it


async def test_flushing_nothing_writes_nothing() -> None:
    disk = Disk()
    batcher(disk).flush()
    assert disk.batches == []


async def test_too_much_waiting_refuses_new_batches_but_fills_the_open_one() -> None:
    disk = Disk()
    to = batcher(disk)
    opened = to.add(b"x", "1", NOW_US)
    disk.waiting_bytes = WAITING_BYTES_MAX + 1
    assert to.add(b"y", "1", NOW_US) is opened
    to.flush()
    assert to.add(b"z", "1", NOW_US) is None
    disk.waiting_bytes = WAITING_BYTES_MAX
    assert to.add(b"z", "1", NOW_US) is not None
    to.flush()
    assert [one.lines for one in disk.batches] == [[b"x", b"y"], [b"z"]]


async def test_a_batch_is_released_by_the_disk() -> None:
    disk = Disk()
    to = batcher(disk)
    batch = to.add(b"x", "1", NOW_US)
    assert batch is not None
    to.flush()
    assert not batch.released.done()
    batch.synced()
    assert batch.released.result() is True


async def test_with_kafka_a_batch_waits_for_both() -> None:
    disk = Disk()
    for first in (Batch.synced, Batch.shipped):
        to = batcher(disk, kafka=True)
        batch = to.add(b"x", "1", NOW_US)
        assert batch is not None
        to.flush()
        first(batch)
        assert not batch.released.done()
        batch.synced()
        batch.shipped()
        assert batch.released.result() is True


async def test_kafkas_silence_is_waited_for_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KAFKA_PATIENCE_S", 0.02)
    to = batcher(Disk(), kafka=True)
    batch = to.add(b"x", "1", NOW_US)
    assert batch is not None
    to.flush()
    batch.synced()
    assert not batch.released.done()
    async with asyncio.timeout(1):
        assert await batch.released is True


async def test_kafkas_silence_does_not_stand_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KAFKA_PATIENCE_S", 0.01)
    to = batcher(Disk(), kafka=True)
    batch = to.add(b"x", "1", NOW_US)
    assert batch is not None
    to.flush()
    await asyncio.sleep(0.05)
    assert not batch.released.done()
    batch.failed()
    assert batch.released.result() is False


async def test_a_batch_is_told_its_fate_once() -> None:
    batch = Batch(asyncio.get_running_loop(), HOUR, waits_for_kafka=False)
    batch.failed()
    batch.synced()
    batch.shipped()
    batch.failed()
    assert batch.released.result() is False
