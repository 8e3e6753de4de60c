"""Signing over the API: what is answered, who may, what is stored."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiohttp.test_utils import TestClient, TestServer

from console.app import make_app
from process.metrics import Meters
from process.postgres import open_pool
from schemas.settings import Settings
from tests.console.api.conftest import Api
from tests.support.signing import KEY, NETWORK, base64_of, jws_verifies, verifies

AD: dict[str, Any] = {
    "version": "4.0",
    "source_identifier": "5239",
    "itunes_item_id": 525463029,
    "source_app_id": 880047117,
    "fidelity_type": 1,
}
WEB_AD: dict[str, Any] = {"source_identifier": 5239, "itunes_item_id": "525463029"}


@pytest.fixture
async def signer(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    """The API with one network."""
    settings = Settings.read(
        {
            "TOUCHLINE_DATABASE_URL": database_url,
            "TOUCHLINE_DATA": str(tmp_path),
            "TOUCHLINE_SKAN_NETWORKS": f"{NETWORK}={base64_of()}",
            "TOUCHLINE_PUBLIC_URL": "https://shop.example",
        }
    )
    pool = await open_pool(settings)
    connection = await asyncpg.connect(database_url)
    async with TestClient(TestServer(make_app(settings, pool, Meters()))) as client:
        made = Api(client, connection)
        made.admin = await made.token("admin")
        yield made
    await connection.close()
    await pool.close()


async def test_an_ad_is_signed_and_nothing_is_stored(signer: Api) -> None:
    token = await signer.token("manage")
    before = await signer.rows()
    status, made = await signer.ask("POST", "/skan/sign", AD, token=token)
    assert status == 200
    assert verifies(KEY.public_key(), made["signature"], made["signed_string"])
    assert (made["source_identifier"], made["ad_network_id"]) == (5239, NETWORK)
    impression = {"framework": "adattributionkit", "source_identifier": 12, "publisher_item_identifier": 0}
    status, made = await signer.ask("POST", "/skan/sign", impression | {"advertised_item_identifier": "525463029"})
    assert status == 200
    assert jws_verifies(KEY.public_key(), made["jws"])
    assert await signer.rows() == before


async def test_a_web_ad_is_issued_and_is_no_matter_of_the_audit(signer: Api) -> None:
    token = await signer.token("manage")
    before = await signer.rows()
    status, made = await signer.ask("POST", "/skan/web-ad", WEB_AD, token=token)
    assert status == 201
    assert made["attributionDestination"] == "https://shop.example"
    assert (made["source_domain"], made["remarks"]) == (None, [])
    assert [str(row["nonce"]) for row in await signer.connection.fetch("SELECT nonce FROM skan_web_ads")] == [
        made["nonce"]
    ]
    assert await signer.rows() == before


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/skan/sign", AD | {"campaign_id": 3}, "campaign_id"),
        ("/skan/sign", AD | {"fidelity_type": True}, "fidelity_type"),
        ("/skan/sign", AD | {"colour": "red"}, "colour"),
        ("/skan/sign", AD | {"framework": "other"}, "framework"),
        ("/skan/sign", AD | {"ad_network_id": "none.skadnetwork"}, "ad_network_id"),
        ("/skan/sign", {}, "version"),
        ("/skan/web-ad", {"source_identifier": 1}, "itunes_item_id"),
        ("/skan/web-ad", WEB_AD | {"source_identifier": 12345}, "source_identifier"),
        ("/skan/web-ad", WEB_AD | {"source_domain": "x"}, "source_domain"),
        ("/skan/web-ad", WEB_AD | {"ad_network_id": "none.skadnetwork"}, "ad_network_id"),
    ],
)
async def test_a_refusal_names_the_field(signer: Api, path: str, body: object, field: str) -> None:
    status, answer = await signer.ask("POST", path, body)
    assert (status, answer["error"]["field"]) == (422, field)
    assert await signer.connection.fetchval("SELECT count(*) FROM skan_web_ads") == 0


@pytest.mark.parametrize(("path", "body"), [("/skan/sign", AD), ("/skan/web-ad", WEB_AD)])
async def test_limited_tokens_and_readers_may_not(signer: Api, path: str, body: object) -> None:
    await signer.ask("POST", "/apps", {"id": "shop"})
    await signer.ask("POST", "/partners", {"id": "adnet"})
    for token, code in (
        (await signer.token("read"), "role"),
        (await signer.token("manage", apps=("shop",)), "limited"),
        (await signer.token("manage", partner="adnet"), "limited"),
    ):
        status, answer = await signer.ask("POST", path, body, token=token)
        assert (status, answer["error"]["code"]) == (403, code)
    assert await signer.connection.fetchval("SELECT count(*) FROM skan_web_ads") == 0
