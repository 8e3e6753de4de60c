"""What Postgres knows of the pipeline. Every question is bounded."""

import time
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import asyncpg

from process.postgres import AWAY, connect
from process.terminal import sentence
from schemas.errors import TouchlineError
from schemas.ids import floor_id, received_us
from schemas.settings import Settings
from schemas.sql import load

RATE_WINDOW_S = 60
RATE_TOUCHES_MAX = 5_000_000


class Position(NamedTuple):
    """How far a consumer has come in a partition of a log."""

    consumer: str
    log: str
    partition: int
    offset: int
    updated_at: Any


class Database(NamedTuple):
    """Postgres' facts; `why` says why there are none."""

    why: str | None
    address: str | None = None
    version: str | None = None
    positions: list[Position] | None = None
    holes: int | None = None
    waiting: dict[str, Any] | None = None
    touches_per_second: float | None = None


async def database(settings: Settings) -> Database:
    """Never raises for a Postgres that is away or not migrated."""
    address = None
    try:
        address = _without_password(settings.postgres_url())
        connection = await connect(settings)
    except (TouchlineError, asyncpg.PostgresError, *AWAY) as error:
        return Database(sentence(error), address)
    server = connection.get_server_version()  # since PostgreSQL 10 the second figure comes as `micro`
    version = f"{server.major}.{server.micro or server.minor}"
    try:
        return await _ask(connection, address, version)
    except (asyncpg.PostgresError, *AWAY) as error:
        return Database(sentence(error), address, version)
    finally:
        connection.terminate()


async def _ask(connection: asyncpg.Connection, address: str, version: str) -> Database:
    sql = load("console")
    positions = [Position(*row) for row in await connection.fetch(sql["positions"])]
    waiting = await connection.fetchrow(sql["waiting"])
    now_us = time.time_ns() // 1000
    since, until = floor_id(now_us - RATE_WINDOW_S * 1_000_000), floor_id(now_us)
    touches = await connection.fetchval(sql["touches_between"], since, until, RATE_TOUCHES_MAX)
    oldest_s = max(now_us - received_us(str(waiting["oldest"])), 0) / 1_000_000 if waiting["oldest"] else None
    return Database(
        why=None,
        address=address,
        version=version,
        positions=positions,
        holes=await connection.fetchval(sql["holes"]),
        waiting={"conversions": waiting["conversions"], "oldest_seconds": oldest_s},
        touches_per_second=round(touches / RATE_WINDOW_S, 2),
    )


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.netloc.rpartition('@')[2]}{parts.path}"
