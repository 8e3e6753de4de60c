"""Which campaign a campaign-id or a source identifier stands for, in an app."""

import re
from datetime import datetime
from typing import Annotated, Any

import asyncpg
import msgspec
from msgspec import Meta

from console.manage.checks import shown
from console.manage.common import ALL, Conflict, Invalid, Missing, Part, Within, known_number, note, number_after
from console.manage.forms import owners
from schemas.skan.sources import SourceKind
from schemas.sql import load

NETWORK_CHARS_MAX = 100
CAMPAIGN_ID_MAX = 100
_DIGITS = re.compile(r"[0-9]{2,4}")

CampaignId = Annotated[int, Meta(ge=1, le=CAMPAIGN_ID_MAX)]
Digits = Annotated[str, Meta(pattern=f"^{_DIGITS.pattern}$")]


class NewSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A source to create: a campaign-id, or (digits of) a source identifier."""

    app: str
    campaign: str
    network: str | None = None
    """Its id, such as example123.skadnetwork; absent: of every network."""
    campaign_id: CampaignId | None = None
    """Up to SKAdNetwork 3.0."""
    source_identifier: Digits | None = None
    """All four digits or their last three or two: every identifier that ends in them."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A source as it is shown."""

    id: int
    app: str
    network: str | None
    """Null: of every network."""
    campaign_id: int | None
    source_identifier: str | None
    campaign: str
    created_at: datetime
    deleted_at: datetime | None


async def create_source(connection: asyncpg.Connection, by: str, asked: NewSource) -> Source:
    """Raises Refused."""
    kind, source = _kind_and_digits(asked)
    network = _network(asked.network)
    async with connection.transaction():
        await owners(connection, asked.campaign, asked.app)
        values = (asked.app, network, kind, source, asked.campaign)
        made = await connection.fetchval(load("skan_meaning")["put_source"], *values)
        if made is None:
            whose = f" of {network}" if network else ""
            raise Conflict(kind, f"{kind} {source}{whose} of app {asked.app!r} stands for a campaign already.")
        after = await show_source(connection, made)
        await note(connection, by, "create", "skan_source", str(made), before=None, after=after)
    return after


async def list_sources(
    connection: asyncpg.Connection,
    *,
    app: str | None = None,
    campaign: str | None = None,
    deleted: bool = False,
    within: Within = ALL,
    part: Part,
) -> list[Source]:
    """By id, the oldest first. Raises Invalid when `after` is no number."""
    rows = await connection.fetch(
        load("skan_meaning")["sources"],
        *(app, campaign, None, within.apps, within.partner, deleted),
        *(number_after(part), part.limit),
    )
    return [_shown(row) for row in rows]


async def show_source(connection: asyncpg.Connection, id: int) -> Source:
    """Also a deleted one. Raises Missing."""
    values = (None, None, known_number("skan source", id), None, None, True, None, 1)
    row = await connection.fetchrow(load("skan_meaning")["sources"], *values)
    if row is None:
        raise Missing("skan source", str(id))
    return _shown(row)


async def delete_source(connection: asyncpg.Connection, by: str, id: int) -> Source:
    """Raises Missing, also when it is deleted already."""
    async with connection.transaction():
        before = await show_source(connection, id)
        if await connection.fetchval(load("skan_meaning")["delete_source"], id) is None:
            raise Missing("skan source", str(id))
        after = await show_source(connection, id)
        await note(connection, by, "delete", "skan_source", str(id), before=before, after=after)
    return after


def _kind_and_digits(asked: NewSource) -> tuple[SourceKind, str]:
    match asked.campaign_id, asked.source_identifier:
        case int() as number, None:
            if not 1 <= number <= CAMPAIGN_ID_MAX:
                raise Invalid("campaign_id", f"{number} is not from 1 to {CAMPAIGN_ID_MAX}.")
            return "campaign_id", str(number)
        case None, str() as digits:
            if not _DIGITS.fullmatch(digits):
                raise Invalid("source_identifier", f"{shown(digits)} is not all four digits, or the last two or three.")
            return "source_identifier", digits
        case None, None:
            raise Invalid("source_identifier", "is missing: two to four digits; or a campaign_id, up to 3.0.")
    raise Invalid("campaign_id", "and source_identifier are two kinds of source: name one.")


def _network(text: str | None) -> str | None:
    if text is None:
        return None
    if not (text.isascii() and text.isprintable() and 0 < len(text) <= NETWORK_CHARS_MAX and " " not in text):
        raise Invalid("network", f"{shown(text)} is no id of an ad network, such as example123.skadnetwork.")
    return text.lower()


def _shown(row: asyncpg.Record) -> Source:
    values: dict[str, Any] = {name: value for name, value in row.items() if name not in ("kind", "source")}
    by_id = row["kind"] == "campaign_id"
    return Source(
        **values,
        campaign_id=int(row["source"]) if by_id else None,
        source_identifier=None if by_id else row["source"],
    )
