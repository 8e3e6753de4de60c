"""`touchline verify`: is everything that was received stored or rejected? Exit 1 when something is missing."""

import asyncio
import os
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any

import asyncpg
import orjson
import typer
from rich.console import Console

from console.accounts import Account, accounts, hour_text
from console.unread import Stretch, local_journals, sort_out
from process.kafka import stop_client
from process.postgres import AWAY, connect
from schemas.counters import read_counts
from schemas.errors import ConfigError, TouchlineError
from schemas.ids import US_PER_HOUR, floor_id, hour_of
from schemas.settings import Settings
from schemas.sql import load
from schemas.topics import READS, TOPICS, Topic

KAFKA_TIMEOUT_S = 15.0
SHOWN_MAX = 50
GROUPS = ("links", "apps", "frameworks")


def verify(
    hours: Annotated[int | None, typer.Option(min=1, help="Only the last so many hours.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print facts as JSON.")] = False,
) -> None:
    """The accounting: per link and hour, received = stored + rejected. Exit 1 when something is missing."""
    try:
        facts = asyncio.run(_gather(Settings.read(os.environ), hours))
    except (TouchlineError, *AWAY) as error:
        typer.echo(f"touchline verify: {error or type(error).__name__}", err=True)
        raise typer.Exit(2) from None
    if json:
        typer.echo(orjson.dumps(facts, option=orjson.OPT_INDENT_2).decode())
    else:
        _print(facts)
    raise typer.Exit(0 if facts["balanced"] else 1)


async def _gather(settings: Settings, hours: int | None) -> dict[str, Any]:
    # The order matters: what the journals hold before Postgres is asked must be there, or unread.
    journals = local_journals(settings.data)
    ends = await _kafka_ends(settings) if settings.kafka else {}
    connection = await connect(settings)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            lag = await _kafka_lag(connection, settings, ends)
            missing, unread = await sort_out(connection, journals, kafka=bool(settings.kafka), kafka_lag=lag)
            since = await _since(connection, hours)
            by, nameless = await _accounts(connection, since)
            uncredited = await connection.fetchval(load("verify")["uncredited"], floor_id(since * US_PER_HOUR))
            holes = [dict(row) for row in await connection.fetch(load("verify")["holes"])]
    finally:
        await connection.close()
    counts = [read_counts(path) for path in settings.data.glob("journals/*/counters")]
    links = by["links"]
    differing = [one for group in by.values() for one in group if one.difference]
    return {
        "balanced": not (differing or missing or holes),
        "received": sum(one.received for one in links),
        "stored": sum(one.stored for one in links),
        "rejected": sum(sum(one.rejected.values()) for one in links),
        "rejected_without_link": nameless,
        "events_without_install": uncredited,
        "unread_batches": sum(one.last - one.first + 1 for one in unread),
        "kafka_lag": sum(lag.values()),
        "unrecorded": sum(one.unrecorded for one in counts),
        "refused": sum(one.refused for one in counts),
        **{group: [_account(group[:-1], one) for one in found] for group, found in by.items()},
        "missing_batches": [_stretch(one) for one in missing],
        "unread": [_stretch(one) for one in unread],
        "holes": holes,
    }


async def _since(connection: asyncpg.Connection, hours: int | None) -> int:
    """The first hour to look at."""
    first = await connection.fetchval(load("verify")["first_hour"])
    if first is None:
        raise ConfigError("the database has no touches table yet: run `touchline migrate`")
    since = (datetime.strptime(first, "%Y%m%d").date() - date(1970, 1, 1)).days * 24
    if hours is not None:
        since = max(since, hour_of(int(datetime.now(UTC).timestamp() * 1_000_000)) - hours + 1)
    return since


async def _accounts(connection: asyncpg.Connection, since: int) -> tuple[dict[str, list[Account]], int]:
    bounds = (floor_id(since * US_PER_HOUR), since)
    rejected = await connection.fetch(load("verify")["rejected"], since)
    by: dict[str, list[Account]] = {}
    for group in GROUPS:
        rows = await connection.fetch(load("verify")[group], *bounds)
        by[group] = accounts([tuple(row) for row in rows], [tuple(row)[1:] for row in rejected if row["of"] == group])
    return by, sum(row["records"] for row in rejected if row["subject"] is None)


async def _kafka_ends(settings: Settings) -> dict[tuple[Topic, int], int]:
    from aiokafka import AIOKafkaConsumer, TopicPartition  # only here: it would slow every other command
    from aiokafka.errors import KafkaError

    kafka = AIOKafkaConsumer(bootstrap_servers=settings.kafka)
    async with asyncio.timeout(KAFKA_TIMEOUT_S):
        try:
            await kafka.start()
            found: dict[tuple[Topic, int], int] = {}
            await kafka._client.force_metadata_update()
            for topic in TOPICS:
                name = settings.topic_prefix + topic
                partitions = [TopicPartition(name, n) for n in kafka.partitions_for_topic(name) or ()]
                if not partitions:
                    raise ConfigError(f"Kafka has no topic {name}: run `touchline topics`")
                for one, end in (await kafka.end_offsets(partitions)).items():
                    found[topic, one.partition] = end
            return found
        except KafkaError as error:
            raise ConnectionError(f"Kafka at {settings.kafka}: {error}") from None
        finally:
            await stop_client(kafka)


async def _kafka_lag(
    connection: asyncpg.Connection, settings: Settings, ends: dict[tuple[Topic, int], int]
) -> dict[Topic, int]:
    """Records per topic that Kafka holds and Postgres has not seen."""
    if not ends:
        return {}
    positions: dict[tuple[Topic, int], int] = {}
    for row in await connection.fetch(load("verify")["positions"]):
        for consumer, topic in READS.items():
            name = row["log"].split(":")[2:3]
            if row["consumer"] == consumer and name == [settings.topic_prefix + topic]:
                key = (topic, row["partition"])
                positions[key] = max(positions.get(key, 0), row["next_offset"])
    lag: dict[Topic, int] = {}
    for (topic, partition), end in ends.items():
        lag[topic] = lag.get(topic, 0) + max(end - positions.get((topic, partition), 0), 0)
    return lag


def _account(name: str, one: Account) -> dict[str, Any]:
    return {
        name: one.subject,
        "hour": hour_text(one.hour),
        "received": one.received,
        "stored": one.stored,
        "rejected": dict(one.rejected),
        "difference": one.difference,
    }


def _stretch(one: Stretch) -> dict[str, Any]:
    return {
        "journal": one.journal,
        "topic": one.topic,
        "worker": one.worker,
        "host": one.host,
        "numbers": [one.first, one.last],
        "hours": [hour_text(hour) for hour in one.hours] if one.hours else None,
    }


def _print(facts: dict[str, Any]) -> None:
    console = Console(soft_wrap=True, highlight=False)
    totals = ("received", "stored", "rejected", "unread_batches", "unrecorded", "refused", "events_without_install")
    console.print(", ".join(f"{name.replace('_', ' ')} {facts[name]}" for name in totals))
    differing = [one for group in GROUPS for one in facts[group] if one["difference"]]
    if differing:
        _print_differences(console, differing)
    for one in facts["missing_batches"]:
        first, last = one["numbers"]
        between = f", received between {' and '.join(one['hours'])}" if one["hours"] else ""
        where = f" ({one['worker']} on {one['host']})" if one["host"] else ""
        console.print(
            f"[red]missing[/red] batches {first} to {last} of journal {one['journal']} {one['topic']}{where}{between}"
        )
    for one in facts["holes"]:
        console.print(f"[red]hole[/red] in {one['log']}/{one['partition']}: {one['start']} to {one['stop']}")
    console.print("[green]balanced[/green]" if facts["balanced"] else "[red]NOT balanced[/red]")


def _print_differences(console: Console, differing: Sequence[dict[str, Any]]) -> None:
    for one in differing[:SHOWN_MAX]:
        name = next(iter(one))
        subject = f"{name} {one[name]}"
        rejected = ", ".join(f"{reason} {count}" for reason, count in one["rejected"].items()) or "0"
        console.print(
            f"[red]difference[/red] {one['difference']}: {subject}, hour {one['hour']}:"
            f" received {one['received']}, stored {one['stored']}, rejected {rejected}"
        )
    if len(differing) > SHOWN_MAX:
        console.print(f"… and {len(differing) - SHOWN_MAX} more; --json prints all")
