"""The consumers' composition root: which source, handler and loops make which role."""

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable

import asyncpg

from consumers.attribution.decider import Decider
from consumers.attribution.handler import ConversionsHandler
from consumers.positions import PostgresPositions
from consumers.rejects.handler import RejectsHandler
from consumers.runner import Handler, Runner
from consumers.skan.handler import SkanHandler
from consumers.skan.housekeeping import tidy
from consumers.sources import Source
from consumers.sources.journals import JournalSource
from consumers.sources.kafka import KafkaSource
from consumers.touches.country import Countries, open_countries
from consumers.touches.data_centres import DataCentres, open_data_centres
from consumers.touches.handler import TouchesHandler
from consumers.touches.partitions import ensure_partitions, today_utc
from process.health import served
from process.life import sleep_unless
from process.metrics import Meters
from process.postgres import AWAY, LOST_RACE, open_pool, patiently
from schemas import metrics
from schemas.errors import ConfigError
from schemas.ports import PORTS
from schemas.rules import AGAIN_WITHIN_US
from schemas.settings import Settings
from schemas.skan.keys import AppleKeys
from schemas.sql import load
from schemas.topics import HITS, READS, Consumer, Topic

log = logging.getLogger(__name__)

HOUSEKEEPING_S = 600.0
CONNECTIONS_MAX = 8
"""Opened when they are needed: decisions are made on several side by side."""
NEW_OBJECTS_MAX = 50_000
"""Between two collections: rows are no cycles, and looking for some among them costs a tenth of the work."""


def make_source(settings: Settings, topic: Topic, consumer: Consumer, positions: PostgresPositions) -> Source:
    """The one place that chooses between Kafka and the journals."""
    if settings.kafka:
        name = settings.topic_prefix + topic
        return KafkaSource(settings.kafka, name, consumer, positions, positions.epoch)
    return JournalSource(settings.data, topic, consumer, positions)


def collect_seldom() -> None:
    """Of the whole process: what is there stays there, and the collector looks at new objects now and then."""
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS_MAX)


async def run_consumer(consumer: Consumer, settings: Settings, stop: asyncio.Event) -> None:
    """Consume until `stop`."""
    collect_seldom()
    meters = Meters()
    pool = await open_pool(settings, size=CONNECTIONS_MAX)
    positions = PostgresPositions(pool, consumer, meters)
    source = make_source(settings, READS[consumer], consumer, positions)
    sources = [source]
    others: list[Callable[[asyncio.Event], Awaitable[None]]] = []
    handler: Handler
    if consumer == "touches":
        countries = _countries(settings)
        meters.gauge(metrics.COUNTRY_DATABASE).labels(countries.source, str(countries.date)).set(1)
        touches = TouchesHandler(countries, _data_centres(settings))
        handler = touches
        await patiently(lambda: _housekeep(pool, touches), stop, what=consumer)
        others.append(lambda stop: _housekeep_now_and_then(pool, touches, stop))
    elif consumer == "attribution":
        handler = ConversionsHandler(_countries(settings))
        hits = make_source(settings, HITS, "touches", positions)
        others.append(Decider(pool, hits.ends, meters).run)
        sources.append(hits)
    elif consumer == "skan":
        handler = SkanHandler(AppleKeys(settings.skan_keys), meters)
        others.append(lambda stop: tidy(pool, stop))
    else:
        handler = RejectsHandler()
    runner = Runner(consumer, source, handler, pool, positions, meters)
    try:
        async with served(settings, PORTS[consumer], meters, lambda: runner.away) as port:
            log.info("consumes %s; metrics on port %d", READS[consumer], port)
            await together([runner.run, *others], stop)
    finally:
        for one in sources:
            await one.close()
        pool.terminate()


async def together(loops: list[Callable[[asyncio.Event], Awaitable[None]]], stop: asyncio.Event) -> None:
    """Run them all; when one ends, by error or not, the others end too."""
    tasks = [asyncio.ensure_future(loop(stop)) for loop in loops]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


async def _housekeep(pool: asyncpg.Pool, touches: TouchesHandler) -> bool:
    async with pool.acquire() as connection:
        touches.oldest_us = await ensure_partitions(connection, today_utc())
        await connection.execute(load("log")["fold_batches"])
        await connection.execute(load("conversions")["forget_new_keys"], AGAIN_WITHIN_US // 1_000_000)
    return True


async def _housekeep_now_and_then(pool: asyncpg.Pool, touches: TouchesHandler, stop: asyncio.Event) -> None:
    while not await sleep_unless(stop, HOUSEKEEPING_S):
        try:
            await _housekeep(pool, touches)
        except (*AWAY, *LOST_RACE) as error:
            log.warning("housekeeping waits for Postgres: %s", error or type(error).__name__)


def _countries(settings: Settings) -> Countries:
    try:
        return open_countries(settings.country_db or None)
    except ValueError as error:
        raise ConfigError(f"TOUCHLINE_COUNTRY_DB={settings.country_db!r} is not usable: {error}") from None


def _data_centres(settings: Settings) -> DataCentres:
    try:
        return open_data_centres(settings.data_centres)
    except ValueError as error:
        raise ConfigError(f"TOUCHLINE_DATA_CENTRES={settings.data_centres!r} is not usable: {error}") from None
