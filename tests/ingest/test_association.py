"""Phones learn from a host whose links stand on it."""

from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest

from ingest.association import android, apple
from schemas.links import App, Stores
from tests.ingest.edge import Edge
from tests.ingest.samples import put

SHOP = App(
    id="shop",
    stores=Stores(
        google_play="com.example.shop",
        bundle_id="com.example.Shop",
        apple_team="ABCDE12345",
        android_sha256=("14:6D:E9", "AA:BB:CC"),
        hosts=("Go.Shop.example",),
    ),
)
GAME = App(id="game", stores=Stores(bundle_id="com.example.game", apple_team="ABCDE12345"))
BOOK = App(id="book", stores=Stores(google_play="com.example.book", android_sha256=("01:02",)))
APPS = (SHOP, GAME, BOOK, App(id="none"), App(id="half", stores=Stores(bundle_id="com.example.half")))


def ids(host: str) -> list[str]:
    content: Any = apple(APPS, host)
    return [one["appID"] for one in content["applinks"]["details"]]


def packages(host: str) -> list[str]:
    content: Any = android(APPS, host)
    return [one["target"]["package_name"] for one in content]


@pytest.mark.parametrize("host", ["go.shop.example", "GO.shop.example.", "go.shop.example:8080"])
def test_an_app_has_the_hosts_that_it_names(host: str) -> None:
    assert ids(host) == ["ABCDE12345.com.example.Shop"]
    assert packages(host) == ["com.example.shop"]


@pytest.mark.parametrize("host", ["links.example", "shop.example", "[::1]:8080", ""])
def test_every_other_host_is_of_the_apps_that_name_none(host: str) -> None:
    assert ids(host) == ["ABCDE12345.com.example.game"]
    assert packages(host) == ["com.example.book"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (
            path,
            {
                "applinks": {
                    "apps": [],
                    "details": [
                        {
                            "appID": "ABCDE12345.com.example.Shop",
                            "paths": ["/c/*", "/serve/*"],
                            "appIDs": ["ABCDE12345.com.example.Shop"],
                            "components": [{"/": "/c/*"}, {"/": "/serve/*"}],
                        }
                    ],
                }
            },
        )
        for path in ("/.well-known/apple-app-site-association", "/apple-app-site-association")
    ]
    + [
        (
            "/.well-known/assetlinks.json",
            [
                {
                    "relation": ["delegate_permission/common.handle_all_urls"],
                    "target": {
                        "namespace": "android_app",
                        "package_name": "com.example.shop",
                        "sha256_cert_fingerprints": ["14:6D:E9", "AA:BB:CC"],
                    },
                }
            ],
        )
    ],
)
async def test_the_edge_serves_the_files(
    edge: Edge, client: aiohttp.ClientSession, path: str, expected: Mapping[str, object]
) -> None:
    async with client.get(path, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["X-Touchline-Reason"]) == (404, "no_association")
    put(edge.links, SHOP)
    async with client.get(path, headers={"Host": "go.shop.example"}, allow_redirects=False) as answer:
        assert (answer.status, answer.content_type) == (200, "application/json")
        assert await answer.json() == expected
    async with client.get(path, headers={"Host": "other.example"}) as answer:
        assert answer.status == 404
    put(edge.links, App(id="shop"))
    async with client.get(path, headers={"Host": "go.shop.example"}) as answer:
        assert answer.status == 404
