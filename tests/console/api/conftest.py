"""The API on a database of the test's own, with two apps, partners, campaigns and links: mine and theirs."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiohttp.test_utils import TestClient, TestServer

from console.app import make_app
from console.manage.apps import NewApp, create_app
from console.manage.campaigns import NewCampaign, create_campaign
from console.manage.links import NewLink, create_link
from console.manage.partners import NewPartner, create_partner
from console.manage.tokens import NewToken, create_token
from process.metrics import Meters
from process.postgres import open_pool
from schemas.settings import Settings
from schemas.tokens import Role

TABLES = ("apps", "app_keys", "partners", "campaigns", "links", "skan_schemas", "skan_sources", "audit")


class Api:
    """Asks with a token."""

    def __init__(self, client: TestClient[Any, Any], connection: asyncpg.Connection) -> None:
        self.client = client
        self.connection = connection
        self.admin = ""

    async def ask(
        self, method: str, path: str, body: object = None, *, token: str | None = None, **query: str | int
    ) -> tuple[int, Any]:
        """Status and JSON, as an admin unless another token is given; an empty one is none."""
        token = self.admin if token is None else token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self.client.request(method, f"/api/v1{path}", json=body, headers=headers, params=query) as answer:
            assert answer.content_type == "application/json"
            return answer.status, await answer.json()

    async def token(self, role: Role, **limits: Any) -> str:
        made = await create_token(self.connection, "test", NewToken(title="test", role=role, **limits))
        assert made.token is not None
        return made.token

    async def rows(self) -> list[Any]:
        """Everything that management may change, but tokens."""
        return [await self.connection.fetch(f"SELECT * FROM {table} ORDER BY 1") for table in TABLES]  # noqa: S608


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    settings = Settings.read({"TOUCHLINE_DATABASE_URL": database_url, "TOUCHLINE_DATA": str(tmp_path)})
    pool = await open_pool(settings)
    connection = await asyncpg.connect(database_url)
    async with TestClient(TestServer(make_app(settings, pool, Meters()))) as client:
        made = Api(client, connection)
        made.admin = await made.token("admin")
        yield made
    await connection.close()
    await pool.close()


@pytest.fixture
async def world(api: Api) -> Api:
    """Each thing twice: `mine` and `theirs`."""
    settings = Settings.read({})
    for name in ("mine", "theirs"):
        await create_app(api.connection, "test", NewApp(id=name))
        await create_partner(api.connection, "test", NewPartner(id=name))
        await create_campaign(api.connection, "test", NewCampaign(id=name, partner=name))
        await create_link(api.connection, "test", NewLink(id=name, app=name, campaign=name), settings)
    return api
