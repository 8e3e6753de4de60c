"""A real PostgreSQL for the tests: one server a session, one migrated template, a copy for each test."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from urllib.parse import urlsplit

import asyncpg
import pytest

from deploy.postgres import SETTINGS, Postgres

_numbers = count(1)


def apply_schema(url: str) -> None:
    """Runs the migrations on `url`."""
    environment = {**os.environ, "TOUCHLINE_DATABASE_URL": url}
    subprocess.run([sys.executable, "-m", "deploy", "migrate"], env=environment, check=True, capture_output=True)


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The server of this session, own or given; its role may create databases."""
    if url := os.environ.get("TOUCHLINE_TEST_DATABASE_URL"):
        yield url
        return
    server = Postgres(tmp_path_factory.mktemp("postgres"))
    try:
        with pytest.MonkeyPatch.context() as patch:
            # nobody cuts this server's power, and it makes and drops hundreds of databases
            patch.setitem(SETTINGS, "fsync", "off")
            url = server.start()
        yield url
    finally:
        server.stop()


@pytest.fixture(scope="session")
def database_template(postgres_url: str) -> Iterator[str]:
    """The name of a database on which the migrations have run."""
    with migrated_template(postgres_url, apply_schema) as name:
        yield name


@pytest.fixture
def database_url(postgres_url: str, database_template: str) -> Iterator[str]:
    """A migrated database of this test's own, without rows."""
    with new_database(postgres_url, database_template) as name:
        yield with_database(postgres_url, name)


@pytest.fixture
def empty_database_url(postgres_url: str) -> Iterator[str]:
    """A database without a table."""
    with new_database(postgres_url, "template1") as name:
        yield with_database(postgres_url, name)


@contextmanager
def migrated_template(server_url: str, migrate: Callable[[str], None]) -> Iterator[str]:
    with new_database(server_url, "template1") as name:
        migrate(with_database(server_url, name))
        yield name


@contextmanager
def new_database(server_url: str, template: str) -> Iterator[str]:
    """The name of a copy of `template`, to which nobody may be connected meanwhile; dropped at the end."""
    name = f"touchline_test_{os.getpid()}_{next(_numbers)}"
    execute(server_url, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield name
    finally:
        execute(server_url, f'DROP DATABASE "{name}" WITH (FORCE)')


def with_database(url: str, name: str) -> str:
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def execute(url: str, statement: str) -> list[tuple[object, ...]]:
    """The rows of one statement, for tests and fixtures that are not coroutines."""

    async def run() -> list[tuple[object, ...]]:
        connection = await asyncpg.connect(url)
        try:
            return [tuple(row) for row in await connection.fetch(statement)]
        finally:
            await connection.close()

    # In a thread of its own: the test's thread may have an event loop.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, run()).result()
