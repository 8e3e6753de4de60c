"""Who asks: what the rules want to know of a request's headers, read once. Pure.

An ad server sends the same lines with every ping, and a browser with every click: the fast lane reads
lines that it has seen before from memory.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from ingest.targets import Os, device_os, opens_intents
from schemas.query import storable

KEPT_HEADERS = (
    "accept-language",
    "referer",
    "sec-ch-ua",
    "sec-ch-ua-mobile",
    "sec-ch-ua-model",
    "sec-ch-ua-platform",
    "sec-ch-ua-platform-version",
    "sec-purpose",
    "purpose",
    "x-moz",
    "x-purpose",
    "x-requested-with",
)
"""The headers a hit keeps: later rules read them."""

HEADER_CHARS_MAX = 2048
UA_CHARS_MAX = 4096
_OF_BROWSERS = ("sec-fetch-mode", "sec-fetch-dest", "accept-language")
_IN_A_FRAME = frozenset({"iframe", "frame", "embed", "object", "image", "script", "empty"})


class Headers(Protocol):
    """As aiohttp has them: names in any case, one value a line."""

    def get(self, key: str, default: str, /) -> str: ...

    def getall(self, key: str, default: tuple[()], /) -> Sequence[str]: ...

    def __contains__(self, key: object, /) -> bool: ...

    def __getitem__(self, key: str, /) -> str: ...


class Caller(msgspec.Struct, frozen=True, gc=False):
    """What the headers of a request say."""

    host: str
    """Lower case; "" without the header."""
    ua: str
    os: Os
    """Which store the agent's device has."""
    navigates: bool
    """A person's browser asks for a page: somebody waits for a landing."""
    kept: dict[str, str]
    """The headers that a hit keeps."""
    browses: bool = False
    """A browser asks, for whatever reason: it says what the answer is for, or its person's language."""
    intents: bool = False
    """Its browser opens apps by Android's intents."""


def caller(headers: Headers | Mapping[str, str]) -> Caller:
    """The caller of a request with these headers; of a plain mapping the names are in lower case."""
    ua = storable(headers.get("user-agent", "")[:UA_CHARS_MAX])
    navigates = _navigates(headers)
    return Caller(
        host=headers.get("host", "").lower(),
        ua=ua,
        os=device_os(ua),
        navigates=navigates,
        kept={name: storable(headers[name][:HEADER_CHARS_MAX]) for name in KEPT_HEADERS if name in headers},
        browses=any(name in headers for name in _OF_BROWSERS),
        # an app that shows the page within itself says so
        intents=navigates and opens_intents(ua) and "x-requested-with" not in headers,
    )


def _navigates(headers: Headers | Mapping[str, str]) -> bool:
    if headers.get("sec-fetch-dest", "").lower() in _IN_A_FRAME:
        return False
    if headers.get("sec-fetch-mode", "").lower() == "navigate":
        return True
    return "text/html" in headers.get("accept", "").lower()
