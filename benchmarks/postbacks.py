"""`touchline bench postbacks`: how many postbacks one sender delivers, and whether a hanging partner delays others."""

import asyncio
import http.client
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from benchmarks import own
from benchmarks.attribution import loading
from benchmarks.errors import BenchError
from benchmarks.plan import RESULTS, Cores
from benchmarks.processes import Server, cpu_s, free_ports
from benchmarks.report import Column, Report, Section, Step
from deploy.children import command
from deploy.postgres import Postgres
from process.postgres import connect
from schemas.ports import PORTS
from schemas.settings import Settings

PARTNERS = 8
PAGE = 20_000
STALLS_AFTER_S = 30.0
LOOK_S = 0.1
RATIO_MAX = 2.0
WANTED_PER_S = 5000

PUT_PARTNERS = """
INSERT INTO partners (id, title)
SELECT id, 'Benchmark' FROM (SELECT 'p' || n FROM generate_series(0, $1) AS n UNION ALL SELECT 'hanging') AS one (id)
"""
# As a network's postback is: some 300 characters of identifiers and names.
PUT = """
INSERT INTO postbacks (app, partner, event, key, method, url, due_at)
SELECT 'shop', CASE WHEN $5 AND n % $3 = 0 THEN 'hanging' ELSE 'p' || (n % $3) END, 'install', 'key-' || n, 'GET',
       'http://127.0.0.1:' || $4 || CASE WHEN $5 AND n % $3 = 0 THEN '/hang' ELSE '/pb' END
       || '?click_id=' || md5(n::text) || md5((-n)::text) || '&campaign=summer-sale-2026&creative=video-15s-portrait'
       || '&gaid=38400000-8cf0-11bd-b23e-10b96e40000d&event=install&app=com.example.shop&os_version=15&country=DE'
       || '&due=' || (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
       clock_timestamp()
FROM generate_series($1::bigint, $2::bigint) AS n
"""
COUNTS = """
SELECT count(*) FILTER (WHERE state = 'sent') AS sent, sum(attempts)::bigint AS attempts,
       (SELECT count(*) FROM postback_attempts) AS recorded
FROM postbacks
"""
WAITING = "SELECT count(*) FROM postbacks WHERE state = 'waiting'"
EMPTY = "TRUNCATE postbacks, postback_attempts"

COLUMNS = (
    Column("row", "row"),
    Column("postbacks", "postbacks", "{:,}"),
    Column("per_s", "delivered/s", "{:,.0f}"),
    Column("seconds", "seconds", "{:.1f}"),
    Column("sender_us", "sender µs", "{:.0f}"),
    Column("postgres_us", "Postgres µs", "{:.0f}"),
    Column("missing", "missing", "{:,}"),
    Column("double", "double", "{:,}"),
)
DELAYS = (
    Column("row", "row"),
    Column("postbacks", "postbacks", "{:,}"),
    Column("p50", "p50 ms", "{:.0f}"),
    Column("p90", "p90 ms", "{:.0f}"),
    Column("p99", "p99 ms", "{:.0f}"),
    Column("p100", "longest ms", "{:.0f}"),
    Column("ratio", "× normal", "{:.2f}"),
)


@dataclass(frozen=True, slots=True)
class PostbacksPlan:
    """The options of one run."""

    postbacks: int
    rate: int
    duration_s: int
    rounds: int
    scratch: Path | None = None
    results: Path = RESULTS

    def settings(self) -> dict[str, object]:
        return {
            "postbacks": self.postbacks,
            "rate": self.rate,
            "duration_s": self.duration_s,
            "rounds": self.rounds,
            "partners": PARTNERS,
        }


def run(plan: PostbacksPlan, step: Step) -> Report:
    """The sender alone on its core; Postgres, the partners and the planner on the others."""
    cores = Cores.share()
    report = Report("postbacks", plan, COLUMNS, settings=cores.facts())
    if cores.pinned:
        os.sched_setaffinity(0, cores.load)
    with own.scratch(plan) as folder:
        report.measure_disk(folder)
        with loading.postgres(folder) as (settings, server), _sink(folder, cores) as sink:
            bench = _Bench(plan, settings, server, folder, cores, sink, step)
            report.rows.append(bench.throughput())
            report.sections.append(Section("Delay from due to receipt", DELAYS, bench.delays()))
    (row,), delays = report.rows, report.sections[0].rows
    report.failed = bool(row["missing"] or row["double"])
    report.remarks.append(
        f"wanted: {WANTED_PER_S:,} delivered/s; p99 of others beside a hanging partner at most {RATIO_MAX:g} × normal:"
        f" {row['per_s']:,.0f}/s, {delays[1]['ratio']:.2f} ×."
    )
    return report


@contextmanager
def _sink(folder: Path, cores: Cores) -> Iterator[int]:
    port = free_ports([0])
    with Server(
        [sys.executable, "-m", "benchmarks.sink", str(port)], folder / "sink.log", cores=cores.load
    ) as server:  # fmt: skip
        server.until(lambda: _get(port, "/reset") is not None, "the sink")
        yield port


class _Bench:
    def __init__(
        self,
        plan: PostbacksPlan,
        settings: Settings,
        server: Postgres,
        folder: Path,
        cores: Cores,
        sink: int,
        step: Step,
    ) -> None:
        self._plan, self._settings, self._folder, self._cores = plan, settings, folder, cores
        self._sink, self._step = sink, step
        assert server.pid is not None
        self._postgres = server.pid
        self._number = 0
        self._sql(lambda connection: connection.execute(PUT_PARTNERS, PARTNERS - 1))

    def throughput(self) -> dict[str, Any]:
        """All wait already when the sender starts; time is taken from the first receipts to the last record."""
        count = self._plan.postbacks
        for first in range(0, count, PAGE):
            self._step(f"{first:,} postbacks wait", 0.2 * first / count)
            last = min(count, first + PAGE) - 1
            self._sql(lambda c, first=first, last=last: c.execute(PUT, first, last, PARTNERS, str(self._sink), False))  # type: ignore[misc]
        self._sql(lambda connection: connection.execute("VACUUM (ANALYZE) postbacks"))
        self._sql(lambda connection: connection.execute("CHECKPOINT"))
        self._number = count
        _get(self._sink, "/reset")
        with self._sender() as sender:
            began = self._until(lambda taken: taken > 0, "the first receipt")
            sender_s, postgres_s, before = cpu_s(sender.pid), cpu_s(self._postgres), _taken(self._sink)["count"]
            self._until(lambda taken: taken >= count, "the last receipt", count)
            while self._sql(lambda connection: connection.fetchval(WAITING)):
                time.sleep(LOOK_S / 2)
            seconds = time.monotonic() - began
            sender_s, postgres_s = cpu_s(sender.pid) - sender_s, cpu_s(self._postgres) - postgres_s
        taken, counts = _taken(self._sink), self._sql(lambda connection: connection.fetchrow(COUNTS))
        if not counts["attempts"] == counts["recorded"] >= taken["count"]:
            raise BenchError(f"{taken['count']:,} requests, {counts['recorded']:,} attempts on record")
        timed = count - before
        return {
            "row": f"one sender, {PARTNERS} partners",
            "postbacks": count,
            "per_s": timed / seconds,
            "seconds": seconds,
            "sender_us": sender_s / timed * 1e6,
            "postgres_us": postgres_s / timed * 1e6,
            "missing": count - min(taken["keys"], counts["sent"]),
            "double": taken["count"] - taken["keys"],
        }

    def delays(self) -> list[dict[str, Any]]:
        """Postbacks are planned at a steady rate and due at once; with a hanging partner and without."""
        rounds: dict[bool, list[dict[str, Any]]] = {False: [], True: []}
        with self._sender():
            for number in range(self._plan.rounds):
                for hanging in (False, True):
                    share = 0.5 + 0.5 * (2 * number + hanging) / (2 * self._plan.rounds)
                    self._step(f"{self._plan.rate}/s, {'one partner hangs' if hanging else 'normal'}", share)
                    rounds[hanging].append(self._round(hanging))
        normal, beside = (
            {
                "row": "others, one partner hangs" if hanging else "normal",
                "postbacks": sum(one["count"] for one in rounds[hanging]),
                **{
                    share: statistics.median(one["delays_ms"][share] for one in rounds[hanging])
                    for share in ("p50", "p90", "p99", "p100")
                },
                "rounds_p99": [one["delays_ms"]["p99"] for one in rounds[hanging]],
            }
            for hanging in (False, True)
        )
        beside["ratio"] = beside["p99"] / normal["p99"]
        return [normal, beside]

    def _round(self, hanging: bool) -> dict[str, Any]:
        self._sql(lambda connection: connection.execute(EMPTY))
        _get(self._sink, "/reset")
        others = self._sql(lambda connection: self._plan_steadily(connection, hanging))
        deadline = time.monotonic() + STALLS_AFTER_S
        while (taken := _taken(self._sink))["count"] < others:
            if time.monotonic() > deadline:
                raise BenchError(f"{taken['count']:,} of {others:,} postbacks have arrived")
            time.sleep(LOOK_S)
        return taken

    async def _plan_steadily(self, connection: asyncpg.Connection, hanging: bool) -> int:
        """Every 50 ms what is due; how many are not the hanging partner's."""
        began, planned = time.monotonic(), 0
        while (passed := time.monotonic() - began) < self._plan.duration_s:
            due = int(passed * self._plan.rate)
            if due > planned:
                first, last = self._number, self._number + due - planned - 1
                await connection.execute(PUT, first, last, PARTNERS, str(self._sink), hanging)
                self._number, planned = last + 1, due
            await asyncio.sleep(0.05)
        if not hanging:
            return planned
        first = self._number - planned
        return sum(1 for number in range(first, self._number) if number % PARTNERS)

    @contextmanager
    def _sender(self) -> Iterator[Server]:
        port = free_ports([PORTS["postbacks"]])
        environment = {key: value for key, value in os.environ.items() if not key.startswith("TOUCHLINE_")} | {
            "TOUCHLINE_DATA": str(self._settings.data),
            "TOUCHLINE_METRICS_PORT": str(port),
            "TOUCHLINE_POSTBACK_TARGETS": "127.0.0.1",
        }
        with Server(
            command("consume postbacks"), self._folder / "sender.log", cores=self._cores.server, env=environment
        ) as server:  # fmt: skip
            server.until(lambda: _get(port + PORTS["postbacks"], "/readyz") is not None, "touchline consume postbacks")
            yield server

    def _until(self, reached: Callable[[int], bool], what: str, of: int = 0) -> float:
        """When it was seen."""
        last, changed = -1, time.monotonic()
        while not reached(taken := int(_taken(self._sink)["count"])):
            now = time.monotonic()
            if taken != last:
                last, changed = taken, now
            elif now - changed > STALLS_AFTER_S:
                raise BenchError(f"waits in vain for {what}: {(self._folder / 'sender.log').read_text()[-800:]}")
            if of:
                self._step(f"{taken:,} of {of:,} delivered", 0.2 + 0.3 * taken / of)
            time.sleep(LOOK_S)
        return time.monotonic()

    def _sql(self, work: Callable[[asyncpg.Connection], Any]) -> Any:
        async def connected() -> Any:
            connection = await connect(self._settings)
            try:
                return await work(connection)
            finally:
                await connection.close()

        return asyncio.run(connected())


def _taken(port: int) -> dict[str, Any]:
    body = _get(port, "/taken")
    if body is None:
        raise BenchError("the sink does not answer")
    taken: dict[str, Any] = json.loads(body)
    return taken


def _get(port: int, path: str) -> bytes | None:
    """The body of a 200; None without one."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.read() if answer.status == 200 else None
    except OSError:
        return None
    finally:
        connection.close()
