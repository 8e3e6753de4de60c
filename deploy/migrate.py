"""Creates and upgrades the tables: each migration once, in its own transaction; and the first admin token."""

import asyncpg
import msgspec

from process.postgres import connect
from schemas.partitions import DAYS_AHEAD, DAYS_BEHIND, partitions_around, statements
from schemas.settings import Settings
from schemas.sql import load, migrations
from schemas.tokens import new_token

MIGRATION_S_MAX = 86_400
"""One may move every row of a large table."""


async def migrate(settings: Settings) -> list[str]:
    """Apply what is missing; gives the names applied. Several at once wait for each other."""
    connection = await connect(settings)
    try:
        applied: list[str] = []
        await connection.execute(load("migrate")["table"])
        for name, sql in migrations():
            async with connection.transaction():
                await connection.execute(load("migrate")["lock"])
                if await connection.fetchval(load("migrate")["claim"], name):
                    await connection.execute(sql, timeout=MIGRATION_S_MAX)
                    applied.append(name)
        async with connection.transaction():
            await _first_partitions(connection)
        return applied
    finally:
        await connection.close()


async def first_token(settings: Settings) -> str | None:
    """The text of the first admin token, made now; None when there was one ever, so that it is never told twice."""
    made = new_token()
    connection = await connect(settings)
    try:
        async with connection.transaction():
            await connection.execute(load("migrate")["lock"])
            put = await connection.fetchval(load("tokens")["put_first"], made.id, made.digest, "the first")
            if put is None:
                return None
            after = msgspec.json.encode({"id": made.id, "role": "admin"}).decode()
            await connection.execute(load("audit")["note"], "migrate", "create", "token", made.id, None, after)
        return made.text
    finally:
        await connection.close()


def said_of(token: str) -> str:
    """How the first admin token is told."""
    return f"The first admin token of the management API, printed this once:\n\n{token}\n"


async def _first_partitions(connection: asyncpg.Connection) -> None:
    """The weeks of days behind and ahead of now, once; later the touches consumer keeps ahead of the clock."""
    await connection.execute(load("touches")["lock_partitions"])
    if await connection.fetch(load("touches")["partitions"]):
        return
    now = await connection.fetchval(load("migrate")["now"])
    for partition in partitions_around(now.date(), behind=DAYS_BEHIND, ahead=DAYS_AHEAD):
        for statement in statements(partition):
            await connection.execute(statement)
