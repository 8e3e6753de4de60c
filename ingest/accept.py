"""What to do with a request for a tracking link: pure rules, no I/O.

The steps, in order: which kind of touch, which mode, the link, the facts about the device,
the target. The result says what to record and what to answer.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

import msgspec

from ingest import privacy, protection, targets
from ingest.caller import UA_CHARS_MAX, Caller
from ingest.links import Links
from ingest.templates import expand
from schemas.addresses import canonical_address
from schemas.errors import Refuse
from schemas.events import Hit, Mode, Reject, TouchKind
from schemas.ids import RecordId, new_id
from schemas.links import Link
from schemas.query import decode, split_query, storable

LATE_US = 12 * 3_600_000_000
FUTURE_US = 5 * 60_000_000
S2S_PARAMETERS = ("device_ip", "device_ua", "click_timestamp")
_NEEDED = frozenset(S2S_PARAMETERS)

Form = Literal["serve", "click", "impression", "click_gif", "impression_gif"]
"""The path a request came by: /serve/, /c/, /i/, /c/….gif, /i/….gif."""

Patience = Literal["machine", "person"]
"""A machine waits for durability or gets a 503; a person is sent on after a moment, durable or not."""


class Request(msgspec.Struct, frozen=True, gc=False):
    """What the rules need of an HTTP request."""

    form: Form
    link: str
    host: str
    """Lower case; the target's own, when it is absolute, else the header's."""
    query: str
    caller: Caller
    peer: str
    is_head: bool
    now_us: int
    care: privacy.Care | None = None
    """What was left out of it."""


class Outcome(msgspec.Struct, gc=False):
    """What to record and what to answer."""

    status: int
    patience: Patience = "machine"
    hit: Hit | None = None
    location: str | None = None
    gif: bool = False
    page: bool = False
    """A plain page: the link is paused and leads nowhere."""
    reason: str | None = None
    parameter: str | None = None
    detail: str = ""
    reject: Reject | None = None


class Facts(msgspec.Struct, gc=False):
    """What is known about the device, and what was odd about it."""

    ip: str | None
    ua: str
    os: targets.Os
    touched_us: int
    flags: list[str]


def accept(request: Request, links: Links) -> Outcome:
    """The outcome of a request. Never raises: whatever is wrong is an answer."""
    link = links.link(request.link)
    if link is None:
        return Outcome(404, reason="unknown_link", detail="No tracking link has this id.")
    kind = touch_kind(request)
    values = split_query(request.query)
    guard = links.guards.get(link.partner) if links.guards and link.partner is not None else None
    came = request
    if privacy.FLAG in values or (links.careful and not links.careful.keys().isdisjoint(targets.apps(link))):
        request = protected(request, link, links)
        values = split_query(request.query)
    mode = choose_mode(request, kind, values, link)
    record_id = new_id(request.now_us)
    doubt = None
    if guard is not None and (mode == "s2s" or _states(request, mode, values)):  # whoever states facts, but not people
        doubt = protection.doubt(guard, came.peer, kind, came.link, came.query, came.now_us)
    if doubt is not None and mode == "s2s":
        return refused(request, link, kind, record_id, doubt, status=403)
    try:
        facts = _facts(request, mode, values, doubt)
    except Refuse as refusal:
        return refused(request, link, kind, record_id, refusal)
    if mode == "redirect":
        app = links.app(link.app)
        is_web = app is not None and app.kind == "web"
        landing = targets.landing(
            link,
            app.fallback_url if app else None,
            facts.os,
            values,
            record_id,
            is_web=is_web,
            packages=links.packages if request.caller.intents else None,
        )
        facts.flags += landing.flags
        hit = _hit(request, landing.app, kind, mode, record_id, facts)
        if landing.url is None:
            return Outcome(200, "person", hit, page=True)
        return Outcome(302, "person", hit, landing.url)
    if link.paused or link.kind == "preinstall":
        facts.flags.append("paused" if link.paused else "preinstall")
    if targets.has_one_app(link):
        app_id = link.app
    else:
        app_id = targets.app_for(link, targets.device_os(decode(values["device_ua"])) if mode == "s2s" else facts.os)
    hit = _hit(request, app_id, kind, mode, record_id, facts)
    if mode == "s2s":
        return Outcome(204, "machine", hit)
    gif = request.form in ("click_gif", "impression_gif")
    return Outcome(200 if gif else 204, "person", hit, gif=gif)


def protected(request: Request, link: Link, links: Links) -> Request:
    """The request without what its app, or the touch itself, wants nobody to keep."""
    care = privacy.most_careful(targets.apps(link), links.careful, request.query)
    if care is None:
        return request
    secrets = privacy.Secrets([], {})
    secrets.add_address(request.peer)
    query = privacy.clean_query(request.query, care, secrets)
    caller = msgspec.structs.replace(
        request.caller,
        ua=secrets.without(request.caller.ua),
        kept=privacy.clean_headers(request.caller.kept, care, secrets),
    )
    peer = privacy.truncated(request.peer) or ""
    return msgspec.structs.replace(request, query=query, caller=caller, peer=peer, care=care)


def last_resort(request: Request, links: Links) -> Outcome:
    """When the rules themselves have failed: a person still lands at the link's fallback, a machine hears of it."""
    link = links.link(request.link)
    app = links.app(link.app) if link is not None else None
    fallback = (link.fallback_url if link is not None else None) or (app.fallback_url if app is not None else None)
    if request.caller.navigates and fallback:
        return Outcome(302, "person", location=expand(fallback, {}))
    return Outcome(500, reason="internal_error", detail="The request could not be handled.")


def touch_kind(request: Request) -> TouchKind:
    """By path, else by host: `impression.…` counts impressions, every other host clicks."""
    if request.form == "serve":
        return "impression" if request.host.startswith("impression.") else "click"
    return "impression" if request.form in ("impression", "impression_gif") else "click"


def choose_mode(request: Request, kind: TouchKind, values: Mapping[str, str], link: Link) -> Mode:
    """`noredirect` bare or 1: S2S; 0: redirect; absent: S2S when all three S2S parameters came and
    nobody navigates (the vendor's default is 1), else a person's redirect or a page's impression."""
    if request.form in ("click_gif", "impression_gif"):
        return "page"
    noredirect = values.get("noredirect")
    if noredirect is not None:
        return "redirect" if _says_zero(noredirect) else "s2s"
    navigates = request.caller.navigates
    if not navigates and values.keys() >= _NEEDED:
        return "s2s"
    if link.kind == "tracking" or (kind == "impression" and not navigates):
        return "page"
    return "redirect"


def _says_zero(value: str) -> bool:
    return value == "0" or ("%" in value and decode(value) == "0")


def _facts(request: Request, mode: Mode, values: Mapping[str, str], doubt: Refuse | None) -> Facts:
    """The sender's words for S2S, the peer otherwise. Raises Refuse only for S2S:
    a person is redirected whatever the link says, and the hit is flagged. What is in doubt is not taken."""
    caller, now_us = request.caller, request.now_us
    flags = ["head"] if request.is_head else []
    if request.care == "coppa":
        flags.append(privacy.FLAG)
    if mode == "s2s":
        ip, ua, touched = values.get("device_ip"), values.get("device_ua"), values.get("click_timestamp")
        if not (ip and ua and touched):
            name = next(name for name in S2S_PARAMETERS if not values.get(name))
            raise Refuse(f"missing_{name}", f"The parameter {name} is required for S2S requests.", name)
        # the agent stands in the query, where the consumer reads it
        facts = Facts(_device_ip(decode(ip)), "", caller.os, _touch_time(decode(touched), now_us), flags)
    else:
        facts = Facts(request.peer or None, caller.ua, caller.os, now_us, flags)
        if _states(request, mode, values):
            if doubt is not None:
                flags.append(doubt.code)
            else:
                _take_stated_facts(facts, values, now_us)
    if facts.touched_us < now_us - LATE_US:
        flags.append("late")
    return facts


def _states(request: Request, mode: Mode, values: Mapping[str, str]) -> bool:
    """Whether somebody speaks of a device that is not the caller: `noredirect=0`, or a server that asks for the pixel,
    as networks without a macro for the time do."""
    if mode == "redirect":
        return "noredirect" in values
    return mode == "page" and "device_ip" in values and not request.caller.browses


def _take_stated_facts(facts: Facts, values: Mapping[str, str], now_us: int) -> None:
    stated = {name: decode(values[name]) for name in S2S_PARAMETERS if name in values}
    if stated.get("device_ua"):
        facts.ua = storable(stated["device_ua"][:UA_CHARS_MAX])
        facts.os = targets.device_os(facts.ua)
    try:
        if "device_ip" in stated:
            facts.ip = _device_ip(stated["device_ip"])
    except Refuse as refusal:
        facts.flags.append(refusal.code)
    try:
        if "click_timestamp" in stated:
            facts.touched_us = _touch_time(stated["click_timestamp"], now_us)
    except Refuse as refusal:
        facts.flags.append(refusal.code)


def _device_ip(text: str) -> str:
    canonical = canonical_address(text)
    if canonical is None:
        raise Refuse(
            "bad_device_ip",
            f"device_ip {text[:60]!r} is no IPv4 or IPv6 address, nor address/prefix.",
            "device_ip",
        )
    return canonical


def _touch_time(text: str, now_us: int) -> int:
    """Unix microseconds of `click_timestamp` (UTC seconds)."""
    touched_us = _unix_us(text)
    if touched_us > now_us + FUTURE_US:
        raise Refuse(
            "click_timestamp_in_future",
            f"click_timestamp {text} lies more than 5 minutes in the future.",
            "click_timestamp",
        )
    return touched_us


@lru_cache(maxsize=4096)
def _unix_us(text: str) -> int:
    """The pings of a moment carry the same few times."""
    if not (text.isascii() and text.isdigit()) or len(text) > 20:
        raise Refuse(
            "bad_click_timestamp",
            f"click_timestamp {text[:60]!r} is no time in UTC seconds.",
            "click_timestamp",
        )
    if len(text.lstrip("0")) >= 13:
        raise Refuse(
            "click_timestamp_in_milliseconds",
            f"click_timestamp {text} looks like milliseconds; it must be UTC seconds.",
            "click_timestamp",
        )
    return int(text) * 1_000_000


def _hit(request: Request, app: str, kind: TouchKind, mode: Mode, record_id: RecordId, facts: Facts) -> Hit:
    return Hit(
        v=1,
        id=record_id,
        kind=kind,
        link=request.link,
        app=app,
        mode=mode,
        touched_us=facts.touched_us,
        ip=facts.ip,
        ua=facts.ua,
        query=storable(request.query),
        headers=request.caller.kept,
        flags=facts.flags,
    )


def refused(
    request: Request, link: Link, kind: TouchKind, record_id: RecordId, refusal: Refuse, *, status: int = 400
) -> Outcome:
    """The answer, and the request as a reject."""
    reject = Reject(
        v=1,
        id=record_id,
        link=link.id,
        kind=kind,
        reason=refusal.code,
        parameter=refusal.parameter,
        detail=storable(refusal.detail),
        ip=request.peer or None,
        ua=request.caller.ua,
        query=storable(request.query),
        headers=request.caller.kept,
        flags=[privacy.FLAG] if request.care == "coppa" else [],
    )
    return Outcome(status, reason=refusal.code, parameter=refusal.parameter, detail=refusal.detail, reject=reject)
