"""What to do with a request for a tracking link: pure rules, no I/O.

The steps, in order: which kind of touch, which mode, the link, the facts about the device,
the target. The result says what to record and what to answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from ingest import targets
from ingest.links import Links
from schemas.addresses import canonical_address
from schemas.errors import Refuse
from schemas.events import Hit, Mode, Reject, TouchKind
from schemas.ids import RecordId, new_id
from schemas.links import Link
from schemas.query import decode, storable

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
    "x-requested-with",
)
"""The headers a hit keeps: later rules read them."""

HEADER_CHARS_MAX = 2048
UA_CHARS_MAX = 4096
LATE_US = 12 * 3_600_000_000
FUTURE_US = 5 * 60_000_000
S2S_PARAMETERS = ("device_ip", "device_ua", "click_timestamp")
_S2S_NAMES = frozenset((*S2S_PARAMETERS, "noredirect"))
_IN_A_FRAME = frozenset({"iframe", "frame", "embed", "object", "image", "script", "empty"})

Form = Literal["serve", "click", "impression", "click_gif", "impression_gif"]
"""The path a request came by: /serve/, /c/, /i/, /c/….gif, /i/….gif."""

Patience = Literal["machine", "person"]
"""A machine waits for durability or gets a 503; a person is sent on after a moment, durable or not."""


class Request(NamedTuple):
    """What the rules need of an HTTP request; header names in lower case."""

    form: Form
    link: str
    host: str
    query: str
    headers: Mapping[str, str]
    peer: str
    head: bool
    now_us: int


@dataclass(slots=True)
class Outcome:
    """What to record and what to answer."""

    status: int
    patience: Patience = "machine"
    location: str | None = None
    gif: bool = False
    page: bool = False
    """A plain page: the link is paused and leads nowhere."""
    reason: str | None = None
    parameter: str | None = None
    detail: str = ""
    hit: Hit | None = None
    reject: Reject | None = None


@dataclass(slots=True)
class Facts:
    """What is known about the device, and what was odd about it."""

    ip: str | None
    ua: str
    touched_us: int
    flags: list[str] = field(default_factory=list)


def accept(request: Request, links: Links) -> Outcome:
    """The outcome of a request. Never raises: whatever is wrong is an answer."""
    link = links.link(request.link)
    if link is None:
        return Outcome(404, reason="unknown_link", detail="No tracking link has this id.")
    kind = touch_kind(request)
    parameters = s2s_parameters(request.query)
    mode = choose_mode(request, kind, parameters, link)
    record_id = new_id(request.now_us)
    try:
        facts = device_facts(request, mode, parameters)
    except Refuse as refusal:
        return refused(request, link, kind, record_id, refusal)
    app = links.app(link.app)
    if mode == "redirect":
        landing = targets.landing(link, app.fallback_url if app else None, facts.ua, request.query, record_id)
        facts.flags += landing.flags
        hit = _hit(request, landing.app, kind, mode, record_id, facts)
        if landing.url is None:
            return Outcome(200, "person", page=True, hit=hit)
        return Outcome(302, "person", location=landing.url, hit=hit)
    if link.paused:
        facts.flags.append("paused")
    app_id = targets.app_for(link, parameters["device_ua"] if mode == "s2s" else facts.ua)
    hit = _hit(request, app_id, kind, mode, record_id, facts)
    if mode == "s2s":
        return Outcome(204, "machine", hit=hit)
    gif = request.form in ("click_gif", "impression_gif")
    return Outcome(200 if gif else 204, "person", gif=gif, hit=hit)


def touch_kind(request: Request) -> TouchKind:
    """By path, else by host: `impression.…` counts impressions, every other host clicks."""
    if request.form == "serve":
        return "impression" if request.host.startswith("impression.") else "click"
    return "impression" if request.form in ("impression", "impression_gif") else "click"


def s2s_parameters(query: str) -> dict[str, str]:
    """The four S2S parameters among a raw query, decoded but for the agent; the first of each name wins."""
    found: dict[str, str] = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if "%" in name:
            name = decode(name)
        if name in _S2S_NAMES and name not in found:
            # an agent is told apart as it stands: decoding it costs more than everything else here
            plain = name == "device_ua" or ("%" not in value and "+" not in value)
            found[name] = value if plain else decode(value)
    return found


def is_navigation(headers: Mapping[str, str]) -> bool:
    """Whether a person's browser asks for a page, so that somebody waits for a landing."""
    if headers.get("sec-fetch-dest", "").lower() in _IN_A_FRAME:
        return False
    if headers.get("sec-fetch-mode", "").lower() == "navigate":
        return True
    return "text/html" in headers.get("accept", "").lower()


def choose_mode(request: Request, kind: TouchKind, parameters: Mapping[str, str], link: Link) -> Mode:
    """`noredirect` bare or 1: S2S; 0: redirect; absent: S2S when all three S2S parameters came and
    nobody navigates (the vendor's default is 1), else a person's redirect or a page's impression."""
    if request.form in ("click_gif", "impression_gif"):
        return "page"
    noredirect = parameters.get("noredirect")
    if noredirect == "0":
        return "redirect"
    if noredirect is not None:
        return "s2s"
    navigates = is_navigation(request.headers)
    if not navigates and all(name in parameters for name in S2S_PARAMETERS):
        return "s2s"
    if link.kind == "tracking" or (kind == "impression" and not navigates):
        return "page"
    return "redirect"


def device_facts(request: Request, mode: Mode, parameters: Mapping[str, str]) -> Facts:
    """The sender's words for S2S, the peer otherwise. Raises Refuse only for S2S:
    a person is redirected whatever the link says, and the hit is flagged."""
    facts = Facts(request.peer or None, request.headers.get("user-agent", ""), request.now_us)
    if request.head:
        facts.flags.append("head")
    if mode == "s2s":
        for name in S2S_PARAMETERS:
            if not parameters.get(name):
                raise Refuse(f"missing_{name}", f"The parameter {name} is required for S2S requests.", name)
        facts.ip = _device_ip(parameters["device_ip"])
        facts.ua = ""  # it stands in the query, where the consumer reads it
        facts.touched_us = _touch_time(parameters["click_timestamp"], request.now_us)
    elif mode == "redirect" and parameters.get("noredirect") == "0":
        _take_stated_facts(facts, parameters, request.now_us)
    if facts.touched_us < request.now_us - LATE_US:
        facts.flags.append("late")
    return facts


def _take_stated_facts(facts: Facts, parameters: Mapping[str, str], now_us: int) -> None:
    facts.ua = decode(parameters.get("device_ua", "")) or facts.ua
    if "device_ip" in parameters:
        try:
            facts.ip = _device_ip(parameters["device_ip"])
        except Refuse as refusal:
            facts.flags.append(refusal.code)
    if "click_timestamp" in parameters:
        try:
            facts.touched_us = _touch_time(parameters["click_timestamp"], now_us)
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
    touched_us = int(text) * 1_000_000
    if touched_us > now_us + FUTURE_US:
        raise Refuse(
            "click_timestamp_in_future",
            f"click_timestamp {text} lies more than 5 minutes in the future.",
            "click_timestamp",
        )
    return touched_us


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
        ua=storable(facts.ua[:UA_CHARS_MAX]),
        query=storable(request.query),
        headers=_kept(request.headers),
        flags=facts.flags,
    )


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: storable(headers[name][:HEADER_CHARS_MAX]) for name in KEPT_HEADERS if name in headers}


def refused(request: Request, link: Link, kind: TouchKind, record_id: RecordId, refusal: Refuse) -> Outcome:
    reject = Reject(
        v=1,
        id=record_id,
        link=link.id,
        kind=kind,
        reason=refusal.code,
        parameter=refusal.parameter,
        detail=storable(refusal.detail),
        ip=request.peer or None,
        ua=storable(request.headers.get("user-agent", "")[:UA_CHARS_MAX]),
        query=storable(request.query),
        headers=_kept(request.headers),
    )
    return Outcome(400, reason=refusal.code, parameter=refusal.parameter, detail=refusal.detail, reject=reject)
