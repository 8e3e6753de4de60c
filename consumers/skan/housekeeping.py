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

EVERY_S = 3600.0
OTHERS_DAYS = 90
"""Ten times as long as a device sends again."""
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


async def tidy_once(pool: asyncpg.Pool) -> None:
    """Bodies that count stay for ever: without them a copy of one would count again."""
    before = floor_id(time.time_ns() // 1000 - OTHERS_DAYS * _DAY_US)
    forgotten = 0
    while gone := len(await pool.fetch(load("skan")["forget_others"], before, AT_ONCE)):
        forgotten += gone
    if forgotten:
        log.info("%d bodies that did not count are older than %d days: deleted", forgotten, OTHERS_DAYS)
    await pool.execute(load("skan_web")["forget_web_ads"], KEPT_DAYS)
