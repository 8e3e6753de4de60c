"""All facts of the status, asked for at once."""

import asyncio
from typing import Any

from console.status import kafka, lag
from console.status.database import Database, database
from console.status.journals import counts, journals
from console.status.ports import country_database, processes
from schemas.settings import Settings


async def gather(configured: Settings) -> dict[str, Any]:
    """All facts; never raises for something that is away."""
    asked, running, country, (ends, kafka_why) = await asyncio.gather(
        database(configured),
        asyncio.to_thread(processes, configured),
        asyncio.to_thread(country_database, configured),
        kafka.ends(configured) if configured.kafka else _no_kafka(),
    )
    with_kafka = bool(configured.kafka)
    positions = None if asked.positions is None else {one.log: one.offset for one in asked.positions}
    local = journals(configured.data, positions, kafka=with_kafka)
    known = asked.positions or []
    return {
        "ready": asked.why is None and kafka_why is None and all(one["ready"] for one in running),
        "postgres": _postgres(asked),
        "log": {
            "kind": "kafka" if with_kafka else "journal",
            "address": configured.kafka or str(configured.data),
            "why": kafka_why,
        },
        "touches_per_second": asked.touches_per_second,
        "waiting_conversions": asked.waiting,
        "holes": asked.holes,
        "counts": counts(configured.data),
        "country_database": country,
        "processes": running,
        "journals": local,
        "consumers": lag.in_kafka(known, ends, configured.topic_prefix)
        if with_kafka
        else lag.in_journals(known, local),
    }


def _postgres(asked: Database) -> dict[str, Any]:
    return {
        "reachable": asked.version is not None,
        "version": asked.version,
        "address": asked.address,
        "why": asked.why,
    }


async def _no_kafka() -> tuple[dict[Any, int], None]:
    return {}, None
