"""What every managed thing shares: refusals that name their field, and the note of who changed what."""

import getpass
from collections.abc import Mapping
from typing import Any, TypeVar

import asyncpg
import msgspec

from console.manage.refusals import Conflict as Conflict
from console.manage.refusals import Invalid as Invalid
from console.manage.refusals import Missing as Missing
from console.manage.refusals import Refused as Refused
from schemas.sql import load

T = TypeVar("T")


class Within(msgspec.Struct, frozen=True):
    """What somebody may see: everything, what belongs to some apps, to a partner, or to both."""

    apps: tuple[str, ...] | None = None
    partner: str | None = None

    @property
    def everything(self) -> bool:
        """No limits."""
        return self.apps is None and self.partner is None


ALL = Within()


class Part(msgspec.Struct, frozen=True):
    """Which part of a list: at most `limit` after the one with the id `after`."""

    limit: int
    after: str | None = None


def known_number(kind: str, id: int) -> int:
    """An id that a thing could have. Raises Missing."""
    if not 0 < id < 2**63:
        raise Missing(kind, str(id))
    return id


def number_after(part: Part) -> int | None:
    """`after` of things that are numbered. Raises Invalid."""
    after = part.after
    if after is None:
        return None
    if not (after.isascii() and after.isdigit() and len(after) < 19):
        raise Invalid("after", "is the `next` of the part before: a number.")
    return int(after)


def shell_user() -> str:
    """Who changes something from the shell, as the audit names it."""
    try:
        return f"shell:{getpass.getuser()}"
    except (KeyError, OSError):  # a user without a name
        return "shell"


def given(change: msgspec.Struct) -> dict[str, Any]:
    """The fields that were said."""
    stated = ((name, getattr(change, name)) for name in change.__struct_fields__)
    return {name: value for name, value in stated if value is not msgspec.UNSET}


def from_row(kind: type[T], row: Mapping[str, Any], *packed: str, **further: object) -> T:
    """A row as its struct; `packed` columns are JSON text, `further` fields are no columns."""
    unpacked = {name: None if row[name] is None else msgspec.json.decode(row[name]) for name in packed}
    return msgspec.convert({**row, **unpacked, **further}, kind)


def pack(value: object) -> str:
    """As a jsonb column takes it."""
    return msgspec.json.encode(value).decode()


async def note(
    connection: asyncpg.Connection, by: str, action: str, kind: str, subject: str, *, before: object, after: object
) -> None:
    """Into the audit, in the transaction of the change. `by`: a token's id or `shell_user()`; `action`: create,
    change, delete, …; `before`, `after`: the thing as it is shown, None when it is not there; never with secrets."""
    packed = [None if one is None else msgspec.json.encode(one).decode() for one in (before, after)]
    await connection.execute(load("audit")["note"], by, action, kind, subject, *packed)
