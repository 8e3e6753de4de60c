"""The edge's composition root: what is made of what, and the order in which it ends."""

import asyncio
import gc
import logging
import resource
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from ingest import answer, listen
from ingest.bodies import BODY_BYTES_MAX
from ingest.client_address import TrustedProxies
from ingest.heads import bad_host
from ingest.hits import HitHandler, Hits
from ingest.lane import IDLE_S, Lane
from ingest.lanes import LINE_BYTES_MAX, Lanes
from ingest.leftovers import ship_leftovers
from ingest.links import Links
from ingest.links_feed import LinksFeed
from ingest.recorder import Recorder
from ingest.sdk import SdkHandler
from ingest.skan import SkanHandler
from ingest.skan_ids import SkanIds, read_ids
from ingest.skan_web import SkanWeb
from ingest.well_known import WellKnown
from process.health import served
from process.life import sleep_unless
from process.metrics import Meters
from process.postgres import open_pool
from schemas import metrics
from schemas.settings import Settings
from schemas.skan.ads import signing_keys

log = logging.getLogger(__name__)

REQUESTS_A_CONNECTION_MAX = 100
DRAIN_S = 5.0
OPENAPI = Path(__file__).with_name("openapi.json")


def make_app(
    hits: HitHandler, sdk: SdkHandler, skan: SkanHandler, well_known: WellKnown, skan_web: SkanWeb, skan_ids: SkanIds
) -> web.Application:
    """Paths → handlers."""
    app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[_plain_errors])
    for path in ("/serve/{link}", "/c/{link}", "/i/{link}"):
        app.router.add_route("GET", path, hits.handle)
        app.router.add_route("GET", f"{path}/", hits.handle)
        app.router.add_route("HEAD", path, hits.handle)
        app.router.add_route("HEAD", f"{path}/", hits.handle)
    app.router.add_post("/v1/installs", sdk.installs)
    app.router.add_post("/v1/events", sdk.events)
    app.router.add_post("/v1/visits", sdk.visits)
    for path in ("/v1/events", "/v1/visits"):
        app.router.add_options(path, sdk.website.preflight)
    app.router.add_get("/touchline.js", sdk.website.script)
    app.router.add_get("/v1/installs/{install_id}", sdk.attribution)
    for slash in ("", "/"):  # Apple's own examples have it at the end
        app.router.add_post(f"/.well-known/skadnetwork/report-attribution{slash}", skan.skadnetwork)
        app.router.add_post(f"/.well-known/appattribution/report-attribution{slash}", skan.adattributionkit)
        app.router.add_post(f"/.well-known/skadnetwork/get-signed-payload{slash}", skan_web.signed_payload)
    app.router.add_get("/openapi.json", _openapi)
    for folder in ("", "/.well-known"):
        app.router.add_get(f"{folder}/apple-app-site-association", well_known.apple)
    app.router.add_get("/.well-known/assetlinks.json", well_known.android)
    app.router.add_get("/skadnetworkids.json", skan_ids.json)
    app.router.add_get("/skadnetworkids.xml", skan_ids.xml)
    return app


async def _openapi(_: web.Request) -> web.Response:
    return web.Response(body=OPENAPI.read_bytes(), content_type="application/json", headers=answer.EVERYWHERE)


@web.middleware
async def _plain_errors(request: web.Request, handler: Any) -> web.StreamResponse:
    """aiohttp's own refusals in the form of ours; and a pooled connection is let go, to come back to the lane."""
    host = request.headers.get("Host", "")
    if bad_host(host, stated="Host" in request.headers):
        response: web.StreamResponse = answer.problem(400, "bad_host", "The Host header names no host.").response()
        response.force_close()
        return response
    try:
        response = await handler(request)
    except web.HTTPNotFound:
        response = answer.problem(404, "unknown_path", "There is nothing at this path.").response()
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        response = answer.problem(405, "method_not_allowed", f"Allowed: {allowed}.").response()
        response.headers["Allow"] = allowed
    except web.HTTPExpectationFailed as error:
        response = answer.problem(417, "expectation_failed", error.text or "Only 100-continue is known.").response()
    except web.HTTPException:
        raise
    except Exception:
        log.exception("%s %s", request.method, request.path[:200])  # a query says who the person is
        response = answer.problem(500, "internal_error", "The request could not be handled.").response()
    if request.content.exception() is not None:  # aiohttp would read on, and log what it meets at everybody's wish
        request.content.feed_eof()
        response.force_close()
    if request.protocol._request_count >= REQUESTS_A_CONNECTION_MAX:
        response.force_close()
    return response


class PlainHandler(RequestHandler):
    """aiohttp's handler of one connection; what it refuses is said in the form of ours, and not logged."""

    __slots__ = ()

    def handle_error(self, request: Any, status: int = 500, exc: Any = None, message: str | None = None) -> Any:
        """Overrides aiohttp's page."""
        if status >= 500:
            return super().handle_error(request, status, exc, message)
        response = answer.problem(status, "bad_request", "This is not valid HTTP.").response()
        response.force_close()
        return response


async def open_lanes(app: web.Application, hits: Hits) -> tuple[Lanes, web.AppRunner]:
    """Both lanes over one application: the fast one hands connections over to the runner's handlers."""
    runner = web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=IDLE_S,
        max_line_size=LINE_BYTES_MAX,
        max_field_size=LINE_BYTES_MAX,
        shutdown_timeout=DRAIN_S,
    )
    await runner.setup()
    server = runner.server
    assert server is not None
    loop = asyncio.get_running_loop()
    return Lanes(hits, lambda: PlainHandler(server, loop=loop, **server._kwargs)), runner


async def run_edge(settings: Settings, stop: asyncio.Event, worker: int = 0, listen_fd: int | None = None) -> None:
    """Serve until `stop`; then stop accepting, finish what is open, flush, end."""
    _allow_many_files()
    network_keys, skan_ids = signing_keys(settings.skan_networks), SkanIds(read_ids(settings))
    settings.data.mkdir(parents=True, exist_ok=True)
    meters = Meters()
    links = Links()
    feed = LinksFeed(settings, links, keeps_snapshot=worker == 0)
    feed.load_snapshot()
    pool = await open_pool(settings, size=2)
    recorder = Recorder(settings, worker, meters)
    recorder.open()
    hits = Hits(links, recorder, TrustedProxies(settings.trusted_proxies), meters)
    app = make_app(
        HitHandler(hits),
        SdkHandler(links, recorder, pool, hits, meters),
        SkanHandler(recorder, hits, meters),
        WellKnown(links),
        SkanWeb(network_keys, pool, hits),
        skan_ids,
    )
    app.on_response_prepare.append(listen.last_answers(stop))
    lanes, runner = await open_lanes(app, hits)
    work = (feed.run(stop), lanes.sweep(stop), _measure(recorder, links, meters, stop))
    tasks = [asyncio.create_task(one) for one in work]
    if worker == 0:
        tasks.append(asyncio.create_task(ship_leftovers(settings, settings.workers, stop)))

    http = runner.server
    assert http is not None

    def why_not_ready() -> str | None:
        if not feed.read_once.is_set():
            return "no links yet: Postgres has not answered and the disk holds no snapshot"
        return recorder.trouble()

    try:
        async with served(settings, worker, meters, why_not_ready):
            stopped = asyncio.create_task(stop.wait())
            # without links every click would be a 404: wait for them, the disk's or Postgres'
            waiting = asyncio.create_task(feed.read_once.wait())
            await asyncio.wait({waiting, stopped}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if not stop.is_set():
                _rest_the_collector()
                listening = await listen.listening_socket(settings, listen_fd)
                listener = listen.Listener(
                    listening, lambda: Lane(lanes), lambda: len(lanes.open) + len(http.connections)
                )
                listener.open()
                log.info("edge listens on port %d, %d links", settings.edge_port, len(links))
                await stopped
                lanes.draining = True
                await listener.close()
            await lanes.drain(DRAIN_S)
            await runner.cleanup()  # before the journals: open requests still record
    finally:
        stop.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        await recorder.close()
        pool.terminate()


def _allow_many_files() -> None:
    """As many connections as the system lets us have: the soft limit is made for interactive programs."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _rest_the_collector() -> None:
    """What was made so far lives for ever, and a hit leaves no cycles: the collector has little to look for."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


async def _measure(recorder: Recorder, links: Links, meters: Meters, stop: asyncio.Event) -> None:
    while True:
        recorder.measure()
        meters.gauge(metrics.LINKS).set(len(links))
        meters.gauge(metrics.LINKS_CHANGE).set(links.change)
        if await sleep_unless(stop, 1.0):
            return
