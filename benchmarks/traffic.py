"""The requests of a load: what ad servers, browsers and pages send, each with a click id of its own.

A template is a whole HTTP request as a C format that takes the request's number twice (`%d`, `%012d`): Lua's
string.format in wrk and Python's bytes % in our generator read it alike. Unique queries matter: a repeated
URL is 20-25 % faster in servers that cache what they have parsed.
"""

import json
import os
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from benchmarks.errors import Missing
from benchmarks.processes import PROJECT

NUMBER, NUMBER_12 = "\0", "\1"  # stand for the formats until the percent signs are doubled
TEMPLATES = 250
MIX_TEMPLATES = 1000
MIX_KINDS = (("s2s", 70), ("browser", 20), ("impression", 10))
PHONE = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UD1A.230803.041) AppleWebKit/537.36"
    " (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36"
)
AD_SERVER = ("User-Agent: adserver/2.1", "Accept: */*")
BROWSER_HEADERS = (
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "Accept-Language: de-DE,de;q=0.9,en;q=0.8",
    "Accept-Encoding: gzip, deflate, br",
    "Sec-Fetch-Dest: document",
    "Sec-Fetch-Mode: navigate",
    "Sec-Fetch-Site: cross-site",
    'Sec-CH-UA-Platform: "Android"',
    "Referer: https://news.example.org/article/4711",
)


@dataclass(frozen=True, slots=True)
class Traffic:
    """A row's requests, taken in turn, and the statuses that answer them."""

    templates: tuple[str, ...]
    expects: frozenset[int]

    def first(self) -> bytes:
        """One request to try."""
        return self.templates[0].encode() % (0, 0)


def s2s(url: str, link: str, prefix: str) -> Traffic:
    """An ad server's pings, as the vendor's own sample."""
    return Traffic(tuple(_ping(url, f"/serve/{link}", prefix, _address(n), PHONE) for n in range(TEMPLATES)), OK)


def s2s_new_heads(url: str, link: str, prefix: str) -> Traffic:
    """The same through a proxy that numbers its requests: no two heads are alike, nothing is known of them."""
    headers = (*AD_SERVER, f"X-Request-Id: {NUMBER_12}")
    return Traffic(
        tuple(
            _ping(url, f"/serve/{link}", prefix, _address(n), PHONE, headers, device="0" * 12) for n in range(TEMPLATES)
        ),
        OK,
    )


def impressions(url: str, link: str, prefix: str) -> Traffic:
    """An ad server's pings for views."""
    return Traffic(tuple(_ping(url, f"/i/{link}", prefix, _address(n), PHONE) for n in range(TEMPLATES)), OK)


def browsers(url: str, link: str, prefix: str) -> Traffic:
    """People who follow a link, with parameters that fill its macros."""
    return Traffic((_page(url, link, prefix, PHONE),), FOUND)


def mix(url: str, links: list[str], prefix: str) -> Traffic:
    """Clicks skewed over addresses, links and devices like a public click log. Raises Missing without its figures.

    The log holds clicks alone: the shares of MIX_KINDS are a guess of ours.
    """
    shape = _shape()
    dice = random.Random(1)  # the same mix every time
    kinds = dice.choices([kind for kind, _ in MIX_KINDS], [share for _, share in MIX_KINDS], k=MIX_TEMPLATES)
    templates = []
    for kind in kinds:
        address = _address(_draw(dice, shape, "ip"))
        link = links[_draw(dice, shape, "app") % len(links)]
        os_version, device = _draw(dice, shape, "os"), _draw(dice, shape, "device")
        agent = PHONE.replace("Android 14", f"Android {os_version % 15 + 1}").replace("Pixel 8", f"Model {device}")
        if kind == "browser":
            templates.append(_page(url, link, prefix, agent))
        else:
            path = "serve" if kind == "s2s" else "i"
            templates.append(_ping(url, f"/{path}/{link}", prefix, address, agent))
    return Traffic(tuple(templates), OK | FOUND)


OK, FOUND = frozenset({204}), frozenset({302})


def _ping(
    url: str,
    path: str,
    prefix: str,
    address: str,
    agent: str,
    headers: tuple[str, ...] = AD_SERVER,
    device: str = NUMBER_12,
) -> str:
    query = (
        f"click_id={prefix}-{NUMBER}&google_aid=38400000-8cf0-11bd-b23e-{device}&device_ip={address}"
        f"&device_ua={quote(agent, safe='')}&click_timestamp={int(time.time())}&noredirect"
    )
    return _request(url, f"{path}?{query}", headers)


def _page(url: str, link: str, prefix: str, agent: str) -> str:
    query = f"click_id={prefix}-{NUMBER}&site_id=site-{NUMBER_12}&creative_id=banner%20300x250"
    return _request(url, f"/serve/{link}?{query}", (f"User-Agent: {agent}", *BROWSER_HEADERS))


def _request(url: str, target: str, headers: tuple[str, ...]) -> str:
    lines = (f"GET {urlsplit(url).path.rstrip('/')}{target} HTTP/1.1", f"Host: {urlsplit(url).netloc}", *headers)
    text = "\r\n".join((*lines, "", ""))
    return text.replace("%", "%%").replace(NUMBER, "%d").replace(NUMBER_12, "%012d")


def _address(n: int) -> str:
    """An address of 198.18.0.0/15, which is set aside for benchmarks."""
    return f"198.{18 + n // 65536 % 2}.{n // 256 % 256}.{n % 256}"


def _shape() -> dict[str, Any]:
    folder = PROJECT / os.environ.get("TOUCHLINE_TEST_DATA", "../shared/data")
    path = folder / "traffic" / "click_distributions.json"
    if not path.is_file():
        raise Missing("click_distributions.json is not there (TOUCHLINE_TEST_DATA names the folder of test cases)")
    shape: dict[str, Any] = json.loads(Path(path).read_text())
    return shape


def _draw(dice: random.Random, shape: dict[str, Any], column: str) -> int:
    """Rank of a value: the ten most frequent by their counts, the rest evenly but for the singletons."""
    facts, rows = shape[column], shape["rows"]
    counts = [count for _, count in facts["top10"]]
    singletons = min(facts["singletons"], facts["distinct"] - len(counts))
    middle: int = facts["distinct"] - len(counts) - singletons
    rest = max(rows - sum(counts) - singletons, 0) if middle else 0
    band = dice.choices(range(len(counts) + 2), [*counts, rest, singletons])[0]
    if band < len(counts):
        return band
    if band == len(counts):
        return band + dice.randrange(middle)
    return len(counts) + middle + dice.randrange(max(singletons, 1))
