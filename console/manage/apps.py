"""Apps that are advertised, and the keys their installs come with."""

import secrets
from datetime import datetime
from hashlib import sha256
from typing import Annotated

import asyncpg
import msgspec
from msgspec import UNSET, UnsetType

from console.manage.checks import (
    AppIdText,
    Hours,
    Text,
    check_app_id,
    check_stores,
    checked_fallback,
    checked_origins,
    checked_text,
)
from console.manage.common import ALL, Conflict, Invalid, Missing, Part, Within, from_row, given, note, pack
from schemas.links import AppKind, KeyKind, Stores
from schemas.sql import load

FIRST_KEYS: dict[AppKind, tuple[KeyKind, ...]] = {"mobile": ("sdk", "server"), "web": ("web", "server")}
VISIT_WINDOW_HOURS = 720


class AskedStores(Stores, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the app is called in the stores, and by what phones know that links on a host are its own."""


class NewApp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An app to be made. `coppa` holds for ever: what was never written down cannot be had later."""

    id: AppIdText
    title: Text | None = None
    kind: AppKind = "mobile"
    fallback_url: str | None = None
    origins: tuple[str, ...] = ()
    visit_window_hours: Hours | None = None
    stores: AskedStores = AskedStores()
    coppa: bool = False
    truncate_addresses: bool = False


class AppChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be another way, for everything that comes from now on."""

    title: Text | UnsetType = UNSET
    fallback_url: str | UnsetType | None = UNSET
    origins: tuple[str, ...] | UnsetType = UNSET
    visit_window_hours: Hours | UnsetType = UNSET
    stores: AskedStores | UnsetType = UNSET
    truncate_addresses: bool | UnsetType = UNSET


class NewKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key to be made."""

    kind: KeyKind
    title: Annotated[str, msgspec.Meta(max_length=200)] = ""


class Key(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A key; its text stands in the answer that made it and never again."""

    id: str
    kind: KeyKind
    title: str
    created_at: datetime | None = None
    key: str | None = None


class App(msgspec.Struct, frozen=True, kw_only=True):
    """An app as it stands."""

    id: str
    title: str
    kind: AppKind
    fallback_url: str | None
    origins: tuple[str, ...]
    visit_window_hours: int
    stores: Stores
    coppa: bool
    truncate_addresses: bool
    created_at: datetime
    deleted_at: datetime | None
    keys: tuple[Key, ...]


async def create_app(connection: asyncpg.Connection, by: str, asked: NewApp) -> App:
    """Makes its first keys too. Raises Refused."""
    check_app_id(asked.id)
    title = checked_text("title", asked.title) or asked.id
    fallback = checked_fallback(asked.fallback_url)
    if asked.kind == "web" and not asked.origins:
        raise Invalid("origins", "are missing: a website needs them, as https://shop.example: whose pages may report.")
    if asked.kind != "web" and (asked.origins or asked.visit_window_hours is not None):
        field = "origins" if asked.origins else "visit_window_hours"
        raise Invalid(field, "is a website's: the kind has to be web.")
    made = App(
        id=asked.id,
        title=title,
        kind=asked.kind,
        fallback_url=fallback,
        origins=asked.origins,
        visit_window_hours=asked.visit_window_hours or VISIT_WINDOW_HOURS,
        stores=asked.stores,
        coppa=asked.coppa,
        truncate_addresses=asked.truncate_addresses,
        created_at=datetime.min,
        deleted_at=None,
        keys=(),
    )
    keys: list[Key] = []
    try:
        async with connection.transaction():
            await connection.execute(load("manage")["put_app"], made.id, title, fallback)
            await _set(connection, made)
            keys += [await _put_key(connection, made.id, NewKey(kind=kind)) for kind in FIRST_KEYS[asked.kind]]
            after = await show_app(connection, made.id)
            await note(connection, by, "create", "app", made.id, before=None, after=after)
    except asyncpg.UniqueViolationError:
        raise Conflict("id", f"id {made.id!r} is taken: `touchline app show {made.id}` shows whose it is.") from None
    texts = {key.id: key.key for key in keys}
    with_texts = tuple(msgspec.structs.replace(key, key=texts.get(key.id)) for key in after.keys)
    order = [key.id for key in keys]
    return msgspec.structs.replace(after, keys=tuple(sorted(with_texts, key=lambda key: order.index(key.id))))


async def list_apps(
    connection: asyncpg.Connection, part: Part, *, within: Within = ALL, deleted: bool = False
) -> list[App]:
    """Apps by id."""
    values = (None, deleted, within.apps, within.partner, part.after, part.limit)
    return [_app(row) for row in await connection.fetch(load("manage")["apps"], *values)]


async def show_app(connection: asyncpg.Connection, app: str) -> App:
    """Deleted ones too. Raises Missing."""
    row = await connection.fetchrow(load("manage")["apps"], app, True, None, None, None, 1)
    if row is None:
        raise Missing("app", app)
    return _app(row)


async def change_app(connection: asyncpg.Connection, by: str, app: str, asked: AppChange) -> App:
    """Raises Refused."""
    async with connection.transaction():
        await _lock(connection, app)
        before = await show_app(connection, app)
        changed = msgspec.structs.replace(before, **given(asked))
        if changed.kind != "web" and (asked.origins or asked.visit_window_hours is not UNSET):
            field = "origins" if asked.origins else "visit_window_hours"
            raise Conflict(field, f"app {app!r} is no website: it has neither origins nor visits.")
        if changed.kind == "web" and not changed.origins:
            raise Invalid("origins", "are missing: a website needs them.")
        checked_text("title", changed.title)
        changed = msgspec.structs.replace(changed, fallback_url=checked_fallback(changed.fallback_url))
        await _set(connection, changed)
        after = await show_app(connection, app)
        await note(connection, by, "change", "app", app, before=before, after=after)
    return after


async def delete_app(connection: asyncpg.Connection, by: str, app: str) -> App:
    """Revokes its keys; its rows stay. Raises Refused while links lead to it, or sources of SKAdNetwork are its own."""
    async with connection.transaction():
        locked = await _lock(connection, app)
        for what in ("links", "sources"):
            if locked[what]:
                raise Conflict(None, f"app {app!r} has {what}, {locked[what]} of them: delete them first.")
        before = await show_app(connection, app)
        await connection.fetch(load("manage")["revoke_keys"], app, None)
        await connection.execute(load("manage")["delete_app"], app)
        after = await show_app(connection, app)
        await note(connection, by, "delete", "app", app, before=before, after=after)
    return after


async def create_key(connection: asyncpg.Connection, by: str, app: str, asked: NewKey) -> Key:
    """Its text is in this answer only. Raises Refused."""
    checked_text("title", asked.title or None)
    async with connection.transaction():
        await _lock(connection, app)
        if asked.kind == "web" and (await show_app(connection, app)).kind != "web":
            raise Conflict("kind", f"app {app!r} is no website: a web key is for pages.")
        made = await _put_key(connection, app, asked)
        shown_later = msgspec.structs.replace(made, key=None)
        await note(connection, by, "create", "key", f"{app}/{made.id}", before=None, after=shown_later)
    return made


async def revoke_key(connection: asyncpg.Connection, by: str, app: str, key: str) -> App:
    """Nobody reports with it from now on. Raises Refused."""
    async with connection.transaction():
        await _lock(connection, app)
        before = await show_app(connection, app)
        revoked = next((one for one in before.keys if one.id == key), None)
        if revoked is None:
            raise Missing("key", key)
        await connection.fetch(load("manage")["revoke_keys"], app, key)
        await note(connection, by, "revoke", "key", f"{app}/{key}", before=revoked, after=None)
        return await show_app(connection, app)


async def _lock(connection: asyncpg.Connection, app: str) -> asyncpg.Record:
    row = await connection.fetchrow(load("manage")["lock_app"], app)
    if row is None:
        raise Missing("app", app)
    return row


async def _set(connection: asyncpg.Connection, app: App) -> None:
    check_stores(app.stores)
    values = (app.kind, checked_origins(app.origins), app.visit_window_hours, pack(app.stores))
    privacy = (app.coppa, app.truncate_addresses)
    await connection.execute(load("manage")["set_app"], app.id, app.title, app.fallback_url, *values, *privacy)


async def _put_key(connection: asyncpg.Connection, app: str, asked: NewKey) -> Key:
    text = f"{asked.kind}_{secrets.token_urlsafe(24)}"
    digest = sha256(text.encode()).hexdigest()
    await connection.execute(load("manage")["put_key"], digest, app, asked.kind, asked.title)
    return Key(id=digest[:12], kind=asked.kind, title=asked.title, key=text)


def _app(row: asyncpg.Record) -> App:
    return from_row(App, row, "stores", "keys")
