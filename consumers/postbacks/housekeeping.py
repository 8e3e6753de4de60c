"""Beside sending, now and then: how much waits, what has waited too long, and what is kept long enough."""

import asyncio
import logging
from datetime import timedelta

import asyncpg

from consumers.postbacks import store
from consumers.postbacks.gauges import OWN
from consumers.postbacks.sender import Sender, utc_now
from process.life import sleep_unless
from process.metrics import Meters
from process.postgres import AWAY, LOST_RACE
from schemas import metrics

log = logging.getLogger(__name__)

EVERY_S = 15.0
FORGET_EVERY = timedelta(hours=1)
COUNTED_MAX = 10_000


class Housekeeping:
    """Of one sender."""

    def __init__(self, pool: asyncpg.Pool, meters: Meters, sender: Sender, keep_days: int) -> None:
        self._pool, self._sender, self._keep = pool, sender, timedelta(days=keep_days)
        self._waiting = meters.gauge(metrics.POSTBACKS_WAITING)
        self._down = meters.gauge(metrics.POSTBACKS_DOWN)
        self._forgot_at = utc_now() - FORGET_EVERY

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`."""
        while not await sleep_unless(stop, EVERY_S):
            try:
                await self.step()
            except (*AWAY, *LOST_RACE) as error:
                log.warning("housekeeping waits for Postgres: %s", error or type(error).__name__)

    async def step(self) -> None:
        """Once."""
        now = utc_now()
        lanes = self._sender.lanes
        counts = await store.count_waiting(self._pool, [one.name for one in lanes], now, COUNTED_MAX)
        waiting, down = (
            dict.fromkeys((one.partner for one in lanes), 0),
            dict.fromkeys((one.partner for one in lanes), 0),
        )
        for lane in lanes:
            waiting[lane.partner] += counts[lane.name]
            down[lane.partner] |= lane.health.down
            if lane.health.down and (count := await store.give_up(self._pool, lane.name, now)):
                log.warning("%s: %d postbacks are dead: it has been down for too long", lane.name, count)
        self._waiting.clear()
        self._down.clear()
        for partner in waiting:
            self._waiting.labels(partner or OWN).set(waiting[partner])
            self._down.labels(partner or OWN).set(down[partner])
        if now - self._forgot_at >= FORGET_EVERY:
            if count := await store.forget_old(self._pool, now - self._keep):
                log.info("%d postbacks are older than %d days: deleted", count, self._keep.days)
            self._forgot_at = now
