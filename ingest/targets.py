"""Where a person lands: the smart link's target for the device, macros filled in. Pure.

Targets come from the link's own configuration only, never from the request: no open redirect.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, unquote

from schemas.links import STORE_OS, Link, Target
from schemas.query import parse_query, storable

_MACRO = re.compile(r"\{([A-Za-z0-9_.-]{1,64})\}")
_PLAY_REFERRER = re.compile(r"([?&]referrer=)([^&#]*)")
_AUTHORITY = re.compile(r"https?://[^/?#\\]*", re.IGNORECASE)
_PLAY = ("https://play.google.com/", "http://play.google.com/", "market://")


class Landing(NamedTuple):
    """The address to send a person to (None: nowhere), the app it sells, and what was odd."""

    url: str | None
    app: str
    flags: list[str]


def landing(link: Link, app_fallback: str | None, ua: str, query: str, hit_id: str) -> Landing:
    """The landing of a device with this user agent, with the hit's id in a Google Play referrer."""
    flags = ["paused"] if link.paused else []
    target = None if link.paused else choose(link, ua)
    template = target.url if target else (link.fallback_url or app_fallback)
    # a link with a fallback alone leads everybody there: nothing odd about that
    if target is None and not link.paused and (link.targets or template is None):
        flags.append("no_target")
    app = (target.app if target else None) or link.app
    return Landing(fill(template, query, hit_id) if template else None, app, flags)


def app_for(link: Link, ua: str) -> str:
    """The app that a touch of this device belongs to."""
    target = choose(link, ua)
    return (target.app if target else None) or link.app


def choose(link: Link, ua: str) -> Target | None:
    """The target for the device; the first in the link's order when several stores serve it."""
    os = device_os(ua)
    for target in link.targets:
        if STORE_OS.get(target.store) == os:
            return target
    for target in link.targets:
        if target.store == "web":
            return target
    return None


def device_os(ua: str) -> str:
    """`android`, `ios` or `other`: as coarse as choosing a store needs, the consumer parses properly."""
    if "Windows Phone" in ua:  # its agents also say Android and iPhone
        return "other"
    if "Android" in ua:
        return "android"
    if "iPhone" in ua or "iPad" in ua or "iPod" in ua:
        return "ios"
    return "other"


def fill(template: str, query: str, hit_id: str) -> str:
    """The address with its macros replaced by the query's values, percent-encoded; unknown ones become empty.

    A Google Play address carries `referrer=touchline_id%3D{hit id}`, merged behind a referrer of the
    template. Macros inside that referrer are encoded twice, because it is a query within a query.
    """
    values = parse_query(query) if "{" in template or "%7B" in template else {}
    # the request never chooses the host: macros there stay empty
    template = _AUTHORITY.sub(lambda match: expand(match[0], {}), template, count=1)
    if not template.startswith(_PLAY):
        return expand(template, values)
    address, hash_sign, fragment = template.partition("#")
    found = _PLAY_REFERRER.search(address)
    ours = f"touchline_id={hit_id}"
    if found:
        inner = expand(unquote(found[2]), values)
        merged = quote(f"{inner}&{ours}" if inner else ours, safe="")
        before, after = address[: found.start(2)], address[found.end(2) :]
        filled = expand(before, values) + merged + expand(after, values)
    else:
        joint = "&" if "?" in address else "?"
        filled = f"{expand(address, values)}{joint}referrer={quote(ours, safe='')}"
    return filled + hash_sign + expand(fragment, values)


def expand(template: str, values: Mapping[str, str]) -> str:
    """`{name}` → the value, encoded so that it cannot leave its place in a URL."""
    return _MACRO.sub(lambda match: quote(storable(values.get(match[1], "")), safe=""), template)
