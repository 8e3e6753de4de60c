"""Postgres for every process: one pool, text for inet and jsonb, and patience while it is away."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar

import asyncpg

from process.life import sleep_unless
from schemas.errors import ConfigError
from schemas.settings import Settings

log = logging.getLogger(__name__)

T = TypeVar("T")

AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # how asyncpg meets a connection that Postgres ended while nobody asked anything
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    TimeoutError,
)
"""Errors that time heals: the same work is tried again."""

LOST_RACE = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
"""Errors of two transactions that met: the same work is tried again at once."""

Connection = asyncpg.pool.PoolConnectionProxy


async def prepare(connection: asyncpg.Connection) -> None:
    """Text for inet and jsonb: every connection of a pool has it."""
    # asyncpg's ipaddress objects cost 2.5 µs a row; jsonb is written and read as JSON text
    for name in ("inet", "jsonb"):
        await connection.set_type_codec(name, schema="pg_catalog", encoder=str, decoder=str, format="text")


async def open_pool(
    settings: Settings,
    *,
    size: int = 4,
    plan: Literal["force_generic_plan", "force_custom_plan"] = "force_generic_plan",
) -> asyncpg.Pool:
    """A pool of at most `size` connections; connects on first use, so that Postgres may be away.

    The address is read at every connection: the own Postgres may come back on another port. Statements are planned once
    a connection, for any arguments: planning a look-up in all partitions takes longer than the look-up. Lists with
    conditions that most callers leave out want a plan for each call.
    """
    return await asyncpg.create_pool(
        connect=lambda *_, **__: connect(settings, plan_cache_mode=plan),
        init=prepare,
        min_size=0,
        max_size=size,
        command_timeout=60,
    )


async def connect(settings: Settings, **server_settings: str) -> asyncpg.Connection:
    """One connection, with these settings of Postgres. Raises one of AWAY while there is none to be had, ConfigError
    for a bad address."""
    try:
        address = settings.postgres_url()
    except ConfigError as error:
        raise ConnectionError(str(error)) from None
    try:
        return await asyncpg.connect(
            address,
            timeout=5,
            command_timeout=60,
            server_settings={"application_name": "touchline", "timezone": "UTC"} | server_settings,
        )
    except (ValueError, asyncpg.exceptions.ClientConfigurationError) as error:
        raise ConfigError(f"TOUCHLINE_DATABASE_URL is not usable: {error}") from None


async def patiently(
    work: Callable[[], Awaitable[T]], stop: asyncio.Event, *, what: str, longest_s: float = 5.0
) -> T | None:
    """Do `work`; while Postgres is away, again and again, less and less often. None once `stop` is set."""
    pause_s = 0.1
    while not stop.is_set():
        try:
            return await work()
        except LOST_RACE:
            continue
        except AWAY as error:
            log.warning(
                "%s: Postgres is away (%s), trying again in %.1f s",
                what,
                error or type(error).__name__,
                pause_s,
            )
            if await sleep_unless(stop, pause_s):
                break
            pause_s = min(pause_s * 2, longest_s)
    return None
