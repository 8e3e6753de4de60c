"""The metrics port of a process: /healthz (alive), /readyz (can do its work), /metrics."""

import errno
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from process.metrics import Meters
from schemas.errors import ConfigError
from schemas.ports import SECOND_OF_A_ROLE
from schemas.settings import Settings

log = logging.getLogger(__name__)

Ready = Callable[[], str | None]
"""None when the process can do its work, else a sentence that says why not. May add remarks after `ok:`."""


@asynccontextmanager
async def served(settings: Settings, offset: int, meters: Meters, ready: Ready) -> AsyncIterator[int]:
    """Serve the three pages while the block runs; gives the port."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        why_not = ready()
        if why_not is None or why_not.startswith("ok:"):
            return web.Response(text=f"{why_not or 'ok'}\n")
        return web.Response(status=503, text=f"{why_not}\n")

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=meters.exposition(), headers={"Content-Type": "text/plain; version=0.0.4"})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        yield await _listen(runner, settings.address("127.0.0.1"), settings.metrics_port + offset)
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, address: str, port: int) -> int:
    for further in range(5):
        try:
            await web.TCPSite(runner, address, port + further * SECOND_OF_A_ROLE).start()
            return port + further * SECOND_OF_A_ROLE
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise ConfigError(f"cannot listen on {address}:{port} for metrics: {error.strerror}") from None
    raise ConfigError(f"port {port} for metrics is taken; set TOUCHLINE_METRICS_PORT")
