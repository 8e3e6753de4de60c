"""The script in a real browser: a landing with a hit's id and an event, seen in the journal."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from schemas.events import Conversion, Event, Revenue, Visit
from schemas.links import App
from tests.ingest.edge import Edge, running_edge
from tests.ingest.samples import key, link, put
from tests.support.maven import needed

SHOP = "shop.example"
WEB_KEY = "web-secret"
HIT = "019b76da-a87b-774b-8001-000000000001"
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-extensions",
    "--disable-dev-shm-usage", "--mute-audio",
)  # fmt: skip

REPORT = """touchline('event', 'payment',
    {event_id: 'order-7', revenue: {amount: 4.99, currency: 'EUR'}, items: [{sku: 'a'}]});"""
PAGE = """<!doctype html><title>shop</title>
<script>
window.touchline = window.touchline || function () { (touchline.q = touchline.q || []).push(arguments); };
</script>
<script async src="%(edge)s/touchline.js" data-key="%(key)s"></script>
<script>
%(report)s
if (location.search.indexOf('then=') < 0) setTimeout(function () { location = '/next?then=1'; }, 300);
</script>"""
FRAME = """<!doctype html><iframe sandbox="allow-scripts" srcdoc='
<script async src="%(edge)s/touchline.js" data-key="%(key)s"></script>'></iframe>"""


@asynccontextmanager
async def browsing(edge: Edge, folder: Path, path: str, text: str = PAGE) -> AsyncIterator[None]:
    """A browser, new to the world, on a page of a shop that carries the script."""
    chromium = needed("chromium", "install it (Debian, Ubuntu: apt install chromium)")

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=text % {"edge": edge.url, "key": WEB_KEY, "report": REPORT}, content_type="text/html")

    shop = web.Application()
    shop.router.add_get("/{path:.*}", page)
    async with TestServer(shop, host="localhost") as server:
        origin = f"http://localhost:{server.port}"
        put(
            edge.links,
            App(id=SHOP, kind="web", origins=(origin, "null")),
            msgspec.structs.replace(key(WEB_KEY, "web"), app=SHOP),
            link("a12345", app=SHOP, targets=()),
        )
        with (folder / "chromium.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                chromium, *QUIET, "--remote-debugging-port=0", f"--user-data-dir={folder / 'profile'}", origin + path,
                stdout=log, stderr=log,
            )  # fmt: skip
        try:
            yield
        finally:
            process.kill()
            await process.wait()


async def records(edge: Edge, count: int) -> list[Conversion]:
    """As soon as there are so many."""
    async with asyncio.timeout(60):
        while len(found := await edge.conversions()) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return found


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[Edge]:
    async with running_edge(tmp_path / "edge") as running:
        yield running


async def test_a_browser_reports_its_landing_and_what_follows(edge: Edge, tmp_path: Path) -> None:
    async with browsing(edge, tmp_path, f"/p?utm_source=x&touchline_id={HIT}&mt_link_id=a12345#top"):
        found = await records(edge, 4)
    visits = [one for one in found if isinstance(one, Visit)]
    events = [one for one in found if isinstance(one, Event)]
    landing, following = visits
    assert (landing.app, landing.touch_id, landing.link, landing.flags) == (SHOP, HIT, "a12345", [])
    assert landing.url.endswith(f"/p?utm_source=x&touchline_id={HIT}&mt_link_id=a12345#top")
    assert (following.touch_id, following.link) == (None, None)
    assert following.referer == landing.url.partition("#")[0]
    assert following.visitor_id == landing.visitor_id != ""
    assert following.visit_id != landing.visit_id
    assert "HeadlessChrome" in landing.ua
    assert landing.language
    payment, again = events
    assert payment.event_id == again.event_id == "order-7"
    assert (payment.name, payment.revenue) == ("payment", Revenue(micros=4_990_000, currency="EUR"))
    assert payment.ids == {"visitor_id": landing.visitor_id}
    assert {name: bytes(value) for name, value in payment.params.items()} == {"items": b'[{"sku":"a"}]'}


async def test_where_nothing_may_be_kept_a_visit_is_reported_all_the_same(edge: Edge, tmp_path: Path) -> None:
    async with browsing(edge, tmp_path, "/", FRAME):
        (visit,) = await records(edge, 1)
    assert isinstance(visit, Visit)
    assert len(visit.visitor_id) == 36
