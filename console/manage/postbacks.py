"""Postbacks and their attempts: listed, shown, sent once more."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import asyncpg
import msgspec

from console.manage.common import Missing, Refused, note
from schemas.postbacks import PostbackState
from schemas.sql import load

LIST_MAX = 1000
ATTEMPTS_MAX = 500
"""Of one postback: those of a day, and a little more."""
ID_MAX = 2**63 - 1


class PostbackFilter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which postbacks are listed; None: all."""

    app: str | None = None
    partner: str | None = None
    state: PostbackState | None = None
    before: Annotated[int, msgspec.Meta(ge=1, le=ID_MAX)] | None = None
    """The next page: the last id of this one."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=LIST_MAX)] = 50


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One request, with its redirects."""

    number: int
    at: datetime
    status: int | None
    """Of HTTP; None: there was no answer."""
    latency_ms: int
    answer: str
    """Its first bytes; what is no UTF-8 is replaced."""
    error: str | None


class Postback(msgspec.Struct, frozen=True, kw_only=True):
    """What a partner is told, or was."""

    id: int
    template: int | None
    conversion: UUID | None
    touch: UUID | None
    reversal: bool
    app: str
    partner: str | None
    event: str
    key: str
    """Its Idempotency-Key: the same at every attempt."""
    method: str
    url: str
    body: str | None
    state: PostbackState
    due_at: datetime
    attempts: int
    first_at: datetime | None
    created_at: datetime
    tries: tuple[Attempt, ...] | None = None
    """The latest attempts; None in lists."""


async def list_postbacks(connection: asyncpg.Connection, asked: PostbackFilter) -> list[Postback]:
    """The latest first."""
    rows = await connection.fetch(
        load("sending")["list"], asked.app, asked.partner, asked.state, asked.before, asked.limit
    )  # fmt: skip
    return [Postback(**row) for row in rows]


async def show_postback(connection: asyncpg.Connection, postback: int) -> Postback:
    """With its attempts. Raises Missing."""
    row = await _row(connection, postback)
    tries = await connection.fetch(load("sending")["attempts"], postback, ATTEMPTS_MAX)
    facts = {name: value for name, value in row.items() if name != "leased"}
    return Postback(**facts, tries=tuple(_attempt(one) for one in tries))


async def resend_postback(connection: asyncpg.Connection, by: str, postback: int) -> Postback:
    """Have it sent now, whatever came of it, with its key and 24 hours to be taken.

    Raises Missing, and Refused for what is superseded or just being sent.
    """
    async with connection.transaction():
        before = await _row(connection, postback)
        if await connection.fetchval(load("sending")["resend"], postback) is None:
            raise Refused(
                None,
                "It is superseded: what it says does not hold any more."
                if before["state"] == "superseded"
                else "It is being sent just now.",
            )
        subject, stood = str(postback), {"state": before["state"]}
        await note(connection, by, "resend", "postback", subject, before=stood, after={"state": "waiting"})
    return await show_postback(connection, postback)


async def _row(connection: asyncpg.Connection, postback: int) -> asyncpg.Record:
    row = await connection.fetchrow(load("sending")["show"], postback) if 0 < postback <= ID_MAX else None
    if row is None:
        raise Missing("postback", str(postback))
    return row


def _attempt(row: asyncpg.Record) -> Attempt:
    return Attempt(**{**row, "answer": row["answer"].decode(errors="replace")})
