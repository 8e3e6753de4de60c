"""Trying a postback template out: what it would send, of an install on record or of one that is made up."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec

from console.manage.common import Refused, note
from console.manage.templates import Template, show_template
from schemas.macro_values import macro_values
from schemas.macros import expand_json, expand_url
from schemas.sql import load
from schemas.templates import CONVERSION_EVENTS, is_of_event

EVENTS_LOOKED_AT = 500

_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_ID = UUID("01900000-0000-7000-8000-000000000001")
_GAID = "38400000-8cf0-11bd-b23e-10b96e40000d"


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it would be sent."""

    template: int
    method: str
    url: str
    body: str | None
    reversal_url: str | None
    conversion: str | None
    """The install or event that is told; None: a made-up one."""
    postback: int | None
    """When it was sent: the postback that waits for it."""
    remarks: list[str]


async def try_template(
    connection: asyncpg.Connection, by: str, id: int, *, install_id: str | None = None, send: bool = False
) -> Trial:
    """What the template tells of an install, or of its last event of that name; `send`: to its address, at once.

    A trial is no postback of the conversion: it is told once more when it is due. Raises Missing, Refused.
    """
    template = await show_template(connection, id)
    remarks = list(template.remarks)
    if install_id is None:
        row: Mapping[str, Any] = _sample(template)
        remarks.append("The conversion is made up; --install tells of one on record.")
    else:
        row = await _row(connection, template, install_id, remarks)
    attributed = template.partner is None or row["partner"] == template.partner
    if not attributed:
        remarks.append(f"The conversion is not {template.partner}'s: macros of its click are empty.")
    told_as = template.event if template.event in CONVERSION_EVENTS or row["name"] is None else row["name"]
    values = macro_values(row, told_as, attributed=attributed)
    trial = Trial(
        template=template.id,
        method=template.method,
        url=expand_url(template.url, values),
        body=expand_json(template.body, values) if template.body is not None else None,
        reversal_url=expand_url(template.reversal_url, values) if template.reversal_url is not None else None,
        conversion=str(row["conversion"]) if install_id is not None else None,
        postback=None,
        remarks=remarks,
    )
    return await _send(connection, by, template, trial, row) if send else trial


async def _send(
    connection: asyncpg.Connection, by: str, template: Template, trial: Trial, row: Mapping[str, Any]
) -> Trial:
    if template.deleted_at is not None:
        raise Refused(None, f"postback template {template.id} is deleted.")
    known = (row["conversion"], row["install"]) if trial.conversion is not None else (None, None)
    async with connection.transaction():
        postback = await connection.fetchval(
            load("templates")["put_trial"],
            *(*known, template.app, template.partner, template.event, uuid4().hex),
            *(trial.method, trial.url, trial.body),
        )
        sent = msgspec.structs.replace(trial, postback=postback)
        shown = {"template": template.id, "postback": postback}  # the audit keeps nothing of a device
        await note(connection, by, "try", "postback-template", str(template.id), before=None, after=shown)
    return sent


async def _row(
    connection: asyncpg.Connection, template: Template, install_id: str, remarks: list[str]
) -> Mapping[str, Any]:
    install = await connection.fetchval(load("templates")["install"], template.app, install_id)
    if install is None:
        raise Refused("install", f"{install_id!r} is no install of {template.app} on record.")
    events = await connection.fetch(load("templates")["last_events"], install, EVENTS_LOOKED_AT)
    ids = [row["event"] for row in events]
    rows: Sequence[Mapping[str, Any]] = await connection.fetch(load("telling")["conversions"], [install, *ids])
    by_age = sorted(rows, key=lambda row: ids.index(row["conversion"]) if row["conversion"] in ids else -1)
    for row in by_age:
        if is_of_event(template.event, row["kind"], row["name"], row["revenue_micros"]):
            if not row["decided"]:
                remarks.append("It is not decided yet whose the install is.")
            return row
    remarks.append(f"Nothing of the install is told as {template.event!r}: this tells of the install itself.")
    return by_age[0]


class _Row(dict[str, Any]):
    """What is not said is not known."""

    def __missing__(self, name: str) -> None:
        return None


def _sample(template: Template) -> Mapping[str, Any]:
    """A conversion of the template's partner by a click that says what clicks say."""
    is_event = template.event not in CONVERSION_EVENTS
    query = f"click_id=sample-click&google_aid={_GAID}&site_id=sample-site&creative_id=sample-creative"
    return _Row(
        conversion=_ID,
        install=_ID,
        name=template.event if is_event else None,
        at=_AT,
        app=template.app,
        app_title=template.app,
        method="identifier",
        touch=_ID,
        touch_kind="click",
        touched_at=_AT,
        link="sample-link",
        campaign="sample-campaign",
        campaign_title="Sample campaign",
        partner=template.partner,
        partner_title=template.partner,
        click_id="sample-click",
        touch_ip="192.0.2.1",
        touch_ua="Mozilla/5.0 (Linux; Android 14) Sample/1.0",
        query=query,
        params='{"order_id": "sample-order"}' if is_event else None,
        revenue_micros=4_990_000 if is_event else None,
        currency="EUR" if is_event else None,
        install_id="sample-install",
        user_id="sample-user",
        ids=f'{{"google_aid": "{_GAID}"}}',
        os="android",
        device='{"os": "Android", "os_version": "14", "model": "Pixel 8", "locale": "en_GB"}',
        app_version="1.0",
        country="GB",
        install_ip="192.0.2.1",
        installed_at=_AT,
    )
