"""`touchline consume postbacks`: follows outcomes, and sends what partners are to be told."""

import asyncio
import logging
import resource

from consumers.app import CONNECTIONS_MAX, collect_seldom, together
from consumers.costs.pricer import Pricer
from consumers.outcomes.following import Following
from consumers.postbacks.guard import Guard
from consumers.postbacks.housekeeping import Housekeeping
from consumers.postbacks.planner import Planner
from consumers.postbacks.sender import Sender
from process.health import served
from process.metrics import Meters
from process.postgres import open_pool
from schemas.ports import PORTS
from schemas.settings import Settings

log = logging.getLogger(__name__)


async def run_postbacks(settings: Settings, stop: asyncio.Event) -> None:
    """Until `stop`."""
    collect_seldom()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # connections to partners are kept
    meters = Meters()
    pool = await open_pool(settings, size=CONNECTIONS_MAX)
    following = Following(pool, [Pricer(), Planner()], meters)
    sender = Sender(pool, meters, Guard(settings.postback_targets))
    housekeeping = Housekeeping(pool, meters, sender, settings.postback_days)
    try:
        async with served(settings, PORTS["postbacks"], meters, lambda: sender.away or following.remark) as port:
            log.info("follows outcomes and sends postbacks; metrics on port %d", port)
            await together([following.run, sender.run, housekeeping.run], stop)
    finally:
        pool.terminate()
