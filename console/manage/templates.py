"""Postback templates: what partners, or the operator, want to be told of an app's conversions."""

from datetime import datetime
from typing import Any, Literal

import asyncpg
import msgspec
from msgspec import UNSET, UnsetType

from console.manage.common import Missing, Part, Refused, known_number, note, number_after
from console.urls import checked_url
from schemas.macro_values import PREFIXES, known_macros
from schemas.macros import check_json, check_url, macros_in
from schemas.sql import load
from schemas.templates import CONVERSION_EVENTS

Mode = Literal["off", "attributed", "all"]
Method = Literal["GET", "POST"]

EVENT_CHARS_MAX = 100
BODY_CHARS_MAX = 20_000
LISTED_MAX = 10_000
LISTED = Part(LISTED_MAX)


class NewTemplate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A template to create. It tells of conversions that are received from then on."""

    app: str
    event: str
    """install, re-install, re-engagement, registration, payment, or the name of an event."""
    url: str
    partner: str | None = None
    """None: the operator's own."""
    mode: Mode = "attributed"
    first_only: bool = False
    """Of an install's events one only."""
    method: Method = "GET"
    body: str | None = None
    """Of POST: a JSON text with macros."""
    reversal_url: str | None = None
    """Asked for when an attribution that was told is taken back; None: nobody is told."""


class ChangedTemplate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is to change of a template; what is planned already stays as it is."""

    url: str | UnsetType = UNSET
    mode: Mode | UnsetType = UNSET
    first_only: bool | UnsetType = UNSET
    method: Method | UnsetType = UNSET
    body: str | UnsetType | None = UNSET
    reversal_url: str | UnsetType | None = UNSET


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """A template as it is shown."""

    id: int
    app: str
    partner: str | None
    event: str
    mode: Mode
    first_only: bool
    method: Method
    url: str
    body: str | None
    reversal_url: str | None
    created_at: datetime
    deleted_at: datetime | None
    remarks: list[str]
    """What is not wrong, and may not be meant."""


async def create_template(connection: asyncpg.Connection, by: str, asked: NewTemplate) -> Template:
    """Raises Refused."""
    url, body, reversal_url = _checked(asked.method, asked.url, asked.body, asked.reversal_url)
    event = _checked_event(asked.event)
    async with connection.transaction():
        owners = await connection.fetchrow(load("templates")["owners"], asked.app, asked.partner)
        _check_owners(asked, owners)
        row = await connection.fetchrow(
            load("templates")["create"],
            *(asked.app, asked.partner, event, asked.mode, asked.first_only),
            *(asked.method, url, body, reversal_url),
        )
        made = _shown(row)
        await note(connection, by, "create", "postback-template", str(made.id), before=None, after=made)
    return made


async def list_templates(
    connection: asyncpg.Connection,
    part: Part = LISTED,
    *,
    app: str | None = None,
    partner: str | None = None,
    deleted: bool = False,
) -> list[Template]:
    """The newest first. Raises Invalid."""
    values = (None, app, partner, deleted, part.limit, number_after(part))
    rows = await connection.fetch(load("templates")["list"], *values)
    return [_shown(row) for row in rows]


async def show_template(connection: asyncpg.Connection, id: int) -> Template:
    """Also a deleted one. Raises Missing."""
    values = (known_number("postback template", id), None, None, True, 1, None)
    row = await connection.fetchrow(load("templates")["list"], *values)
    if row is None:
        raise Missing("postback template", str(id))
    return _shown(row)


async def change_template(connection: asyncpg.Connection, by: str, id: int, asked: ChangedTemplate) -> Template:
    """Off: what waits is not sent any more. Raises Missing, Refused."""
    async with connection.transaction():
        before = await _to_change(connection, id)
        wanted = _wanted(before, asked)
        url, body, reversal_url = _checked(wanted.method, wanted.url, wanted.body, wanted.reversal_url)
        values = (wanted.mode, wanted.first_only, wanted.method, url, body, reversal_url)
        after = _shown(await connection.fetchrow(load("templates")["change"], id, *values))
        if after.mode == "off":
            await connection.execute(load("templates")["stop"], id)
        await note(connection, by, "change", "postback-template", str(id), before=before, after=after)
    return after


async def delete_template(connection: asyncpg.Connection, by: str, id: int) -> Template:
    """It tells nothing any more, and what waits is not sent. Raises Missing."""
    async with connection.transaction():
        before = await _to_change(connection, id)
        after = _shown(await connection.fetchrow(load("templates")["delete"], id))
        await connection.execute(load("templates")["stop"], id)
        await note(connection, by, "delete", "postback-template", str(id), before=before, after=after)
    return after


async def _to_change(connection: asyncpg.Connection, id: int) -> Template:
    row = await connection.fetchrow(load("templates")["lock"], known_number("postback template", id))
    if row is None:
        raise Missing("postback template", str(id))
    return _shown(row)


def _wanted(before: Template, asked: ChangedTemplate) -> Template:
    """A GET has no body: changing to it drops the one that stands."""
    said = {name: value for name, value in msgspec.structs.asdict(asked).items() if value is not UNSET}
    if asked.method == "GET":
        said.setdefault("body", None)
    return msgspec.structs.replace(before, **said)


def _checked(
    method: Method, url: str, body: str | None, reversal_url: str | None
) -> tuple[str, str | None, str | None]:
    """URL, body and reversal URL as they are stored. Raises Refused."""
    if method == "GET" and body is not None:
        raise Refused("body", "belongs to POST: a GET has none.")
    if method == "POST" and body is None:
        raise Refused("body", 'is missing: a POST sends a JSON text, such as {"click": "{click_id}"}.')
    reversal = _checked_url("reversal_url", reversal_url) if reversal_url is not None else None
    return _checked_url("url", url), _checked_body(body) if body is not None else None, reversal


def _checked_url(field: str, text: str) -> str:
    try:
        url = checked_url(text)
        check_url(url)
    except ValueError as error:
        raise Refused(field, f"{text[:200]!r} {error}.") from None
    return url


def _checked_body(text: str) -> str:
    if len(text) > BODY_CHARS_MAX:
        raise Refused("body", f"has {len(text)} characters; at most {BODY_CHARS_MAX} are allowed.")
    try:
        text.encode()
        check_json(text)
    except ValueError as error:
        raise Refused("body", f"{text[:200]!r} {error}.") from None
    return text


def _checked_event(text: str) -> str:
    if not (text.strip() == text and text and text.isprintable() and len(text) <= EVENT_CHARS_MAX):
        raise Refused("event", f"{text[:200]!r} is not 1 to {EVENT_CHARS_MAX} printable characters.")
    return text


def _check_owners(asked: NewTemplate, owners: Any) -> None:
    if owners["app_kind"] is None:
        raise Refused("app", f"{asked.app!r} does not exist.")
    if asked.partner is not None and not owners["has_partner"]:
        raise Refused("partner", f"{asked.partner!r} does not exist.")
    if owners["app_kind"] == "web" and asked.event in CONVERSION_EVENTS:
        raise Refused("event", f"{asked.event!r} is nothing that happens on a website.")
    if owners["app_kind"] == "web" and asked.first_only:
        raise Refused("first_only", "A website has no installs of which one event could be the first.")


def _shown(row: Any) -> Template:
    facts = {name: row[name] for name in Template.__struct_fields__ if name != "remarks"}
    texts = [text for text in (row["url"], row["body"], row["reversal_url"]) if text is not None]
    return Template(**facts, remarks=_remarks(texts))


def _remarks(texts: list[str]) -> list[str]:
    names = dict.fromkeys(name for text in texts for name in macros_in(text))
    unknown = [name for name in names if name not in known_macros() and not name.startswith(("mtep_", "mtj_"))]
    return [
        f"{{{name}}} is no macro: it is always empty."
        if name.startswith(PREFIXES)
        else f"{{{name}}} is no macro of ours: it is the click's parameter of that name, or empty."
        for name in unknown
    ]
