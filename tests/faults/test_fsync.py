"""A slow, then a failing disk between the edge and its journal: no 204 leaves before fdatasync returned."""

import json
import os
import signal
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.product import Product, eventually, query

LINK = "1019409635088005254"
SLOW_S = 0.7


class Edge:
    """A `touchline edge` on a disk that obeys the test."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.control = folder / "disk"
        self.product = Product(folder, TOUCHLINE_DATABASE_URL=database_url)
        self.disk("ok")
        interposer = Path(__file__).parents[1] / "support" / "slow_disk.py"
        self.process = self.product.start_edge(str(interposer), str(self.control))

    def disk(self, mode: str) -> None:
        scratch = self.control.with_suffix(".new")
        scratch.write_text(mode)
        scratch.replace(self.control)

    def syncs_returned(self) -> list[float]:
        path = self.control.with_suffix(".returned")
        return [float(line) for line in path.read_text().split()] if path.exists() else []

    def ping(self, click_id: str) -> tuple[int, dict[str, str], bytes]:
        facts = query(click_id=click_id, device_ip="198.51.100.7", device_ua="x", click_timestamp=int(time.time()))
        return self.product.get(f"/serve/{LINK}?{facts}&noredirect")

    def click(self) -> tuple[int, dict[str, str], bytes]:
        return self.product.get(f"/serve/{LINK}", {"User-Agent": "iPhone"})


@pytest.fixture
def edge(tmp_path: Path, database_url: str) -> Iterator[Edge]:
    edge = Edge(tmp_path / "edge", database_url)
    yield edge
    edge.disk("ok")
    edge.process.send_signal(signal.SIGTERM)
    assert edge.process.wait(30) == 0, edge.product.output()


def test_no_204_before_fdatasync_returned(edge: Edge) -> None:
    assert edge.ping("warm")[0] == 204
    edge.disk(f"slow {SLOW_S}")
    started = time.time()
    assert edge.ping("slow")[0] == 204
    answered = time.time()
    assert answered - started >= SLOW_S
    assert any(started < moment <= answered for moment in edge.syncs_returned())


def test_a_sigkill_in_the_middle_of_fdatasync_has_acknowledged_nothing(tmp_path: Path, database_url: str) -> None:
    edge = Edge(tmp_path / "edge", database_url)
    assert edge.ping("warm")[0] == 204
    edge.disk("slow 30")
    answers: list[object] = []

    def ping() -> None:
        try:
            answers.append(edge.ping("never")[0])
        except OSError as error:
            answers.append(error)

    thread = threading.Thread(target=ping)
    thread.start()
    time.sleep(1.0)
    os.kill(edge.process.pid, signal.SIGKILL)
    edge.process.wait()
    thread.join(10)
    assert len(answers) == 1
    assert answers[0] != 204


def test_a_failing_disk_refuses_machines_and_sends_people_on(edge: Edge) -> None:
    assert edge.ping("warm")[0] == 204
    edge.disk("fail")
    status, headers, body = edge.ping("fails")
    assert status == 503
    assert headers["X-Touchline-Reason"] == "not_durable"
    assert int(headers["Retry-After"]) >= 1
    assert json.loads(body)["status"] == 503
    assert edge.click()[:1] == (302,)
    eventually(lambda: _metrics(edge)["touchline_unrecorded"] == 1)
    metrics = _metrics(edge)
    assert metrics["touchline_refused"] == 1
    edge.disk("ok")
    assert eventually(lambda: edge.ping("healed")[0] == 204)


def test_a_click_is_redirected_on_a_slow_disk_and_counted_until_it_is_durable(edge: Edge) -> None:
    assert edge.ping("warm")[0] == 204
    edge.disk(f"slow {SLOW_S * 3}")
    started = time.time()
    assert edge.click()[0] == 302
    assert time.time() - started < SLOW_S * 3
    eventually(lambda: _metrics(edge)["touchline_unrecorded"] == 1)
    eventually(lambda: _metrics(edge)["touchline_unrecorded"] == 0)


def _metrics(edge: Edge) -> dict[str, float]:
    port = edge.product.environment["TOUCHLINE_METRICS_PORT"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return {
        name: float(value) for name, _, value in (line.partition(" ") for line in lines if not line.startswith("#"))
    }
