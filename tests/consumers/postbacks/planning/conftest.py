from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.consumers.postbacks.support import SHOP
from tests.support.logs import pool_of


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await pool_of(database_url)
    await pool.execute(SHOP)
    yield pool
    pool.terminate()
