"""Consumers get SIGKILL again and again while histories arrive in disorder: the same decisions as of an ordered run.

Real processes, two of a role, on journals that the product's writer has written.
"""

import asyncio
import os
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from consumers.attribution.decider import Decider
from consumers.attribution.handler import ConversionsHandler
from consumers.sources import Record
from consumers.touches.country import open_countries
from consumers.touches.handler import TouchesHandler
from ingest.batch import Batch
from ingest.journal import Journal
from process.metrics import Meters
from schemas.codec import encode
from schemas.events import Event, Hit, Install
from schemas.ids import hour_of
from schemas.topics import CONVERSIONS, HITS, Topic
from tests.support.attribution import decisions, furnish, nothing_to_read, returns, unsettled
from tests.support.histories import History, history
from tests.support.logs import pool_of
from tests.support.postgres import new_database, with_database
from tests.support.product import TOUCHLINE, free_ports

HISTORIES = 100
KILLS = 12
ROLES = ("touches", "attribution")

Logs = dict[Topic, list[Journal]]


class Consumers:
    """Two processes of either role."""

    def __init__(self, url: str, data: Path) -> None:
        self._log = data / "consumers.log"
        environment = {key: value for key, value in os.environ.items() if not key.startswith("TOUCHLINE_")}
        self._environment = environment | {
            "TOUCHLINE_DATABASE_URL": url,
            "TOUCHLINE_DATA": str(data),
            "TOUCHLINE_METRICS_PORT": str(free_ports(240)),
            "TOUCHLINE_BIND": "127.0.0.1",
        }
        self._processes = {(role, number): self._start(role) for role in ROLES for number in range(2)}

    def _start(self, role: str) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            command = [sys.executable, TOUCHLINE, "consume", role]
            return subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)

    def kill(self, role: str, number: int) -> None:
        """SIGKILL, and another in its place."""
        self._end(self._processes[role, number])
        self._processes[role, number] = self._start(role)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        assert process.poll() is None, self.said()
        process.kill()
        process.wait(10)

    def close(self) -> None:
        for process in self._processes.values():
            process.kill()
            process.wait(10)

    def said(self) -> str:
        """The last of what they have logged."""
        return self._log.read_text(errors="replace")[-4000:]


@asynccontextmanager
async def journals(data: Path) -> AsyncIterator[Logs]:
    """Two workers' journals of hits, one of conversions."""
    found: Logs = {HITS: [], CONVERSIONS: []}
    for topic, workers in ((HITS, 2), (CONVERSIONS, 1)):
        for number in range(workers):
            folder = data / "journals" / f"w{number}" / topic
            one = Journal(folder, topic, bytes_max=10**9, done=lambda _: 1 << 32, written=lambda _: None)  # type: ignore[arg-type,return-value]
            one.open()
            found[topic].append(one)
    try:
        yield found
    finally:
        for one in (*found[HITS], *found[CONVERSIONS]):
            await one.close()


async def write(journal: Journal, records: Sequence[Hit | Install | Event]) -> None:
    """One batch, durable."""
    if not records:
        return
    batch = Batch(asyncio.get_running_loop(), hour_of(time.time_ns() // 1000), waits_for_kafka=False)
    for one in records:
        batch.add(encode(one), one.link if isinstance(one, Hit) else one.app)
    journal.append(batch)
    assert await batch.released


async def in_order(pool: asyncpg.Pool, histories: Sequence[History]) -> dict[str, Any]:
    """Every touch, then every install and event, then the decisions."""
    countries = open_countries()
    for handler, lines in (
        (TouchesHandler(countries), [encode(hit) for one in histories for hit in one.hits]),
        (ConversionsHandler(countries), [encode(install) for one in histories for install in one.installs]),
        (ConversionsHandler(countries), [encode(event) for one in histories for event in one.events]),
    ):
        async with pool.acquire() as connection, connection.transaction():
            await handler.store(connection, [handler.decode(Record(0, line)) for line in lines])
    decider = Decider(pool, nothing_to_read, Meters())
    while await decider.step():
        pass
    return await decisions(pool) | await returns(pool)


async def arrive(logs: Logs, histories: Sequence[History], dice: random.Random) -> None:
    """Everything, shuffled and some of it repeated, in batches of any size, for about eight seconds."""
    records: list[Hit | Install | Event] = []
    for one in histories:
        records += [*one.hits, *one.installs, *one.events]
    records += dice.sample(records, len(records) // 5)
    dice.shuffle(records)
    while records:
        size = dice.choice((1, 5, 20, 60))
        some, records = records[:size], records[size:]
        await write(dice.choice(logs[HITS]), [one for one in some if isinstance(one, Hit)])
        await write(dice.choice(logs[CONVERSIONS]), [one for one in some if not isinstance(one, Hit)])
        await asyncio.sleep(dice.random() * 0.12)


async def under_kills(
    consumers: Consumers, pool: asyncpg.Pool, data: Path, histories: Sequence[History], dice: random.Random
) -> int:
    """Until nothing waits; how many kills came while something written was not stored or not decided yet."""
    interrupted = 0
    async with journals(data) as logs:
        await asyncio.sleep(2)  # consumers take their time to start
        arriving = asyncio.create_task(arrive(logs, histories, dice))
        for number in range(KILLS):
            await asyncio.sleep(0.3 + dice.random() * 0.7)
            interrupted += await unread(pool, logs) or await unsettled(pool) != (0, 0, 0)
            consumers.kill(ROLES[number % 2], number // 2 % 2)
        await arriving
        deadline = time.monotonic() + 60
        while await unread(pool, logs) or await unsettled(pool) != (0, 0, 0):
            assert time.monotonic() < deadline, f"{await unsettled(pool)} {consumers.said()}"
            await asyncio.sleep(0.05)
    return interrupted


async def unread(pool: asyncpg.Pool, logs: Logs) -> bool:
    """Whether anything written is not stored yet."""
    rows = await pool.fetch("SELECT log, next_offset FROM log_positions WHERE consumer = ANY($1)", list(ROLES))
    read = {row["log"]: row["next_offset"] for row in rows}
    return any(read.get(f"journal:{one.identity.uuid}", 0) < one.end for them in logs.values() for one in them)


@pytest.mark.timeout(240)
async def test_sigkill_of_consumers_changes_no_decision(
    postgres_url: str, database_template: str, tmp_path: Path
) -> None:
    seed = time.time_ns() % 10**9
    print(f"seed {seed}")  # noqa: T201  shown when the test fails
    dice = random.Random(seed)
    histories = [history(f"k{number:03}", dice) for number in range(HISTORIES)]
    with new_database(postgres_url, database_template) as one, new_database(postgres_url, database_template) as other:
        ordered, disordered = [await pool_of(with_database(postgres_url, name)) for name in (one, other)]
        for pool in (ordered, disordered):
            await furnish(pool, histories)
        wanted = await in_order(ordered, histories)
        assert len(wanted) > sum(len(one.installs) for one in histories), "nobody returns"
        consumers = Consumers(with_database(postgres_url, other), tmp_path)
        try:
            interrupted = await under_kills(consumers, disordered, tmp_path, histories, dice)
        finally:
            consumers.close()
        found = await decisions(disordered) | await returns(disordered)
        assert await disordered.fetchval("SELECT count(*) FROM touches") == sum(len(one.hits) for one in histories)
        for pool in (ordered, disordered):
            pool.terminate()
    assert interrupted >= KILLS / 4, "the kills came to nothing"
    assert [name for name in wanted | found if found.get(name) != wanted.get(name)] == []
