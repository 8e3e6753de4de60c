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


@pytest.mark.kafka
@pytest.mark.timeout(300)
def test_a_cluster_that_loses_a_leader_and_gets_it_back(
    tmp_path: Path, kafka_cluster: Callable[[], KafkaCluster]
) -> None:
    nothing_is_lost_while_the_first_broker_dies_and_comes_back(kafka_cluster(), tmp_path)


@pytest.mark.kafka
@pytest.mark.timeout(300)
def test_the_only_broker_is_killed_and_comes_back(tmp_path: Path, lone_kafka: KafkaCluster) -> None:
    nothing_is_lost_while_the_first_broker_dies_and_comes_back(lone_kafka, tmp_path)


def nothing_is_lost_while_the_first_broker_dies_and_comes_back(cluster: KafkaCluster, folder: Path) -> None:
    prefix = f"broker{time.time_ns() % 10**9}."
    product = Product(folder / "product", TOUCHLINE_KAFKA=cluster.bootstrap, TOUCHLINE_TOPIC_PREFIX=prefix)
    product.start()
    try:
        load = Load(product.url, LINK, 10**9)

        async def under_load() -> None:
            running = asyncio.create_task(load.run(seconds=150))
            await load.further(1_500)
            await asyncio.to_thread(cluster.kill, 0)
            await load.further(2_500)
            await asyncio.to_thread(cluster.restart, 0)
            await load.further(2_000)
            load.enough()
            await running

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
