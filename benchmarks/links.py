"""`python -m benchmarks.links`: memory and start of one edge that holds very many tracking links.

A private Postgres is filled with links as operators have them (an id of 18 or 19 digits, three
targets with macros, a fallback; ids, apps and URLs differ), then a real `touchline edge` is started
on it, and once more on the snapshot it left. Printed for both: resident memory (and its peak), and
seconds (and those of CPU) until /readyz is 200; then the time until a changed link leads elsewhere.
"""

import asyncio
import os
import statistics
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import asyncpg
import typer

from benchmarks.errors import BenchError
from benchmarks.processes import Server, cpu_s, free_ports
from deploy.children import command
from deploy.migrate import migrate
from deploy.postgres import Postgres
from process.postgres import connect
from schemas.ports import PORTS
from schemas.settings import Settings

APPS = 2_000
CHANGES = 10
PATIENCE_S = 60.0
PLAIN_ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("TOUCHLINE_")}

CREATE_APPS = """
INSERT INTO apps (id, title, fallback_url)
SELECT 'com.studio' || n % 97 || '.game' || n, 'Game', 'https://game' || n || '.example.com/'
FROM generate_series(0, $1::int - 1) AS n
"""
# $1 links of $2 apps; `s` scatters numbers as ids and campaigns are scattered
CREATE_LINKS = """
INSERT INTO links (id, app, title, change, targets, fallback_url)
SELECT (100000000000000000 + n * 5000000000037 + s % 1000003)::text, app, 'Benchmark', nextval('changes'),
       jsonb_build_array(
           jsonb_build_object('store', 'google_play', 'url',
               'https://play.google.com/store/apps/details?id=' || app || '&referrer=utm_source%3Dpartner' || s % 300
               || '%26utm_campaign%3D' || s % 999983 || '%26click%3D{click_id}'),
           jsonb_build_object('store', 'app_store', 'url',
               'https://apps.apple.com/app/id' || 1000000000 + a * 7919 || '?pt=' || s % 99991
               || '&ct={campaign}-' || s % 899981 || '&mt=8'),
           jsonb_build_object('store', 'web', 'url',
               'https://game' || a || '.example.com/get?click={click_id}&site={site_id}&creative=' || s % 99999989)),
       'https://game' || a || '.example.com/'
FROM (SELECT n::bigint, n * 2654435761 % 4294967291 AS s, n % $2::bigint AS a FROM generate_series(1, $1::bigint) n) m,
     LATERAL (SELECT 'com.studio' || a % 97 || '.game' || a AS app) named
"""
MOVE = "UPDATE links SET targets = '[]', fallback_url = $2 WHERE id = $1"


class Edge:
    """One edge beside its Postgres, started as often as one likes."""

    def __init__(self, folder: Path) -> None:
        port = free_ports([0, 1, *(1 + offset for offset in PORTS.values())])
        self.folder = folder
        self.environment = PLAIN_ENVIRONMENT | {
            "TOUCHLINE_DATA": str(folder / "data"),
            "TOUCHLINE_EDGE_PORT": str(port),
            "TOUCHLINE_METRICS_PORT": str(port + 1),
            "TOUCHLINE_BIND": "127.0.0.1",
        }
        self.settings = Settings.read(self.environment)
        self.snapshot = folder / "data" / "links.snapshot"

    def server(self) -> Server:
        """Not started yet."""
        return Server(command("edge"), self.folder / "edge.log", env=self.environment)

    def is_ready(self) -> bool:
        """Whether /readyz is 200."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.settings.metrics_port}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def location(self, link: str) -> str:
        """Where a click on the link leads to."""

        class Stay(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, *_: object) -> None:
                return None

        opener = urllib.request.build_opener(Stay)
        try:
            opener.open(f"http://127.0.0.1:{self.settings.edge_port}/c/{link}", timeout=5).close()
        except urllib.error.HTTPError as answer:
            with answer:
                return str(answer.headers.get("Location"))
        return ""


def main(
    links: Annotated[int, typer.Option(min=100, help="Tracking links.")] = 1_000_000,
    scratch: Annotated[Path | None, typer.Option(help="Where the temporary folder is made.")] = None,
) -> None:
    """Memory and start of one edge that holds so many links."""
    with tempfile.TemporaryDirectory(prefix="touchline-bench-", dir=scratch) as folder:
        edge = Edge(Path(folder))
        postgres = Postgres(edge.settings.own_postgres())
        postgres.start()
        try:
            ids = asyncio.run(_fill(edge.settings, links))
            typer.echo(f"{links} links")
            _start(edge, "from Postgres", ids)
            typer.echo(f"the snapshot holds {edge.snapshot.stat().st_size / 1e6:.0f} MB")
            _start(edge, "from the snapshot", ids)
        finally:
            postgres.stop()


async def _fill(settings: Settings, links: int) -> list[str]:
    """Make the links; gives the ids of some."""
    await migrate(settings)
    connection: asyncpg.Connection = await connect(settings)
    try:
        await connection.execute(CREATE_APPS, APPS)
        # a notice a row is not what is measured
        await connection.execute("ALTER TABLE links DISABLE TRIGGER stamp")
        await connection.execute(CREATE_LINKS, links, APPS, timeout=600)
        await connection.execute("ALTER TABLE links ENABLE TRIGGER stamp")
        await connection.execute("VACUUM ANALYZE links", timeout=600)
        rows = await connection.fetch("SELECT id FROM links ORDER BY md5(id) LIMIT $1", 2 * CHANGES)
        return [row["id"] for row in rows]
    finally:
        await connection.close()


def _start(edge: Edge, source: str, ids: list[str]) -> None:
    began = time.monotonic()
    with edge.server() as server:
        server.until(edge.is_ready, "touchline edge")
        ready_s, ready_cpu_s = time.monotonic() - began, cpu_s(server.pid)
        loaded = _memory(server.pid)
        _until(edge.snapshot.exists, "a snapshot")
        changed_s = [asyncio.run(_change(edge, ids.pop())) for _ in range(CHANGES)]
        later = _memory(server.pid)
        typer.echo(
            f"{source}: ready after {ready_s:.1f} s ({ready_cpu_s:.1f} s of CPU)"
            f" with {loaded[0]:.0f} MB (peak {loaded[1]:.0f});"
            f" later {later[0]:.0f} MB (peak {later[1]:.0f});"
            f" a change was seen after {statistics.median(changed_s):.3f} s (longest {max(changed_s):.3f})"
        )


async def _change(edge: Edge, link: str) -> float:
    """Seconds from the change's commit until a click follows it."""
    wanted = f"https://elsewhere.example.com/{time.time_ns()}"
    connection: asyncpg.Connection = await connect(edge.settings)
    try:
        await connection.execute(MOVE, link, wanted)
    finally:
        await connection.close()
    began = time.monotonic()
    _until(lambda: edge.location(link) == wanted, "the changed link")
    return time.monotonic() - began


def _memory(pid: int) -> tuple[float, float]:
    """Resident megabytes (10^6 bytes) of a process, now and at most."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    now_mb, peak_mb = (int(lines[name].split()[0]) * 1024 / 1e6 for name in ("VmRSS", "VmHWM"))
    return now_mb, peak_mb


def _until(question: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not question():
        if time.monotonic() > deadline:
            raise BenchError(f"{what} did not come within {PATIENCE_S:.0f} s")
        time.sleep(0.002)


if __name__ == "__main__":
    typer.run(main)
