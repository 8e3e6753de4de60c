"""Fixtures of the edge's tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.ingest.edge import Edge, running_edge


@pytest.fixture(params=["fast", "plain"])
async def edge(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Edge]:
    """Both lanes answer alike: the fast one, and aiohttp's handlers alone."""
    async with running_edge(tmp_path, fast=request.param == "fast") as running:
        yield running


@pytest.fixture
async def fast_edge(tmp_path: Path) -> AsyncIterator[Edge]:
    """Where only the fast lane can do it."""
    async with running_edge(tmp_path) as running:
        yield running


@pytest.fixture
async def client(edge: Edge) -> AsyncIterator[aiohttp.ClientSession]:
    """A client that follows no redirect and looks like a person's phone."""
    async with aiohttp.ClientSession(edge.url, timeout=aiohttp.ClientTimeout(total=5)) as session:
        yield session
