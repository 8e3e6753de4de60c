"""The addresses that partners' profiles make are taken by the edge, filled in and forgotten."""

import time
from urllib.parse import quote, urlsplit

import pytest

from console.manage.profiles import TrackingUrls, tracking_urls
from console.profiles import Profile, macros_in, shipped
from schemas.identifiers import is_no_id, query_ids
from schemas.query import parse_query
from tests.ingest.edge import Edge, exchange, status_of
from tests.ingest.samples import ANDROID, LINK

GAID = "38400000-8cf0-11bd-b23e-10b96e40000d"
IDFA = "6D92078A-8246-4BA4-AE5B-76104861E7DC"
STATUS = {"redirect": 302, "pixel": 200, "s2s": 204}
CALLING = [one for one in shipped().values() if one.parameters]


def values() -> dict[str, str]:
    """What a network puts in the place of its macro for a parameter of ours."""
    return {
        "click_id": "click/1 &2",
        "google_aid": GAID,
        "ios_ifa": IDFA,
        "oaid": "a1b2c3d4e5f60718",
        "device_ip": "203.0.113.7",
        "device_ua": ANDROID,
        "click_timestamp": str(int(time.time()) - 60),
    }


def filled(profile: Profile, url: str) -> str:
    """As the network fills it: every macro by an encoded value."""
    by_name = {name.partition("@")[0]: name for name in profile.parameters}
    sample = values()
    head, _, query = url.partition("?")
    parts = []
    for part in query.split("&"):
        name, equals, _ = part.partition("=")
        parts.append(f"{name}={quote(sample.get(name, 'v-1'), safe='')}" if equals and name in by_name else part)
    return f"{head}?{'&'.join(parts)}"


async def ask(edge: Edge, url: str) -> int:
    """The address as it stands, with no client that would encode it."""
    parts = urlsplit(url)
    head = f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: go.example\r\nUser-Agent: {ANDROID}\r\n"
    return status_of(await exchange(edge.port, f"{head}Accept: */*\r\nConnection: close\r\n\r\n".encode()))


def both(urls: TrackingUrls) -> list[tuple[str, str]]:
    return [("click", urls.click), ("impression", urls.impression)]


@pytest.mark.parametrize("profile", CALLING, ids=lambda one: one.name)
async def test_a_filled_address_is_taken_with_all_that_it_says(edge: Edge, profile: Profile) -> None:
    assert profile.call is not None
    for urls in tracking_urls(profile, edge.url, LINK):
        for kind, url in both(urls):
            expected = 200 if (kind, profile.call) == ("impression", "redirect") else STATUS[profile.call]
            assert macros_in(filled(profile, url)) == []
            assert await ask(edge, filled(profile, url)) == expected
            hit = (await edge.hits())[-1]
            assert hit.kind == kind
            stated = parse_query(hit.query)
            assert stated.get("click_id") == ("click/1 &2" if "click_id" in profile.parameters else None)
            named = {one.kind: one.value for one in query_ids(hit.query) if one.form == "raw"}
            wanted = {
                name: value
                for name, value in values().items()
                if name in ("google_aid", "ios_ifa", "oaid") and name in stated
            }
            assert named.items() >= wanted.items()
            if profile.call == "s2s":
                assert (hit.ip, hit.flags) == ("203.0.113.7", [])


@pytest.mark.parametrize("encoded", [False, True], ids=["as printed", "percent-encoded"])
@pytest.mark.parametrize("profile", CALLING, ids=lambda one: one.name)
async def test_an_address_that_nobody_filled_names_no_device(fast_edge: Edge, profile: Profile, encoded: bool) -> None:
    """A server is told so; whoever else calls is counted, and no macro is taken for an identifier."""
    for urls in tracking_urls(profile, fast_edge.url, LINK):
        url = urls.click
        if encoded:
            url = "&".join(
                "=".join(quote(part) for part in pair.split("=")) for pair in url.partition("?")[2].split("&")
            )
            url = f"{urls.click.partition('?')[0]}?{url}"
        status = await ask(fast_edge, url)
        if profile.call == "s2s":
            assert status == 400
            continue
        assert profile.call is not None
        assert status == STATUS[profile.call]
        hit = (await fast_edge.hits())[-1]
        assert query_ids(hit.query) == []
        assert is_no_id(parse_query(hit.query).get("click_id", ""))
