"""Of an app's users only what it wants to be kept stands in the journals, whichever way it came."""

import logging
import re
import time
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from schemas.events import Event, Install
from schemas.links import App, Target
from tests.ingest.edge import Edge, exchange, status_of
from tests.ingest.samples import ANDROID, APP, LINK, PLAY_URL, SDK_KEY, SERVER_KEY, link, put

GAID = "38400000-8CF0-11bd-b23e-10b96e40000d"
MD5 = "d41d8cd98f00b204e9800998ecf8427e"
USER = "person@example.com"
DEVICE = "203.0.113.77"
DEVICE_6 = "2001:db8:1:2:3:4:5:6"
PEER = "127.0.0.1"
IDS = (GAID, MD5, USER)
S2S = f"device_ua={quote(ANDROID)}&click_timestamp={int(time.time())}&noredirect"

QUERIES = [
    f"click_id=c&gaid={GAID}&device_ip={DEVICE}&{S2S}",
    f"click_id=c&%67aid={GAID}&GAID={GAID}&device_ip=203%2E0%2e113%2E77&{S2S}",
    f"mt_gaid={GAID}&mt_gaid={MD5}&ios_ifv={GAID.lower()}&google%5Faid_md5={MD5}&device_ip={DEVICE}&{S2S}",
    f"device%5fip={DEVICE}&device_ip={DEVICE}&sub={DEVICE}&{S2S}",
    f"device_ip={quote(DEVICE_6, safe='')}&ipv6={DEVICE_6.upper()}&sub=by+{PEER}&{S2S}",
    f"user_id={quote(USER)}&email={quote(USER)}&sub1={USER}&sub2={GAID}&idfa={GAID}&device_ip={DEVICE}&{S2S}",
    f"gaid={GAID}&ip={DEVICE}&to=https%3A%2F%2Fx.example%2F%3Fidfa%3D{GAID}%26ip%3D{DEVICE}",
    f"gaid={GAID}&device_ip={DEVICE}x&{S2S}",  # refused
    f"gaid={GAID}&ip={DEVICE}&noredirect",  # refused
    f"gaid={GAID}&device_ip={DEVICE}&device_ua=x&click_timestamp=now&noredirect",  # refused
]


def journals(edge: Edge) -> bytes:
    return b"".join(path.read_bytes() for path in edge.settings.data.rglob("*") if path.is_file())


def found(secrets: tuple[str, ...], text: bytes) -> set[str]:
    """Which of them stand in the text, however they are written."""
    lower = text.lower().replace(b"%40", b"@")
    return {secret for secret in secrets if secret.lower().encode() in lower}


def has_address(address: str, text: bytes) -> bool:
    """An address, and not the beginning of its network's text."""
    return re.search(rb"(?<![\w.])" + re.escape(address.lower()).encode() + rb"(?![\d.:/])", text.lower()) is not None


async def asked(edge: Edge, query: str, *, path: str = f"/serve/{LINK}", referer: str = "") -> int:
    head = f"GET {path}?{query} HTTP/1.1\r\nHost: redirect.x\r\nUser-Agent: {ANDROID}\r\n"
    head += f"Referer: {referer}\r\n\r\n" if referer else "\r\n"
    return status_of(await exchange(edge.port, head.encode()))


async def ask_everything(edge: Edge, more: str = "") -> list[int]:
    said = [await asked(edge, query + more) for query in QUERIES]
    said.append(await asked(edge, f"gaid={GAID}{more}", path=f"/i/{LINK}.gif", referer=f"https://s.example/?u={GAID}"))
    await edge.hits()
    await edge.rejects()
    return said


STATUSES = [204] * 6 + [302] + [400] * 3 + [200]


async def test_a_childs_clicks_name_neither_device_nor_address(
    edge: Edge, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    put(edge.links, App(id=APP, coppa=True))
    assert await ask_everything(edge) == STATUSES
    written = journals(edge)
    assert found(IDS, written) == set()
    assert not any(has_address(one, written) for one in (DEVICE, DEVICE_6, PEER))
    assert found((*IDS, DEVICE, DEVICE_6), (caplog.text + "".join(capfd.readouterr())).encode()) == set()
    hits, rejects = await edge.hits(), await edge.rejects()
    assert all("coppa" in flags for flags in [*(hit.flags for hit in hits), *(reject.flags for reject in rejects)])
    assert {hit.ip for hit in hits} == {"203.0.113.0/24", "2001:db8:1:2::/64", "127.0.0.0/24"}
    assert {reject.ip for reject in rejects} == {"127.0.0.0/24"}
    assert hits[0].query == f"click_id=c&device_ip=203.0.113.0/24&{S2S}"
    assert [one.reason for one in rejects] == ["bad_device_ip", "missing_device_ip", "bad_click_timestamp"]


@pytest.mark.parametrize("more", ["", "&noredirect"])
async def test_a_refused_head_is_kept_without_them_too(fast_edge: Edge, more: str) -> None:
    put(fast_edge.links, App(id=APP, coppa=True))
    status = await asked(fast_edge, f"gaid={GAID}&ip={DEVICE}&sub=é{DEVICE}{more}")
    assert status == (400 if more else 302)
    (reject,) = await fast_edge.rejects()
    written = journals(fast_edge)
    assert (reject.reason, reject.flags, reject.ip) == ("bad_target", ["coppa"], "127.0.0.0/24")
    assert found(IDS, written) == set()
    assert not any(has_address(one, written) for one in (DEVICE, PEER))


async def test_the_touch_itself_may_say_that_it_is_a_childs(edge: Edge) -> None:
    assert await ask_everything(edge, "&coppa=1") == STATUSES
    written = journals(edge)
    assert found(IDS, written) == set()
    assert not any(has_address(one, written) for one in (DEVICE, DEVICE_6, PEER))
    assert all("coppa" in hit.flags for hit in await edge.hits())
    assert all("coppa" in reject.flags for reject in await edge.rejects())


async def test_truncating_keeps_identifiers_and_no_address(edge: Edge) -> None:
    put(edge.links, App(id=APP, truncate_addresses=True))
    assert await ask_everything(edge) == STATUSES
    written = journals(edge)
    assert found(IDS, written) == set(IDS)
    assert not any(has_address(one, written) for one in (DEVICE, DEVICE_6, PEER))
    assert not any("coppa" in one.flags for one in await edge.hits())


async def test_an_app_without_flags_keeps_every_byte(edge: Edge) -> None:
    put(edge.links, App(id="another", coppa=True))
    await ask_everything(edge)
    assert [hit.query for hit in await edge.hits()][:7] == QUERIES[:7]
    assert "127.0.0.1" in {hit.ip for hit in await edge.hits()}
    put(edge.links, App(id=APP, coppa=True), App(id=APP))  # and it may change its mind
    await asked(edge, QUERIES[0])
    assert (await edge.hits())[-1].query == QUERIES[0]


async def test_one_app_of_a_smart_link_is_enough(edge: Edge) -> None:
    targets = (Target(store="google_play", url=PLAY_URL), Target(store="app_store", url=PLAY_URL, app="demo-ios"))
    put(edge.links, link(LINK, targets=targets), App(id="demo-ios", coppa=True))
    await asked(edge, QUERIES[0])
    assert found(IDS, journals(edge)) == set()


async def test_no_macro_passes_a_childs_identifier_on(edge: Edge) -> None:
    web = (Target(store="web", url="https://shop.example/?g={gaid}&c={click_id}"),)
    put(edge.links, link(LINK, targets=web), App(id=APP, coppa=True))
    answer = await exchange(
        edge.port, f"GET /c/{LINK}?gaid={GAID}&click_id=7 HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n".encode()
    )
    assert b"Location: https://shop.example/?g=&c=7\r\n" in answer


INSTALL: dict[str, Any] = {
    "install_id": "i-1",
    "installed_at": 1,
    "device": {"os": "Android", "model": f"Pixel {GAID}"},
    "ids": {"google_aid": GAID, "ios_ifv": MD5, "ip": DEVICE},
    "user_id": USER,
    "referrer": {"install_referrer": f"touchline_id=t&gaid={GAID}&ip={DEVICE}"},
    "ip": DEVICE,
    "ua": f"app/1 ({DEVICE})",
}
EVENT: dict[str, Any] = {
    "install_id": GAID,
    "name": "payment",
    "occurred_at": 1,
    "ids": {"google_aid": GAID},
    "user_id": USER,
    "params": {
        "price": 1.10,
        "idfa": MD5,
        "deep": [{"email": USER, "ip": DEVICE_6}, f"from {DEVICE}"],
        "note": f"Of {USER}, {GAID.lower()}",
        "client_ip": DEVICE,
    },
    "ip": DEVICE,
}


async def post(client: aiohttp.ClientSession, path: str, body: object, key: str = SERVER_KEY) -> int:
    async with client.post(path, json=body, headers={"Authorization": f"Bearer {key}"}) as answer:
        return answer.status


async def both(client: aiohttp.ClientSession, edge: Edge) -> tuple[Install, Event]:
    assert await post(client, "/v1/installs", INSTALL) == 202
    assert await post(client, "/v1/events", [EVENT]) == 202
    install, event = await edge.conversions()
    assert isinstance(install, Install)
    assert isinstance(event, Event)
    return install, event


async def test_a_childs_installs_and_events_name_neither_device_nor_person(
    edge: Edge, client: aiohttp.ClientSession
) -> None:
    put(edge.links, App(id=APP, coppa=True))
    install, event = await both(client, edge)
    assert await post(client, "/v1/installs", {**INSTALL, "installed_at": "never"}) == 422
    assert await post(client, "/v1/installs", {**INSTALL, "install_id": "i-2"}, SDK_KEY) == 202
    await edge.conversions()
    written = journals(edge)
    assert found(IDS, written) == set()
    assert not any(has_address(one, written) for one in (DEVICE, DEVICE_6, PEER))
    assert (install.ids, install.user_id, install.ip) == ({}, None, "203.0.113.0/24")
    assert (install.install_id, install.device.model, install.ua) == ("i-1", "Pixel ", "app/1 (203.0.113.0/24)")
    assert install.referrer is not None
    assert install.referrer.install_referrer == "touchline_id=t&ip=203.0.113.0/24"
    assert install.flags == event.flags == ["coppa"]
    assert {name: bytes(value) for name, value in event.params.items()} == {
        "price": b"1.1",
        "deep": b'[{"ip":"2001:db8:1:2::/64"},"from 203.0.113.0/24"]',
        "note": b'"Of , "',
        "client_ip": b'"203.0.113.0/24"',
    }
    assert event.install_id is not None
    assert re.fullmatch("[0-9a-f]{32}", event.install_id)


async def test_truncated_installs_and_events_keep_their_identifiers(edge: Edge, client: aiohttp.ClientSession) -> None:
    put(edge.links, App(id=APP, truncate_addresses=True))
    install, event = await both(client, edge)
    written = journals(edge)
    assert not any(has_address(one, written) for one in (DEVICE, DEVICE_6, PEER))
    assert (install.ids, install.user_id) == (INSTALL["ids"] | {"ip": "203.0.113.0/24"}, USER)
    assert (event.install_id, event.flags) == (GAID, [])


async def test_an_sdk_may_say_that_the_device_is_a_childs(edge: Edge, client: aiohttp.ClientSession) -> None:
    assert await post(client, "/v1/installs", INSTALL | {"ids": {"google_aid": GAID, "coppa": "1"}}, SDK_KEY) == 202
    assert (await edge.conversions())[0].flags == ["coppa"]
    assert found((GAID,), journals(edge)) == set()


async def test_an_error_of_ours_is_logged_without_the_query(
    edge: Edge, client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("ingest.sdk.answer.of_refusal", broken)
    async with client.post(f"/v1/installs?gaid={GAID}", data=b"", headers={"Authorization": f"Bearer {SDK_KEY}"}) as it:
        assert it.status == 500
    assert "/v1/installs" in caplog.text
    assert GAID not in caplog.text
