"""Topics of one run on somebody's broker: made with as many copies as Touchline's, deleted afterwards."""

import asyncio
import sys
from collections.abc import Sequence

from aiokafka.admin import AIOKafkaAdminClient

from deploy.topics import ensure_topics

PARTITIONS = 6


def create(bootstrap: str, prefix: str, names: Sequence[str]) -> None:
    """Raises TopicsError when Kafka does not let us."""
    asyncio.run(ensure_topics(bootstrap, prefix, names=names, partitions=PARTITIONS))


def delete(bootstrap: str, prefix: str, names: Sequence[str]) -> None:
    """Never raises: what is left on the broker is named."""

    async def run() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        try:
            await admin.delete_topics([prefix + name for name in names])
        finally:
            await admin.close()

    try:
        asyncio.run(run())
    except Exception as error:
        sys.stderr.write(f"the topics {prefix}* are left on the broker: {error}\n")
