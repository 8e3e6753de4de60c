"""Where Kafka's topics end: one look, at most five seconds."""

import asyncio
import logging
from typing import Any

from schemas.settings import Settings
from schemas.topics import TOPICS, Topic

PATIENCE_S = 5.0


async def ends(settings: Settings) -> tuple[dict[tuple[Topic, int], int], str | None]:
    """(topic, partition) → end offset; why there are none."""
    # aiokafka takes a third of a second to import, which only Kafka's users shall wait for
    from aiokafka import AIOKafkaConsumer, TopicPartition
    from aiokafka.errors import KafkaError

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    kafka = AIOKafkaConsumer(bootstrap_servers=settings.kafka, request_timeout_ms=int(PATIENCE_S * 1000))
    try:
        async with asyncio.timeout(PATIENCE_S):
            await kafka.start()
            await kafka._client.force_metadata_update()  # start() alone may know no topics yet
            found: dict[tuple[Topic, int], int] = {}
            for topic in TOPICS:
                name = settings.topic_prefix + topic
                partitions = [TopicPartition(name, number) for number in kafka.partitions_for_topic(name) or ()]
                for one, end in (await kafka.end_offsets(partitions)).items():
                    found[topic, one.partition] = end
            missing = sorted(set(TOPICS) - {topic for topic, _ in found})
            return found, f"no topic {', '.join(missing)}: run `touchline topics`" if missing else None
    except (KafkaError, OSError, TimeoutError, ValueError) as error:
        return {}, f"no answer from {settings.kafka}: {error or type(error).__name__}"
    finally:
        await _stop(kafka)


async def _stop(kafka: Any) -> None:
    from aiokafka.errors import KafkaError

    await asyncio.sleep(0)  # a task of aiokafka's that is cancelled before its first step makes stop() raise
    try:
        async with asyncio.timeout(1.0):
            await kafka.stop()
    except (KafkaError, OSError, TimeoutError):
        return
