"""Connections to Postgres that break at a chosen statement: before it, within it, after it, or with their task."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Literal, TypeVar

import asyncpg

from process.postgres import AWAY, LOST_RACE, prepare

T = TypeVar("T")

Death = Literal["before", "within", "after", "cancelled"]
DEATHS: tuple[Death, ...] = ("before", "within", "after", "cancelled")
"""`after` a COMMIT: what was done stands, and nobody heard of it."""


class Fuse:
    """Which statement from now on is a connection's last; none when it is not lit."""

    def __init__(self) -> None:
        self.deaths = 0
        self._left = 0
        self._how: Death = "before"

    def light(self, statements: int, how: Death) -> None:
        """The so-manieth statement of any connection breaks; 0: none does."""
        self._left, self._how = statements, how

    def burnt(self) -> Death | None:
        """Called at every statement: how it ends."""
        self._left -= 1
        if self._left:
            return None
        self.deaths += 1
        return self._how


def mortal(fuse: Fuse, url: str) -> type[asyncpg.Connection]:
    """A class of connections that break by this fuse."""

    async def through(connection: asyncpg.Connection, statement: Callable[[], Awaitable[T]]) -> T:
        how = fuse.burnt()
        if how == "before":
            connection.terminate()
            raise ConnectionResetError("broken before a statement")
        if how == "cancelled":
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
        killing = asyncio.create_task(_kill(url, connection.get_server_pid())) if how == "within" else None
        try:
            found = await statement()
        except asyncio.CancelledError:
            connection.terminate()  # asyncpg leaves it in the middle of a conversation now and then
            raise
        finally:
            if killing is not None:
                await killing
        if how in ("within", "after"):  # the statement may have been over when Postgres ended the connection
            connection.terminate()
            raise ConnectionResetError("broken after a statement")
        return found

    class Mortal(asyncpg.Connection):  # type: ignore[misc]
        async def execute(self, *args: Any, **more: Any) -> Any:
            return await through(self, lambda: asyncpg.Connection.execute(self, *args, **more))

        async def executemany(self, *args: Any, **more: Any) -> Any:
            return await through(self, lambda: asyncpg.Connection.executemany(self, *args, **more))

        async def fetch(self, *args: Any, **more: Any) -> Any:
            return await through(self, lambda: asyncpg.Connection.fetch(self, *args, **more))

        async def fetchrow(self, *args: Any, **more: Any) -> Any:
            return await through(self, lambda: asyncpg.Connection.fetchrow(self, *args, **more))

        async def fetchval(self, *args: Any, **more: Any) -> Any:
            return await through(self, lambda: asyncpg.Connection.fetchval(self, *args, **more))

        async def copy_to_table(self, *args: Any, **more: Any) -> Any:
            return await through(self, lambda: asyncpg.Connection.copy_to_table(self, *args, **more))

    return Mortal


async def _kill(url: str, pid: int) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SELECT pg_terminate_backend($1)", pid)
    finally:
        await connection.close()


async def mortal_pool(url: str, fuse: Fuse) -> asyncpg.Pool:
    """A pool as the consumers open it, of such connections."""
    return await asyncpg.create_pool(
        url,
        connection_class=mortal(fuse, url),
        init=prepare,
        min_size=0,
        max_size=6,
        server_settings={"synchronous_commit": "off"},
    )


async def until_done(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Again and again while it breaks as a consumer may: whatever else is raised is a fault of the product."""
    while True:
        task = asyncio.create_task(work())
        await asyncio.wait([task])
        if task.cancelled() or isinstance(task.exception(), (*AWAY, *LOST_RACE)):
            continue
        return task.result()
