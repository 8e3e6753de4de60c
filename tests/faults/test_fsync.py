"""A slow, then a failing disk between the edge and its journal: no 204 leaves before fdatasync returned.

With Kafka as the log too: an answer waits for both.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from ingest.batch import KAFKA_PATIENCE_S
from schemas.topics import HITS
from tests.faults.test_kafka_away import PARTITIONS, arrived
from tests.support.kafka import KafkaCluster
from tests.support.product import TOUCHLINE, Product, eventually, query

LINK = "1019409635088005254"
SLOW_S = 0.7


class Edge:
    """A `touchline edge` on a disk that obeys the test."""

    def __init__(self, folder: Path, database_url: str, **settings: str) -> None:
        self.control = folder / "disk"
        self.product = Product(folder, TOUCHLINE_DATABASE_URL=database_url, **settings)
        self.disk("ok")
        if "TOUCHLINE_KAFKA" in settings:
            self.product.touchline("topics", "--partitions", str(PARTITIONS), code=None)
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


@pytest.fixture
def kafka_edge(tmp_path: Path, database_url: str, lone_kafka: KafkaCluster, topic_prefix: str) -> Iterator[Edge]:
    kafka = lone_kafka.bootstrap
    edge = Edge(tmp_path / "edge", database_url, TOUCHLINE_KAFKA=kafka, TOUCHLINE_TOPIC_PREFIX=topic_prefix)
    eventually(lambda: knows_kafka(edge), what=edge.product.output)
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


def knows_kafka(edge: Edge) -> bool:
    """Whether answers wait for the broker."""
    return _metrics(edge)['touchline_kafka_away{topic="hits"}'] == 0


@pytest.mark.kafka
def test_with_kafka_an_answer_waits_for_the_disk_and_for_the_broker(kafka_edge: Edge, lone_kafka: KafkaCluster) -> None:
    edge = kafka_edge
    assert edge.ping("warm")[0] == 204
    edge.disk(f"slow {SLOW_S}")
    for number in range(3):
        started = time.time()
        assert edge.ping(f"slow-{number}")[0] == 204
        answered = time.time()
        assert any(started < moment <= answered for moment in edge.syncs_returned())
        assert f"slow-{number}" in in_kafka(edge)
    edge.disk("ok")
    lone_kafka.pause(0)
    started = time.time()
    assert edge.ping("paused")[0] == 204
    answered = time.time()
    lone_kafka.resume(0)
    assert answered - started > KAFKA_PATIENCE_S * 0.9, "nobody waited for the broker"
    assert in_postgres(edge) == {"warm": 1, "slow-0": 1, "slow-1": 1, "slow-2": 1, "paused": 1}


@pytest.mark.kafka
def test_with_kafka_a_failing_disk_refuses_machines_sends_people_on_and_heals(kafka_edge: Edge) -> None:
    edge = kafka_edge
    acknowledged = {"warm"}
    assert edge.ping("warm")[0] == 204
    edge.disk("fail")
    for number in range(3):
        status, headers, body = edge.ping(f"fails-{number}")
        assert status == 503
        assert headers["X-Touchline-Reason"] == "not_durable"
        assert int(headers["Retry-After"]) >= 1
        assert json.loads(body)["status"] == 503
        status, headers, _ = edge.click()
        assert (status, headers["Location"]) == (302, "https://apps.apple.com/app/id123456789")
    eventually(lambda: _metrics(edge)["touchline_unrecorded"] == 3, what=lambda: _metrics(edge))
    assert _metrics(edge)["touchline_refused"] == 3
    assert in_kafka(edge) == {"warm"}, "what was refused stands in the log"
    edge.disk("ok")
    assert eventually(lambda: edge.ping("healed")[0] == 204)
    for number in range(20):
        assert edge.ping(f"after-{number}")[0] == 204
        acknowledged.add(f"after-{number}")
    eventually(lambda: "after-19" in in_kafka(edge))
    stored = in_postgres(edge)
    assert acknowledged <= set(stored)
    assert set(stored.values()) == {1}
    assert not any(click_id.startswith("fails") for click_id in stored)
    assert edge.product.facts("verify")["balanced"]


def in_kafka(edge: Edge) -> set[str]:
    """Click ids of the hits that the brokers hold now."""
    environment = edge.product.environment
    bootstrap, topic = environment["TOUCHLINE_KAFKA"], environment["TOUCHLINE_TOPIC_PREFIX"] + HITS
    return {click_id(query) for query in asyncio.run(arrived(bootstrap, topic))[0]} - {""}


def in_postgres(edge: Edge) -> Counter[str]:
    """How often each click id stands in Postgres, once the consumer has read all there is."""
    product = edge.product
    with product.log.open("ab") as log:
        command = [sys.executable, TOUCHLINE, "consume", "touches"]
        consumer = subprocess.Popen(command, env=product.environment, stdout=log, stderr=log)
    try:
        eventually(lambda: in_order(product.facts("verify", code=None)), seconds=60, what=product.output)
    finally:
        consumer.send_signal(signal.SIGTERM)
        assert consumer.wait(30) == 0, product.output()
    return Counter(row["click_id"] for row in product.sql("SELECT click_id FROM touches WHERE click_id IS NOT NULL"))


def in_order(facts: dict[str, int]) -> bool:
    return facts["unread_batches"] == 0 and facts["kafka_lag"] == 0


def click_id(raw_query: str) -> str:
    return parse_qs(raw_query).get("click_id", [""])[0]


def _metrics(edge: Edge) -> dict[str, float]:
    port = edge.product.environment["TOUCHLINE_METRICS_PORT"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return {
        name: float(value) for name, _, value in (line.partition(" ") for line in lines if not line.startswith("#"))
    }
