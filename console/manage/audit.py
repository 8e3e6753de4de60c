"""Who changed what: kept for ever, read by admins."""

from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from console.manage.common import Part, from_row, number_after
from schemas.sql import load


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One change; `before` and `after` are the thing as it is shown."""

    id: int
    at: datetime
    actor: str
    """A token's id, or shell:USER."""
    action: str
    kind: str
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


async def list_audit(
    connection: asyncpg.Connection, part: Part, *, kind: str | None = None, subject: str | None = None
) -> list[Entry]:
    """The latest first; of a kind, of one thing. Raises Invalid when `after` is no number."""
    rows = await connection.fetch(load("audit")["audit"], kind, subject, number_after(part), part.limit)
    return [from_row(Entry, row, "before", "after") for row in rows]
