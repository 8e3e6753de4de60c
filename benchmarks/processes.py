"""Processes of a benchmark: started on chosen cores, tied to the benchmark's life, their CPU time counted."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from benchmarks.errors import BenchError, Missing

PROJECT = Path(__file__).parents[1]
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
END_PATIENCE_S = 60.0
READY_PATIENCE_S = 90.0

# Nothing may outlive the benchmark, however it ends; the cores are set before the program's threads exist.
LAUNCHER = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 15, 0, 0, 0)  # PR_SET_PDEATHSIG, SIGTERM
if os.getppid() != int(sys.argv[1]):
    sys.exit("the benchmark ended before its process began")
if sys.argv[2]:
    os.sched_setaffinity(0, {int(core) for core in sys.argv[2].split(",")})
os.execvp(sys.argv[3], sys.argv[3:])
"""


def launched(argv: Sequence[str], cores: Collection[int] = ()) -> list[str]:
    """The command line that pins `argv` and ends it with this process. Start it from the main thread."""
    chosen = ",".join(str(core) for core in sorted(cores))
    return [sys.executable, "-I", "-S", "-c", LAUNCHER, str(os.getpid()), chosen, *argv]


class Server:
    """A server under load; a context manager that ends what it started."""

    def __init__(
        self, argv: Sequence[str], log: Path, *, cores: Collection[int] = (), env: Mapping[str, str] | None = None
    ) -> None:
        self.log = log
        self._argv = launched(argv, cores)
        self._env = dict(env) if env is not None else None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Server":
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._argv, env=self._env, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(END_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def until(self, ready: Callable[[], bool], what: str) -> None:
        """Wait for it. Raises BenchError with the log's end when the process ends or time is up."""
        deadline = time.monotonic() + READY_PATIENCE_S
        while not ready():
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > deadline:
                end = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
                raise BenchError(f"{what} did not become ready; its log ends with:\n{end}")
            time.sleep(0.05)


def cpu_s(pid: int) -> float:
    """Seconds of CPU, user and system, of a process, its living children and those it has waited for; 0 when gone.

    A server may have workers, and Postgres has a process per connection.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / TICKS_PER_S + sum(cpu_s(child) for child in children(pid))


def children(pid: int) -> list[int]:
    """Process ids of the living children, of whichever thread."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, path.read_text().split())
        except OSError:
            continue
    return found


def command_line(pid: int) -> str:
    """The words of a process, "" when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def program(name: str, install: str) -> str:
    """Where a program is: on the path, beside this Python, or in an `sbin` beside a `bin`. Raises Missing."""
    places = [Path(sys.executable).parent, *map(Path, os.environ.get("PATH", os.defpath).split(os.pathsep))]
    # Debian keeps servers in sbin, which is not on the path of ordinary users
    places += [place.with_name("sbin") for place in places if place.name == "bin"]
    if found := shutil.which(name, path=os.pathsep.join(map(str, places))):
        return found
    raise Missing(f"{name} is not installed ({install})")


def free_ports(offsets: Collection[int]) -> int:
    """A port for which that port plus each offset is free, below the kernel's ephemeral range."""
    start = 20_000 + (os.getpid() * 101 + time.time_ns() // 1_000_000) % 10_000
    for port in range(start, 32_000):
        if all(_free(port + offset) for offset in offsets):
            return port
    raise BenchError("no free ports between 20000 and 32000")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
