"""The edge's composition root: what is made of what, and the order in which it ends."""

import asyncio
import errno
import logging
from pathlib import Path
from typing import Any

from aiohttp import web

from ingest import answer
from ingest.bodies import BODY_BYTES_MAX
from ingest.hits import HitHandler
from ingest.links import Links
from ingest.links_feed import LinksFeed
from ingest.recorder import Recorder
from ingest.sdk import SdkHandler
from process.health import served
from process.life import sleep_unless
from process.metrics import Meters
from process.postgres import open_pool
from schemas import metrics
from schemas.errors import ConfigError
from schemas.settings import Settings

log = logging.getLogger(__name__)

KEEPALIVE_S = 75.0
LINE_BYTES_MAX = 32_768
PORT_PATIENCE_S = 15.0
DRAIN_S = 5.0
OPENAPI = Path(__file__).with_name("openapi.json")


def make_app(hits: HitHandler, sdk: SdkHandler) -> web.Application:
    """Paths → handlers."""
    app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[_plain_errors])
    for path in ("/serve/{link}", "/c/{link}", "/i/{link}"):
        app.router.add_route("GET", path, hits.handle)
        app.router.add_route("GET", f"{path}/", hits.handle)
        app.router.add_route("HEAD", path, hits.handle)
        app.router.add_route("HEAD", f"{path}/", hits.handle)
    app.router.add_post("/v1/installs", sdk.installs)
    app.router.add_post("/v1/events", sdk.events)
    app.router.add_get("/v1/installs/{install_id}", sdk.attribution)
    app.router.add_get("/openapi.json", _openapi)
    return app


async def _openapi(_: web.Request) -> web.Response:
    return web.Response(body=OPENAPI.read_bytes(), content_type="application/json", headers=answer.EVERYWHERE)


@web.middleware
async def _plain_errors(request: web.Request, handler: Any) -> web.StreamResponse:
    """aiohttp's own refusals in the form of ours."""
    try:
        response: web.StreamResponse = await handler(request)
    except web.HTTPNotFound:
        return answer.problem(404, "unknown_path", "There is nothing at this path.")
    except web.HTTPMethodNotAllowed as error:
        response = answer.problem(405, "method_not_allowed", f"Allowed: {', '.join(sorted(error.allowed_methods))}.")
        response.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
    except web.HTTPExpectationFailed as error:
        return answer.problem(417, "expectation_failed", error.text or "Only 100-continue is known.")
    except web.HTTPException:
        raise
    except Exception:
        log.exception("%s %s", request.method, request.raw_path[:200])
        return answer.problem(500, "internal_error", "The request could not be handled; it is not recorded.")
    return response


async def run_edge(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until `stop`; then stop accepting, finish what is open, flush, end."""
    worker = 0
    settings.data.mkdir(parents=True, exist_ok=True)
    meters = Meters()
    links = Links()
    feed = LinksFeed(settings, links, keeps_snapshot=worker == 0)
    feed.load_snapshot()
    pool = await open_pool(settings, size=2)
    recorder = Recorder(settings, worker, meters)
    recorder.open()
    app = make_app(HitHandler(links, recorder, meters), SdkHandler(links, recorder, pool, meters))
    runner = web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=KEEPALIVE_S,
        max_line_size=LINE_BYTES_MAX,
        max_field_size=LINE_BYTES_MAX,
        shutdown_timeout=DRAIN_S,
    )
    await runner.setup()
    feeding = asyncio.create_task(feed.run(stop))
    measuring = asyncio.create_task(_measure(recorder, links, meters, stop))

    def why_not_ready() -> str | None:
        if not feed.read_once.is_set():
            return "no links yet: Postgres has not answered and the disk holds no snapshot"
        return recorder.trouble()

    try:
        async with served(settings, worker, meters, why_not_ready):
            # without links every click would be a 404: wait for them, the disk's or Postgres'
            waiting = asyncio.create_task(feed.read_once.wait())
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait({waiting, stopped}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if not stop.is_set():
                await _listen(runner, settings)
                log.info("edge listens on port %d, %d links", settings.edge_port, len(links))
            await stopped
            await runner.cleanup()  # before the journals: open requests still record
    finally:
        stop.set()
        await asyncio.gather(feeding, measuring, return_exceptions=True)
        await recorder.close()
        pool.terminate()


async def _listen(runner: web.AppRunner, settings: Settings) -> None:
    """Listen; a predecessor that is still draining gets some time to let go of the port."""
    deadline = asyncio.get_running_loop().time() + PORT_PATIENCE_S
    address = settings.address("0.0.0.0")
    while True:
        try:
            await web.TCPSite(runner, address, settings.edge_port, backlog=4096).start()
            return
        except OSError as error:
            if error.errno != errno.EADDRINUSE or asyncio.get_running_loop().time() > deadline:
                where = f"{address}:{settings.edge_port}"
                raise ConfigError(f"cannot listen on {where} ({error.strerror}); set TOUCHLINE_EDGE_PORT") from None
            await asyncio.sleep(0.2)


async def _measure(recorder: Recorder, links: Links, meters: Meters, stop: asyncio.Event) -> None:
    while True:
        recorder.measure()
        meters.gauge(metrics.LINKS).set(len(links))
        meters.gauge(metrics.LINKS_CHANGE).set(links.change)
        if await sleep_unless(stop, 1.0):
            return
