"""One contract for both sources: order, position, identity, holes, restart, rivals."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise
from pathlib import Path

import asyncpg
import pytest

from consumers.runner import Runner
from consumers.sources import Chunk, Source
from consumers.touches.country import open_countries
from consumers.touches.handler import TouchesHandler
from process.metrics import Meters
from schemas import journal as journal_format
from schemas.codec import decode_hit, is_tally
from schemas.errors import LogReplaced
from tests.support.logs import JournalLog, KafkaLog, Log, hits, pool_of, positions_of


@pytest.fixture(params=["journal", pytest.param("kafka", marks=pytest.mark.kafka)])
async def log(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, topic_prefix: str
) -> AsyncIterator[Log]:
    made: JournalLog | KafkaLog
    if request.param == "journal":
        monkeypatch.setattr(journal_format, "SEGMENT_BYTES_MAX", 4096)
        made = JournalLog(tmp_path)
    else:
        made = KafkaLog(request.getfixturevalue("kafka"), f"{topic_prefix}hits")
        await made.create()
    yield made
    await made.close()


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await pool_of(database_url)
    yield pool
    pool.terminate()


async def read_chunks(source: Source, records: int) -> list[Chunk]:
    """Chunks until so many records, tallies not counted, have come."""
    chunks: list[Chunk] = []
    async with asyncio.timeout(30):
        while sum(len(click_ids(chunk)) for chunk in chunks) < records:
            chunk = await source.read()
            if chunk is not None:
                chunks.append(chunk)
    return chunks


def click_ids(chunk: Chunk) -> list[str]:
    return [decode_hit(r.value).query.removeprefix("click_id=") for r in chunk.records if not is_tally(r.value)]


async def test_records_come_in_order_in_whole_batches(log: Log, pool: asyncpg.Pool) -> None:
    await log.append([hits(3, "a"), hits(2, "b"), hits(1, "c")])
    source = log.source(positions_of(pool))
    chunks = await read_chunks(source, 6)
    assert [one for chunk in chunks for one in click_ids(chunk)] == ["a-0", "a-1", "a-2", "b-0", "b-1", "c-0"]
    assert all(is_tally(chunk.records[-1].value) for chunk in chunks)
    assert all(before.next == after.start for before, after in pairwise(chunks))
    await source.close()


async def test_the_end_is_where_reading_arrives(log: Log, pool: asyncpg.Pool) -> None:
    await log.append([hits(3), hits(3)])
    source = log.source(positions_of(pool))
    ends = await source.ends()
    chunks = await read_chunks(source, 6)
    assert dict(ends) == {chunks[-1].partition: chunks[-1].next}
    await source.close()


async def test_a_restart_goes_on_behind_what_was_stored(log: Log, pool: asyncpg.Pool) -> None:
    await log.append([hits(2, "old")])
    first = log.source(positions_of(pool))
    chunk = (await read_chunks(first, 2))[-1]
    assert await positions_of(pool).move(pool, chunk.partition, chunk.start, chunk.next)
    await log.append([hits(2, "new")])
    await read_chunks(first, 2)  # read, never stored
    await first.close()
    second = log.source(positions_of(pool))
    assert click_ids((await read_chunks(second, 2))[0]) == ["new-0", "new-1"]
    await second.close()


async def test_seek_goes_back_to_what_postgres_holds(log: Log, pool: asyncpg.Pool) -> None:
    await log.append([hits(2)])
    source = log.source(positions_of(pool))
    chunk = (await read_chunks(source, 2))[0]
    await source.seek(chunk.partition)
    assert (await read_chunks(source, 2))[0] == chunk
    await source.close()


async def test_a_hole_is_put_on_record_and_passed(log: Log, pool: asyncpg.Pool) -> None:
    await log.append([hits(2, "lost")])
    source = log.source(positions_of(pool))
    await read_chunks(source, 2)  # the position stands before them, nothing is stored
    await log.append([hits(10, f"n{n}") for n in range(10)])
    await source.close()
    await log.lose_beginning()
    reader = log.source(positions_of(pool))
    chunks = await read_chunks(reader, 1)
    holes = await pool.fetch("SELECT * FROM log_holes")
    assert [(row["consumer"], row["log"]) for row in holes] == [("touches", chunks[0].partition.log)]
    assert holes[0]["stop"] <= chunks[0].next
    assert await pool.fetchval("SELECT next_offset FROM log_positions") == chunks[0].start
    await reader.close()


async def test_another_log_in_its_place_is_not_read_as_the_same(log: Log, pool: asyncpg.Pool) -> None:
    await log.append([hits(2), hits(2)])
    source = log.source(positions_of(pool))
    for chunk in await read_chunks(source, 4):
        await positions_of(pool).move(pool, chunk.partition, chunk.start, chunk.next)
    await source.close()
    await log.replace()
    await log.append([hits(1, "other")])
    reader = log.source(positions_of(pool))
    if isinstance(log, JournalLog):
        assert click_ids((await read_chunks(reader, 1))[0]) == ["other-0"]
        assert await pool.fetchval("SELECT count(DISTINCT log) FROM log_positions") == 2
    else:
        with pytest.raises(LogReplaced, match="made anew"):
            await read_chunks(reader, 1)
    await reader.close()


async def test_two_rivals_store_everything_exactly_once(log: Log, pool: asyncpg.Pool, database_url: str) -> None:
    batches = [hits(20, f"b{n}") for n in range(60)]
    await log.append(batches[:30])
    stop = asyncio.Event()
    countries = open_countries()
    pools = [await pool_of(database_url) for _ in range(2)]
    sources = [log.source(positions_of(one)) for one in pools]
    runners = [
        Runner("touches", source, TouchesHandler(countries), one, positions_of(one), Meters())
        for source, one in zip(sources, pools, strict=True)
    ]
    tasks = [asyncio.create_task(runner.run(stop)) for runner in runners]
    await log.append(batches[30:])
    await until(lambda: pool.fetchval("SELECT count(*) = 1200 FROM touches"))
    stop.set()
    await asyncio.gather(*tasks)
    for source, one in zip(sources, pools, strict=True):
        await source.close()
        one.terminate()
    assert await pool.fetchval("SELECT count(DISTINCT click_id) FROM touches") == 1200
    assert await pool.fetchval("SELECT sum(records) FROM received") == 1200
    assert await pool.fetchval("SELECT count(*) FROM batches") == 60
    assert await pool.fetchval("SELECT count(*) FROM log_holes") == 0


async def until(question: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(60):
        while not await question():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
