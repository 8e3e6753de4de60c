"""Tokens of the API: a role, and what it may be used on. The text of one is in the answer that made it, never again."""

from datetime import UTC, datetime
from typing import Annotated

import asyncpg
import msgspec
from msgspec import UNSET, Meta, UnsetType

from console.manage.apps import show_app
from console.manage.checks import AppIdText, Text, checked_text
from console.manage.common import Invalid, Missing, Part, from_row, note
from console.manage.partners import check_partner
from schemas.sql import load
from schemas.tokens import Role, new_token

Expiry = Annotated[datetime, Meta(tz=True)]


class NewToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token to be made."""

    title: Text
    role: Role = "read"
    apps: Annotated[tuple[AppIdText, ...], Meta(min_length=1, max_length=1000)] | None = None
    """Only these; null: all."""
    partner: Text | None = None
    """Only what is this partner's."""
    expires_at: Expiry | None = None


class Rotation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Until when the new secret is good; unsaid: as long as the old one was."""

    expires_at: Expiry | UnsetType | None = UNSET


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token as it stands; `token` is its text, in the answer that made it."""

    id: str
    title: str
    role: Role
    apps: tuple[str, ...] | None
    partner: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None
    token: str | None = None


async def create_token(connection: asyncpg.Connection, by: str, asked: NewToken) -> Token:
    """Raises Refused."""
    checked_text("title", asked.title)
    if asked.role == "admin" and (asked.apps is not None or asked.partner is not None):
        raise Invalid("role", "admin is for the whole installation: a token for some apps or a partner is none.")
    _check_expiry(asked.expires_at)
    made = new_token()
    async with connection.transaction():
        for app in asked.apps or ():
            try:
                await show_app(connection, app)
            except Missing:
                raise Missing("app", app, "apps") from None
        await check_partner(connection, asked.partner)
        apps = None if asked.apps is None else list(dict.fromkeys(asked.apps))
        values = (made.id, made.digest, asked.title, asked.role, apps, asked.partner, asked.expires_at)
        await connection.execute(load("tokens")["put"], *values)
        after = await show_token(connection, made.id)
        await note(connection, by, "create", "token", made.id, before=None, after=after)
    return msgspec.structs.replace(after, token=made.text)


async def list_tokens(connection: asyncpg.Connection, part: Part, *, revoked: bool = False) -> list[Token]:
    """Tokens by id."""
    rows = await connection.fetch(load("tokens")["tokens"], None, revoked, part.after, part.limit)
    return [from_row(Token, row) for row in rows]


async def show_token(connection: asyncpg.Connection, token: str) -> Token:
    """Revoked ones too. Raises Missing."""
    row = await connection.fetchrow(load("tokens")["tokens"], token, True, None, 1)
    if row is None:
        raise Missing("token", token)
    return from_row(Token, row)


async def rotate_token(connection: asyncpg.Connection, by: str, token: str, asked: Rotation) -> Token:
    """A new secret under the same id; the old one is worth nothing at once. Raises Refused."""
    made = new_token(token)
    async with connection.transaction():
        before = await _lock(connection, token)
        expires_at = before.expires_at if asked.expires_at is UNSET else asked.expires_at
        _check_expiry(expires_at)
        await connection.execute(load("tokens")["rotate"], token, made.digest, expires_at)
        after = await show_token(connection, token)
        await note(connection, by, "rotate", "token", token, before=before, after=after)
    return msgspec.structs.replace(after, token=made.text)


async def revoke_token(connection: asyncpg.Connection, by: str, token: str) -> Token:
    """Nobody signs in with it from now on. Raises Refused."""
    async with connection.transaction():
        before = await _lock(connection, token)
        await connection.execute(load("tokens")["revoke"], token)
        after = await show_token(connection, token)
        await note(connection, by, "revoke", "token", token, before=before, after=after)
    return after


def _check_expiry(at: datetime | None) -> None:
    if at is not None and at <= datetime.now(UTC):
        raise Invalid("expires_at", f"{at.isoformat()} is past.")


async def _lock(connection: asyncpg.Connection, token: str) -> Token:
    if await connection.fetchval(load("tokens")["lock"], token) is None:
        raise Missing("token", token)
    return await show_token(connection, token)
