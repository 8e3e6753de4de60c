"""What a connection says when it is gone: all of it is worth another try."""

import asyncio

import asyncpg
import pytest

from process.postgres import AWAY, open_pool
from schemas.settings import Settings


async def test_a_connection_that_was_ended_while_idle_is_an_error_that_time_heals(database_url: str) -> None:
    """Also when the news of its end and the next question meet."""
    pool = await open_pool(Settings.read({"TOUCHLINE_DATABASE_URL": database_url}))
    killer = await asyncpg.connect(database_url)
    try:
        for pause_ms in range(20):
            async with pool.acquire() as connection:
                await killer.execute("SELECT pg_terminate_backend($1)", connection.get_server_pid())
                await asyncio.sleep(pause_ms / 10_000)
                with pytest.raises(AWAY):
                    await connection.fetchval("SELECT pg_sleep(0.2)")
                    await connection.fetchval("SELECT 1")
    finally:
        await killer.close()
        pool.terminate()
