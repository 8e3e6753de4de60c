"""Fixtures of the edge's tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.ingest.edge import Edge, running_edge


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[Edge]:
    async with running_edge(tmp_path) as running:
        yield running


@pytest.fixture
async def client(edge: Edge) -> AsyncIterator[aiohttp.ClientSession]:
    """A client that follows no redirect and looks like a person's phone."""
    async with aiohttp.ClientSession(edge.url, timeout=aiohttp.ClientTimeout(total=5)) as session:
        yield session
