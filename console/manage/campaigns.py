"""Campaigns: what a partner runs, and by what its cost is counted. A campaign's links may lead to any app."""

from datetime import datetime
from typing import Literal

import asyncpg
import msgspec
from msgspec import UNSET, UnsetType

from console.manage.checks import Text, checked_text
from console.manage.common import ALL, Conflict, Missing, Part, Within, from_row, given, note
from console.manage.partners import NewPartner, check_partner, create_partner
from schemas.sql import load

CampaignKind = Literal["ad", "preinstall"]
"""Which links it may have: of ads, or labels in apps that a phone is sold with."""

Traffic = Literal[
    "network",
    "dsp",
    "search",
    "social",
    "video",
    "in_app",
    "influencer",
    "messenger",
    "email",
    "push",
    "affiliate",
    "oem",
    "web",
    "offline",
    "own",
    "other",
]
"""Where the ads are shown."""

Cost = Literal["tariffs", "partner", "both"]
"""What it costs, beside corrections: by tariffs, as the partner reports it, or the sum."""


class NewCampaign(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A campaign to be made."""

    id: Text
    title: Text | None = None
    kind: CampaignKind = "ad"
    traffic: Traffic = "other"
    partner: Text | None = None
    cost: Cost = "tariffs"


class CampaignChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be another way; the kind only while it has no links."""

    title: Text | UnsetType = UNSET
    kind: CampaignKind | UnsetType = UNSET
    traffic: Traffic | UnsetType = UNSET
    partner: Text | UnsetType | None = UNSET
    cost: Cost | UnsetType = UNSET


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign as it stands."""

    id: str
    title: str
    kind: CampaignKind
    traffic: Traffic
    partner: str | None
    cost: Cost
    links: int
    """How many stand."""
    created_at: datetime
    deleted_at: datetime | None


async def create_campaign(connection: asyncpg.Connection, by: str, asked: NewCampaign) -> Campaign:
    """Raises Refused."""
    checked_text("id", asked.id)
    title = checked_text("title", asked.title) or asked.id
    try:
        async with connection.transaction():
            await check_partner(connection, asked.partner)
            values = (asked.id, title, asked.kind, asked.traffic, asked.partner, asked.cost)
            await connection.execute(load("campaigns")["put"], *values)
            after = await show_campaign(connection, asked.id)
            await note(connection, by, "create", "campaign", asked.id, before=None, after=after)
            return after
    except asyncpg.UniqueViolationError:
        raise Conflict("id", f"id {asked.id!r} is taken: `touchline campaign show` shows whose it is.") from None


async def list_campaigns(
    connection: asyncpg.Connection,
    part: Part,
    *,
    within: Within = ALL,
    partner: str | None = None,
    deleted: bool = False,
) -> list[Campaign]:
    """Campaigns by id; `partner`: of this one."""
    values = (None, deleted, partner, within.apps, within.partner, part.after, part.limit)
    rows = await connection.fetch(load("campaigns")["campaigns"], *values)
    return [from_row(Campaign, row) for row in rows]


async def show_campaign(connection: asyncpg.Connection, campaign: str, *, within: Within = ALL) -> Campaign:
    """Deleted ones too. Raises Missing."""
    values = (campaign, True, None, within.apps, within.partner, None, 1)
    row = await connection.fetchrow(load("campaigns")["campaigns"], *values)
    if row is None:
        raise Missing("campaign", campaign)
    return from_row(Campaign, row)


async def change_campaign(connection: asyncpg.Connection, by: str, campaign: str, asked: CampaignChange) -> Campaign:
    """Touches keep the partner they came by. Raises Refused."""
    async with connection.transaction():
        links = (await lock_campaign(connection, campaign))["links"]
        before = await show_campaign(connection, campaign)
        changed = msgspec.structs.replace(before, **given(asked))
        if changed.kind != before.kind and links:
            raise Conflict("kind", f"campaign {campaign!r} has links of its kind: it stays {before.kind}.")
        if changed.partner != before.partner:
            await check_partner(connection, changed.partner)
        title = checked_text("title", changed.title)
        values = (campaign, title, changed.kind, changed.traffic, changed.partner, changed.cost)
        await connection.execute(load("campaigns")["set"], *values)
        after = await show_campaign(connection, campaign)
        await note(connection, by, "change", "campaign", campaign, before=before, after=after)
    return after


async def delete_campaign(connection: asyncpg.Connection, by: str, campaign: str) -> Campaign:
    """Its rows stay. Raises Refused while it has links, or sources of SKAdNetwork."""
    async with connection.transaction():
        locked = await lock_campaign(connection, campaign)
        for what in ("links", "sources"):
            if locked[what]:
                raise Conflict(None, f"campaign {campaign!r} has {what}, {locked[what]} of them: delete them first.")
        before = await show_campaign(connection, campaign)
        await connection.execute(load("campaigns")["delete"], campaign)
        after = await show_campaign(connection, campaign)
        await note(connection, by, "delete", "campaign", campaign, before=before, after=after)
    return after


async def mention_campaign(
    connection: asyncpg.Connection, by: str, campaign: str, partner: str | None, kind: CampaignKind
) -> None:
    """The campaign and its partner are there, made now if nobody named them before. Raises Refused when it is another
    partner's."""
    checked_text("campaign", campaign)
    checked_text("partner", partner)
    async with connection.transaction():
        if partner is not None:
            try:
                await check_partner(connection, partner)
            except Missing:
                await create_partner(connection, by, NewPartner(id=partner))
        try:
            owner = (await show_campaign(connection, campaign)).partner
        except Missing:
            await create_campaign(connection, by, NewCampaign(id=campaign, partner=partner, kind=kind))
            return
        if partner is not None and owner != partner:
            whose = f"partner {owner!r} does" if owner is not None else "it has no partner"
            raise Conflict("partner", f"partner {partner!r} does not own the campaign {campaign!r}: {whose}.")


async def lock_campaign(connection: asyncpg.Connection, campaign: str, field: str | None = None) -> asyncpg.Record:
    """Nobody else changes or deletes it meanwhile. Raises Missing."""
    row = await connection.fetchrow(load("campaigns")["lock"], campaign)
    if row is None:
        raise Missing("campaign", campaign, field)
    return row
