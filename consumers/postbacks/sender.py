"""Sends what is due: claims it by leases, asks partners side by side, and records what came of it in groups.

A lease is committed before the request and no lock is held across it. A process that is killed between a request and
its record leaves a lease that ends: the postback is sent again with the same Idempotency-Key, never lost.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import asyncpg

from consumers.postbacks import store
from consumers.postbacks.asking import Answer, Asker, LookUp
from consumers.postbacks.gauges import Gauges
from consumers.postbacks.guard import Guard
from consumers.postbacks.lanes import Claimed, Lane
from consumers.postbacks.schedule import ANSWER_S, is_partners_fault
from consumers.postbacks.store import Result
from process.life import sleep_unless
from process.metrics import Meters
from process.postgres import AWAY, LOST_RACE, patiently
from schemas.postbacks import parse_sending

log = logging.getLogger(__name__)

POLL_S = 0.1
BUSY_POLL_S = 0.02
GROUP_S = 0.01
"""Results of so long are recorded in one transaction."""
LANES_MAX = 500
"""Looked at in one round; the others in the next."""
IDLE_LANES_MAX = 1000
IN_FLIGHT_MAX = 2000
UNRECORDED_MAX = 10_000


def utc_now() -> datetime:
    """The clock on the wall."""
    return datetime.now(UTC)


class Sender:
    """Any number of processes may send side by side; each keeps to a partner's limits by itself."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        meters: Meters,
        guard: Guard,
        *,
        now: Callable[[], datetime] = utc_now,
        look_up: LookUp = socket.getaddrinfo,
        answer_s: float = ANSWER_S,
    ) -> None:
        self._pool, self._now = pool, now
        self._make_asker = partial(Asker, guard, look_up, answer_s)
        self._gauges = Gauges(meters)
        self._lanes: dict[str, Lane] = {}
        self._after = ""
        self._timed: set[str] = set()
        self._requests: set[asyncio.Task[None]] = set()
        self._results: list[Result] = []
        self._unrecorded: set[int] = set()
        self._any_result = asyncio.Event()
        self._stopping = False
        self.away: str | None = None
        """Why nothing can be sent now."""

    @property
    def lanes(self) -> list[Lane]:
        """Those in which anything has been sent lately."""
        return list(self._lanes.values())

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; then what is asked for already is waited for, and recorded."""
        self._stopping, over = False, asyncio.Event()
        async with self._make_asker() as asker:
            self._asker = asker
            recording = asyncio.ensure_future(self._record_always(over))
            try:
                while not stop.is_set():
                    more = await patiently(self._claim, stop, what="postbacks")
                    await sleep_unless(stop, BUSY_POLL_S if more else POLL_S)
            finally:
                self._stopping = True
                if self._requests:
                    await asyncio.wait(self._requests)
                over.set()
                self._any_result.set()
                await recording
                await self._finish()

    async def _claim(self) -> bool:
        """Claim what may be sent soon, and begin. Whether there is more of it."""
        try:
            more = await self._claim_some()
        except AWAY as error:
            self.away = f"Postgres is away: {error or type(error).__name__}"
            raise
        self.away = None
        return more

    async def _claim_some(self) -> bool:
        now, now_s = self._now(), time.monotonic()
        rooms: dict[str, int] = {}
        if len(self._unrecorded) < UNRECORDED_MAX:
            for row in await self._next_lanes():
                lane = self._lane(row)
                if row["due_at"] <= now and (room := lane.room(now, now_s)):
                    rooms[lane.name] = room
        claimed = await store.claim(self._pool, rooms, now) if rooms else []
        for one in claimed:
            self._lanes[one.lane].waiting.append(one)
        for lane in self._lanes.values():
            if lane.waiting:
                self._send(lane)
        return bool(claimed)

    async def _next_lanes(self) -> list[asyncpg.Record]:
        if len(self._lanes) >= IDLE_LANES_MAX:
            self._forget_idle_lanes()
        rows = await store.lanes(self._pool, self._after, LANES_MAX)
        self._after = rows[-1]["lane"] if len(rows) == LANES_MAX else ""
        return rows

    def _lane(self, row: asyncpg.Record) -> Lane:
        lane = self._lanes.get(row["lane"])
        if lane is None:
            lane = self._lanes[row["lane"]] = Lane(row["lane"], row["partner"])
        if row["sending"] != lane.sending_text:
            lane.sending_text = row["sending"]
            try:
                lane.sending = parse_sending(row["sending"])
            except ValueError as error:  # written past the management: the last good one holds
                log.warning("partner %s: how it wants its postbacks is not usable: %s", lane.partner, error)
        return lane

    def _forget_idle_lanes(self) -> None:
        for name, lane in list(self._lanes.items()):
            if not (lane.waiting or lane.in_flight or lane.health.down):
                del self._lanes[name]

    def _send(self, lane: Lane) -> None:
        """Begin whatever of the lane may be asked for now."""
        self._timed.discard(lane.name)
        while not self._stopping and len(self._requests) < IN_FLIGHT_MAX:
            taken = lane.take(self._now(), time.monotonic())
            if isinstance(taken, Claimed):
                if taken.id in self._unrecorded:  # asked for, and its record has come too late for its lease
                    lane.done()
                    continue
                self._unrecorded.add(taken.id)
                request = asyncio.ensure_future(self._attempt(lane, taken))
                self._requests.add(request)
                request.add_done_callback(self._requests.discard)
                continue
            if taken is not None and lane.name not in self._timed:
                self._timed.add(lane.name)
                asyncio.get_running_loop().call_later(taken, self._send, lane)
            return

    async def _attempt(self, lane: Lane, one: Claimed) -> None:
        at = self._now()
        try:
            answer = await self._asker.ask(one.method, one.url, one.body, one.key, lane.sending.secret)
        except Exception as error:  # a fault of ours must not stop a lane
            log.exception("postback %d could not be asked for", one.id)
            answer = Answer(None, 0, error=f"Touchline failed: {type(error).__name__}")
        lane.done()
        if answer.succeeded or not is_partners_fault(answer.status, answer.error):
            self._well(lane)
        elif not answer.refused:
            self._unwell(lane, answer)
        result = store.judged(one, at, answer)
        self._gauges.count(lane.partner, result, self._now())
        self._results.append(result)
        self._any_result.set()
        self._send(lane)

    def _well(self, lane: Lane) -> None:
        if lane.health.down:
            log.info("%s answers again", lane.name)
        lane.health.answered()

    def _unwell(self, lane: Lane, answer: Answer) -> None:
        was_down = lane.health.down
        lane.health.failed(self._now())
        if lane.health.down and not was_down:
            log.warning("%s is down and only probed now: %s", lane.name, answer.error or f"status {answer.status}")

    async def _record_always(self, over: asyncio.Event) -> None:
        while not over.is_set():
            await self._any_result.wait()
            self._any_result.clear()
            await sleep_unless(over, GROUP_S)
            while self._results and not over.is_set():
                await patiently(self._record, over, what="postbacks")

    async def _record(self) -> None:
        page = self._results[: store.PAGE]
        await store.record(self._pool, page)
        del self._results[: len(page)]
        self._unrecorded.difference_update(one.claimed.id for one in page)

    async def _finish(self) -> None:
        """Record what was asked for, and let others have what was not."""
        try:
            while self._results:
                await self._record()
            if claimed := [one for lane in self._lanes.values() for one in lane.waiting]:
                await store.release(self._pool, claimed)
        except (*AWAY, *LOST_RACE) as error:
            log.warning(
                "%d attempts are not on record, their postbacks are sent again: Postgres is away (%s)",
                len(self._results),
                error or type(error).__name__,
            )
