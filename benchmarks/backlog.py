"""`touchline bench backlog`: what waited in the journal while Kafka was away is shipped beside live traffic."""

import math
import os
import secrets
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import closed_loop, generator, own, svg, traffic
from benchmarks.errors import BenchError
from benchmarks.own import Deployment
from benchmarks.plan import Cores, Plan
from benchmarks.report import Column, Report, Step
from console.status.journals import unread
from schemas import journal
from schemas.journal import Position
from schemas.topics import HITS

LIVE_PER_S = 5_000
FILL_S = 10
FILL_ROUNDS_MAX = 60
COLUMNS = (
    Column("row", "row"),
    Column("waiting", "waiting", "{:,}"),
    Column("shipped_per_s", "shipped/s", "{:,.0f}"),
    Column("rate", "live/s", "{:,}"),
    Column("errors", "errors", "{:,}"),
    Column("p50_ms", "p50 ms", "{:.1f}"),
    Column("p99_ms", "p99 ms", "{:.1f}"),
    Column("second_p99_ms", "p99 of a second", "{:.1f}"),
    Column("void", "void"),
)


def run(plan: Plan, step: Step) -> Report:
    """Fill the journal of an edge without Kafka, start it with Kafka, load it; then the same load without a backlog."""
    if plan.kafka is None:
        raise BenchError("backlog ships to a broker: name one with --kafka BOOTSTRAP")
    rate = plan.rate or LIVE_PER_S
    cores = Cores.share()
    report = Report("backlog", plan, COLUMNS, settings={**cores.facts(), "live_per_s": rate})
    if cores.pinned:
        os.sched_setaffinity(0, cores.load)
    with own.scratch(plan) as folder:
        report.measure_disk(folder)
        with own.edge(replace(plan, kafka=None), folder, cores) as deployment:
            waiting = fill(deployment, plan, folder, cores, report, step)
        with own.edge(plan, folder, cores) as deployment:
            step(f"{waiting:,} hits wait, {rate:,} a second come", 0.5)
            row, beside = _beside_backlog(deployment, plan, cores, rate)
            report.rows.append({"row": "beside the backlog", "waiting": waiting, "rate": rate, **row})
            shipped_s = row["shipped_s"]
            if shipped_s is None:
                report.remarks.append("the backlog was not gone when the load ended: give it a longer --duration")
            else:
                report.rows[-1]["shipped_per_s"] = waiting * row["shipped_share"] / shipped_s
            step("without a backlog", 0.8)
            row, alone = _live(deployment, plan, cores, rate)
            report.rows.append({"row": "without a backlog", "waiting": 0, "rate": rate, **row})
    ticks = [str(second) if second % 5 == 0 else "" for second in range(max(len(beside), len(alone)))]
    curves = {"beside the backlog": beside, "without": alone}
    report.charts.append(svg.curves("p99 of each second", "ms", ticks, curves))
    return report


def fill(deployment: Deployment, plan: Plan, folder: Path, cores: Cores, report: Report, step: Step) -> int:
    """Hits that wait."""
    waiting = 0
    for _ in range(FILL_ROUNDS_MAX):
        step(f"filling the journal: {waiting:,} of {plan.hits:,}", 0.5 * waiting / plan.hits)
        load = closed_loop.run(
            deployment.url,
            traffic.s2s(deployment.url, deployment.link, f"w{secrets.token_hex(3)}"),
            seconds=min(FILL_S, plan.duration_s),
            connections=plan.connections,
            folder=folder,
            cores=cores,
            report=report,
        )
        waiting += load.requests - load.bad_statuses
        if waiting >= plan.hits:
            return waiting
    raise BenchError(f"only {waiting:,} hits were taken in {FILL_ROUNDS_MAX} rounds")


def _beside_backlog(
    deployment: Deployment, plan: Plan, cores: Cores, rate: int
) -> tuple[dict[str, Any], list[float | None]]:
    """What was found, and `shipped_share` of the backlog's bytes in `shipped_s`: shipping began before the load."""
    assert deployment.settings is not None
    folder = deployment.settings.data / "journals" / "w0" / HITS
    end = journal.read_end(folder)
    assert end is not None
    started_at, gone_at = time.monotonic(), None
    left = unread(folder, Position(journal.published(folder / "shipped")), end).bytes
    everything = unread(folder, journal.START, end).bytes

    def look() -> None:
        nonlocal gone_at
        if gone_at is None and journal.published(folder / "shipped") >= end.position:
            gone_at = time.monotonic()

    row, by_second = _live(deployment, plan, cores, rate, look)
    shipped_s = gone_at - started_at if gone_at is not None else None
    if shipped_s is not None:
        row["second_p99_ms"] = _median(by_second[: math.ceil(shipped_s)])
    return row | {"shipped_s": shipped_s, "shipped_share": left / everything}, by_second


def _live(
    deployment: Deployment, plan: Plan, cores: Cores, rate: int, meanwhile: Callable[[], None] | None = None
) -> tuple[dict[str, Any], list[float | None]]:
    found = generator.run(
        deployment.url,
        traffic.s2s(deployment.url, deployment.link, f"l{secrets.token_hex(3)}"),
        rate=rate,
        seconds=plan.duration_s,
        connections=plan.connections,
        cores=cores,
        meanwhile=meanwhile,
    )
    row = {
        "errors": found.errors,
        "p50_ms": found.percentile(50.0),
        "p99_ms": found.percentile(99.0),
        "second_p99_ms": _median(found.by_second),
        "void": found.void,
        "p99_ms_by_second": found.by_second,
    }
    return row, found.by_second


def _median(by_second: list[float | None]) -> float | None:
    """Of the seconds' p99: one noisy second does not decide it."""
    return statistics.median(ms for ms in by_second if ms is not None) if any(by_second) else None
