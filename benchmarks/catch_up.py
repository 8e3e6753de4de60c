"""`touchline bench catch-up`: how fast one consumer stores what waits for it."""

import os
import time
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks import backlog, own
from benchmarks.errors import BenchError
from benchmarks.own import Deployment
from benchmarks.plan import Cores, Plan
from benchmarks.processes import Server, cpu_s
from benchmarks.report import Column, Report, Step
from deploy.children import command
from schemas import journal
from schemas.ports import PORTS
from schemas.settings import Settings
from schemas.topics import READS, Consumer

STALLS_AFTER_S = 60.0
LOOK_S = 0.1
COLUMNS = (
    Column("row", "row"),
    Column("waiting", "waiting", "{:,}"),
    Column("rows_per_s", "rows/s", "{:,.0f}"),
    Column("seconds", "seconds", "{:.1f}"),
    Column("consumer_us", "consumer µs", "{:.1f}"),
    Column("postgres_us", "Postgres µs", "{:.1f}"),
)


def run(plan: Plan, step: Step) -> Report:
    """Fill the log through an edge, then start the consumer on the server's core, Postgres on the others."""
    cores = Cores.share()
    report = Report("catch-up", plan, COLUMNS, settings=cores.facts())
    if cores.pinned:
        os.sched_setaffinity(0, cores.load)
    with own.scratch(plan) as folder:
        report.measure_disk(folder)
        with own.edge(plan, folder, cores) as deployment:
            waiting = backlog.fill(deployment, plan, folder, cores, report, step)
            step(f"{waiting:,} hits wait for one touches consumer", 0.6)
            report.rows.append({"row": "one touches consumer", **consume(deployment, folder, cores, "touches")})
    return report


def consume(deployment: Deployment, folder: Path, cores: Cores, consumer: Consumer) -> dict[str, Any]:
    """What waits in the log of worker 0, read by one process of the consumer on the server's core."""
    settings = deployment.settings
    assert settings is not None
    journals = settings.data / "journals" / "w0" / READS[consumer]
    if settings.kafka:
        _until_shipped(journals)
    waiting = own.records_of(journals)
    postgres = own.postmaster(settings)
    before = cpu_s(postgres)
    argv, log = command(f"consume {consumer}"), folder / f"{consumer}.log"
    with Server(argv, log, cores=cores.server, env=deployment.environment) as server:
        started_at, stored, grown_at = None, 0, time.monotonic()
        while stored < waiting:
            time.sleep(LOOK_S)
            now, last, stored = time.monotonic(), stored, _rows(settings, consumer)
            if stored > last:
                started_at, grown_at = started_at or (now, stored), now
            elif now - grown_at > STALLS_AFTER_S:
                raise BenchError(
                    f"the consumer stands still at {stored:,} of {waiting:,} rows: {log.read_text()[-800:]}"
                )
        assert started_at is not None
        seconds = grown_at - started_at[0]
        return {
            "waiting": waiting,
            "seconds": seconds,
            # few records are stored between two looks
            "rows_per_s": (stored - started_at[1]) / seconds if seconds else None,
            "consumer_us": cpu_s(server.pid) * 1e6 / stored,
            "postgres_us": (cpu_s(postgres) - before) * 1e6 / stored,
        }


def _until_shipped(folder: Path) -> None:
    end = journal.read_end(folder)
    assert end is not None
    deadline = time.monotonic() + STALLS_AFTER_S
    while journal.published(folder / "shipped") < end.position:
        if time.monotonic() > deadline:
            raise BenchError("Kafka has not taken everything")
        time.sleep(LOOK_S)


def _rows(settings: Settings, consumer: Consumer) -> int:
    """What the consumer says it has stored; 0 before it speaks."""
    url = f"http://127.0.0.1:{settings.metrics_port + PORTS[consumer]}/metrics"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return 0
    name = f'touchline_rows_total{{consumer="{consumer}"}} '
    return int(sum(float(line.removeprefix(name)) for line in lines if line.startswith(name)))
