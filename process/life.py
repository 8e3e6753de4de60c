"""Start and end of a process: logs, event loop, signals."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable

import uvloop

from schemas.errors import ConfigError, TouchlineError
from schemas.settings import Settings, unknown

log = logging.getLogger(__name__)

Main = Callable[[Settings, asyncio.Event], Awaitable[None]]
"""A role: runs until the event is set, then ends in order."""


def run(role: str, main: Main) -> None:
    """Run a role until SIGTERM or SIGINT; exits 0 after an orderly end, 1 with one sentence otherwise."""
    logging.basicConfig(
        level=os.environ.get("LOGLEVEL", "INFO"),
        format=f"%(asctime)s {role} %(levelname)s %(message)s",
        stream=sys.stderr,
    )
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it repeats each lost connection many times a second
    try:
        settings = Settings.read(os.environ)
        for key in unknown(os.environ):
            log.warning("%s is no setting of Touchline; see the table in the README", key)
        uvloop.run(_until_signal(settings, main))
    except ConfigError as error:
        sys.exit(f"touchline {role}: {error}")
    except TouchlineError as error:
        log.error("%s: %s", type(error).__name__, error)
        sys.exit(1)
    log.info("ended")


async def _until_signal(settings: Settings, main: Main) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await main(settings, stop)


async def sleep_unless(stop: asyncio.Event, seconds: float) -> bool:
    """Wait; True as soon as `stop` is set."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return False
    return True
