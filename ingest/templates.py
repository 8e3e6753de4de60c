"""Addresses with macros, made ready once and filled for every hit. Pure.

The formats: Google Play's install referrer; intents of Android (https://developer.chrome.com/docs/android/intents).
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, unquote

from schemas.query import decode, split_query, storable
from schemas.sub_ids import SUB_IDS, UTM, sub_ids

_MACRO = re.compile(r"\{([A-Za-z0-9_.-]{1,64})\}")
_OUR_MACRO = "{touchline_id}"
_PLAY_REFERRER = re.compile(r"([?&]referrer=)([^&#]*)")
_AUTHORITY = re.compile(r"https?://[^/?#\\]*", re.IGNORECASE)
_PLAY = ("https://play.google.com/", "http://play.google.com/", "market://")
_WITH_PACKAGE = (*_PLAY, "https://global.app.mi.com/", "http://app.mi.com/", "https://app.mi.com/", "mimarket://")
"""Stores whose addresses name the package as `id`."""
_PACKAGE = re.compile(r"[?&]id=([A-Za-z]\w*(?:\.\w+)+)(?=[&#]|\Z)", re.ASCII)
_IS_PACKAGE = re.compile(r"[A-Za-z]\w*(?:\.\w+)+", re.ASCII)
_MARKET = re.compile(r"market://(details|dev)?")
_UNRESERVED = re.compile(r"[A-Za-z0-9_.~-]*\Z")
"""What stands for itself in a URL (RFC 3986): nearly all values."""

Macro = tuple[str, int]
"""(name, how many times its value is encoded); the hit's id has no name, and what is encoded 0 times begins with +: the
utm parameters that are passed on, behind the sign that follows."""
Piece = str | Macro


class Filled(NamedTuple):
    """A template made ready: `text % values`."""

    text: str
    macros: tuple[Macro, ...]
    asks_more: bool = False
    """Sub ids, or utm parameters to pass on, are among the macros."""
    passed: tuple[str, ...] = ()
    """utm parameters that a website's page gets."""


def fill(template: str, values: Mapping[str, str], hit_id: str, *, is_web: bool = False) -> str:
    """The address with its macros replaced by the query's values, percent-encoded; unknown ones become empty.

    A Google Play address carries `referrer=touchline_id%3D{hit id}`, merged behind a referrer of the
    template. Macros inside that referrer are encoded twice, because it is a query within a query.
    A website's page gets `touchline_id={hit id}` behind its own query, unless it says `{touchline_id}` itself, and the
    query's utm parameters that it does not state itself.
    """
    return _filled(_landing(template, is_web), values, hit_id)


def fill_intent(deep_link: str, url: str, package: str | None, values: Mapping[str, str], hit_id: str) -> str:
    """An intent: the app opens at `deep_link` where it is installed, else the browser goes to `url`, the store's, as
    `fill` fills it. The app reads the hit's id as `touchline_id` of the deep link's query."""
    return _filled(_intent(deep_link, url, package), values, hit_id)


def package_of(url: str) -> str | None:
    """The Android package that a store's address sells, when the address says it."""
    found = _PACKAGE.search(url) if url.startswith(_WITH_PACKAGE) else None
    return found[1] if found else None


def expand(template: str, values: Mapping[str, str]) -> str:
    """`{name}` → the query's value, encoded so that it cannot leave its place in a URL."""
    if any(f"{{{name}}}" in template for name in SUB_IDS):
        values = {**values, **sub_ids(values)}
    return _MACRO.sub(lambda match: _encoded(values.get(match[1], ""), 1), template)


def _filled(made: Filled, values: Mapping[str, str], hit_id: str) -> str:
    if not made.macros:
        return made.text
    if made.asks_more:
        values = _with_more(values, made.passed)
    return made.text % tuple([_encoded(values.get(name, ""), times) if name else hit_id for name, times in made.macros])


def _with_more(values: Mapping[str, str], passed: Sequence[str]) -> Mapping[str, str]:
    utm = "&".join(f"{name}={_encoded(values[name], 1)}" for name in passed if values.get(name))
    return {**values, **sub_ids(values), **{f"+{sign}": sign + utm if utm else "" for sign in ("", "?", "&")}}


def _encoded(value: str, times: int) -> str:
    if not times or _UNRESERVED.match(value):
        return value
    value = storable(decode(value))
    for _ in range(times):
        value = quote(value, safe="")
    return value


@lru_cache(maxsize=4096)
def _landing(template: str, is_web: bool) -> Filled:
    template = _with_own_host(template)
    if not is_web:
        return _join(_store_pieces(template))
    address, hash_sign, fragment = template.partition("#")
    stated = split_query(address.partition("?")[2])
    passed = tuple(name for name in UTM if name not in stated)
    if _OUR_MACRO not in template:
        address += f"{_sign(address)}touchline_id={_OUR_MACRO}"
    rest = hash_sign + fragment
    rests = _pieces(rest) if _OUR_MACRO in address else _with_id(rest)
    return _join([*_with_id(address), (f"+{_sign(address)}", 0), *rests], passed)


def _with_own_host(template: str) -> str:
    """The request never chooses the host: macros there stay empty."""
    return _AUTHORITY.sub(lambda match: expand(match[0], {}), template, count=1)


def _store_pieces(template: str) -> list[Piece]:
    if not template.startswith(_PLAY):
        return _pieces(template)
    address, hash_sign, fragment = template.partition("#")
    found = _PLAY_REFERRER.search(address)
    if found:
        inner = unquote(found[2])
        before, after = address[: found.start(2)], address[found.end(2) :]
    else:
        inner = ""
        before, after = f"{address}{'&' if '?' in address else '?'}referrer=", ""
    ours: list[Piece] = ["&touchline_id=" if inner else "touchline_id=", ("", 0)]
    return [*_pieces(before), *_within([*_pieces(inner), *ours]), *_pieces(after + hash_sign + fragment)]


@lru_cache(maxsize=4096)
def _intent(deep_link: str, url: str, package: str | None) -> Filled:
    scheme, _, rest = _with_own_host(deep_link).partition(":")
    if _OUR_MACRO not in rest:
        address, hash_sign, fragment = rest.partition("#")
        rest = f"{address}{_sign(address)}touchline_id={_OUR_MACRO}{hash_sign}{fragment}"
    # browsers go to web pages only: the page of the same app in the store
    url = _MARKET.sub(lambda match: f"https://play.google.com/store/{'apps/' + match[1] if match[1] else ''}", url, 1)
    named = f"package={package};" if package is not None and _IS_PACKAGE.fullmatch(package) else ""
    return _join(
        [
            "intent:",
            *_with_id(rest),
            f"#Intent;scheme={scheme};{named}S.browser_fallback_url=",
            *_within(_store_pieces(_with_own_host(url))),
            ";end",
        ]
    )


def _sign(address: str) -> str:
    """What joins one more parameter to an address without a fragment."""
    return "" if address.endswith(("?", "&")) else "&" if "?" in address else "?"


def _with_id(template: str) -> list[Piece]:
    """Its pieces, with the hit's id where it first says `{touchline_id}`."""
    before, macro, after = template.partition(_OUR_MACRO)
    return [*_pieces(before), *([("", 0)] if macro else []), *_pieces(after)]


def _pieces(template: str) -> list[Piece]:
    """Its text and macros in turn."""
    return [(piece, 1) if at % 2 else piece for at, piece in enumerate(_MACRO.split(template))]


def _within(pieces: Sequence[Piece]) -> list[Piece]:
    """The same as one value of a query: everything is encoded once more."""
    return [quote(piece, safe="") if isinstance(piece, str) else (piece[0], piece[1] + 1) for piece in pieces]


def _join(pieces: Sequence[Piece], passed: tuple[str, ...] = ()) -> Filled:
    macros = tuple(piece for piece in pieces if not isinstance(piece, str))
    if not macros:
        return Filled("".join(piece for piece in pieces if isinstance(piece, str)), ())
    text = "".join(piece.replace("%", "%%") if isinstance(piece, str) else "%s" for piece in pieces)
    return Filled(text, macros, bool(passed) or any(name in SUB_IDS for name, _ in macros), passed)
