"""What is kept long enough goes: bodies that do not count, and nonces of web ads that nobody taps any more."""

import asyncio
import logging
import time

import asyncpg

from process.life import sleep_unless
from process.postgres import AWAY, LOST_RACE
from schemas.ids import floor_id
from schemas.skan.web_ads import KEPT_DAYS
from schemas.sql import load

log = logging.getLogger(__name__)

EVERY_S = 60.0
OTHERS_DAYS = 90
"""Ten times as long as a device sends again."""
OTHERS_MAX = 1_000_000
"""Anybody may send anything to these addresses: beyond so many bodies that do not count the oldest go early."""
AT_ONCE = 10_000
_DAY_US = 86_400_000_000


async def tidy(pool: asyncpg.Pool, stop: asyncio.Event) -> None:
    """Until `stop`."""
    while not stop.is_set():
        try:
            await tidy_once(pool)
        except (*AWAY, *LOST_RACE) as error:
            log.warning("housekeeping waits for Postgres: %s", error or type(error).__name__)
        await sleep_unless(stop, EVERY_S)


async def tidy_once(pool: asyncpg.Pool, others_max: int = OTHERS_MAX) -> None:
    """Bodies that count stay for ever: without them a copy of one would count again."""
    old = floor_id(time.time_ns() // 1000 - OTHERS_DAYS * _DAY_US)
    if count := await _forget(pool, old):
        log.info("%d bodies that did not count are older than %d days: deleted", count, OTHERS_DAYS)
    surplus = await pool.fetchval(load("skan")["too_many_from"], others_max)
    if surplus is not None and (count := await _forget(pool, str(surplus))):
        log.warning("more than %d bodies do not count: the oldest %d are deleted", others_max, count)
    await pool.execute(load("skan_web")["forget_web_ads"], KEPT_DAYS)


async def _forget(pool: asyncpg.Pool, up_to: str) -> int:
    forgotten = 0
    while gone := await pool.fetchval(load("skan")["forget_others"], up_to, AT_ONCE):
        forgotten += gone
    return forgotten
