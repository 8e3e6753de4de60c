"""Decides installs once the touches before them are stored, without comparing clocks.

1. an install and its keys are committed with its position (the handler);
2. then the ends of the hits' log are read: its barrier;
3. it is decided once `touches` has passed the barrier. Lag is waited for, never timed out.
"""

import asyncio
import logging
from collections.abc import Mapping

import asyncpg
import msgspec
from aiokafka.errors import KafkaError

from consumers.attribution.candidates import PER_KEY_FIRST, PER_KEY_MAX, read_candidates
from consumers.attribution.decide import Decision, decide
from consumers.attribution.facts import Conversion, conversion
from consumers.attribution.rules import RULES_NAME
from consumers.sources import Partition, Source
from process.life import sleep_unless
from process.metrics import Meters
from process.postgres import patiently
from schemas import metrics
from schemas.events import Device, Install, Referrer
from schemas.ids import received_us
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
        return raised or passed or decided > 0

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
            conversions = [_conversion(row) for row in rows]
            decisions = await _decide_all(connection, conversions)
            values = [_values(*pair) for pair in zip(conversions, decisions, strict=True)]
            await connection.execute(load("conversions")["decide"], *zip(*values, strict=True))
            await connection.execute(load("conversions")["mark_decided"], [row["id"] for row in rows])
        for decision in decisions:
            self._decisions.labels(decision.method).inc()
        return len(rows)

    async def _tidy_now_and_then(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._tidied_at > TIDY_EVERY_S:
            await self._pool.execute(load("conversions")["forget_barriers"])
            self._tidied_at = now
            self._waiting.set(await self._pool.fetchval(load("conversions")["waiting"]))


async def _decide_all(connection: asyncpg.Connection, conversions: list[Conversion]) -> list[Decision]:
    """Most keys hold a few touches; where a full page of them fell, more are read."""
    candidates, full = await read_candidates(connection, conversions, per_key=PER_KEY_FIRST)
    decisions = [decide(*pair) for pair in zip(conversions, candidates, strict=True)]
    for number, decision in enumerate(decisions):
        if full[number] and decision.winner is None:
            more, _ = await read_candidates(connection, [conversions[number]], per_key=PER_KEY_MAX)
            decisions[number] = decide(conversions[number], more[0])
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


def _values(one: Conversion, decision: Decision) -> tuple[object, ...]:
    winner = decision.winner
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
        winner.link if winner else None,
        winner.campaign if winner else None,
        winner.partner if winner else None,
        (winner.click_id or winner.external_click_id) if winner else None,
        decision.confidence,
        msgspec.json.encode(candidates).decode(),
        RULES_NAME,
    )


def _encode_ends(ends: Mapping[Partition, int]) -> str:
    return msgspec.json.encode([[*partition, end] for partition, end in sorted(ends.items())]).decode()


def _decode_ends(text: str) -> list[tuple[Partition, int]]:
    found = msgspec.json.decode(text, type=list[tuple[str, int, int]])
    return [(Partition(log_name, number), end) for log_name, number, end in found]
