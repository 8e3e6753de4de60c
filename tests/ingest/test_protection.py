"""Pings of a protected partner must prove where they come from; people land whatever they carry."""

import logging
import stat
import time
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest
from yarl import URL

from ingest import links_snapshot
from ingest.links import Links
from schemas.events import TouchKind
from schemas.links import App, Partner, Protection
from schemas.protection import signed
from tests.ingest.edge import Edge
from tests.ingest.samples import ANDROID, ANDROID_FIREFOX, PLAY_URL, link, put

SECRET = "a-secret-of-some-length"
FACTS = f"device_ip=203.0.113.7&device_ua={quote(ANDROID)}"
PERSON = {"User-Agent": ANDROID_FIREFOX, "Accept": "text/html"}


def ping(*, expires: int | str | None = None, kind: TouchKind = "click", more: str = "") -> str:
    """A signed query of link 9."""
    at = int(time.time())
    expiry = at + 300 if expires is None else expires
    query = f"click_id=c1&{FACTS}&click_timestamp={at}{f'&expires={expiry}' if expiry != '' else ''}&noredirect{more}"
    return signed(SECRET, kind, "9", query)


def protect(edge: Edge, *, secrets: tuple[str, ...] = (), addresses: tuple[str, ...] = ()) -> None:
    put(edge.links, link("9", partner="net"), link("8", partner="other"), link("7"))
    put(edge.links, Partner(id="net", protection=Protection(secrets=secrets, addresses=addresses)))


async def asked(client: aiohttp.ClientSession, target: str, **headers: str) -> tuple[int, str | None]:
    async with client.get(URL(target, encoded=True), headers=headers, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("X-Touchline-Reason") or answer.headers.get("Location")


async def test_a_signed_ping_is_taken_and_any_other_refused(edge: Edge, client: aiohttp.ClientSession) -> None:
    protect(edge, secrets=("the-secret-before-this-one", SECRET))
    now = int(time.time())
    good = ping()
    assert await asked(client, f"/c/9?{good}") == (204, None)
    assert await asked(client, f"/i/9?{ping(kind='impression')}") == (204, None)
    assert await asked(client, f"/i/9?{good}") == (403, "bad_signature")
    assert await asked(client, f"/c/9?{good.replace('203.0.113.7', '203.0.113.8')}") == (403, "bad_signature")
    assert await asked(client, f"/c/9?{good}&google_aid=x") == (403, "bad_signature")
    assert await asked(client, f"/c/9?{FACTS}&click_timestamp={now}") == (403, "bad_signature")
    assert await asked(client, f"/c/9?{FACTS}&click_timestamp={now}&noredirect") == (403, "bad_signature")
    assert await asked(client, f"/c/9?{ping(expires=now - 5)}") == (403, "expired")
    for expires in ("", "soon", "1" * 13):
        assert await asked(client, f"/c/9?{ping(expires=expires)}") == (403, "bad_signature")
    # its facts are judged once they are believed
    assert await asked(client, f"/c/9?{signed(SECRET, 'click', '9', f'expires={now + 9}&noredirect')}") == (
        400,
        "missing_device_ip",
    )
    rejects = await edge.rejects()
    assert [one.reason for one in rejects] == ["bad_signature"] * 5 + ["expired"] + ["bad_signature"] * 3 + [
        "missing_device_ip"
    ]
    assert (rejects[0].link, rejects[0].kind, rejects[0].query) == ("9", "impression", good)
    assert [one.kind for one in await edge.hits()] == ["click", "impression"]


async def test_links_of_others_need_no_signature(edge: Edge, client: aiohttp.ClientSession) -> None:
    protect(edge, secrets=(SECRET,))
    query = f"{FACTS}&click_timestamp={int(time.time())}"
    for other in ("8", "7"):
        assert await asked(client, f"/c/{other}?{query}") == (204, None)
    put(edge.links, Partner(id="net"))
    assert await asked(client, f"/c/9?{query}") == (204, None)


async def test_people_are_never_blocked_and_claim_nothing(edge: Edge, client: aiohttp.ClientSession) -> None:
    protect(edge, secrets=(SECRET,), addresses=("192.0.2.0/24",))
    stated = f"click_id=c1&noredirect=0&{FACTS}&click_timestamp={int(time.time()) - 600}"
    for query in ("", "click_id=c1&signature=x", stated):
        status, location = await asked(client, f"/c/9?{query}", **PERSON)
        assert status == 302
        assert location is not None
        assert location.startswith(PLAY_URL)
    assert await asked(client, "/c/9.gif?click_id=c1") == (200, None)
    hits = await edge.hits()
    assert [one.flags for one in hits] == [[], [], ["bad_sender"], []]
    # the unproven word of where the person is does not count
    assert (hits[2].ip, hits[2].ua) == ("127.0.0.1", ANDROID_FIREFOX)


async def test_stated_facts_that_are_signed_are_believed(edge: Edge, client: aiohttp.ClientSession) -> None:
    protect(edge, secrets=(SECRET,))
    now = int(time.time())
    query = signed(SECRET, "click", "9", f"noredirect=0&{FACTS}&click_timestamp={now}&expires={now + 9}")
    status, _ = await asked(client, f"/c/9?{query}", **PERSON)
    assert status == 302
    (hit,) = await edge.hits()
    assert (hit.ip, hit.ua, hit.flags) == ("203.0.113.7", ANDROID, [])


@pytest.mark.parametrize(
    ("addresses", "status"),
    [
        (("127.0.0.1",), 204),
        (("192.0.2.0/24", "127.0.0.0/8"), 204),
        (("192.0.2.0/24", "2001:db8::/32"), 403),
        (("nonsense",), 403),  # whom it does not name it does not let in
    ],
)
async def test_a_ping_comes_from_an_address_of_its_partner(
    edge: Edge, client: aiohttp.ClientSession, addresses: tuple[str, ...], status: int
) -> None:
    protect(edge, addresses=addresses)
    answer = await asked(client, f"/c/9?{FACTS}&click_timestamp={int(time.time())}")
    assert answer == (status, "bad_sender" if status == 403 else None)
    assert [one.reason for one in await edge.rejects()] == (["bad_sender"] if status == 403 else [])


async def test_a_careful_app_is_asked_before_anything_is_left_out(edge: Edge, client: aiohttp.ClientSession) -> None:
    protect(edge, secrets=(SECRET,))
    put(edge.links, App(id="demo", coppa=True))
    assert await asked(client, f"/c/9?{ping(more='&google_aid=38400000-8cf0-11bd-b23e-10b96e40000d')}") == (204, None)
    (hit,) = await edge.hits()
    assert "38400000" not in hit.query


async def test_no_secret_is_logged(edge: Edge, client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    protect(edge, secrets=(SECRET,))
    await asked(client, f"/c/9?{FACTS}&click_timestamp=1&signature=x")
    assert SECRET not in caplog.text
    assert SECRET not in repr(edge.links.guards)


def test_a_snapshot_keeps_the_partners_for_its_owner_alone(tmp_path: Path) -> None:
    links, path = Links(), tmp_path / "links.snapshot"
    partner = Partner(id="net", protection=Protection(secrets=(SECRET,)))
    put(links, Partner(id="open"), partner, link("9", partner="net"))
    path.with_suffix(".new").write_bytes(b"left behind")
    path.with_suffix(".new").chmod(0o644)
    links_snapshot.save(path, links, given_up=lambda: False)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = Links()
    links_snapshot.load(path, again)
    assert again.guards == links.guards
    assert list(again.guards) == ["net"]
    assert again.link("9") == link("9", partner="net")


def test_a_snapshot_of_the_version_before_serves_and_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    links, path = Links(), tmp_path / "links.snapshot"
    put(links, link("9"))
    monkeypatch.setattr(links_snapshot, "FORMAT", "touchline links 1")
    links_snapshot.save(path, links, given_up=lambda: False)
    monkeypatch.undo()
    again = Links()
    links_snapshot.load(path, again)
    assert again.link("9") == link("9")
    assert (links.change, again.change) == (1, 0)
