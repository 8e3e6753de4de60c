"""Tracking links. The edges see every change at once, by the table's trigger."""

from datetime import datetime
from typing import Annotated, Literal

import asyncpg
import msgspec
from msgspec import UNSET, Meta, UnsetType

from console.manage.campaigns import lock_campaign
from console.manage.checks import (
    LinkIdText,
    Text,
    check_host,
    check_link_id,
    checked_fallback,
    checked_text,
)
from console.manage.common import ALL, Conflict, Missing, Part, Within, from_row, given, note, pack
from console.manage.profiles import TrackingUrls, partner_urls
from console.manage.skan_uses import SkanUses, skan_remarks, skan_uses
from console.manage.targets import check_windows, checked_targets, remarks
from console.urls import edge_of, new_link_id, printed_urls
from schemas.links import AppKind, Link, LinkKind, Target
from schemas.rules import LinkWindow
from schemas.settings import Settings
from schemas.sql import load

State = Literal["active", "paused", "deleted"]


class AskedTarget(Target, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where the link leads on one kind of device; `{name}` in the URLs is a macro."""


Targets = Annotated[tuple[AskedTarget, ...], Meta(max_length=20)]
Windows = Annotated[tuple[LinkWindow, ...], Meta(max_length=20)]


class NewLink(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A link to be made. Its windows hold for ever: decisions of one link must not change their meaning."""

    app: Text
    id: LinkIdText | None = None
    """A vendor's id to keep; without one a random number is made."""
    title: Text | None = None
    campaign: Text | None = None
    kind: LinkKind = "redirect"
    targets: Targets = ()
    fallback_url: str | None = None
    windows: Windows | None = None
    """Instead of the app's."""
    host: str | None = None
    """Host name of its addresses; null: the installation's."""


class LinkChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be another way. App, kind and windows stay."""

    title: Text | UnsetType = UNSET
    campaign: Text | UnsetType | None = UNSET
    targets: Targets | UnsetType = UNSET
    fallback_url: str | UnsetType | None = UNSET
    host: str | UnsetType | None = UNSET
    paused: bool | UnsetType = UNSET


class LinkFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A link as it stands."""

    id: str
    app: str
    campaign: str | None
    partner: str | None
    title: str
    kind: LinkKind
    targets: tuple[Target, ...]
    fallback_url: str | None
    host: str | None
    windows: tuple[LinkWindow, ...] | None
    created_at: datetime
    state: State
    urls: dict[str, str]
    """Its addresses, ready to copy."""
    partner_urls: tuple[TrackingUrls, ...]
    """The same for the forms of its partner, with the partner's macros in them."""
    skan: SkanUses | None
    """Which addresses go where in ads that SKAdNetwork attributes; null: it leads to no app of the App Store."""
    remarks: tuple[str, ...]
    """What a person may not expect of it."""


async def create_link(connection: asyncpg.Connection, by: str, asked: NewLink, settings: Settings) -> LinkFacts:
    """Raises Refused."""
    if asked.id is not None:
        check_link_id(asked.id)
    link_id = asked.id or new_link_id()
    check_windows(asked.windows or ())
    try:
        async with connection.transaction():
            kind = await _app_kind(connection, asked.app, "app")
            title = checked_text("title", asked.title) or ""
            await _check_campaign(connection, asked.campaign, asked.kind)
            targets = await _targets(connection, asked.targets, kind)
            fallback = checked_fallback(asked.fallback_url)
            check_host(asked.host)
            windows = None if asked.windows is None else pack(asked.windows)
            values = (asked.campaign, title, asked.kind, pack(targets), fallback, asked.host, windows)
            await connection.execute(load("manage")["put_link"], link_id, asked.app, *values)
            after = await show_link(connection, link_id, settings)
            await note(connection, by, "create", "link", link_id, before=None, after=after)
            return after
    except asyncpg.UniqueViolationError:
        raise Conflict("id", f"id {link_id!r} is taken: `touchline link show {link_id}` shows it.") from None


async def list_links(
    connection: asyncpg.Connection,
    part: Part,
    settings: Settings,
    *,
    within: Within = ALL,
    app: str | None = None,
    campaign: str | None = None,
    deleted: bool = False,
) -> list[LinkFacts]:
    """Links, the newest first; of an app, of a campaign."""
    values = (None, app, deleted, campaign, within.apps, within.partner, part.after, part.limit)
    return [_facts(row, settings) for row in await connection.fetch(load("manage")["links"], *values)]


async def show_link(connection: asyncpg.Connection, link: str, settings: Settings) -> LinkFacts:
    """Deleted ones too. Raises Missing."""
    row = await connection.fetchrow(load("manage")["links"], link, None, True, None, None, None, None, 1)
    if row is None:
        raise Missing("link", link)
    return _facts(row, settings)


async def change_link(
    connection: asyncpg.Connection, by: str, link: str, asked: LinkChange, settings: Settings
) -> LinkFacts:
    """Raises Refused."""
    async with connection.transaction():
        before = await _lock(connection, link, settings)
        stated = given(asked)
        paused = stated.pop("paused", before.state == "paused")
        changed = msgspec.structs.replace(before, **stated, state="paused" if paused else "active")
        if changed.campaign != before.campaign:
            await _check_campaign(connection, changed.campaign, changed.kind)
        if "targets" in stated:
            kind = await _app_kind(connection, changed.app, "app")
            changed = msgspec.structs.replace(changed, targets=await _targets(connection, changed.targets, kind))
        checked_text("title", changed.title or None)
        check_host(changed.host)
        changed = msgspec.structs.replace(changed, fallback_url=checked_fallback(changed.fallback_url))
        await _set(connection, changed)
        after = await show_link(connection, link, settings)
        await note(connection, by, "change", "link", link, before=before, after=after)
    return after


async def delete_link(connection: asyncpg.Connection, by: str, link: str, settings: Settings) -> LinkFacts:
    """It leads to the fallback for ever; its touches and its id are kept. Raises Refused."""
    async with connection.transaction():
        before = await _lock(connection, link, settings)
        await connection.execute(load("manage")["delete_link"], link)
        after = await show_link(connection, link, settings)
        await note(connection, by, "delete", "link", link, before=before, after=after)
    return after


async def _app_kind(connection: asyncpg.Connection, app: str, field: str) -> AppKind:
    row = await connection.fetchrow(load("manage")["app"], app)
    if row is None:
        raise Missing("app", app, field)
    kind: AppKind = row["kind"]
    return kind


async def _check_campaign(connection: asyncpg.Connection, campaign: str | None, kind: LinkKind) -> None:
    """The kind of a campaign decides which links it has."""
    if campaign is None:
        return
    of_campaign = (await lock_campaign(connection, campaign, "campaign"))["kind"]
    if (of_campaign == "preinstall") != (kind == "preinstall"):
        needed = "preinstall" if of_campaign == "preinstall" else "redirect, tracking or s2s"
        raise Conflict("kind", f"campaign {campaign!r} is of kind {of_campaign}: its links are {needed}, not {kind}.")


async def _targets(connection: asyncpg.Connection, asked: tuple[Target, ...], kind: AppKind) -> tuple[Target, ...]:
    for target in asked:
        if target.app is not None:
            await _app_kind(connection, target.app, "targets")
    return checked_targets(asked, kind)


async def _lock(connection: asyncpg.Connection, link: str, settings: Settings) -> LinkFacts:
    locked = await connection.fetchval(load("manage")["lock_link"], link)
    standing = await show_link(connection, link, settings)
    if locked is None:
        raise Conflict(None, f"link {link!r} is deleted; make a new one with `touchline link create`.")
    return standing


async def _set(connection: asyncpg.Connection, link: LinkFacts) -> None:
    values = (link.campaign, link.title, pack(link.targets), link.fallback_url, link.host)
    await connection.execute(load("manage")["set_link"], link.id, *values, link.state == "paused")


def _facts(row: asyncpg.Record, settings: Settings) -> LinkFacts:
    link = Link(
        id=row["id"],
        app=row["app"],
        kind=row["kind"],
        targets=msgspec.json.decode(row["targets"], type=tuple[Target, ...]),
        fallback_url=row["fallback_url"],
    )
    edge = edge_of(settings.printed_url(), row["host"])
    said = remarks(link, app_fallback=row["app_fallback_url"], public_url=bool(settings.public_url or row["host"]))
    urls: dict[str, str] = {}
    theirs: tuple[TrackingUrls, ...] = ()
    if link.kind != "preinstall":
        urls = printed_urls(edge, link.id)
        if row["partner"] is not None:
            theirs = tuple(partner_urls(row["profile"], msgspec.json.decode(row["parameters"]), edge, link.id))
    their = next((one.click for one in theirs if one.platform != "android"), "")
    query = their.partition("?")[2].removesuffix("&noredirect")
    skan = skan_uses(link, number=row["app_store"], edge=edge, query=query)
    said += skan_remarks(link, skan, campaign=row["campaign"], is_used=row["is_skan"])
    facts = {"urls": urls, "partner_urls": theirs, "skan": skan, "remarks": said}
    return from_row(LinkFacts, row, "targets", "windows", **facts)
