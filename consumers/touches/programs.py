"""Which user agents are programs: crawlers, link previews, monitors, HTTP libraries. Pure.

The names are those of the public crawler list (monperrus/crawler-user-agents), some of which are everyday words.
A model may be called Butterfly and an app Viber, so the name in a phone's agent counts only beside another sign.
A person taken for a program loses a touch that was paid for: in doubt an agent is a person's.
"""

import re
from functools import cache
from typing import Final

from crawleruseragents import CRAWLER_USER_AGENTS_DATA
from ua_parser import Domain
from ua_parser.lazy import UserAgentMatcher
from ua_parser.regex import Resolver

from schemas.devices import OTHER

# Entries of the list that are what people use: a phone's system build, browsers inside Facebook and inside editors,
# a browser made of one site, and apps that name their HTTP library beside themselves.
_NOT_PROGRAMS: Final = frozenset({r"AP3A\.240617\.008", "MetaIAB Facebook", r"Code\/1\.", r"Trae\/", "Fluid", "okhttp"})
# What the list lacks, or has inside a longer word; libraries only at the start. Not Dalvik, Dart and CFNetwork: apps
# send these.
_OURS: Final = (
    r"^okhttp\/[0-9][\w.-]*$",
    r"^(?:Java|Java-http-client|Jakarta Commons-HttpClient|Apache-HttpAsyncClient|ReactorNetty)\/",
    r"^(?:Python|python-httpx|Ruby|Faraday|GuzzleHttp|PHP|Symfony HttpClient|LWP::Simple|libcurl)(?:[\/ ]|$)",
    r"^(?:node|undici|got|Deno|Bun|PostmanRuntime|insomnia|fasthttp|go-resty|reqwest|ureq|hyper)(?:[\/ ]|$)",
    r"RankSonic",
    r"^(?:k6|wrk|hey|ApacheBench|vegeta)(?:[\/ ]|$)",
)
_SIGN: Final = re.compile(r"(?i)https?:|www\.|@|\.com\b|compatible;|headless|lighthouse|bot|crawl|spider|agent|preview")
# Where an Android agent has its model, which may be a CUBOT; Storebot-Google stands there too.
_PLATFORM: Final = re.compile(r"\((?:Linux|Android)\b(?![^()]*-Google/)[^()]*\)")
_PHONES: Final = frozenset({"android", "ios", "windowsphone", "harmonyos", "kaios", "tizen"})


def is_program(ua: str, os: str, brand: str) -> bool:
    """Whether an agent names a program. `os` and `brand` are what it says of its device. Takes 5 µs."""
    of_a_person = os in _PHONES or (os == OTHER and brand and not brand.startswith("Generic"))
    if of_a_person and not _SIGN.search(_PLATFORM.sub("", ua, count=1)):
        return False
    return _names()(ua, Domain.USER_AGENT).user_agent is not None


@cache
def _names() -> Resolver:
    """The engine of the device rules looks for 1500 names at once: Python's own takes 1 ms an agent for that."""
    listed = [_whole(entry["pattern"]) for entry in CRAWLER_USER_AGENTS_DATA if entry["pattern"] not in _NOT_PROGRAMS]
    return Resolver(([UserAgentMatcher(pattern, "program") for pattern in (*_OURS, *listed)], [], []))


def _whole(pattern: str) -> str:
    """`RED/` is a tool, but `WIRED/` an app: a name does not start inside a word."""
    return rf"(?:^|[^0-9A-Za-z])(?:{pattern})" if pattern[0].isalnum() else pattern
