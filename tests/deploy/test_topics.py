"""Topics on real brokers: made strong, reported when weak, never changed."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.client import AIOKafkaClient

from deploy.topics import TopicReport, TopicsError, check_topics, cluster_id, ensure_topics
from schemas.topics import TOPICS
from tests.support.kafka import KafkaCluster, free_ports

STRONG = TopicReport(
    topic="hits",
    name="hits",
    created=True,
    partitions=6,
    replication=3,
    insync_min=2,
    unclean_election=False,
)


def test_a_strong_topic_has_no_weakness() -> None:
    assert STRONG.weaknesses == ()


@pytest.mark.parametrize(
    ("weaker", "words"),
    [
        (replace(STRONG, partitions=0), "missing"),
        (replace(STRONG, replication=2), "replication 2 of 3"),
        (replace(STRONG, replication=2), "refused while one broker is down"),
        (replace(STRONG, insync_min=1), "min.insync.replicas 1 of 2"),
        (replace(STRONG, insync_min=4), "every write is refused"),
        (replace(STRONG, unclean_election=True), "unclean.leader.election.enable is true"),
    ],
)
def test_every_weakness_is_a_sentence(weaker: TopicReport, words: str) -> None:
    assert any(words in sentence for sentence in weaker.weaknesses)


@pytest.mark.kafka
async def test_one_broker_gets_topics_that_are_reported_as_weak(kafka: str, topic_prefix: str) -> None:
    reports = await ensure_topics(kafka, topic_prefix, names=TOPICS, partitions=4, replication=1)

    assert [report.topic for report in reports] == [topic_prefix + name for name in TOPICS]
    assert all(report.created and report.partitions == 4 for report in reports)
    assert reports[0].weaknesses[0] == "replication 1 of 3: a lost disk loses acknowledged hits"
    assert reports[1].weaknesses[0] == "replication 1 of 3: a lost disk loses acknowledged conversions"
    assert "min.insync.replicas 1 of 2" in reports[0].weaknesses[1]


@pytest.mark.kafka
async def test_a_new_topic_has_the_settings_of_the_log(kafka: str, topic_prefix: str) -> None:
    await ensure_topics(kafka, topic_prefix, names=("hits",), partitions=1, replication=1)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    [answer] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic_prefix + "hits")])
    await admin.close()

    settings = {key: value for key, value, *_ in answer.resources[0][4]}
    assert settings["cleanup.policy"] == "delete"
    assert settings["compression.type"] == "producer"
    assert settings["max.message.bytes"] == "1048576"
    assert settings["unclean.leader.election.enable"] == "false"
    assert settings["min.insync.replicas"] == "1"


@pytest.mark.kafka
async def test_a_second_run_creates_nothing_and_keeps_the_partitions(kafka: str, topic_prefix: str) -> None:
    first = await ensure_topics(kafka, topic_prefix, names=TOPICS, partitions=2, replication=1)
    second = await ensure_topics(kafka, topic_prefix, names=TOPICS, partitions=9, replication=1)

    assert second == [replace(report, created=False) for report in first]


@pytest.mark.kafka
async def test_only_missing_topics_are_created(kafka: str, topic_prefix: str) -> None:
    await ensure_topics(kafka, topic_prefix, names=("hits",), partitions=1)
    reports = await ensure_topics(kafka, topic_prefix, names=TOPICS, partitions=1)

    assert {report.topic for report in reports if report.created} == {topic_prefix + name for name in TOPICS[1:]}


@pytest.mark.kafka
async def test_a_check_creates_nothing(kafka: str, topic_prefix: str) -> None:
    for _ in range(2):
        reports = await check_topics(kafka, topic_prefix, names=TOPICS)
        assert [report.partitions for report in reports] == [0] * len(TOPICS)
        assert all("missing" in report.weaknesses[0] for report in reports)


@pytest.mark.kafka
async def test_an_existing_weak_topic_is_reported_and_left_alone(kafka: str, topic_prefix: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    settings = {"min.insync.replicas": "2", "unclean.leader.election.enable": "true"}
    await admin.create_topics([NewTopic(topic_prefix + "hits", 1, 1, topic_configs=settings)])
    await admin.close()

    for _ in range(2):
        [report] = await ensure_topics(kafka, topic_prefix, names=("hits",), partitions=8)
        assert (report.created, report.partitions, report.unclean_election) == (False, 1, True)
        assert any("every write is refused" in sentence for sentence in report.weaknesses)
        assert any("unclean" in sentence for sentence in report.weaknesses)


@pytest.mark.kafka
async def test_a_replication_that_cannot_be_met_is_refused(kafka: str, topic_prefix: str) -> None:
    with pytest.raises(TopicsError, match="of 99 brokers are there"):
        await ensure_topics(kafka, topic_prefix, names=TOPICS, partitions=1, replication=99, wait_ms=1_000)
    assert not (await check_topics(kafka, topic_prefix, names=("hits",)))[0].partitions


@pytest.mark.kafka
async def test_what_kafka_will_never_accept_is_not_tried_again(kafka: str) -> None:
    with pytest.raises(TopicsError, match="refused"):
        await ensure_topics(kafka, "no spaces.", names=("hits",), partitions=1, replication=1)


@pytest.mark.kafka
async def test_three_brokers_get_strong_topics(kafka_cluster: Callable[[], KafkaCluster], topic_prefix: str) -> None:
    cluster = kafka_cluster()
    reports = await ensure_topics(cluster.bootstrap, topic_prefix, names=TOPICS, partitions=6)

    assert [(report.replication, report.insync_min, report.weaknesses) for report in reports] == [(3, 2, ())] * len(
        TOPICS
    )


@pytest.mark.kafka
async def test_a_broker_that_is_late_does_not_make_the_topics_weak(
    kafka_cluster: Callable[[], KafkaCluster], topic_prefix: str
) -> None:
    cluster = kafka_cluster()
    cluster.kill(2)
    await _until_known(cluster.bootstrap, brokers=2)
    with pytest.raises(TopicsError, match="2 of 3 brokers are there"):
        await ensure_topics(cluster.bootstrap, topic_prefix, names=("hits",), partitions=3, wait_ms=500)

    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(ensure_topics(cluster.bootstrap, topic_prefix, names=("hits",), partitions=3))
        await asyncio.to_thread(cluster.restart, 2)
    assert waiting.result()[0].replication == 3


@pytest.mark.kafka
async def test_one_address_of_many_brokers_is_enough(
    kafka_cluster: Callable[[], KafkaCluster], topic_prefix: str
) -> None:
    one = kafka_cluster().bootstrap.split(",")[0]
    [report] = await ensure_topics(one, topic_prefix, names=("hits",), partitions=1)
    assert report.replication == 3


async def _until_known(bootstrap: str, brokers: int) -> None:
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    await client.bootstrap()
    try:
        async with asyncio.timeout(20):
            while len((await client.fetch_all_metadata()).brokers()) != brokers:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    finally:
        await client.close()


async def test_nobody_there_is_said_in_time() -> None:
    nobody = f"127.0.0.1:{free_ports(1)[0]}"
    began = time.monotonic()
    with pytest.raises(TopicsError, match=f"{nobody} was not ready within 400 ms"):
        await check_topics(nobody, "", names=TOPICS, wait_ms=400)
    assert time.monotonic() - began < 2


@pytest.mark.kafka
async def test_the_cluster_id_is_the_same_on_every_question(kafka: str) -> None:
    assert len(await cluster_id(kafka)) == 22
    assert await cluster_id(kafka) == await cluster_id(kafka)
