"""`touchline bench skan`: how many of Apple's postbacks one edge takes and one consumer verifies."""

import asyncio
import os
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import asyncpg

from benchmarks import catch_up, own
from benchmarks.apple import KEYS, SETTING, kit_postback, postback, text
from benchmarks.errors import BenchError
from benchmarks.own import Deployment
from benchmarks.plan import RESULTS, Cores, Plan
from benchmarks.processes import cpu_s
from benchmarks.report import Column, Report, Section, Step
from consumers.skan.reading import read
from process.postgres import connect
from schemas.events import Framework
from schemas.settings import Settings
from schemas.skan.signed import Version

WANTED_PER_S = 5000
AGAIN_SHARE = 0.05
"""Of the postbacks that come a second time, as devices send that had no answer."""
SORTS: Sequence[tuple[Version | Literal["AdAttributionKit"], float]] = (
    ("4.0", 0.55),
    ("3.0", 0.1),
    ("2.0", 0.05),
    ("AdAttributionKit", 0.3),
)
CONNECTIONS = 64
PIECES = 2000

PATHS: dict[Framework, str] = {
    "skadnetwork": "/.well-known/skadnetwork/report-attribution/",
    "adattributionkit": "/.well-known/appattribution/report-attribution/",
}
VERDICTS = "SELECT verdict, count(*) AS bodies FROM skan_postbacks GROUP BY 1"

COLUMNS = (
    Column("row", "row"),
    Column("waiting", "postbacks", "{:,}"),
    Column("rows_per_s", "/s", "{:,.0f}"),
    Column("seconds", "seconds", "{:.1f}"),
    Column("edge_us", "edge µs", "{:.0f}"),
    Column("consumer_us", "consumer µs", "{:.0f}"),
    Column("postgres_us", "Postgres µs", "{:.0f}"),
    Column("missing", "missing", "{:,}"),
    Column("double", "double", "{:,}"),
)
COSTS = (
    Column("sort", "sort"),
    Column("share", "share", "{:.0%}"),
    Column("read_us", "read and verified, µs", "{:.0f}"),
)

Body = tuple[Framework, bytes]


@dataclass(frozen=True, slots=True)
class SkanPlan:
    """The options of one run."""

    postbacks: int
    kafka: str | None = None
    scratch: Path | None = None
    results: Path = RESULTS

    def settings(self) -> dict[str, object]:
        return {
            "postbacks": self.postbacks,
            "connections": CONNECTIONS,
            "again": AGAIN_SHARE,
            "log": "Kafka" if self.kafka else "journal",
        }


def run(plan: SkanPlan, step: Step) -> Report:
    """Sign, post to an edge on the server's core, then let one consumer read on that core, Postgres on the others."""
    cores = Cores.share()
    report = Report("skan", plan, COLUMNS, settings=cores.facts())
    if cores.pinned:
        os.sched_setaffinity(0, cores.load)
    step(f"signing {plan.postbacks:,} postbacks", 0.05)
    bodies = _bodies(plan.postbacks)
    report.sections.append(Section("What one costs to read and verify, on this core", COSTS, _costs()))
    asked = Plan(1, CONNECTIONS, kafka=plan.kafka, scratch=plan.scratch)
    with own.scratch(plan) as folder:
        report.measure_disk(folder)
        with own.edge(asked, folder, cores, TOUCHLINE_SKAN_KEYS=SETTING) as deployment:
            report.rows.append({"row": "edge takes", "waiting": len(bodies), **_post(deployment, bodies, step)})
            step(f"{len(bodies):,} postbacks wait for one consumer", 0.6)
            found = catch_up.consume(deployment, folder, cores, "skan")
            assert deployment.settings is not None
            counted = asyncio.run(_verdicts(deployment.settings))
            found |= {"missing": len(bodies) - sum(counted.values()), "double": counted["valid"] - plan.postbacks}
            report.rows.append({"row": "consumer verifies", **found})
    if len(bodies) - plan.postbacks != counted["duplicate"]:
        report.remarks.append(f"verdicts are {counted}, where {plan.postbacks:,} would be valid, the rest duplicates")
    report.failed = bool(found["missing"] or found["double"] or "valid" not in counted)
    report.remarks.append(f"wanted: {WANTED_PER_S:,} verified/s by one consumer: {found['rows_per_s'] or 0:,.0f}/s.")
    return report


def _bodies(count: int) -> list[Body]:
    """So many that are all different, and some of them again."""
    dice = random.Random(count)  # a load, not a secret
    names, shares = zip(*SORTS, strict=True)
    found = [_body(sort) for sort in dice.choices(names, shares, k=count)]
    found += dice.sample(found, int(count * AGAIN_SHARE))
    dice.shuffle(found)
    return found


def _body(sort: Version | Literal["AdAttributionKit"]) -> Body:
    if sort == "AdAttributionKit":
        return "adattributionkit", text(kit_postback())
    return "skadnetwork", text(postback(sort))


def _costs() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for sort, share in SORTS:
        some = [_body(sort) for _ in range(PIECES)]
        before = time.process_time()
        if not all(read(framework, body, KEYS).said for framework, body in some):
            raise BenchError(f"postbacks of {sort} do not verify")
        rows.append({"sort": sort, "share": share, "read_us": (time.process_time() - before) * 1e6 / PIECES})
    return rows


def _post(deployment: Deployment, bodies: Sequence[Body], step: Step) -> dict[str, Any]:
    step(f"posting {len(bodies):,} postbacks", 0.3)
    assert deployment.pid is not None
    parts = urlsplit(deployment.url)
    requests = iter([_request(parts.netloc, *body) for body in bodies])
    before, started_at = cpu_s(deployment.pid), time.monotonic()

    async def post() -> None:
        async def connection() -> None:
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            for request in requests:
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                if not head.startswith(b"HTTP/1.1 200"):
                    raise BenchError(f"a postback was answered {head[:60]!r}")
                if b"\r\nConnection: close" in head:
                    writer.close()
                    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            writer.close()

        await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))

    asyncio.run(post())
    seconds = time.monotonic() - started_at
    used = (cpu_s(deployment.pid) - before) * 1e6 / len(bodies)
    return {"seconds": seconds, "rows_per_s": len(bodies) / seconds, "edge_us": used}


def _request(host: str, framework: Framework, body: bytes) -> bytes:
    head = f"POST {PATHS[framework]} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def _verdicts(settings: Settings) -> dict[str, int]:
    connection: asyncpg.Connection = await connect(settings)
    try:
        found = {row["verdict"]: row["bodies"] for row in await connection.fetch(VERDICTS)}
        return {"valid": 0, "duplicate": 0} | found
    finally:
        await connection.close()
