"""Starts fastapi_peer.py, which only Python with FastAPI can import."""

import importlib.util
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import kafka
from benchmarks.errors import Missing
from benchmarks.own import status_of
from benchmarks.plan import Cores
from benchmarks.processes import Server, free_ports

INSTALL = "pip install fastapi uvicorn httptools"
NEEDED = ("fastapi", "uvicorn", "httptools")
TOPIC = "hits"


@contextmanager
def running(folder: Path, cores: Cores, bootstrap: str | None) -> Iterator[tuple[Server, str]]:
    """The server, on a topic that lives as long as it does. Raises Missing."""
    if bootstrap is None:
        raise Missing("it needs a broker: --kafka BOOTSTRAP")
    if absent := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise Missing(f"{', '.join(absent)} not installed ({INSTALL})")
    folder.mkdir()
    port, prefix = free_ports([0]), f"bench-peer-{secrets.token_hex(4)}."
    argv = [sys.executable, "-m", "uvicorn", "benchmarks.peers.fastapi_peer:app", "--host", "127.0.0.1"]
    argv += ["--port", str(port), "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--backlog", "4096"]
    environment = os.environ | {"PEER_KAFKA": bootstrap, "PEER_TOPIC": prefix + TOPIC}
    kafka.create(bootstrap, prefix, [TOPIC])
    try:
        url = f"http://127.0.0.1:{port}"
        with Server(argv, folder / "fastapi.log", cores=cores.server, env=environment) as server:
            server.until(lambda: _listens(url), "the FastAPI peer")
            yield server, url
    finally:
        kafka.delete(bootstrap, prefix, [TOPIC])


def _listens(url: str) -> bool:
    try:
        return status_of(url, b"GET /none HTTP/1.1\r\n\r\n") == 404
    except OSError:
        return False
