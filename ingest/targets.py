"""Where a person lands: the smart link's target for the device, macros filled in. Pure.

Targets come from the link's own configuration only, never from the request: no open redirect.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal, NamedTuple
from urllib.parse import quote, unquote

from schemas.links import STORE_OS, Link, Target
from schemas.query import decode, storable

_MACRO = re.compile(r"\{([A-Za-z0-9_.-]{1,64})\}")
_OUR_MACRO = "{touchline_id}"
_PLAY_REFERRER = re.compile(r"([?&]referrer=)([^&#]*)")
_AUTHORITY = re.compile(r"https?://[^/?#\\]*", re.IGNORECASE)
_PLAY = ("https://play.google.com/", "http://play.google.com/", "market://")
_UNRESERVED = re.compile(r"[A-Za-z0-9_.~-]*\Z")
"""What stands for itself in a URL (RFC 3986): nearly all values."""

Os = Literal["android", "ios", "other"]


class Landing(NamedTuple):
    """The address to send a person to (None: nowhere), the app it sells, and what was odd."""

    url: str | None
    app: str
    flags: list[str]


def landing(
    link: Link, app_fallback: str | None, os: Os, values: Mapping[str, str], hit_id: str, *, is_web: bool = False
) -> Landing:
    """The landing of a device with this system, with the hit's id in a Google Play referrer or, `is_web`, in the
    query of a website's page.

    `values` are the query's, as they stand in it.
    """
    if link.paused:
        template = link.fallback_url or app_fallback
        return Landing(fill(template, values, hit_id) if template else None, link.app, ["paused"])
    target = choose(link, os)
    if target is not None:
        return Landing(fill(target.url, values, hit_id, is_web=is_web), target.app or link.app, [])
    template = link.fallback_url or app_fallback
    # a link with a fallback alone leads everybody there: nothing odd about that
    flags = ["no_target"] if link.targets or template is None else []
    return Landing(fill(template, values, hit_id, is_web=is_web) if template else None, link.app, flags)


def apps(link: Link) -> list[str]:
    """Every app that a touch of the link may belong to."""
    return [link.app, *(target.app for target in link.targets if target.app is not None)]


def has_one_app(link: Link) -> bool:
    """Whether a touch belongs to the link's app, whatever the device."""
    for target in link.targets:  # noqa: SIM110 - a generator costs more than what it looks at
        if target.app is not None:
            return False
    return True


def app_for(link: Link, os: Os) -> str:
    """The app that a touch of a device with this system belongs to."""
    target = choose(link, os)
    return (target.app if target else None) or link.app


def choose(link: Link, os: Os) -> Target | None:
    """The target for the system; the first in the link's order when several stores serve it."""
    for target in link.targets:
        if STORE_OS.get(target.store) == os:
            return target
    for target in link.targets:
        if target.store == "web":
            return target
    return None


def device_os(ua: str) -> Os:
    """As coarse as choosing a store needs, the consumer parses properly."""
    if "Windows Phone" in ua:  # its agents also say Android and iPhone
        return "other"
    if "Android" in ua:
        return "android"
    if "iPhone" in ua or "iPad" in ua or "iPod" in ua:
        return "ios"
    return "other"


class _Filled(NamedTuple):
    """A template made ready: `text % values`, where a macro's value is encoded once or twice."""

    text: str
    macros: tuple[tuple[str, bool], ...]
    """(name, whether twice); the hit's id is the macro without a name."""


def fill(template: str, values: Mapping[str, str], hit_id: str, *, is_web: bool = False) -> str:
    """The address with its macros replaced by the query's values, percent-encoded; unknown ones become empty.

    A Google Play address carries `referrer=touchline_id%3D{hit id}`, merged behind a referrer of the
    template. Macros inside that referrer are encoded twice, because it is a query within a query.
    A website's page gets `touchline_id={hit id}` behind its own query, unless it says `{touchline_id}` itself.
    """
    text, macros = _landing_template(template, is_web)
    if not macros:
        return text
    return text % tuple([_encoded(values.get(name, ""), twice) if name else hit_id for name, twice in macros])


def expand(template: str, values: Mapping[str, str]) -> str:
    """`{name}` → the query's value, encoded so that it cannot leave its place in a URL."""
    return _MACRO.sub(lambda match: _encoded(values.get(match[1], ""), twice=False), template)


def _encoded(value: str, twice: bool) -> str:
    if _UNRESERVED.match(value):
        return value
    encoded = quote(storable(decode(value)), safe="")
    return quote(encoded, safe="") if twice else encoded


@lru_cache(maxsize=4096)
def _landing_template(template: str, is_web: bool) -> _Filled:
    # the request never chooses the host: macros there stay empty
    template = _AUTHORITY.sub(lambda match: expand(match[0], {}), template, count=1)
    if is_web:
        return _web_template(template)
    if not template.startswith(_PLAY):
        return _join(_pieces(template))
    address, hash_sign, fragment = template.partition("#")
    found = _PLAY_REFERRER.search(address)
    if found:
        inner = unquote(found[2])
        before, after = address[: found.start(2)], address[found.end(2) :]
    else:
        inner = ""
        before, after = f"{address}{'&' if '?' in address else '?'}referrer=", ""
    ours: list[str | tuple[str, bool]] = [quote("&touchline_id=" if inner else "touchline_id=", safe=""), ("", False)]
    return _join([*_pieces(before), *_pieces(inner, twice=True), *ours, *_pieces(after + hash_sign + fragment)])


def _web_template(template: str) -> _Filled:
    before, macro, after = template.partition(_OUR_MACRO)
    if not macro:
        address, hash_sign, fragment = template.partition("#")
        sign = "" if address.endswith(("?", "&")) else "&" if "?" in address else "?"
        before, after = f"{address}{sign}touchline_id=", hash_sign + fragment
    return _join([*_pieces(before), ("", False), *_pieces(after)])


def _pieces(template: str, *, twice: bool = False) -> list[str | tuple[str, bool]]:
    """Its text and macros in turn; `twice`: it is a query that stands within a query."""
    pieces: list[str | tuple[str, bool]] = []
    for at, piece in enumerate(_MACRO.split(template)):
        if at % 2:
            pieces.append((piece, twice))
        else:
            pieces.append(quote(piece, safe="") if twice else piece)
    return pieces


def _join(pieces: list[str | tuple[str, bool]]) -> _Filled:
    macros = tuple(piece for piece in pieces if not isinstance(piece, str))
    if not macros:
        return _Filled("".join(piece for piece in pieces if isinstance(piece, str)), ())
    return _Filled("".join(piece.replace("%", "%%") if isinstance(piece, str) else "%s" for piece in pieces), macros)
