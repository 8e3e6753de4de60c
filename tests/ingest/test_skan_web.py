"""A device asks the edge for the ad that was tapped on a website; apps ask for networks' ids."""

import asyncio
import gzip
import json
import plistlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import asyncpg
import pytest

from ingest.app import run_edge
from ingest.skan_ids import read_ids
from ingest.skan_web import BODY_BYTES_MAX, read_tap
from process.postgres import open_pool
from schemas.errors import ConfigError, Refuse
from schemas.settings import Settings
from schemas.skan.signed import SEPARATOR
from schemas.skan.web_ads import source_nonce
from schemas.sql import load
from tests.ingest.edge import Edge, running_edge
from tests.support.signing import KEY, NETWORK, base64_of, verifies

PATH = "/.well-known/skadnetwork/get-signed-payload"
NONCE = UUID("b7c9da2b-15c7-4f3b-9326-135f9630033d")
TAP: dict[str, Any] = {
    "source_domain": "example.com",
    "source_engagement_type": "click_to_App_Store",
    "source_nonce": "t8naKxXHTzuTJhNfljADPQ",
    "version": "4.0",
}


@asynccontextmanager
async def serving(data: Path, **parts: Any) -> AsyncIterator[aiohttp.ClientSession]:
    """Asks an edge that is made of these parts."""
    async with running_edge(data, **parts) as edge, aiohttp.ClientSession(edge.url) as client:
        yield client


@pytest.fixture
async def pool(database_url: str, tmp_path: Path) -> AsyncIterator[asyncpg.Pool]:
    settings = Settings.read({"TOUCHLINE_DATABASE_URL": database_url, "TOUCHLINE_DATA": str(tmp_path)})
    pool = await open_pool(settings, size=2)
    yield pool
    pool.terminate()


async def issue(pool: asyncpg.Pool, *, domain: str | None = None, network: str = NETWORK, days_ago: float = 0) -> str:
    """The nonce of an ad as the device says it."""
    nonce = uuid4()
    await pool.fetchval(load("skan_web")["put_web_ad"], nonce, network, 5239, 2**40, domain, 30)
    await pool.execute(
        "UPDATE skan_web_ads SET issued_at = now() - make_interval(secs => $1) WHERE nonce = $2",
        days_ago * 86400,
        nonce,
    )
    return source_nonce(nonce)


async def ask(client: aiohttp.ClientSession, body: object, path: str = PATH) -> tuple[int, Any]:
    async with client.post(path, json=body) as answer:
        assert answer.headers["Cache-Control"] == "no-store"
        kind = "application/json" if answer.status == 200 else "application/problem+json"
        assert answer.content_type == kind
        return answer.status, await answer.json()


@pytest.mark.parametrize("path", [PATH, f"{PATH}/"])
async def test_a_tapped_ad_is_signed_for_its_website(pool: asyncpg.Pool, tmp_path: Path, path: str) -> None:
    async with serving(tmp_path, pool=pool, network_keys={NETWORK: KEY}) as client:
        nonce = await issue(pool)
        before = time.time_ns() // 1_000_000
        status, ad = await ask(client, TAP | {"source_nonce": nonce, "source_domain": "Example.COM"}, path)
        assert status == 200
        assert list(ad) == [
            *("version", "ad_network_id", "source_identifier", "itunes_item_id", "nonce", "source_domain"),
            *("timestamp", "signature"),
        ]
        assert (ad["version"], ad["ad_network_id"]) == ("4.0", NETWORK)
        assert (ad["source_identifier"], ad["itunes_item_id"], ad["source_domain"]) == (5239, 2**40, "example.com")
        assert source_nonce(UUID(ad["nonce"])) == nonce
        assert before <= ad["timestamp"] <= time.time_ns() // 1_000_000
        values = ("4.0", NETWORK, 5239, 2**40, ad["nonce"], "example.com", 1, ad["timestamp"])
        text = SEPARATOR.join(map(str, values))
        assert verifies(KEY.public_key(), ad["signature"], text)
        for number, other in enumerate(("4.1", "x.y", 5238, 1, str(NONCE), "example.org", 0, ad["timestamp"] + 1)):
            changed = SEPARATOR.join(map(str, (*values[:number], other, *values[number + 1 :])))
            assert not verifies(KEY.public_key(), ad["signature"], changed)
        # a device asks again when it did not hear the answer, and another site shows it too
        again = await ask(client, TAP | {"source_nonce": nonce, "source_domain": "other.example"})
        assert (again[0], again[1]["source_domain"]) == (200, "other.example")


async def test_a_nonce_is_of_its_website_for_thirty_days(
    pool: asyncpg.Pool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path, pool=pool, network_keys={NETWORK: KEY}) as client:
        own = await issue(pool, domain="example.com", days_ago=29.99)
        assert (await ask(client, TAP | {"source_nonce": own}))[0] == 200
        for nonce, reason in (
            (source_nonce(uuid4()), "unknown_nonce"),
            (await issue(pool, days_ago=30.01), "unknown_nonce"),
            (await issue(pool, domain="sub.example.com"), "other_domain"),
            (await issue(pool, network="gone.skadnetwork"), "no_network_key"),
        ):
            status, problem = await ask(client, TAP | {"source_nonce": nonce})
            assert (status, problem["reason"]) == (404, reason)
            assert nonce not in caplog.text
    assert "gone.skadnetwork" in caplog.text
    assert base64_of()[:20] not in caplog.text


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"source_nonce": None}, "source_nonce"),
        ({"source_nonce": "t8naKxXHTzuTJhNfljADP"}, "source_nonce"),
        ({"source_nonce": "t8naKxXHTzuTJhNfljADPQAA"}, "source_nonce"),
        ({"source_nonce": str(NONCE)}, "source_nonce"),
        ({"source_nonce": "t8naKxXHTzuTJh\0fljADPQ"}, "source_nonce"),
        ({"source_nonce": 5}, "source_nonce"),
        ({"source_domain": None}, "source_domain"),
        ({"source_domain": "no domain"}, "source_domain"),
        ({"source_domain": "example.com\0"}, "source_domain"),
        ({"source_domain": ["example.com"]}, "source_domain"),
        ({"source_engagement_type": 1}, "source_engagement_type"),
        ({"version": None}, "version"),
        ({"version": "3.0"}, "version"),
        ({"version": 3.9}, "version"),
        ({"version": "four"}, "version"),
        ({"version": True}, "version"),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, Any], field: str) -> None:
    said = {name: value for name, value in {**TAP, **changes}.items() if value is not None}
    with pytest.raises(Refuse) as refused:
        read_tap(json.dumps(said).encode())
    assert (refused.value.code, refused.value.parameter) == ("bad_field", field)


@pytest.mark.parametrize("version", ["4.0", "4.1", "4", "5.0", 4, 4.0, 5])
def test_the_published_tap_is_understood_from_version_4_on(version: object) -> None:
    tap = read_tap(json.dumps(TAP | {"version": version, "more": [1]}).encode())
    assert (tap.nonce, tap.source_domain) == (NONCE, "example.com")


async def test_bad_bodies_are_refused_by_the_edge(edge: Edge, client: aiohttp.ClientSession) -> None:
    compressed = {"Content-Encoding": "gzip"}
    for body, headers, expected in (
        (b"{", {}, (400, "bad_json", None)),
        (b"\xff", {}, (400, "bad_json", None)),
        (b"[" * 4000, {}, (400, "bad_field", None)),
        (b'{"a":' * 600, {}, (400, "bad_json", None)),
        (b"[]", {}, (400, "bad_field", None)),
        (b"{}", {}, (400, "bad_field", "source_domain")),
        (b"not compressed", compressed, (400, "bad_body", None)),
        (b" " * (BODY_BYTES_MAX + 1), {}, (413, "body_too_large", None)),
        (gzip.compress(b" " * 2**22), compressed, (413, "body_too_large", None)),
        (json.dumps(TAP).ljust(BODY_BYTES_MAX).encode(), {}, (503, "database_away", None)),
        (gzip.compress(json.dumps(TAP).encode()), compressed, (503, "database_away", None)),
    ):
        async with client.post(PATH, data=body, headers=headers) as answer:
            problem = await answer.json(content_type="application/problem+json")
            assert (answer.status, problem["reason"], problem.get("parameter")) == expected
            assert (answer.status == 503) == ("Retry-After" in answer.headers)
    async with client.get(PATH) as answer:
        assert answer.status == 405
    assert edge.metric('touchline_answers_total{reason="database_away",status="503"}') == 2


FILE = {
    "company_name": "Shop",
    "company_domain": "shop.example",
    "skadnetwork_ids": [{"id": "1", "skadnetwork_id": "4FZDC2EVR5.skadnetwork", "entity_name": "A <b> & c"}],
}


async def test_ids_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "ids.json"
    path.write_text(json.dumps(FILE))
    settings = Settings.read({"TOUCHLINE_SKAN_IDS": str(path), "TOUCHLINE_SKAN_NETWORKS": f"{NETWORK}={base64_of()}"})
    async with serving(tmp_path, ids=read_ids(settings)) as client:
        async with client.get("/skadnetworkids.json") as answer:
            assert (answer.status, answer.content_type) == (200, "application/json")
            entry = {"id": 1, "skadnetwork_id": "4fzdc2evr5.skadnetwork", "entity_name": "A <b> & c"}
            assert await answer.json() == {**FILE, "skadnetwork_ids": [entry]}
        async with client.get("/skadnetworkids.xml") as answer:
            assert (answer.status, answer.content_type) == (200, "application/xml")
            content = plistlib.loads(await answer.read())
        assert content == {"SKAdNetworkItems": [{"SKAdNetworkIdentifier": "4fzdc2evr5.skadnetwork"}]}


@pytest.mark.parametrize(("url", "domain"), [("https://Go.example:8443", "go.example"), ("", "localhost")])
async def test_without_a_file_they_are_our_own_networks(tmp_path: Path, url: str, domain: str) -> None:
    networks = f"Example123.SKAdNetwork={base64_of()}, kit.adattributionkit={base64_of()}"
    settings = Settings.read({"TOUCHLINE_SKAN_NETWORKS": networks, "TOUCHLINE_PUBLIC_URL": url})
    names = [NETWORK, "kit.adattributionkit"]
    async with serving(tmp_path, ids=read_ids(settings)) as client:
        async with client.get("/skadnetworkids.json") as answer:
            ids = [{"skadnetwork_id": name} for name in names]
            assert await answer.json() == {"company_domain": domain, "skadnetwork_ids": ids}
        async with client.get("/skadnetworkids.xml") as answer:
            found = plistlib.loads(await answer.read())["SKAdNetworkItems"]
        assert found == [{"SKAdNetworkIdentifier": name} for name in names]
        async with client.head("/skadnetworkids.json") as answer:
            assert (answer.status, await answer.read()) == (200, b"")


async def test_without_either_the_list_is_empty(tmp_path: Path) -> None:
    async with serving(tmp_path, ids=read_ids(Settings.read({}))) as client:
        async with client.get("/skadnetworkids.json") as answer:
            assert await answer.json() == {"company_domain": "localhost", "skadnetwork_ids": []}
        async with client.get("/skadnetworkids.xml") as answer:
            assert plistlib.loads(await answer.read()) == {"SKAdNetworkItems": []}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"TOUCHLINE_SKAN_IDS": "{file}"}, r"TOUCHLINE_SKAN_IDS=.*skadnetwork_ids\[0\]\.skadnetwork_id: is missing"),
        ({"TOUCHLINE_SKAN_IDS": "{file}.none"}, "TOUCHLINE_SKAN_IDS=.*cannot be read: No such file"),
        (
            {"TOUCHLINE_SKAN_NETWORKS": f"{NETWORK}={{file}}"},
            f"TOUCHLINE_SKAN_NETWORKS: the key of {NETWORK} is neither",
        ),
        ({"TOUCHLINE_SKAN_NETWORKS": f"{NETWORK}={{file}}.none"}, "TOUCHLINE_SKAN_NETWORKS: .* No such file"),
        (
            {"TOUCHLINE_SKAN_NETWORKS": f"nothing={base64_of()}"},
            "TOUCHLINE_SKAN_NETWORKS: 'nothing' is no network's id",
        ),
    ],
)
async def test_the_edge_does_not_start_with_what_is_wrong(tmp_path: Path, settings: dict[str, str], words: str) -> None:
    file = tmp_path / "file"
    file.write_text('{"company_domain": "a.example", "skadnetwork_ids": [{"id": 1}]}')
    named = {key: value.replace("{file}", str(file)) for key, value in settings.items()}
    stopped = asyncio.Event()
    stopped.set()
    with pytest.raises(ConfigError, match=words) as refused:
        await run_edge(Settings.read(named | {"TOUCHLINE_DATA": str(tmp_path)}), stopped)
    assert base64_of()[:20] not in str(refused.value)
