"""Slowloris: hundreds of heads that never end, sent by slowhttptest, keep nobody waiting and are all let go."""

import asyncio
import csv
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.load import CONNECTIONS, Load
from tests.support.maven import needed
from tests.support.product import Product, eventually

LINK = "1019409635088005254"
SLOW = 500
SECONDS = 10
BESIDE = CONNECTIONS + 30
"""Connections of the load, of slowhttptest's probe and of the edge to Postgres, and its other sockets."""


@pytest.fixture
def product(tmp_path: Path, database_url: str) -> Product:
    return Product(tmp_path / "edge", TOUCHLINE_DATABASE_URL=database_url)


@pytest.fixture
def edge(product: Product) -> Iterator[subprocess.Popen[bytes]]:
    process = product.start_edge()
    yield process
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0, product.output()


@pytest.mark.parametrize("path", [f"/serve/{LINK}", "/openapi.json"], ids=["fast lane", "aiohttp's"])
def test_slow_heads_keep_no_ping_waiting(
    path: str, product: Product, edge: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    program = needed("slowhttptest", "install it (Debian, Ubuntu: apt install slowhttptest)")
    load = Load(product.url, LINK, 10**9)

    async def attacked() -> tuple[list[dict[str, str]], int]:
        running = asyncio.create_task(load.run(seconds=60))
        await load.further(100)
        attack = asyncio.create_task(asyncio.to_thread(slow_headers, program, product.url + path, tmp_path / "report"))
        most = 0
        while not attack.done():
            most = max(most, sockets(edge.pid))
            await asyncio.sleep(0.1)
        load.enough()
        await running
        return await attack, most

    seconds, most = asyncio.run(attacked())
    assert (load.broken, set(load.statuses)) == (0, {204})
    assert max(int(second["Connected"]) for second in seconds) == SLOW, seconds
    assert [second for second in seconds if second["Service Available"] == "0"] == []
    assert SLOW <= most <= SLOW + BESIDE
    eventually(lambda: sockets(edge.pid) <= BESIDE, what=lambda: f"{sockets(edge.pid)} sockets are open")
    assert product.get(f"/serve/{LINK}")[0] == 302


def slow_headers(program: str, url: str, report: Path) -> list[dict[str, str]]:
    """What slowhttptest found in each second: its connections, and whether a probe was answered."""
    options = f"-H -t GET -c {SLOW} -r {SLOW // 2} -i 1 -x 24 -l {SECONDS} -p 3 -g"
    command = [program, *options.split(), "-u", url, "-o", str(report)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with report.with_suffix(".csv").open() as file:
        found = list(csv.DictReader(file))
    assert len(found) >= SECONDS // 2, found
    return found


def sockets(pid: int) -> int:
    """Open sockets of a process."""
    count = 0
    for path in Path(f"/proc/{pid}/fd").iterdir():
        try:
            count += str(path.readlink()).startswith("socket:")
        except FileNotFoundError:
            continue
    return count
