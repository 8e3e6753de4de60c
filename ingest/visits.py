"""Visits of websites, as the script in their pages or their servers send them: checked and made records. Pure."""

import re

import msgspec

from ingest import targets
from ingest.bodies import VISIT, decode
from ingest.conversions import Sender, derived_id, device_address, given_id, kept, over_each, text, time_us
from ingest.links import Links
from schemas.events import Visit
from schemas.ids import new_id
from schemas.query import storable

URL_CHARS_MAX = 2048
FUTURE_US = 5 * 60_000_000

_TOUCH_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def read_visits(body: bytes, sender: Sender, links: Links) -> tuple[list[Visit], bool]:
    """The visits of a body, and whether it was an array. Raises Refuse or BadElement; then none counts."""
    return over_each(body, lambda element: kept(_visit(element, sender, links), sender))


def _visit(element: msgspec.Raw, sender: Sender, links: Links) -> Visit:
    body = decode(VISIT, element)
    flags: list[str] = []
    record_id = new_id(sender.now_us)
    occurred_us = sender.now_us if body.occurred_at is None else time_us(body.occurred_at, "occurred_at")
    if occurred_us > sender.now_us + FUTURE_US:
        flags.append("occurred_in_future")
    # what stands in an address may be anybody's: what names nothing of ours is flagged, the visit counts
    touch_id = (body.touchline_id or "").lower() or None
    if touch_id is not None and _TOUCH_ID.fullmatch(touch_id) is None:
        touch_id = None
        flags.append("bad_touchline_id")
    link_id = body.mt_link_id or None
    if link_id is not None:
        link = links.link(link_id)
        if link is None or sender.key.app not in targets.apps(link):
            link_id = None
            flags.append("unknown_link")
    ip, ua = device_address(body.ip, body.ua, sender)
    return Visit(
        v=1,
        id=record_id,
        app=sender.key.app,
        # without a time of its own the same body is said at every visit
        visit_id=given_id(body.visit_id, "visit_id")
        or (record_id if body.occurred_at is None else derived_id(sender.key.app, element)),
        visitor_id=given_id(body.visitor_id, "visitor_id") or "",
        url=_cut(body.url, "url_cut", flags),
        referer=_cut(body.referer or "", "referer_cut", flags),
        touch_id=touch_id,
        link=link_id,
        occurred_us=occurred_us,
        ip=ip,
        ua=ua,
        language=text(body.language, "language", chars_max=35),
        flags=flags,
    )


def _cut(url: str, flag: str, flags: list[str]) -> str:
    """A long address is no reason to lose a visit."""
    if len(url) > URL_CHARS_MAX:
        flags.append(flag)
    return storable(url[:URL_CHARS_MAX])
