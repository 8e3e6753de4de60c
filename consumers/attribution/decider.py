"""Decides installs once the touches before them are stored, without comparing clocks.

1. an install and its keys are committed with its position (the handler);
2. then the ends of the hits' log are read: its barrier;
3. it is decided once `touches` has passed the barrier. Lag is waited for, never timed out;
4. touches that are stored later mark the installs that look for them;
5. marked installs are decided again; what changed is a decision with a higher number.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence

import asyncpg
import msgspec
from aiokafka.errors import KafkaError

from consumers.attribution.candidates import PER_KEY_FIRST, PER_KEY_MAX, read_candidates
from consumers.attribution.decide import Decision, decide
from consumers.attribution.facts import Conversion, Label, conversion
from consumers.sources import Partition, Source
from process.life import sleep_unless
from process.metrics import Meters
from process.postgres import patiently
from schemas import metrics
from schemas.events import Device, Install, Referrer
from schemas.ids import floor_id, received_us
from schemas.rules import AGAIN_WITHIN_US, DEFAULT, RuleSet, name_of, stored_rules
from schemas.sql import load

log = logging.getLogger(__name__)

POLL_S = 0.05
TIDY_EVERY_S = 600.0
BARRIER_INSTALLS_MAX = 5000
DECIDED_AT_ONCE = 500


class Decider:
    """Runs beside the attribution consumer; several may run."""

    def __init__(self, pool: asyncpg.Pool, hits: Source, meters: Meters) -> None:
        self._pool = pool
        self._hits = hits
        self._decisions = meters.counter(metrics.DECISIONS)
        self._waiting = meters.gauge(metrics.WAITING)
        self._tidied_at = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`."""
        await patiently(self._renew_barriers, stop, what="decisions")
        while not stop.is_set():
            try:
                worked = await patiently(self._step, stop, what="decisions")
            except (KafkaError, TimeoutError) as error:
                log.warning("decisions wait: the hits' log is away: %s", error or type(error).__name__)
                await sleep_unless(stop, 1.0)
                continue
            if not worked:
                await sleep_unless(stop, POLL_S)

    async def _step(self) -> bool:
        """Whether anything was done."""
        await self._tidy_now_and_then()
        raised = await self._raise_barrier()
        passed = await self._pass_barriers()
        decided = await self._decide_ready()
        again = await self._decide_again()
        return raised or passed or decided > 0 or again > 0

    async def _renew_barriers(self) -> bool:
        """Barriers left by an earlier process may speak of a log that nobody reads any more."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(load("conversions")["drop_open_barriers"])
        return True

    async def _raise_barrier(self) -> bool:
        """A barrier for the installs that are committed by now: their hits are below the ends read after."""
        rows = await self._pool.fetch(load("conversions")["without_barrier"], BARRIER_INSTALLS_MAX)
        if not rows:
            return False
        ends = await self._hits.ends()
        await self._pool.execute(load("conversions")["new_barrier"], _encode_ends(ends), [row["id"] for row in rows])
        return True

    async def _pass_barriers(self) -> bool:
        barriers = await self._pool.fetch(load("conversions")["open_barriers"])
        if not barriers:
            return False
        rows = await self._pool.fetch(load("conversions")["touches_positions"])
        positions = {Partition(row["log"], row["partition"]): row["next_offset"] for row in rows}
        passed = False
        for barrier in barriers:
            if all(positions.get(partition, 0) >= end for partition, end in _decode_ends(barrier["ends"])):
                await self._pool.execute(load("conversions")["pass_barrier"], barrier["id"])
                passed = True
        return passed

    async def _decide_ready(self) -> int:
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(load("conversions")["take_ready"], DECIDED_AT_ONCE)
            if not rows:
                return 0
            decisions = await _decide_and_keep(connection, rows)
            await connection.execute(load("conversions")["mark_decided"], [row["id"] for row in rows])
        for decision in decisions:
            self._decisions.labels(decision.method).inc()
        return len(rows)

    async def _decide_again(self) -> int:
        """Those that touches have marked since: a touch may arrive after the install it caused."""
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(load("conversions")["take_marked"], DECIDED_AT_ONCE)
            if rows:
                await connection.execute(load("conversions")["unmark"], [row["id"] for row in rows])
                await _decide_and_keep(connection, rows)
        return len(rows)

    async def _tidy_now_and_then(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._tidied_at > TIDY_EVERY_S:
            await self._pool.execute(load("conversions")["forget_barriers"])
            too_old = floor_id(time.time_ns() // 1000 - AGAIN_WITHIN_US)
            await self._pool.execute(load("conversions")["forget_marks"], too_old)
            self._tidied_at = now
            self._waiting.set(await self._pool.fetchval(load("conversions")["waiting"]))


async def _decide_and_keep(connection: asyncpg.Connection, rows: Sequence[asyncpg.Record]) -> list[Decision]:
    conversions = [_conversion(row) for row in rows]
    rules = await _rules_of(connection, conversions)
    conversions = await _labelled(connection, conversions, [row["preinstall_link"] for row in rows])
    decisions = await _decide_all(connection, conversions, rules)
    values = [_values(*all_of) for all_of in zip(conversions, decisions, rules, strict=True)]
    await connection.execute(load("conversions")["decide"], *zip(*values, strict=True))
    return decisions


async def _rules_of(connection: asyncpg.Connection, conversions: list[Conversion]) -> list[RuleSet]:
    """The rules that hold for each now: its app's latest, else the default."""
    rows = await connection.fetch(load("conversions")["rules"], sorted({one.app for one in conversions}))
    own = {row["app"]: RuleSet(name_of(row["app"], row["version"]), stored_rules(row["rules"])) for row in rows}
    return [own.get(one.app, DEFAULT) for one in conversions]


async def _labelled(
    connection: asyncpg.Connection, conversions: list[Conversion], links: Sequence[str | None]
) -> list[Conversion]:
    """With the pre-install labels that are links of the conversion's app; others say nothing."""
    if not any(links):
        return conversions
    rows = await connection.fetch(load("conversions")["labels"], sorted({link for link in links if link}))
    labels = {(row["app"], row["link"]): Label(row["link"], row["campaign"], row["partner"]) for row in rows}
    pairs = zip(conversions, links, strict=True)
    return [one._replace(label=labels.get((one.app, link)) if link else None) for one, link in pairs]


async def _decide_all(
    connection: asyncpg.Connection, conversions: list[Conversion], rules: list[RuleSet]
) -> list[Decision]:
    """Most keys hold a few touches; where a full page of them fell, more are read."""
    candidates, full = await read_candidates(connection, conversions, rules, per_key=PER_KEY_FIRST)
    decisions = [decide(one, found, its.rules) for one, found, its in zip(conversions, candidates, rules, strict=True)]
    for number, decision in enumerate(decisions):
        if full[number] and decision.winner is None:
            one, its = conversions[number], rules[number]
            more, _ = await read_candidates(connection, [one], [its], per_key=PER_KEY_MAX)
            decisions[number] = decide(one, more[0], its.rules)
    return decisions


def _conversion(row: asyncpg.Record) -> Conversion:
    """The facts of a stored install: the same as of the record it came from."""
    install_id = str(row["id"])
    install = Install(
        v=1,
        id=install_id,
        app=row["app"],
        install_id=row["install_id"],
        installed_us=int(row["installed_at"].timestamp() * 1_000_000),
        ids=msgspec.json.decode(row["ids"], type=dict[str, str]),
        device=msgspec.json.decode(row["device"], type=Device),
        referrer=msgspec.json.decode(row["referrer"], type=Referrer) if row["referrer"] else None,
        ip=row["ip"],
        ua=row["ua"],
    )
    return conversion(install, received_us(install_id))


def _values(one: Conversion, decision: Decision, rules: RuleSet) -> tuple[object, ...]:
    winner, owner = decision.winner, decision.winner or decision.label
    candidates = [
        {
            "touch_id": verdict.candidate.touch_id,
            "method": verdict.candidate.method,
            "touch_kind": verdict.candidate.touch_kind,
            "link": verdict.candidate.link,
            "click_id": verdict.candidate.click_id,
            "age_seconds": verdict.age_s,
            "verdict": verdict.verdict,
            "reason": verdict.reason,
        }
        for verdict in decision.verdicts
    ]
    return (
        one.id,
        decision.method,
        winner.touch_id if winner else None,
        winner.touch_kind if winner else None,
        owner.link if owner else None,
        owner.campaign if owner else None,
        owner.partner if owner else None,
        (winner.click_id or winner.external_click_id) if winner else None,
        decision.confidence,
        msgspec.json.encode(candidates).decode(),
        rules.name,
    )


def _encode_ends(ends: Mapping[Partition, int]) -> str:
    return msgspec.json.encode([[*partition, end] for partition, end in sorted(ends.items())]).decode()


def _decode_ends(text: str) -> list[tuple[Partition, int]]:
    found = msgspec.json.decode(text, type=list[tuple[str, int, int]])
    return [(Partition(log_name, number), end) for log_name, number, end in found]
