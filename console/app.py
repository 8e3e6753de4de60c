"""The console's composition root: one port, Postgres, and what is served below which path."""

import asyncio
import logging
from typing import Any

import asyncpg
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from console.api.errors import Answer
from console.api.serve import BODY_BYTES_MAX, Api
from process.health import served
from process.life import sleep_unless
from process.metrics import Meters
from process.postgres import AWAY, open_pool
from schemas.errors import ConfigError
from schemas.ports import PORTS
from schemas.settings import Settings
from schemas.sql import load

log = logging.getLogger(__name__)

CONNECTIONS_MAX = 4
DRAIN_S = 5.0
ASK_S = 2.0
LINE_BYTES_MAX = 32_768


async def run_console(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until `stop`; then finish what is open. Serves with Postgres away too, and says so."""
    meters = Meters()
    pool = await open_pool(settings, size=CONNECTIONS_MAX, plan="force_custom_plan")
    postgres = Asking(pool)
    runner = web.AppRunner(
        make_app(settings, pool, meters),
        access_log=None,
        shutdown_timeout=DRAIN_S,
        max_line_size=LINE_BYTES_MAX,
        max_field_size=LINE_BYTES_MAX,
    )
    await runner.setup()
    asking = asyncio.create_task(postgres.go_on(stop))
    try:
        async with served(settings, PORTS["console"], meters, lambda: postgres.why_not):
            listener = await _listen(runner, settings)
            log.info("console listens on port %d", settings.console_port)
            await stop.wait()
            listener.close()
            await runner.cleanup()
    finally:
        stop.set()
        await asking
        pool.terminate()


def make_app(settings: Settings, pool: asyncpg.Pool, meters: Meters) -> web.Application:
    """Paths → applications."""
    app = web.Application(client_max_size=BODY_BYTES_MAX)
    app.add_subapp("/api/v1", Api(settings, pool, meters).app)
    return app


class PlainHandler(RequestHandler):
    """aiohttp's handler of one connection; what is no valid HTTP is refused in the form of the API, and not logged."""

    __slots__ = ()

    def handle_error(self, request: Any, status: int = 500, exc: Any = None, message: str | None = None) -> Any:
        """Overrides aiohttp's page."""
        if status >= 500:
            return super().handle_error(request, status, exc, message)
        response = Answer(status, "bad_request", "This is not valid HTTP.").response()
        response.force_close()
        return response


async def _listen(runner: web.AppRunner, settings: Settings) -> asyncio.Server:
    server, loop = runner.server, asyncio.get_running_loop()
    assert server is not None
    address = settings.address("127.0.0.1")
    try:
        return await loop.create_server(
            lambda: PlainHandler(server, loop=loop, **server._kwargs), address, settings.console_port
        )
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {address}:{settings.console_port} for the console ({error.strerror});"
            " set TOUCHLINE_CONSOLE_PORT"
        ) from None


class Asking:
    """Whether Postgres answers, asked again and again."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self.why_not: str | None = "Postgres has not answered yet"

    async def go_on(self, stop: asyncio.Event) -> None:
        """Until `stop`."""
        while not stop.is_set():
            try:
                await self._pool.execute(load("console")["answers"], timeout=ASK_S)
                self.why_not = None
            except AWAY as error:
                self.why_not = f"Postgres is away: {error or type(error).__name__}"
            await sleep_unless(stop, ASK_S if self.why_not is None else 0.2)
