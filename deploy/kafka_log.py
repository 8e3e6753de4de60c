"""Kafka as the log: its topics, and the epoch that is part of their identity."""

from deploy.topics import WAIT_MS, TopicReport, check_topics, cluster_id, ensure_topics
from process.postgres import connect
from schemas.settings import Settings
from schemas.sql import load
from schemas.topics import TOPICS

PARTITIONS = 6


async def prepare(
    settings: Settings, *, partitions: int = PARTITIONS, renew: bool = False, wait_ms: int = WAIT_MS
) -> list[TopicReport]:
    """Create the topics that are missing and note their epoch; with `renew` a new epoch for all of them."""
    reports = await ensure_topics(
        settings.kafka, settings.topic_prefix, names=TOPICS, partitions=partitions, wait_ms=wait_ms
    )
    cluster = await cluster_id(settings.kafka)
    new = [report.topic for report in reports if report.created or renew]
    if new:
        connection = await connect(settings)
        try:
            for topic in new:
                await connection.execute(load("log")["new_epoch"], cluster, topic)
        finally:
            await connection.close()
    return reports


async def check(settings: Settings) -> list[TopicReport]:
    """The topics as they are."""
    return await check_topics(settings.kafka, settings.topic_prefix, names=TOPICS)
