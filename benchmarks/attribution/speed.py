"""How fast: one process on one core, Postgres on the others, decides installs beside more and more touches."""

import asyncio
import contextlib
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from benchmarks.attribution import deciding, loading
from benchmarks.attribution.copies import COPIES_MAX, DAY_S, LAST_DAYS
from benchmarks.attribution.deciding import Timing
from benchmarks.attribution.growing import Growers, Work, growers
from benchmarks.attribution.parameters import World
from benchmarks.attribution.plan import MILLION, AttributionPlan
from benchmarks.attribution.shapes import shapes
from benchmarks.attribution.world import cast
from benchmarks.errors import BenchError
from benchmarks.plan import Cores
from benchmarks.processes import PROJECT, children, cpu_s, launched
from benchmarks.report import Step
from consumers.attribution.handler import ConversionsHandler
from consumers.touches.country import open_countries
from deploy.postgres import Postgres
from process.postgres import open_pool
from schemas.events import Install
from schemas.ids import RecordId, floor_id
from schemas.settings import Settings

REFERENCE = 5.0
"""Millions that other sizes are compared with; the first size when it is not among them."""
DECIDING_S_MAX = 3600
MICROS = 1_000_000
MAINTENANCE_S_MAX = 3600
BYTES_A_TOUCH = 2000
"""Of disk, with indexes and the write-ahead log: asked for before a run begins."""

SIZES = """
SELECT sum(pg_relation_size(inhrelid))::float8 / 1e9 AS rows_gb,
       sum(pg_indexes_size(inhrelid))::float8 / 1e9 AS indexes_gb,
       current_setting('shared_buffers') AS shared_buffers
FROM pg_inherits WHERE inhparent = 'touches'::regclass
"""
RECENT = "SELECT sum(length(query)) FROM touches WHERE id >= $1"
OUTCOMES = """
SELECT count(*) AS decided,
       count(*) FILTER (WHERE method = 'identifier') AS identifier,
       count(*) FILTER (WHERE method = 'referrer') AS referrer,
       count(*) FILTER (WHERE method = 'fingerprint') AS fingerprint,
       avg(jsonb_array_length(candidates))::float8 AS candidates
FROM decisions WHERE conversion = ANY($1::uuid[])
"""


def recent(world: World) -> RecordId:
    """Where the touches begin that installs of the last days mostly look at: a day before them."""
    return floor_id((world.begins_s + (world.days - LAST_DAYS - 1) * DAY_S) * MICROS)


def measure(plan: AttributionPlan, folder: Path, step: Step) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A row for each size, and the circumstances. Raises BenchError."""
    first = round(plan.grow[0] * MILLION)
    copies = [round(size / plan.grow[0]) for size in plan.grow]
    if copies[-1] > COPIES_MAX:
        raise BenchError(f"--grow: the last is at most {COPIES_MAX} times the first.")
    free = shutil.disk_usage(folder.parent).free
    if free < copies[-1] * first * BYTES_A_TOUCH:
        raise BenchError(f"{folder.parent} has {free / 1e9:.0f} GB free; {plan.grow[-1]:g} million touches need"
                         f" {copies[-1] * first * BYTES_A_TOUCH / 1e9:.0f}. --scratch names another disk.")  # fmt: skip
    shares = [[-(-plan.waiting // number) if copy < number else 0 for number in copies] for copy in range(copies[-1])]
    world = msgspec.structs.replace(plan.world, touches=first, installs=sum(shares[0]))
    cores = Cores.share()
    with loading.postgres(folder) as (settings, server):
        actors = cast(world, shapes(), "links")
        links = actors.traffic.links + actors.fraud.flooding_links
        asyncio.run(loading.furnish(settings, world, links))
        owners = {link.id: (link.partner.name, f"c-{link.partner.name}") for link in links}
        with growers(Work(settings, world, owners, tuple(map(sum, shares)))) as grown:
            run = _Run(plan, settings, server, cores, grown, shares, step)
            run.recent = recent(world)
            rows = [run.row(number, size, copies[number]) for number, size in enumerate(plan.grow)]
    reference = next((row for row in rows if row["millions"] == REFERENCE), rows[0])
    for row in rows:
        row["ratio"] = row["install_us"] / reference["install_us"]
    return rows, {**cores.facts(), "reference_millions": reference["millions"], "shared_buffers": run.shared_buffers}


class _Run:
    """One table that grows."""

    def __init__(
        self, plan: AttributionPlan, settings: Settings, server: Postgres, cores: Cores, grown: Growers,
        shares: list[list[int]], step: Step,
    ) -> None:  # fmt: skip
        self._plan, self._settings, self._server, self._cores, self._grown = plan, settings, server, cores, grown
        self._step, self._shares = step, shares
        self._installs: list[list[Install]] = []
        self._taken: list[int] = [0] * len(shares)
        self.shared_buffers = ""
        self.recent = floor_id(0)

    def row(self, number: int, millions: float, copies: int) -> dict[str, Any]:
        """Let the table grow to these copies, then take the time of installs from all over it."""
        said = f"{millions:g} million touches"
        began = time.perf_counter()
        total = self._plan.grow[-1] * MILLION
        self._installs += self._grown.grow(copies, lambda stored: self._step(f"{said}: {stored:,}", stored / total))
        loading_s = time.perf_counter() - began
        self._step(f"{said}: vacuum", millions / self._plan.grow[-1])
        waiting = self._next(number)
        untimed, timed = waiting[: len(waiting) // 3], waiting[len(waiting) // 3 :]
        touches, sizes = asyncio.run(self._prepare(untimed))
        self._step(f"{said}: {len(waiting):,} installs wait", millions / self._plan.grow[-1])
        timing, postgres_s = self._decide(timed)
        decided, outcomes = asyncio.run(self._outcomes(waiting))
        if decided != len(waiting):
            raise BenchError(f"{decided:,} of {len(waiting):,} installs were decided")
        self.shared_buffers = sizes["shared_buffers"]
        return {
            "millions": millions,
            "touches": touches,
            "rows_gb": sizes["rows_gb"],
            "indexes_gb": sizes["indexes_gb"],
            "loading_s": loading_s,
            "installs": timing.installs,
            "seconds": timing.seconds,
            "installs_per_s": timing.installs / timing.seconds,
            "install_us": timing.seconds / timing.installs * 1e6,
            "median_us": statistics.median(timing.batches_us),
            "decider_us": timing.cpu_s / timing.installs * 1e6,
            "postgres_us": postgres_s / timing.installs * 1e6,
            **outcomes,
        }

    def _next(self, number: int) -> list[Install]:
        """This size's installs: as many from every copy, none twice, in the order of their arrival."""
        found: list[Install] = []
        for copy, installs in enumerate(self._installs):
            at, count = self._taken[copy], self._shares[copy][number]
            found += installs[at : at + count]
            self._taken[copy] += count
        if len(found) > self._plan.waiting:
            found = random.Random(number).sample(found, self._plan.waiting)
        return sorted(found, key=lambda one: one.id)

    async def _prepare(self, installs: list[Install]) -> tuple[int, asyncpg.Record]:
        """Let the first installs wait; the table as autovacuum leaves it."""
        pool = await open_pool(self._settings)
        try:
            await pool.execute("VACUUM (ANALYZE)", timeout=MAINTENANCE_S_MAX)
            await self._warm(pool)
            touches = await pool.fetchval("SELECT count(*) FROM touches", timeout=MAINTENANCE_S_MAX)
            await self._store(installs)
            await pool.execute("ANALYZE installs", timeout=MAINTENANCE_S_MAX)
            return touches, await pool.fetchrow(SIZES)
        finally:
            pool.terminate()

    async def _store(self, installs: list[Install]) -> None:
        """With passed barriers, and a checkpoint behind them."""
        pool = await open_pool(self._settings)
        try:
            await loading.store(pool, ConversionsHandler(open_countries()), installs, lambda _: None)
            await deciding.skip_days(pool)
            await deciding.pass_barriers(pool)
            await pool.execute("CHECKPOINT", timeout=MAINTENANCE_S_MAX)
        finally:
            pool.terminate()

    async def _warm(self, pool: asyncpg.Pool) -> None:
        """Touches of the last days are in memory, as those are that a consumer has just inserted: COPY and VACUUM leave
        none there. By index, because a scan of a large table leaves none either."""
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
            await connection.fetchval(RECENT, self.recent, timeout=MAINTENANCE_S_MAX)

    def _decide(self, installs: list[Install]) -> tuple[Timing, float]:
        """Those that wait untimed, then these: a decider lives for weeks, with plans made and memory warm.

        In a process of its own on the first core, Postgres on the others; the CPU time of Postgres beside it.
        """
        postmaster = self._server.pid
        assert postmaster is not None
        usable = os.sched_getaffinity(0)
        environment = os.environ | {"TOUCHLINE_DATABASE_URL": self._settings.postgres_url()}
        argv = launched([sys.executable, "-m", "benchmarks.attribution.deciding"], self._cores.server)
        _pin(postmaster, self._cores.load)
        pipe = subprocess.PIPE
        process = subprocess.Popen(argv, env=environment, cwd=PROJECT, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        try:
            assert process.stdout is not None
            if process.stdout.readline() == deciding.READY:
                asyncio.run(self._store(installs))
            before = cpu_s(postmaster)
            said, errors = process.communicate("go\n", timeout=DECIDING_S_MAX)
        except subprocess.TimeoutExpired:
            raise BenchError(f"deciding takes more than {DECIDING_S_MAX} s") from None
        finally:
            process.kill()
            _pin(postmaster, usable)
        if process.returncode:
            raise BenchError(f"the deciding process failed: {errors[-800:]}")
        return msgspec.json.decode(said, type=Timing), cpu_s(postmaster) - before

    async def _outcomes(self, waiting: list[Install]) -> tuple[int, dict[str, Any]]:
        """How many were decided, and how."""
        pool = await open_pool(self._settings)
        try:
            found = dict(await pool.fetchrow(OUTCOMES, [one.id for one in waiting]))
            return found.pop("decided"), found
        finally:
            pool.terminate()


def _pin(pid: int, cores: Collection[int]) -> None:
    """The process and what it has started, and so what it will start."""
    with contextlib.suppress(ProcessLookupError):  # autovacuum's workers come and go
        os.sched_setaffinity(pid, cores)
    for child in children(pid):
        _pin(child, cores)
