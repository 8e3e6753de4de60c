"""Kafka's topics: made once with settings that keep what was acknowledged, afterwards only looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    InvalidReplicationFactorError,
    KafkaError,
    LeaderNotAvailableError,
    NodeNotReadyError,
    TopicAlreadyExistsError,
    for_code,
)

from schemas.errors import TouchlineError

REPLICATION = 3
INSYNC_MIN = 2
SETTINGS: Mapping[str, str] = {
    "unclean.leader.election.enable": "false",
    "cleanup.policy": "delete",
    "compression.type": "producer",
    "max.message.bytes": "1048576",
}
WAIT_MS = 30_000
REQUEST_TIMEOUT_MS = 5_000
PAUSE_S = 0.2
T = TypeVar("T")


class TopicsError(TouchlineError):
    """Kafka did not answer in time, has too few brokers, or refused: see to it and ask again."""


@dataclass(frozen=True, slots=True)
class TopicReport:
    """One topic as Kafka has it; `topic` with the prefix, `name` without. A missing one has no partitions."""

    topic: str
    name: str
    created: bool
    partitions: int
    replication: int
    insync_min: int
    unclean_election: bool

    @property
    def weaknesses(self) -> tuple[str, ...]:
        """What may lose or refuse hits, a sentence each; empty when all is well."""
        if not self.partitions:
            return ("missing: nothing can be written to it; `touchline topics` creates it",)
        return tuple(sentence(self) for applies, sentence in WEAKNESSES if applies(self))


Rule = tuple[Callable[[TopicReport], bool], Callable[[TopicReport], str]]

WEAKNESSES: tuple[Rule, ...] = (
    (
        lambda t: t.replication == 1,
        lambda t: f"replication 1 of {REPLICATION}: a lost disk loses acknowledged {t.name}",
    ),
    (
        lambda t: 1 < t.replication < REPLICATION,
        lambda t: f"replication {t.replication} of {REPLICATION}: a lost disk leaves {t.name} on a single one",
    ),
    (
        lambda t: t.insync_min < INSYNC_MIN,
        lambda t: (
            f"min.insync.replicas {t.insync_min} of {INSYNC_MIN}: "
            f"{t.name} can be acknowledged by one broker and lost with it"
        ),
    ),
    (
        lambda t: t.insync_min > t.replication,
        lambda t: f"min.insync.replicas {t.insync_min} above replication {t.replication}: every write is refused",
    ),
    (
        lambda t: t.insync_min == t.replication > 1,
        lambda t: (
            f"min.insync.replicas {t.insync_min} of replication {t.replication}: "
            "writes are refused while one broker is down"
        ),
    ),
    (
        lambda t: t.unclean_election,
        lambda t: (
            "unclean.leader.election.enable is true: "
            f"a broker that missed acknowledged {t.name} may become leader and drop them"
        ),
    ),
)


async def ensure_topics(
    bootstrap: str,
    prefix: str,
    *,
    names: Sequence[str],
    partitions: int,
    replication: int | None = None,
    wait_ms: int = WAIT_MS,
) -> list[TopicReport]:
    """Creates the missing topics and reports on all of them, in the order of `names`; never changes one.

    `replication` None means three, or as many as there are brokers once every
    address in `bootstrap` counts for one: a broker that is late must not make
    the topics weak for ever. A given number is met or refused.
    Waits up to `wait_ms` for brokers that are still starting, then raises TopicsError.
    """
    created: set[str] = set()

    async def ensure(admin: Any) -> list[TopicReport]:
        described = await _describe(admin)
        missing = [prefix + name for name in names if prefix + name not in described]
        if missing:
            copies = await _copies(admin, bootstrap, replication)
            created.update(missing)
            created.difference_update(await _create(admin, missing, partitions, copies))
        reports = await _report(admin, prefix, names, created)
        if not all(report.partitions for report in reports):
            raise LeaderNotAvailableError("a new topic is not known to every broker yet")
        return reports

    return await _ask(bootstrap, ensure, wait_ms)


async def check_topics(
    bootstrap: str, prefix: str, *, names: Sequence[str], wait_ms: int = WAIT_MS
) -> list[TopicReport]:
    """Reports on the topics in the order of `names`, missing ones too; creates and changes nothing."""
    return await _ask(bootstrap, lambda admin: _report(admin, prefix, names, frozenset()), wait_ms)


async def cluster_id(bootstrap: str, *, wait_ms: int = WAIT_MS) -> str:
    """The identity Kafka's storage was formatted with: positions are valid in this log only."""

    async def ask(admin: Any) -> str:
        return str((await admin.describe_cluster())["cluster_id"])

    return await _ask(bootstrap, ask, wait_ms)


async def _ask(bootstrap: str, question: Callable[[Any], Awaitable[T]], wait_ms: int) -> T:
    """Asks with a fresh client until Kafka answers: brokers that start refuse, or miss each other yet."""
    last: Exception | None = None
    try:
        async with asyncio.timeout(wait_ms / 1000):
            while True:
                admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=REQUEST_TIMEOUT_MS)
                try:
                    await admin.start()
                    return await question(admin)
                except (KafkaError, OSError) as error:
                    if not _may_pass(error):
                        raise TopicsError(f"Kafka at {bootstrap} refused: {error}") from error
                    last = error
                finally:
                    await admin.close()
                await asyncio.sleep(PAUSE_S)
    except TimeoutError:
        raise TopicsError(f"Kafka at {bootstrap} was not ready within {wait_ms} ms: {last}") from last


def _may_pass(error: Exception) -> bool:
    # A controller that has not heard of a broker again yet calls the replication factor invalid.
    return isinstance(error, OSError | InvalidReplicationFactorError) or bool(getattr(error, "retriable", False))


async def _describe(admin: Any) -> dict[str, list[dict[str, Any]]]:
    """The partitions of every topic.

    Asking for one by name would create it on brokers that create topics by themselves.
    """
    return {topic["topic"]: topic["partitions"] for topic in await admin.describe_topics()}


async def _copies(admin: Any, bootstrap: str, replication: int | None) -> int:
    cluster = await admin.describe_cluster()
    brokers = {broker["node_id"] for broker in cluster["brokers"]}
    wanted = replication or min(REPLICATION, len({address.strip() for address in bootstrap.split(",")}))
    if len(brokers) < wanted:
        raise NodeNotReadyError(f"{len(brokers)} of {wanted} brokers are there")
    if cluster["controller_id"] not in brokers:  # the admin client would stumble over its None
        raise NodeNotReadyError("the brokers have no controller yet")
    return replication or min(REPLICATION, len(brokers))


async def _create(admin: Any, topics: Sequence[str], partitions: int, copies: int) -> set[str]:
    """Creates them; returns those that somebody else had created meanwhile."""
    settings = {**SETTINGS, "min.insync.replicas": str(min(INSYNC_MIN, copies))}
    answer = await admin.create_topics(
        [NewTopic(topic, partitions, copies, topic_configs=settings) for topic in topics]
    )
    theirs = set()
    for topic, code, *message in answer.topic_errors:  # the client raises none of these by itself
        if code == TopicAlreadyExistsError.errno:
            theirs.add(topic)
        elif code:
            raise for_code(code)(f"{topic}: {message[0] if message else 'not created'}")
    return theirs


async def _report(admin: Any, prefix: str, names: Sequence[str], created: Collection[str]) -> list[TopicReport]:
    described = await _describe(admin)
    settings = await _settings(admin, [prefix + name for name in names if prefix + name in described])
    reports = []
    for name in names:
        topic = prefix + name
        partitions, has = described.get(topic, []), settings.get(topic, {})
        reports.append(
            TopicReport(
                topic=topic,
                name=name,
                created=topic in created,
                partitions=len(partitions),
                replication=min((len(partition["replicas"]) for partition in partitions), default=0),
                insync_min=int(has.get("min.insync.replicas", 0)),
                unclean_election=has.get("unclean.leader.election.enable") == "true",
            )
        )
    return reports


async def _settings(admin: Any, topics: Sequence[str]) -> dict[str, dict[str, str]]:
    """What applies to each topic, the brokers' defaults among it."""
    if not topics:
        return {}
    wanted = dict.fromkeys(("min.insync.replicas", "unclean.leader.election.enable"))
    resources = [ConfigResource(ConfigResourceType.TOPIC, topic, wanted) for topic in topics]
    found = {}
    # One answer for all topics; tuples, as their length depends on the protocol version.
    for answer in await admin.describe_configs(resources):
        for code, message, _, topic, entries in answer.resources:
            if code:
                raise for_code(code)(f"{topic}: {message}")
            found[topic] = {key: value for key, value, *_ in entries}
    return found
