"""`touchline bench latency`: how long answers take at a quarter, half and three quarters of the peak."""

import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from benchmarks import closed_loop, generator, k6, own, svg, traffic
from benchmarks.errors import Missing
from benchmarks.own import Deployment
from benchmarks.plan import Cores, Plan
from benchmarks.processes import cpu_s
from benchmarks.report import Column, Report, Step

SHARES = (25, 50, 75)
PEAK_S_MAX = 8
K6 = "k6, to compare"
BROKER_STOPPED = "50 %, broker stopped"
COLUMNS = (
    Column("row", "row"),
    Column("rate", "sent/s", "{:,.0f}"),
    Column("errors", "errors", "{:,}"),
    Column("p50_ms", "p50 ms", "{:.1f}"),
    Column("p99_ms", "p99 ms", "{:.1f}"),
    Column("p999_ms", "p99.9", "{:.1f}"),
    Column("max_ms", "max", "{:.1f}"),
    Column("worst_second_ms", "worst s", "{:.1f}"),
    Column("late_percent", "late %", "{:.2f}"),
    Column("cpu_us_per_hit", "µs", "{:.1f}"),
    Column("void", "void"),
)


def run(plan: Plan, step: Step) -> Report:
    """S2S pings at the three rates; k6 beside them at a low one."""
    cores = Cores.share()
    report = Report("latency", plan, COLUMNS, settings=cores.facts())
    if cores.pinned:
        os.sched_setaffinity(0, cores.load)
    with own.scratch(plan) as folder:
        report.measure_disk(folder)
        with nullcontext(Deployment.running(plan)) if plan.target else own.edge(plan, folder, cores) as deployment:
            step("measuring the peak", 0.0)
            peak = plan.rate or _peak(deployment, plan, folder, cores, report)
            report.settings["peak_per_s"] = round(peak)
            curves, seconds = {}, {}
            for number, share in enumerate(SHARES):
                rate = max(1, round(peak * share / 100))
                step(f"{share} % of the peak: {rate:,} a second", (number + 1) / (len(SHARES) + 2))
                row, curve = _at(deployment, plan, cores, rate)
                report.rows.append({"row": f"{share} % of peak", "rate": rate, **row})
                name = f"{rate:,}/s{' (void)' if row['void'] else ''}"
                curves[name], seconds[name] = curve, row["p99_ms_by_second"]
            if plan.broker_pid is not None:
                rate = max(1, round(peak / 2))
                step(f"{rate:,} a second, the broker stopped in the middle", 1 - 2 / (len(SHARES) + 2))
                with _stopped_in_the_middle(plan.broker_pid, plan.duration_s) as meanwhile:
                    row, _ = _at(deployment, plan, cores, rate, meanwhile)
                report.rows.append({"row": BROKER_STOPPED, "rate": rate, **row})
                seconds[BROKER_STOPPED] = row["p99_ms_by_second"]
            step(K6, 1 - 1 / (len(SHARES) + 2))
            _cross_check(deployment, plan, folder, cores, min(k6.RATE_MAX, max(1, round(peak / 4))), report)
    points = [f"p{share:g}" if share < 100 else "max" for share in generator.PERCENTILES]
    report.charts.append(svg.curves("Answer times from the intended send", "ms", points, curves))
    ticks = [str(second) if second % 5 == 0 else "" for second in range(max(map(len, seconds.values()), default=0))]
    report.charts.append(svg.curves("p99 of each second", "ms", ticks, seconds))
    if any(row["void"] for row in report.rows):
        report.remarks.append("void: the load program itself fell behind, its times say nothing about the server.")
    return report


def _peak(deployment: Deployment, plan: Plan, folder: Path, cores: Cores, report: Report) -> float:
    requests = traffic.s2s(deployment.url, deployment.link, f"k{secrets.token_hex(3)}")
    seconds = min(PEAK_S_MAX, plan.duration_s)
    load = closed_loop.run(
        deployment.url,
        requests,
        seconds=seconds,
        connections=plan.connections,
        folder=folder,
        cores=cores,
        report=report,
    )
    return load.requests / load.seconds


@contextmanager
def _stopped_in_the_middle(pid: int, seconds: float) -> Iterator[Callable[[], None]]:
    """What to call again and again: it holds the process for the middle third of so many seconds."""
    from_s, until_s = time.monotonic() + seconds / 3, time.monotonic() + 2 * seconds / 3
    held = False

    def look() -> None:
        nonlocal held
        wanted = from_s <= time.monotonic() < until_s
        if wanted != held:
            os.kill(pid, signal.SIGSTOP if wanted else signal.SIGCONT)
            held = wanted

    try:
        yield look
    finally:
        os.kill(pid, signal.SIGCONT)


def _at(
    deployment: Deployment, plan: Plan, cores: Cores, rate: int, meanwhile: Callable[[], None] | None = None
) -> tuple[dict[str, Any], list[float | None]]:
    requests = traffic.s2s(deployment.url, deployment.link, f"l{secrets.token_hex(3)}")
    before = cpu_s(deployment.pid) if deployment.pid else 0.0
    found = generator.run(
        deployment.url,
        requests,
        rate=rate,
        seconds=plan.duration_s,
        connections=plan.connections,
        cores=cores,
        meanwhile=meanwhile,
    )
    facts = found.facts
    used_us = (cpu_s(deployment.pid) - before) * 1e6 if deployment.pid else None
    row = {
        **{key: facts[key] for key in ("sent", "answered", "answered_per_s", "statuses", "lag_max_ms")},
        "errors": found.errors,
        "p50_ms": found.percentile(50.0),
        "p99_ms": found.percentile(99.0),
        "p999_ms": found.percentile(99.9),
        "max_ms": found.percentile(100.0),
        "late_percent": facts["late_share"] * 100,
        "cpu_us_per_hit": used_us / max(facts["answered"], 1) if used_us is not None else None,
        "void": found.void,
        "percentiles_ms": facts["percentiles_ms"],
        "p99_ms_by_second": found.by_second,
        "worst_second_ms": max((ms for ms in found.by_second if ms is not None), default=None),
    }
    return row, [found.percentile(share) for share in generator.PERCENTILES]


def _cross_check(deployment: Deployment, plan: Plan, folder: Path, cores: Cores, rate: int, report: Report) -> None:
    requests = traffic.s2s(deployment.url, deployment.link, f"x{secrets.token_hex(3)}")
    try:
        row = k6.run(
            deployment.url,
            requests,
            rate=rate,
            seconds=plan.duration_s,
            connections=plan.connections,
            folder=folder,
            cores=cores,
        )
    except Missing as missing:
        report.skip(K6, str(missing))
        return
    report.rows.append({"row": K6, "rate": rate, **row})
