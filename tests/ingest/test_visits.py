"""Visits of websites: what is taken, whose pages may send them, and the script that does."""

from collections.abc import Mapping
from typing import Any

import aiohttp
import msgspec
import pytest

from ingest.bodies import BadElement
from ingest.conversions import Sender, conversion_id
from ingest.visits import read_visits
from ingest.website import SCRIPT
from schemas.events import Event, Visit
from schemas.links import App, AppKey, KeyKind, Target
from tests.ingest.edge import Edge, exchange
from tests.ingest.samples import ANDROID, DESKTOP, IPHONE, LINK, SDK_KEY, SERVER_KEY, key, link, put, some_links

SHOP = "shop.example"
ORIGIN = "https://shop.example"
WEB_KEY = "web-secret"
HIT = "019b76da-a87b-774b-8001-000000000001"
NOW_US = 1_767_225_600_123_456
LINKS = some_links()
put(LINKS, App(id=SHOP, kind="web", origins=(ORIGIN,)), link("a12345", app=SHOP, targets=()))

VISIT: dict[str, Any] = {
    "visit_id": "v-1",
    "visitor_id": "p-1",
    "occurred_at": NOW_US // 10**6,
    "url": f"https://shop.example/x?touchline_id={HIT}",
    "touchline_id": HIT,
}


def visit(kind: KeyKind = "web", **changes: object) -> Visit:
    sender = Sender(AppKey(hash="", app=SHOP, kind=kind), "198.51.100.9", "Mozilla", NOW_US)
    (made,), _ = read_visits(msgspec.json.encode(VISIT | changes), sender, LINKS)
    return made


def test_a_visit_says_what_the_page_said() -> None:
    made = visit(referer="https://news.example/", language="en-GB", mt_link_id="a12345")
    assert (made.app, made.visit_id, made.visitor_id, made.touch_id) == (SHOP, "v-1", "p-1", HIT)
    assert (made.url, made.referer, made.language) == (VISIT["url"], "https://news.example/", "en-GB")
    assert (made.link, made.ip, made.ua, made.flags) == ("a12345", "198.51.100.9", "Mozilla", [])
    assert made.occurred_us == NOW_US // 10**6 * 10**6
    assert conversion_id(made) == "v-1"
    assert visit("server", ip="203.0.113.7").ip == "203.0.113.7"


def test_the_same_body_is_the_same_visit_only_when_it_says_its_time() -> None:
    assert visit(visit_id=None).visit_id == visit(visit_id=None).visit_id != visit(visit_id=None, url="x").visit_id
    assert visit(visit_id=None, occurred_at=None).visit_id != visit(visit_id=None, occurred_at=None).visit_id
    assert visit(occurred_at=None).occurred_us == NOW_US


@pytest.mark.parametrize(
    ("changes", "flags"),
    [
        ({"touchline_id": "x"}, ["bad_touchline_id"]),
        ({"touchline_id": HIT.upper()}, []),
        ({"touchline_id": ""}, []),
        ({"mt_link_id": "nobody"}, ["unknown_link"]),
        ({"mt_link_id": LINK}, ["unknown_link"]),  # another app's
        ({"url": "https://shop.example/" + "x" * 3000}, ["url_cut"]),
        ({"referer": "x" * 3000}, ["referer_cut"]),
        ({"occurred_at": NOW_US // 10**6 + 400}, ["occurred_in_future"]),
    ],
)
def test_what_an_address_says_wrongly_is_flagged_and_the_visit_counts(
    changes: dict[str, Any], flags: list[str]
) -> None:
    made = visit(**changes)
    assert made.flags == flags
    assert len(made.url) <= 2048
    assert len(made.referer) <= 2048
    if "unknown_link" in flags:
        assert made.link is None


@pytest.mark.parametrize(
    ("changes", "parameter"),
    [({"visitor_id": ""}, "visitor_id"), ({"url": None}, "url"), ({"language": "x" * 36}, "language")],
)
def test_a_refusal_names_the_field(changes: dict[str, Any], parameter: str) -> None:
    with pytest.raises(BadElement) as caught:
        visit(**changes)
    assert caught.value.parameter == parameter


# Over HTTP


@pytest.fixture
def shop(edge: Edge) -> Edge:
    web = msgspec.structs.replace(key(WEB_KEY, "web"), app=SHOP)
    put(edge.links, App(id=SHOP, kind="web", origins=(ORIGIN, "https://www.shop.example")), web)
    return edge


async def post(
    client: aiohttp.ClientSession, path: str, body: object, *, origin: str = ORIGIN, bearer: str = ""
) -> tuple[int, Mapping[str, str]]:
    headers = {"Content-Type": "text/plain;charset=UTF-8"} | ({"Origin": origin} if origin else {})
    headers |= {"Authorization": f"Bearer {bearer}"} if bearer else {}
    async with client.post(path, data=msgspec.json.encode(body), headers=headers) as answer:
        return answer.status, answer.headers


EVENT = {
    "name": "payment",
    "occurred_at": 1,
    "ids": {"visitor_id": "p-1"},
    "revenue": {"amount": "4.99", "currency": "EUR"},
}


async def test_a_page_reports_visits_and_events_with_the_key_it_shows_everybody(
    shop: Edge, client: aiohttp.ClientSession
) -> None:
    status, headers = await post(client, f"/v1/visits?key={WEB_KEY}", VISIT)
    assert status == 202
    assert headers["Access-Control-Allow-Origin"] == ORIGIN
    assert headers["Vary"] == "Origin"
    assert (await post(client, f"/v1/events?key={WEB_KEY}", EVENT, origin="https://www.shop.example"))[0] == 202
    seen, event = await shop.conversions()
    assert isinstance(seen, Visit)
    assert isinstance(event, Event)
    assert (seen.app, seen.touch_id, seen.ip, event.app, event.ids) == (
        SHOP, HIT, "127.0.0.1", SHOP, {"visitor_id": "p-1"}
    )  # fmt: skip
    assert shop.metric('touchline_conversions_total{kind="visit"}') == 1


@pytest.mark.parametrize(
    ("path", "origin", "bearer", "status"),
    [
        (f"/v1/visits?key={WEB_KEY}", "https://thief.example", "", 403),
        (f"/v1/visits?key={WEB_KEY}", "", "", 403),
        (f"/v1/events?key={WEB_KEY}", "https://shop.example.thief.example", "", 403),
        (f"/v1/installs?key={WEB_KEY}", ORIGIN, "", 403),
        (f"/v1/events?key={SERVER_KEY}", ORIGIN, "", 401),
        (f"/v1/events?key={SDK_KEY}", ORIGIN, "", 401),
        ("/v1/visits", ORIGIN, "", 401),
        ("/v1/visits", "", SDK_KEY, 403),
        ("/v1/visits", "", SERVER_KEY, 202),
        ("/v1/visits", ORIGIN, WEB_KEY, 202),
    ],
)
async def test_a_key_may_do_what_it_is_for(
    shop: Edge, client: aiohttp.ClientSession, path: str, origin: str, bearer: str, status: int
) -> None:
    body = EVENT if "events" in path else VISIT
    assert (await post(client, path, body, origin=origin, bearer=bearer))[0] == status
    assert len(await shop.conversions()) == (status == 202)


async def test_a_web_key_asks_for_nobodys_attribution(shop: Edge, client: aiohttp.ClientSession) -> None:
    async with client.get(f"/v1/installs/i?key={WEB_KEY}") as answer:
        assert (answer.status, answer.headers["X-Touchline-Reason"]) == (403, "wrong_key")


@pytest.mark.parametrize(("origin", "status"), [(ORIGIN, 204), ("https://thief.example", 403), ("", 403)])
@pytest.mark.parametrize("path", ["/v1/visits", "/v1/events"])
async def test_a_preflight_is_answered_to_known_origins(
    shop: Edge, client: aiohttp.ClientSession, path: str, origin: str, status: int
) -> None:
    headers = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    async with client.options(path, headers=headers | ({"Origin": origin} if origin else {})) as answer:
        assert answer.status == status
        assert answer.headers.get("Access-Control-Allow-Origin") == (origin if status == 204 else None)
        if status == 204:
            assert answer.headers["Access-Control-Allow-Methods"] == "POST"
            assert "Content-Type" in answer.headers["Access-Control-Allow-Headers"]


async def test_an_origin_that_was_taken_back_may_nothing_any_more(shop: Edge, client: aiohttp.ClientSession) -> None:
    put(shop.links, App(id=SHOP, kind="web", origins=("https://new.example",)))
    assert (await post(client, f"/v1/visits?key={WEB_KEY}", VISIT))[0] == 403
    assert (await post(client, f"/v1/visits?key={WEB_KEY}", VISIT, origin="https://new.example"))[0] == 202


async def test_the_script_is_small_plain_and_kept_by_browsers(edge: Edge, client: aiohttp.ClientSession) -> None:
    async with client.get("/touchline.js") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "public, max-age=3600"
        assert await answer.read() == SCRIPT.read_bytes()
        tag = answer.headers["ETag"]
    assert len(SCRIPT.read_bytes()) < 4000
    async with client.get("/touchline.js", headers={"If-None-Match": tag}) as answer:
        assert answer.status == 304


async def test_a_click_on_a_websites_link_lands_with_its_id(shop: Edge) -> None:
    page = Target(store="web", url="https://shop.example/p?a=1#top")
    put(shop.links, link("w1", app=SHOP, targets=(page,), fallback_url=None))
    for agent in (ANDROID, IPHONE, DESKTOP):
        head = f"GET /c/w1?x=y HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\nUser-Agent: {agent}\r\n\r\n"
        answer = await exchange(shop.port, head.encode())
        hit = (await shop.hits())[-1]
        assert f"Location: https://shop.example/p?a=1&touchline_id={hit.id}#top\r\n".encode() in answer


# Privacy


async def test_a_childs_visit_names_neither_address_nor_person(shop: Edge, client: aiohttp.ClientSession) -> None:
    put(shop.links, App(id=SHOP, kind="web", origins=(ORIGIN,), coppa=True))
    url = "https://shop.example/p?email=a%40person.example&q=1&ip=127.0.0.1#user_id=person-77"
    body = VISIT | {"url": url, "referer": "https://news.example/of/person-77?x"}
    assert (await post(client, f"/v1/visits?key={WEB_KEY}", body))[0] == 202
    assert (await post(client, f"/v1/events?key={WEB_KEY}", EVENT | {"user_id": "person-77"}))[0] == 202
    seen, event = await shop.conversions()
    assert isinstance(seen, Visit)
    assert isinstance(event, Event)
    assert (seen.url, seen.referer) == ("https://shop.example/p?q=1&ip=127.0.0.0/24#", "https://news.example")
    assert (seen.ip, seen.visitor_id, seen.touch_id, seen.flags) == ("127.0.0.0/24", "p-1", HIT, ["coppa"])
    assert (event.ids, event.user_id) == ({"visitor_id": "p-1"}, None)
