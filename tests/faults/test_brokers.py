"""Brokers die under load: no client sees an error, nothing acknowledged is lost, nothing stands twice."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.kafka import KafkaCluster
from tests.support.load import Load
from tests.support.product import Product, eventually

LINK = "1019409635088005254"
HITS = 6_000


@pytest.mark.kafka
@pytest.mark.timeout(300)
def test_a_cluster_that_loses_a_leader_and_gets_it_back(
    tmp_path: Path, kafka_cluster: Callable[[], KafkaCluster]
) -> None:
    cluster = kafka_cluster()
    prefix = f"broker{time.time_ns() % 10**9}."
    product = Product(tmp_path / "product", TOUCHLINE_KAFKA=cluster.bootstrap, TOUCHLINE_TOPIC_PREFIX=prefix)
    product.start()
    try:
        load = Load(product.url, LINK, HITS)

        async def under_load() -> None:
            await asyncio.gather(
                load.run(seconds=150),
                load.reached(1_500, lambda: cluster.kill(0)),
                load.reached(4_000, lambda: cluster.restart(0)),
            )

        asyncio.run(under_load())
        assert (load.broken, set(load.statuses)) == (0, {204})

        def everything_stored() -> bool:
            facts = product.facts("verify", code=None)
            return bool(facts["unread_batches"] == 0 and facts["kafka_lag"] == 0)

        eventually(everything_stored, seconds=90, what=lambda: product.touchline("verify", code=None))
        rows = product.sql("SELECT click_id FROM touches WHERE click_id LIKE 'load-%'")
        stored = Counter(row["click_id"] for row in rows)
        assert load.acknowledged - set(stored) == set()
        assert {click_id for click_id, count in stored.items() if count > 1} == set()
        assert product.facts("verify")["balanced"]
    finally:
        product.stop()
