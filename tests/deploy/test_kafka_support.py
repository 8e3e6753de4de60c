"""The test brokers themselves: what the fault tests rely on is true of them."""

import asyncio
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, NotEnoughReplicasError

from deploy.topics import TopicsError, cluster_id, ensure_topics
from tests.support.kafka import BrokerFailed, KafkaCluster, running
from tests.support.maven import java
from tests.support.mock_kafka import MockKafka

PRODUCE = 0


@asynccontextmanager
async def producing(bootstrap: str, timeout_ms: int = 5_000) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        compression_type="zstd",
        max_batch_size=262_144,
        request_timeout_ms=timeout_ms,
        enable_idempotence=False,
    )
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def send(producer: AIOKafkaProducer, topic: str, values: Sequence[bytes], partition: int = 0) -> int:
    """Sends one batch; returns its first offset once it is acknowledged."""
    batch = producer.create_batch()
    for value in values:
        assert batch.append(key=None, value=value, timestamp=None)
    batch.close()
    acknowledged = await (await producer.send_batch(batch, topic, partition=partition))
    offset: int = acknowledged.offset
    return offset


async def send_until_acknowledged(producer: AIOKafkaProducer, topic: str, values: Sequence[bytes]) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            await send(producer, topic, values)
            return
        except KafkaError:
            assert time.monotonic() < deadline


async def read(bootstrap: str, topic: str, partition: int = 0) -> list[bytes]:
    """Everything the partition holds now."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    try:
        place = TopicPartition(topic, partition)
        consumer.assign([place])
        end = (await consumer.end_offsets([place]))[place]
        values: list[bytes] = []
        while await consumer.position(place) < end:
            for records in (await consumer.getmany(timeout_ms=1_000)).values():
                values += [record.value for record in records]
        return values
    finally:
        await consumer.stop()


def numbered(count: int, label: str = "hit") -> list[bytes]:
    return [f"{label} {number}".encode() for number in range(count)]


@pytest.mark.kafka
async def test_a_batch_is_read_back_in_order(kafka: str, topic_prefix: str) -> None:
    [hits] = await ensure_topics(kafka, topic_prefix, names=("hits",), partitions=2)
    async with producing(kafka) as producer:
        assert await send(producer, hits.topic, numbered(1_000), partition=1) == 0
        assert await send(producer, hits.topic, [b"next"], partition=1) == 1_000

    assert await read(kafka, hits.topic, partition=1) == [*numbered(1_000), b"next"]
    assert await read(kafka, hits.topic, partition=0) == []


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """One broker to break: the session's own is shared with other tests."""
    with running(tmp_path_factory.mktemp("broker"), brokers=1) as cluster:
        yield cluster


@pytest.mark.kafka
async def test_a_killed_broker_comes_back_with_what_it_acknowledged(broker: KafkaCluster, topic_prefix: str) -> None:
    bootstrap = broker.bootstrap
    [hits] = await ensure_topics(bootstrap, topic_prefix, names=("hits",), partitions=1)
    async with producing(bootstrap) as producer:
        await send(producer, hits.topic, numbered(500))
    broker.kill(0)
    with pytest.raises(TopicsError):
        await cluster_id(bootstrap, wait_ms=200)
    async with asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(cluster_id(bootstrap))  # waits for a broker that is still starting
        await asyncio.to_thread(broker.restart, 0)

    assert asked.result()
    assert await read(bootstrap, hits.topic) == numbered(500)


@pytest.mark.kafka
async def test_a_paused_broker_answers_once_it_is_resumed(broker: KafkaCluster) -> None:
    await cluster_id(broker.bootstrap)
    broker.pause(0)
    with pytest.raises(TopicsError, match="not ready within 300 ms"):
        await cluster_id(broker.bootstrap, wait_ms=300)
    async with asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(cluster_id(broker.bootstrap))
        done, _ = await asyncio.wait([asked], timeout=0.5)
        broker.resume(0)
    assert not done
    assert len(asked.result()) == 22


@pytest.mark.kafka
def test_a_broker_dies_with_the_tests(tmp_path: Path) -> None:
    """Their SIGKILL takes the broker along, though it leads a session of its own."""
    tests = """
        import os, pathlib, sys, time
        from tests.support.kafka import KafkaCluster
        cluster = KafkaCluster(pathlib.Path(sys.argv[1]))
        cluster._format()
        cluster._launch(0)
        broker = cluster._running[0].pid
        while os.path.basename(os.readlink(f"/proc/{broker}/exe")) != "java":
            time.sleep(0.01)
        print(broker, flush=True)
        os.kill(os.getpid(), 9)
    """
    root = Path(__file__).parents[2]
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(tests), str(tmp_path)],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == -9, ended.stderr
    broker = int(ended.stdout)
    deadline = time.monotonic() + 5
    while _alive(broker) and time.monotonic() < deadline:
        time.sleep(0.05)
    if _alive(broker):
        os.kill(broker, 9)
        pytest.fail("the broker outlived the tests")


def _alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.kafka
def test_a_broker_that_cannot_start_shows_its_log(tmp_path: Path) -> None:
    cluster = KafkaCluster(tmp_path)
    cluster._format()
    properties = tmp_path / "broker-0.properties"
    properties.write_text(properties.read_text().replace("node.id=0", "node.id=7"))
    with pytest.raises(BrokerFailed, match=r"(?s)broker 0 ended while starting.*node id 7"):
        cluster.start()
    cluster.stop()


@pytest.mark.parametrize(("ci", "outcome"), [("true", "Failed"), ("", "Skipped")])
def test_without_java_tests_are_skipped_at_home_and_fail_in_ci(
    ci: str, outcome: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(BaseException, match="install a JDK 17 or newer") as raised:  # neither is an Exception
        java.__wrapped__()
    assert raised.typename == outcome


@pytest.mark.kafka
async def test_two_of_three_brokers_go_on_without_the_leader(
    kafka_cluster: Callable[[], KafkaCluster], topic_prefix: str
) -> None:
    cluster = kafka_cluster()
    [hits] = await ensure_topics(cluster.bootstrap, topic_prefix, names=("hits",), partitions=1)
    async with producing(cluster.bootstrap) as producer:
        await send(producer, hits.topic, numbered(100, "before"))
        leader = await leader_of(cluster.bootstrap, hits.topic)
        cluster.kill(leader)
        await send_until_acknowledged(producer, hits.topic, numbered(100, "after"))
    assert await leader_of(cluster.bootstrap, hits.topic) != leader

    cluster.restart(leader)
    # An attempt that timed out may have been stored as well.
    stored = await read(cluster.bootstrap, hits.topic)
    assert stored[:100] == numbered(100, "before")
    assert stored[100:] == numbered(100, "after") * (len(stored) // 100 - 1)


async def leader_of(bootstrap: str, topic: str) -> int:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        [described] = await admin.describe_topics([topic])
        leader: int = described["partitions"][0]["leader"]
        return leader
    finally:
        await admin.close()


async def test_the_mock_takes_compressed_batches(mock_kafka: MockKafka) -> None:
    mock_kafka.create_topic("hits", 2)
    async with producing(mock_kafka.bootstrap) as producer:
        assert await send(producer, "hits", numbered(1_000), partition=1) == 0
        assert await send(producer, "hits", numbered(1_000), partition=1) == 1_000
    assert await read(mock_kafka.bootstrap, "hits", partition=1) == numbered(1_000) * 2


async def test_the_mock_is_down_until_it_is_up(mock_kafka: MockKafka) -> None:
    mock_kafka.create_topic("hits", 1)
    async with producing(mock_kafka.bootstrap, timeout_ms=500) as producer:
        await send(producer, "hits", numbered(1))
        mock_kafka.down(1)
        with pytest.raises(KafkaError):
            await send(producer, "hits", numbered(1))
        mock_kafka.up(1)
        await send_until_acknowledged(producer, "hits", numbered(1))


async def test_the_mock_answers_with_the_errors_it_is_given(mock_kafka: MockKafka) -> None:
    mock_kafka.create_topic("hits", 1)
    async with producing(mock_kafka.bootstrap) as producer:
        mock_kafka.fail_requests(PRODUCE, [MessageSizeTooLargeError.errno, NotEnoughReplicasError.errno])
        with pytest.raises(MessageSizeTooLargeError):
            await send(producer, "hits", numbered(1))
        assert await send(producer, "hits", numbered(1)) == 0  # the second error is tried again by the client


async def test_the_mock_answers_as_late_as_it_is_told(mock_kafka: MockKafka) -> None:
    mock_kafka.create_topic("hits", 1)
    async with producing(mock_kafka.bootstrap) as producer:
        await send(producer, "hits", numbered(1))
        mock_kafka.round_trip_ms(1, 300)
        began = time.monotonic()
        await send(producer, "hits", numbered(1))
        assert 0.29 < time.monotonic() - began < 2


def test_the_mock_refuses_a_broker_it_does_not_have(mock_kafka: MockKafka) -> None:
    with pytest.raises(ValueError, match="refused"):
        mock_kafka.down(9)
