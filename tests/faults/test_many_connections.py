"""Thousands of idle and slow connections cost little memory and keep nobody waiting."""

import resource
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.product import Product, query

LINK = "1019409635088005254"
IDLE = 5_000
SLOW = 500
RSS_MB_MAX = 300


@pytest.fixture
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < IDLE + SLOW + 1_000:
        pytest.skip("too few open files are allowed: raise `ulimit -Hn` to include this test")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def rss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError


def test_idle_and_slow_connections(many_files: None, tmp_path: Path, database_url: str) -> None:
    product = Product(tmp_path / "edge", TOUCHLINE_DATABASE_URL=database_url)
    edge = product.start_edge()

    def ping() -> int:
        facts = query(click_id="x", device_ip="198.51.100.7", device_ua="x", click_timestamp=int(time.time()))
        return product.get(f"/serve/{LINK}?{facts}&noredirect")[0]

    connections: list[socket.socket] = []
    try:
        for number in range(IDLE + SLOW):
            connection = socket.create_connection(("127.0.0.1", product.port), timeout=10)
            connections.append(connection)
            if number >= IDLE:
                connection.sendall(b"GET /serve/%s?a=" % LINK.encode() + b"x" * 2_000)
        assert ping() == 204
        assert rss_mb(edge.pid) < RSS_MB_MAX
    finally:
        for connection in connections:
            connection.close()
        edge.send_signal(signal.SIGTERM)
        assert edge.wait(30) == 0, product.output()
