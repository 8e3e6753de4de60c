"""Touchline under load: one edge alone, or the whole product; on a folder that is gone afterwards."""

import asyncio
import http.client
import os
import secrets
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import asyncpg

from benchmarks import kafka
from benchmarks.plan import Cores, Plan
from benchmarks.processes import Server, children, command_line, free_ports
from deploy.children import command
from deploy.demo import APP, LINK, create_demo
from deploy.kafka_log import prepare
from deploy.migrate import migrate
from deploy.postgres import Postgres
from process.postgres import connect
from schemas import journal
from schemas.codec import decode_tally
from schemas.events import Tally
from schemas.ports import PORTS
from schemas.settings import Settings
from schemas.topics import TOPICS

MACRO_LINK = "bench-macros"
MIX_LINKS = 161
"""As many as the click log of the mix has apps."""
READERS = ("touches", "attribution", "skan", "rejects")
CONSOLE = 100
"""Its port, from the edge's on: behind those of health and metrics."""

# Smart links with macros, as people follow them; and those of the mix.
CREATE_LINKS = """
INSERT INTO links (id, app, title, targets, fallback_url)
SELECT id, $1, 'Benchmark', $2::jsonb, 'https://example.com/' FROM unnest($3::text[]) AS id
ON CONFLICT (id) DO NOTHING
"""
TARGETS = """[
{"store": "google_play", "url": "https://play.google.com/store/apps/details?id=com.example.demo&referrer=site%3D{site_id}"},
{"store": "app_store", "url": "https://apps.apple.com/app/id123456789?ct={creative_id}&mt=8"},
{"store": "web", "url": "https://example.com/?click={click_id}&site={site_id}"}]"""


@dataclass(frozen=True, slots=True)
class Deployment:
    """What is loaded: where it is, the links to ask for, and its process when it is ours."""

    url: str
    link: str
    macro_link: str
    links: list[str]
    pid: int | None = None
    settings: Settings | None = None
    environment: dict[str, str] = field(default_factory=dict)
    """What another process of ours needs, to belong to it."""

    @classmethod
    def running(cls, plan: Plan) -> "Deployment":
        """The one of --target and --link."""
        assert plan.target is not None and plan.link is not None
        return cls(plan.target.rstrip("/"), plan.link, plan.link, [plan.link])


class Scratched(Protocol):
    """A plan that names the disk to be measured."""

    @property
    def scratch(self) -> Path | None: ...


@contextmanager
def scratch(plan: Scratched) -> Iterator[Path]:
    """A folder for journals, Postgres and logs; its disk is the one that is measured."""
    folder = Path(tempfile.mkdtemp(prefix="touchline-bench-", dir=plan.scratch))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def edge(plan: Plan, folder: Path, cores: Cores, **more: str) -> Iterator[Deployment]:
    """Postgres and one `touchline edge` on the server's cores, with `more` settings; no consumers: they would eat the
    load's cores."""
    environment, settings = _environment(plan, folder, more)
    with ExitStack() as stack:
        postgres = Postgres(settings.own_postgres())
        postgres.start()
        stack.callback(postgres.stop)
        stack.callback(_delete_topics, settings)
        asyncio.run(_furnish(settings))
        server = stack.enter_context(Server(command("edge"), folder / "edge.log", cores=cores.server, env=environment))
        server.until(lambda: _ready(settings, ["edge"]), "touchline edge")
        yield _deployment(settings, server.pid, environment)


@contextmanager
def product(plan: Plan, folder: Path) -> Iterator[Deployment]:
    """`touchline up --demo`, on whatever cores the kernel gives it."""
    environment, settings = _environment(plan, folder)
    with ExitStack() as stack:
        stack.callback(_delete_topics, settings)
        server = stack.enter_context(Server([*command("up"), "--demo"], folder / "up.log", env=environment))
        server.until(lambda: _ready(settings, ["edge", *READERS]), "touchline up --demo")
        yield _deployment(settings, server.pid, environment)


def roles(supervisor: int, settings: Settings) -> dict[str, list[int]]:
    """Role → process ids, `postgres` the postmaster, of a running product."""
    found: dict[str, list[int]] = {}
    for pid in children(supervisor):
        words = command_line(pid).split()
        at = next((n for n, word in enumerate(words) if word.endswith("touchline")), None)
        if at is not None:
            role = next((word for word in words[at + 1 :] if word != "consume"), "")
            found.setdefault(role, []).append(pid)
    found["postgres"] = [postmaster(settings)]
    return found


def postmaster(settings: Settings) -> int:
    """Process id of the own PostgreSQL."""
    pid_file = settings.own_postgres() / "cluster" / "postmaster.pid"
    return int(pid_file.read_text().split("\n", 1)[0])


def records_of(folder: Path) -> int:
    """All that a journal has counted."""
    end = journal.read_end(folder)
    if end is None:
        return 0
    counted, at = 0, journal.START
    while frames := journal.read_frames(folder, at, end=end.position, bytes_max=16 * 2**20)[0]:
        at = frames[-1].next
        counted += sum(count for frame in frames for _, _, count in _tally(frame.payload).counts)
    return counted


def _tally(payload: bytes) -> Tally:
    return decode_tally(payload.rpartition(b"\n")[2])


def status_of(url: str, request: bytes) -> int:
    """The answer's status to one raw GET request, so that a row that measures refusals fails at once."""
    head = request.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in head[1:] if line)
    connection = http.client.HTTPConnection(url.split("//", 1)[1].split("/", 1)[0], timeout=10)
    try:
        connection.request("GET", head[0].split(" ")[1], headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


def _environment(plan: Plan, folder: Path, more: Mapping[str, str] | None = None) -> tuple[dict[str, str], Settings]:
    port = free_ports([0, 1, *(1 + offset for offset in PORTS.values()), CONSOLE])
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TOUCHLINE_")}
    environment |= {
        "TOUCHLINE_DATA": str(folder / "data"),
        "TOUCHLINE_EDGE_PORT": str(port),
        "TOUCHLINE_CONSOLE_PORT": str(port + CONSOLE),
        "TOUCHLINE_METRICS_PORT": str(port + 1),
        "TOUCHLINE_BIND": "127.0.0.1",
        **(more or {}),
    }
    if plan.kafka:
        environment |= {"TOUCHLINE_KAFKA": plan.kafka, "TOUCHLINE_TOPIC_PREFIX": f"bench-{secrets.token_hex(4)}."}
    return environment, Settings.read(environment)


async def _furnish(settings: Settings) -> None:
    await migrate(settings)
    await create_demo(settings)
    if settings.kafka:
        await prepare(settings)
    connection: asyncpg.Connection = await connect(settings)
    try:
        await connection.execute(CREATE_LINKS, APP, TARGETS, [MACRO_LINK, *_mix_links()])
    finally:
        await connection.close()


def _mix_links() -> list[str]:
    return [f"bench-{n}" for n in range(MIX_LINKS)]


def _deployment(settings: Settings, pid: int, environment: dict[str, str]) -> Deployment:
    url = f"http://127.0.0.1:{settings.edge_port}"
    return Deployment(url, LINK, MACRO_LINK, _mix_links(), pid, settings, environment)


def _ready(settings: Settings, wanted: list[str]) -> bool:
    ports = [settings.metrics_port + PORTS.get(role, 0) for role in wanted]
    return all(_answers(f"http://127.0.0.1:{port}/readyz") for port in ports) and _answers(
        f"http://127.0.0.1:{settings.edge_port}/openapi.json"
    )


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _delete_topics(settings: Settings) -> None:
    if settings.kafka:
        kafka.delete(settings.kafka, settings.topic_prefix, TOPICS)
