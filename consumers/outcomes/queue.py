"""Outcomes are left in the transaction that decides or stores, and followed in one of their own.

So a decision is never slower by what follows from it, and nothing that follows is lost or done twice: whoever follows
takes the row and writes its own in one transaction.
"""

from collections.abc import Sequence

import asyncpg

from schemas.sql import load

CONVERSIONS_MAX = 500
"""Of one row."""


async def leave(connection: asyncpg.Connection, conversions: Sequence[str], *, silent: bool = False) -> None:
    """Ids of installs, returns and events of which something new is known; `silent`: partners are not told, as of a
    replay. In the caller's transaction."""
    pages = [(conversions[at : at + CONVERSIONS_MAX], silent) for at in range(0, len(conversions), CONVERSIONS_MAX)]
    await connection.executemany(load("outcomes")["leave"], pages)
