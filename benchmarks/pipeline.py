"""`touchline bench pipeline`: the whole path at rising rates, and whether every acknowledged hit became one row."""

import asyncio
import secrets
import statistics
import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any

import asyncpg

from benchmarks import generator, own, svg, traffic
from benchmarks.errors import BenchError
from benchmarks.own import Deployment
from benchmarks.plan import Cores, Plan
from benchmarks.processes import cpu_s
from benchmarks.report import Column, Report, Step
from benchmarks.rows import APP_OF_LINK, Account, Samples, account

RATES = (500, 1000, 2000, 3000, 4000, 6000, 8000, 12_000, 16_000, 24_000, 32_000)
SAMPLES_PER_S = 40
GROWTH_S = 0.5
"""Lag grows when the last third of the samples waits so much longer than the first."""

CATCH_UP_S = 120.0
CPU_ROLES = {"edge": "edge", "touches": "touch", "attribution": "attr", "rejects": "rej", "postgres": "pg"}
ANSWERED_SHARE_MIN = 0.95
COLUMNS = (
    Column("rate", "rate/s", "{:,}"),
    Column("answered_per_s", "answered/s", "{:,.0f}"),
    Column("errors", "errors", "{:,}"),
    Column("row_p50_ms", "row p50", "{:,.0f}"),
    Column("row_p99_ms", "p99 ms", "{:,.0f}"),
    Column("keeps_up", "keeps up"),
    *(Column(f"{role}_us", heading, "{:.0f}") for role, heading in CPU_ROLES.items()),
    Column("all_us", "all µs", "{:.0f}"),
)


@dataclass(slots=True)
class Run:
    """One rate's load: what was acknowledged, and when samples of it became rows."""

    rate: int
    prefix: str
    started_at: float
    row: dict[str, Any] = field(default_factory=dict)
    acknowledged: set[int] = field(default_factory=set)
    samples: Samples | None = None


class Watch:
    """The deployment while it is loaded: its rows and its processes' CPU time. Without a database only answers."""

    def __init__(self, deployment: Deployment, database: str | None) -> None:
        self.app = ""
        self._runner = asyncio.Runner()
        self._connection: asyncpg.Connection | None = None
        self._pids = own.roles(deployment.pid, deployment.settings) if deployment.pid and deployment.settings else {}
        address = deployment.settings.postgres_url() if deployment.settings else database
        if address:
            self._connection = self._runner.run(asyncpg.connect(address, timeout=10))
            self.app = self._runner.run(self._connection.fetchval(APP_OF_LINK, deployment.link)) or ""
            if not self.app:
                raise BenchError(f"the database has no link {deployment.link}: is it that of the target?")

    @property
    def sees_rows(self) -> bool:
        return self._connection is not None

    def look(self, samples: Samples | None) -> None:
        if samples is not None and self._connection is not None:
            self._runner.run(samples.look(self._connection))

    def account(self, run: Run) -> Account | None:
        if self._connection is None:
            return None
        return self._runner.run(account(self._connection, run.started_at, run.prefix, run.acknowledged))

    def cpu_s(self) -> dict[str, float]:
        return {role: sum(map(cpu_s, pids)) for role, pids in self._pids.items()}

    def close(self) -> None:
        if self._connection is not None:
            self._runner.run(self._connection.close(timeout=5))
        self._runner.close()


def run(plan: Plan, step: Step) -> Report:
    """Rate after rate until lag grows; then all acknowledged hits against the rows."""
    report = Report("pipeline", plan, COLUMNS, settings={"pinned": False})
    with own.scratch(plan) as folder:
        report.measure_disk(folder)
        with nullcontext(Deployment.running(plan)) if plan.target else own.product(plan, folder) as deployment:
            watch = Watch(deployment, plan.database)
            try:
                runs = _rates(deployment, plan, watch, step, report)
                step("comparing every acknowledged hit with Postgres", 0.95)
                _compare(runs, watch, report)
            finally:
                watch.close()
    _draw(report)
    return report


def _rates(deployment: Deployment, plan: Plan, watch: Watch, step: Step, report: Report) -> list[Run]:
    runs = []
    rates = (plan.rate,) if plan.rate else RATES
    for number, rate in enumerate(rates):
        step(f"{rate:,} hits a second", 0.9 * number / len(rates))
        runs.append(run := _load(deployment, plan, watch, rate))
        report.rows.append(run.row)
        if not run.row["keeps_up"]:
            break
    kept_up = max((run.rate for run in runs if run.row["keeps_up"]), default=0)
    report.settings["kept_up_per_s"] = kept_up
    report.remarks.append(f"highest rate without growing lag or errors: {kept_up:,} hits a second")
    return runs


def _load(deployment: Deployment, plan: Plan, watch: Watch, rate: int) -> Run:
    """Send for the duration, then wait until the samples have arrived."""
    run = Run(rate, f"p{secrets.token_hex(4)}", time.time())
    if watch.sees_rows:
        numbers = range(1, rate * plan.duration_s + 1, max(1, rate // SAMPLES_PER_S))
        run.samples = Samples(watch.app, run.prefix, numbers)
    before = watch.cpu_s()
    found = generator.run(
        deployment.url,
        traffic.s2s(deployment.url, deployment.link, run.prefix),
        rate=rate,
        seconds=plan.duration_s,
        connections=plan.connections,
        cores=Cores(frozenset(), frozenset(), pinned=False),
        meanwhile=lambda: watch.look(run.samples),
    )
    run.acknowledged = set(range(1, found.facts["sent"] + 1)).difference(found.facts["unacknowledged"])
    if run.samples is not None:
        run.samples.only(run.acknowledged)
        _catch_up(run.samples, watch)
    used = {role: after - before[role] for role, after in watch.cpu_s().items()}
    hits = max(len(run.acknowledged), 1)
    delays = _delays(run.samples, found.facts["started_at"], rate)
    answered_per_s = found.facts["answered_per_s"]
    run.row = {
        "rate": rate,
        "answered_per_s": answered_per_s,
        "sent": found.facts["sent"],
        "acknowledged": len(run.acknowledged),
        "errors": found.errors,
        "answer_p50_ms": found.percentile(50.0),
        "answer_p99_ms": found.percentile(99.0),
        "late_percent": found.facts["late_share"] * 100,
        **delays,
        "keeps_up": not (delays["grows"] or found.errors or answered_per_s < ANSWERED_SHARE_MIN * rate),
        **{f"{role}_us": seconds * 1e6 / hits for role, seconds in used.items()},
        "all_us": sum(used.values()) * 1e6 / hits if used else None,
    }
    return run


def _catch_up(samples: Samples, watch: Watch) -> None:
    deadline = time.monotonic() + CATCH_UP_S
    while samples.waiting and time.monotonic() < deadline:
        watch.look(samples)
        time.sleep(generator.STEP_S)


def _delays(samples: Samples | None, started_at: float, rate: int) -> dict[str, Any]:
    """From the intended send to the row being seen, and whether it grew while we sent."""
    if samples is None:
        return {"grows": False}
    delays = [(seen_at - started_at - (n - 1) / rate) * 1000 for n, seen_at in sorted(samples.seen_at.items())]
    if len(delays) < 3:
        return {"grows": samples.waiting > 0, "samples": len(delays), "samples_missing": samples.waiting}
    ordered, third = sorted(delays), max(len(delays) // 3, 1)
    growth_ms = statistics.median(delays[-third:]) - statistics.median(delays[:third])
    return {
        "samples": len(delays),
        "samples_missing": samples.waiting,
        **{f"row_p{share}_ms": ordered[min(len(ordered) * share // 100, len(ordered) - 1)] for share in (50, 90, 99)},
        "row_max_ms": ordered[-1],
        "grows": growth_ms > GROWTH_S * 1000 or samples.waiting > 0,
    }


def _compare(runs: list[Run], watch: Watch, report: Report) -> None:
    """Missing 0 and double 0, or the command fails."""
    if not watch.sees_rows:
        report.skip("every acknowledged hit against Postgres", "the target's database is unknown: --database URL")
        return
    deadline = time.monotonic() + CATCH_UP_S
    for run in runs:
        found = watch.account(run)
        while found is not None and found.missing and time.monotonic() < deadline:
            time.sleep(1.0)  # what was never sampled may still be on its way
            found = watch.account(run)
        assert found is not None
        run.row |= asdict(found)
        report.failed |= bool(found.missing or found.double)
    missing, double = (sum(run.row[key] for run in runs) for key in ("missing", "double"))
    acknowledged = sum(run.row["acknowledged"] for run in runs)
    report.remarks.append(f"{acknowledged:,} acknowledged hits, {missing:,} missing in Postgres, {double:,} double")


def _draw(report: Report) -> None:
    rates = [f"{row['rate']:,}/s" for row in report.rows]
    shares = {f"p{share}": [row.get(f"row_p{share}_ms") for row in report.rows] for share in (50, 90, 99)}
    report.charts.append(svg.curves("From the intended send to the row in Postgres", "ms", rates, shares))
    at = next((row for row in reversed(report.rows) if row["keeps_up"]), None)
    if at is not None and at["all_us"] is not None:
        values = [(role, at.get(f"{role}_us")) for role in CPU_ROLES]
        report.charts.append(svg.bars(f"CPU µs a hit at {at['rate']:,} hits a second", values))
