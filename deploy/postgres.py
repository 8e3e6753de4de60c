"""The PostgreSQL of one machine: started, watched and stopped in the data folder.

In the folder: `cluster/` is the database, `password` its password, `port` the last port, `postgres.log` the
log since the last start, and `url` where to connect, while it runs. `lock` is held by the Touchline that runs
it, `server.lock` by the server's own processes, so that none of them can be overlooked.
"""

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

from deploy import cluster, privileges
from deploy.cluster import NAME, PostgresError

__all__ = ["Postgres", "PostgresError"]

HOST = "127.0.0.1"
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": f"{cluster.buffers_mb()}MB",
    "max_wal_size": "8GB",
    "min_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "wal_writer_delay": "20ms",
    "fsync": "on",
    "synchronous_commit": "on",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}
READY_QUIET_S = 60  # without a new line in the log; a recovery of gigabytes writes one every 10 s
PORT_TRIES = 5
LOG_BYTES_MAX = 16_000_000
# Fast shutdown; immediate shutdown, which costs a recovery; and then whatever hangs.
SHUTDOWN = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0))


class Postgres:
    """One server on one folder. Any thread may start or stop it, one at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.cluster = self.folder / "cluster"
        self.log = self.folder / "postgres.log"
        self._url = ""
        self._lock: int | None = None
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._server.pid if self._server else None

    def alive(self) -> bool:
        return self._server is not None and self._server.poll() is None

    def start(self) -> str:
        """Starts the server, creating the cluster the first time, and returns the URL to connect to.

        Raises PostgresError, and leaves nothing running then. A server that has died is started again.
        """
        if self.alive():
            return self._url
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._take_lock()
            with self._alone() as claim:
                self._url = self._serve(claim)
            cluster.write_private(self.folder / "url", self._url + "\n")
        except (OSError, subprocess.SubprocessError) as error:
            self.stop()
            raise PostgresError(f"PostgreSQL cannot be started in {self.folder}: {error}.") from error
        except BaseException:
            self.stop()
            raise
        return self._url

    def stop(self) -> None:
        """Ends the server, politely at first; returns when it is gone, after 45 s at most."""
        if self._lock is None:
            return
        # The address goes first: nobody should find a server that is about to leave.
        (self.folder / "url").unlink(missing_ok=True)
        if server := self._server:
            _shut_down(server.pid, gone=lambda: server.poll() is not None)
        self._server = None
        # The lock goes last: a second Touchline must not meet the end of this one.
        os.close(self._lock)
        self._lock = None

    def _take_lock(self) -> None:
        if self._lock is not None:
            return
        lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        if not _locked(lock):
            other = os.read(lock, 32).decode().strip() or "unknown"
            os.close(lock)
            raise PostgresError(
                f"Another Touchline is already running on {self.folder} (process {other}); "
                "stop it first or choose another --data folder."
            )
        os.ftruncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
        self._lock = lock

    @contextlib.contextmanager
    def _alone(self) -> Iterator[int]:
        """The lock that the server inherits; a server that outlived its Touchline is ended first."""
        claim = os.open(self.folder / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if leftover := self._leftover():
                _shut_down(leftover, gone=lambda: self._leftover() != leftover)
            if not _until(lambda: _locked(claim), 30):
                raise PostgresError(
                    f"A PostgreSQL of an earlier Touchline still runs in {self.cluster} and does not end; "
                    "end its processes, then start again."
                )
            # Nobody runs here, so the file is stale. PostgreSQL would believe it when another process
            # has the number by now, as happens when a container starts again.
            (self.cluster / "postmaster.pid").unlink(missing_ok=True)
            yield claim
        finally:
            os.close(claim)

    def _leftover(self) -> int | None:
        """The server that still runs in this cluster, if one does."""
        try:
            pid = int((self.cluster / "postmaster.pid").read_text().split("\n", 1)[0])
            here = Path(f"/proc/{pid}/cwd").samefile(self.cluster)
        except (OSError, ValueError):
            return None
        return pid if here else None

    def _serve(self, claim: int) -> str:
        programs = cluster.binaries()
        user = cluster.prepare(self.folder, programs, claim)
        lz4 = cluster.supports("wal_compression=lz4", self.cluster, user, programs, claim)
        settings = SETTINGS | {"wal_compression": "lz4" if lz4 else "off"}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        password = (self.folder / "password").read_text().strip()
        for _ in range(PORT_TRIES):
            port = _port(self.folder / "port")
            argv = [str(programs / "postgres"), "-D", str(self.cluster), "-p", str(port), *options]
            self._server = _keep(privileges.command(user, self.cluster, argv), self.log, claim)
            if self._becomes_ready(programs / "psql", port, password):
                return f"postgresql://{NAME}:{password}@{HOST}:{port}/{NAME}?sslmode=disable"
            if "Address already in use" not in self._log_end():
                break
            (self.folder / "port").unlink(missing_ok=True)
        raise PostgresError(f"PostgreSQL did not start; {self.log} ends with:\n{self._log_end()}")

    def _becomes_ready(self, psql: Path, port: int, password: str) -> bool:
        address = {"PGHOST": HOST, "PGPORT": str(port), "PGUSER": NAME, "PGPASSWORD": password}
        env = cluster.environment() | address | {"PGDATABASE": NAME, "PGCONNECT_TIMEOUT": "5"}
        ask = [str(psql), "--no-psqlrc", "--command=SELECT 1"]
        log_bytes, quiet_until = -1, 0.0
        while self.alive():
            if (size := self.log.stat().st_size) != log_bytes:
                log_bytes, quiet_until = size, time.monotonic() + READY_QUIET_S
            if time.monotonic() > quiet_until:
                return False
            # Not asked before: every connection refused during recovery would be a line in the log.
            if self._says_ready():
                answer = subprocess.run(ask, env=env, capture_output=True, timeout=30, check=False)
                if answer.returncode == 0:
                    return True
            time.sleep(0.02)
        return False

    def _says_ready(self) -> bool:
        with contextlib.suppress(OSError):
            return "\nready" in (self.cluster / "postmaster.pid").read_text()
        return False

    def _log_end(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])


def _port(remembered: Path) -> int:
    """The last port, so that an address somebody has noted keeps working; another one when it is taken."""
    with socket.socket() as probe:
        # As PostgreSQL does: connections of the last run that linger do not make the port taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, int(remembered.read_text())))
        except (OSError, ValueError):
            probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    remembered.write_text(f"{port}\n")
    return port


def _keep(command: list[str], log: Path, claim: int) -> subprocess.Popen[bytes]:
    """Starts the server from a thread that lives as long as the server does.

    The kernel ends the server with the thread that started it. A caller's thread may be one of a pool, which
    ends when the pool likes; this one ends only with the process.
    """
    started: Future[subprocess.Popen[bytes]] = Future()

    def keep() -> None:
        try:
            # Append: the log can be cut while the server writes. Own session: Ctrl-C is for the supervisor.
            output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC, 0o600)
            with os.fdopen(output, "wb") as sink:
                server = subprocess.Popen(
                    command,
                    env=cluster.environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=sink,
                    stderr=sink,
                    start_new_session=True,
                    pass_fds=(claim,),
                )
        except OSError as error:
            started.set_exception(error)
            return
        started.set_result(server)
        while server.poll() is None:
            time.sleep(1)
            with contextlib.suppress(OSError):
                if log.stat().st_size > LOG_BYTES_MAX:
                    os.truncate(log, 0)

    threading.Thread(target=keep, name="postgres", daemon=True).start()
    return started.result()


def _shut_down(pid: int, gone: Callable[[], bool]) -> None:
    for number, seconds in SHUTDOWN:
        if gone():
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        if _until(gone, seconds):
            return


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
