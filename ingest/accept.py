"""What to do with a request for a tracking link: pure rules, no I/O.

The steps, in order: which kind of touch, which mode, the link, the facts about the device,
the target. The result says what to record and what to answer.
"""

from collections.abc import Mapping

import msgspec

from ingest import privacy, protection, targets
from ingest.links import Links
from ingest.stated import NEEDED, Facts, facts_of, states_a_device
from ingest.templates import expand
from ingest.touch import Outcome, Request
from schemas.errors import Refuse
from schemas.events import Hit, Mode, Reject, TouchKind
from schemas.ids import RecordId, new_id
from schemas.links import Link
from schemas.query import decode, split_query, storable


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
    # whoever states facts, but not people
    if guard is not None and (mode == "s2s" or states_a_device(request, mode, values)):
        doubt = protection.doubt(guard, came.peer, kind, came.link, came.query, came.now_us)
    if doubt is not None and mode == "s2s":
        return refused(request, link, kind, record_id, doubt, status=403)
    try:
        facts = facts_of(request, mode, values, doubt)
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
    if not navigates and values.keys() >= NEEDED:
        return "s2s"
    if link.kind == "tracking" or (kind == "impression" and not navigates):
        return "page"
    return "redirect"


def _says_zero(value: str) -> bool:
    return value == "0" or ("%" in value and decode(value) == "0")


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
