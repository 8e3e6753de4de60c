"""`touchline bench edge`: how many hits one edge on one core acknowledges, beside other servers in the same run."""

import os
import secrets
import statistics
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import generator, own, svg, traffic, wrk
from benchmarks.errors import BenchError, Missing
from benchmarks.own import Deployment
from benchmarks.peers import bare_lane, fastapi_server, nginx
from benchmarks.plan import Cores, Plan
from benchmarks.processes import Server, cpu_s
from benchmarks.report import Column, Report, Step
from benchmarks.traffic import Traffic
from deploy.demo import LINK

NGINX, BARE, FASTAPI = "nginx: 204, buffered log", "bare lane", "FastAPI + send_and_wait"
PEERS = {"nginx": NGINX, "FastAPI": FASTAPI, "bare": BARE}
COLUMNS = (
    Column("row", "row"),
    Column("requests_per_s", "requests/s", "{:,.0f}"),
    Column("errors", "errors", "{:,}"),
    Column("p50_ms", "p50 ms", "{:.1f}"),
    Column("p99_ms", "p99 ms", "{:.1f}"),
    Column("cpu_us_per_hit", "µs CPU", "{:.1f}"),
    *(Column(f"x_{peer}", f"× {peer}", "{:.2f}") for peer in PEERS),
    Column("cpu_x_bare", "CPU × bare", "{:.2f}"),
)


@dataclass(slots=True)
class Row:
    """One kind of traffic on one server, loaded once a round."""

    name: str
    url: str
    pid: int | None
    make: Callable[[str, str], Traffic]
    """(address, prefix of the click ids) → the requests."""
    loads: list[wrk.Load] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)


def run(plan: Plan, step: Step) -> Report:
    """Every row in short rounds, one after the other; the medians count, because machines are noisy."""
    cores = Cores.share()
    report = Report("edge", plan, COLUMNS, settings={**cores.facts(), "generator": "open loop" if plan.rate else "wrk"})
    if cores.pinned:
        os.sched_setaffinity(0, cores.load)
    with own.scratch(plan) as folder, ExitStack() as stack:
        report.measure_disk(folder)
        rows = _own_rows(plan, stack, folder, cores) + _peers(plan, stack, folder, cores, report)
        for number in range(plan.rounds):
            for row in rows:
                if not report.skips(row.name):
                    step(f"round {number + 1} of {plan.rounds}: {row.name}", number / plan.rounds)
                    _load(row, plan, folder, cores, report)
    for row in rows:
        if row.loads:
            report.rows.append(_median(row))
    _compare(report.rows)
    report.charts.append(
        svg.bars("Acknowledged requests a second", [(str(row["row"]), row["requests_per_s"]) for row in report.rows])
    )
    report.charts.append(
        svg.bars("Server's CPU, µs a hit", [(str(row["row"]), row["cpu_us_per_hit"]) for row in report.rows])
    )
    return report


def _own_rows(plan: Plan, stack: ExitStack, folder: Path, cores: Cores) -> list[Row]:
    deployment = Deployment.running(plan) if plan.target else stack.enter_context(own.edge(plan, folder, cores))

    def row(name: str, make: Callable[[str, str], Traffic]) -> Row:
        return Row(name, deployment.url, deployment.pid, make)

    return [
        row("S2S click, 204", lambda url, prefix: traffic.s2s(url, deployment.link, prefix)),
        row("S2S click, new heads", lambda url, prefix: traffic.s2s_new_heads(url, deployment.link, prefix)),
        row("browser, 302", lambda url, prefix: traffic.browsers(url, deployment.macro_link, prefix)),
        row("S2S impression, 204", lambda url, prefix: traffic.impressions(url, deployment.link, prefix)),
        row("mix", lambda url, prefix: traffic.mix(url, deployment.links, prefix)),
    ]


def _peers(plan: Plan, stack: ExitStack, folder: Path, cores: Cores, report: Report) -> list[Row]:
    """The other servers; those that cannot run are named as skipped."""

    def started(made: tuple[Server, str]) -> tuple[Server, str]:
        server, url = made
        server.until(lambda: _answers(url), url)
        return server, url

    starts: dict[str, Callable[[], tuple[Server, str]]] = {
        NGINX: lambda: started(stack.enter_context(nginx.running(folder / "nginx", cores))),
        BARE: lambda: started(stack.enter_context(bare_lane.running(folder / "bare", cores, plan.kafka))),
        FASTAPI: lambda: stack.enter_context(fastapi_server.running(folder / "fastapi", cores, plan.kafka)),
    }
    rows = []
    for name, start in starts.items():
        if plan.target:
            report.skip(name, "a peer on this machine says nothing about --target")
            continue
        try:
            server, url = start()
        except (Missing, BenchError) as error:  # a peer that does not start ends its row, not the run
            lines = str(error).splitlines()
            report.skip(name, " … ".join(dict.fromkeys((lines[0], lines[-1]))))
            continue
        rows.append(Row(name, url, server.pid, lambda url, prefix: traffic.s2s(url, LINK, prefix)))
    return rows


def _answers(url: str) -> bool:
    try:
        return own.status_of(url, traffic.s2s(url, LINK, "ready").first()) == 204
    except OSError:
        return False


def _load(row: Row, plan: Plan, folder: Path, cores: Cores, report: Report) -> None:
    seconds = max(1, round(plan.duration_s / plan.rounds))
    try:
        if not plan.rate:
            wrk.installed()  # before the request that tries the row
        requests = row.make(row.url, f"e{secrets.token_hex(3)}")
        _try(row, requests)
        before = cpu_s(row.pid) if row.pid else 0.0
        if plan.rate:
            load = generator.run(
                row.url, requests, rate=plan.rate, seconds=seconds, connections=plan.connections, cores=cores
            ).load()
        else:
            load = wrk.run(row.url, requests, seconds=seconds, connections=plan.connections, folder=folder, cores=cores)
    except Missing as missing:
        report.skip(row.name, str(missing))
        return
    row.loads.append(load)
    if row.pid:
        row.cpu_us.append((cpu_s(row.pid) - before) * 1e6 / max(load.requests, 1))


def _try(row: Row, requests: Traffic) -> None:
    try:
        status = own.status_of(row.url, requests.first())
    except OSError as error:
        raise BenchError(f"{row.name}: {row.url} does not answer: {error}") from None
    if status not in requests.expects:
        raise BenchError(f"{row.name}: {row.url} answers {status} instead of {sorted(requests.expects)}")


def _median(row: Row) -> dict[str, object]:
    loads = row.loads
    return {
        "row": row.name,
        "requests_per_s": statistics.median(load.requests / load.seconds for load in loads),
        "rounds_per_s": [round(load.requests / load.seconds) for load in loads],
        "requests": sum(load.requests for load in loads),
        "errors": sum(load.bad_statuses + load.broken for load in loads),
        "bad_statuses": sum(load.bad_statuses for load in loads),
        "p50_ms": statistics.median(load.p50_ms for load in loads),
        "p99_ms": statistics.median(load.p99_ms for load in loads),
        "cpu_us_per_hit": statistics.median(row.cpu_us) if row.cpu_us else None,
        "void": any(load.void for load in loads),
    }


def _compare(rows: list[dict[str, object]]) -> None:
    """Each row's throughput as a multiple of each peer's, its CPU as one of the bare lane's."""
    found = {row["row"]: row for row in rows}
    for row in rows:
        for peer, name in PEERS.items():
            row[f"x_{peer}"] = _ratio(row, found.get(name, {}), "requests_per_s")
        row["cpu_x_bare"] = _ratio(row, found.get(BARE, {}), "cpu_us_per_hit")


def _ratio(mine: dict[str, object], theirs: dict[str, object], what: str) -> float | None:
    one, other = mine.get(what), theirs.get(what)
    return one / other if isinstance(one, float) and isinstance(other, float) and other else None
