"""The product as its users have it: processes, HTTP and SQL. Imports nothing of the product."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import asyncpg

TOUCHLINE = str(Path(sys.executable).parent / "touchline")
READY_S = 90.0
T = TypeVar("T")


def free_ports(count: int, *, first: int = 20_000) -> int:
    """First of `count` consecutive ports nobody listens on, below the kernel's ephemeral range; processes of tests that
    run beside each other look in different parts of it."""
    beside = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 2
    start = first + beside * 6_000 + (os.getpid() * 97) % 2_000
    for port in range(start, min(start + 3_000, 32_000), count):
        if all(_free(port + offset) for offset in range(count)):
            return port
    raise AssertionError("no free ports")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class Product:
    """`touchline up` on a folder of its own; `crash` and `start` again as often as a test likes."""

    def __init__(self, folder: Path, **settings: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_ports(240)
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "up.log"
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("TOUCHLINE_")} | {
            "TOUCHLINE_DATA": str(folder / "data"),
            "TOUCHLINE_EDGE_PORT": str(self.port),
            "TOUCHLINE_METRICS_PORT": str(self.port + 1),
            "TOUCHLINE_CONSOLE_PORT": str(self.port + 239),
            "TOUCHLINE_BIND": "127.0.0.1",
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until every process is ready."""
        with self.log.open("ab") as log:
            offset = log.tell()
            self._process = subprocess.Popen(
                [sys.executable, TOUCHLINE, "up", "--demo"],
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        # the last line of the welcome: what is printed before it can be read then
        eventually(lambda: b"Ctrl-C stops it" in self._output_since(offset), seconds=READY_S, what=self._tail)

    def create_demo(self) -> None:
        """The demo's app and link, in the database that the settings name."""
        demo = "import asyncio, os; from deploy.demo import create_demo; from schemas.settings import Settings;"
        command = [sys.executable, "-c", f"{demo} asyncio.run(create_demo(Settings.read(os.environ)))"]
        subprocess.run(command, env=self.environment, check=True)

    def start_edge(self, *before: str) -> subprocess.Popen[bytes]:
        """`touchline edge` alone, on a database of its own; the caller ends it. `before`: a program that starts it."""
        self.create_demo()
        with self.log.open("ab") as log:
            command = [sys.executable, *before, TOUCHLINE, "edge"]
            process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        eventually(self._answers, what=self._tail)
        return process

    def _answers(self) -> bool:
        try:
            return self.get("/")[0] == 404
        except OSError:
            return False

    @property
    def pid(self) -> int:
        """Of the supervisor."""
        assert self._process is not None
        return self._process.pid

    def _output_since(self, offset: int) -> bytes:
        assert self._process is not None
        output = self.log.read_bytes()[offset:]
        assert self._process.poll() is None, self._tail()
        return output

    def output(self) -> str:
        """Everything that was printed."""
        return self.log.read_text(errors="replace")

    def _tail(self) -> str:
        return "\n".join(self.output().splitlines()[-40:])

    def stop(self) -> None:
        """As Ctrl-C does."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            assert self._process.wait(60) == 0, self._tail()
        self._process = None

    def crash(self) -> None:
        """SIGKILL of the supervisor; its children die with it."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def children(self, role: str) -> list[int]:
        """Process ids whose command line names the role, of this product alone."""
        mark = f"TOUCHLINE_DATA={self.environment['TOUCHLINE_DATA']}".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                words = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if f"touchline {role}" in words and mark in (path / "environ").read_bytes():
                    found.append(int(path.name))
            except OSError:
                continue
        return found

    def kill(self, role: str) -> None:
        """SIGKILL of every process of a role."""
        for pid in self.children(role):
            os.kill(pid, signal.SIGKILL)

    def touchline(self, *arguments: str, code: int | None = 0) -> str:
        """Run a command; gives its standard output. `code` None: 0 or 1, it answered."""
        done = subprocess.run(
            [sys.executable, TOUCHLINE, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        wanted = (0, 1) if code is None else (code,)
        said = f"exit {done.returncode}: {done.stdout}{done.stderr}"
        assert done.returncode in wanted, said
        assert done.stdout, said
        return done.stdout

    def facts(self, *arguments: str, code: int | None = 0) -> Any:
        """Run a command with --json."""
        said = self.touchline(*arguments, "--json", code=code)
        return json.loads(said)

    def sql(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """Ask the product's database."""

        async def ask() -> list[asyncpg.Record]:
            url = (
                self.environment.get("TOUCHLINE_DATABASE_URL")
                or (self.folder / "data" / "postgres" / "url").read_text().strip()
            )
            connection = await asyncpg.connect(url)
            try:
                rows: list[asyncpg.Record] = await connection.fetch(statement, *arguments)
                return rows
            finally:
                await connection.close()

        return asyncio.run(ask())

    def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], bytes]:
        """GET without following a redirect: status, headers, body."""
        return self._open(urllib.request.Request(self.url + path, headers=headers or {}))

    def post(self, path: str, body: object, key: str = "demo-sdk-key") -> tuple[int, dict[str, str], bytes]:
        """POST JSON with the app's key."""
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        return self._open(urllib.request.Request(self.url + path, json.dumps(body).encode(), headers, method="POST"))

    def post_from(self, origin: str, path: str, body: object, key: str) -> tuple[int, dict[str, str], bytes]:
        """POST as a page of this origin does, with its key in the address."""
        headers = {"Origin": origin, "Content-Type": "text/plain;charset=UTF-8"}
        address = f"{self.url}{path}?key={key}"
        return self._open(urllib.request.Request(address, json.dumps(body).encode(), headers, method="POST"))

    @staticmethod
    def _open(request: urllib.request.Request) -> tuple[int, dict[str, str], bytes]:
        opener = urllib.request.build_opener(_NoRedirect)
        try:
            with opener.open(request, timeout=10) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers), error.read()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def eventually(
    question: Callable[[], T | Literal[False] | None],
    *,
    seconds: float = 30.0,
    what: Callable[[], object] | None = None,
) -> T:
    """The first truthy answer; fails with `what()` when none comes in time."""
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what() if what else question}")
        time.sleep(0.05)


def query(**parameters: str | int) -> str:
    """A raw query string."""
    from urllib.parse import quote

    return "&".join(f"{name}={quote(str(value), safe='')}" for name, value in parameters.items())


def ids(rows: Sequence[asyncpg.Record]) -> list[str]:
    """The first column as text."""
    return [str(row[0]) for row in rows]
