"""What every managed thing shares: refusals that name their field, and the note of who changed what."""

import getpass

import asyncpg
import msgspec

from schemas.errors import TouchlineError
from schemas.sql import load


class Refused(TouchlineError):
    """What was asked cannot be done: `field` names what is wrong, None when it is nothing that was said."""

    def __init__(self, field: str | None, sentence: str) -> None:
        super().__init__(f"{field}: {sentence}" if field else sentence)
        self.field = field
        self.sentence = sentence


class Missing(Refused):
    """There is no such thing."""

    def __init__(self, kind: str, subject: str) -> None:
        super().__init__(None, f"{kind} {subject!r} does not exist.")


def shell_user() -> str:
    """Who changes something from the shell, as the audit names it."""
    try:
        return f"shell:{getpass.getuser()}"
    except (KeyError, OSError):  # a user without a name
        return "shell"


async def note(
    connection: asyncpg.Connection, by: str, action: str, kind: str, subject: str, *, before: object, after: object
) -> None:
    """Into the audit, in the transaction of the change. `by`: a token's id or `shell_user()`; `action`: create,
    change, delete, …; `before`, `after`: the thing as it is shown, None when it is not there; never with secrets."""
    packed = [None if one is None else msgspec.json.encode(one).decode() for one in (before, after)]
    await connection.execute(load("audit")["note"], by, action, kind, subject, *packed)
