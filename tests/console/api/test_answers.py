"""Refusals, pages, and what a Postgres that is away does."""

from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request

from console.api.route import Asked
from console.api.serve import said_query
from console.app import make_app
from console.manage.refusals import Invalid
from process.metrics import Meters
from process.postgres import open_pool
from schemas.settings import Settings
from tests.console.api.conftest import Api

PAST = (datetime.now(UTC) - timedelta(days=1)).isoformat()
TARGET = {"store": "web", "url": "https://a.example/"}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "field"),
    [
        ("POST", "/apps", {}, 422, "id"),
        ("POST", "/apps", {"id": "a b"}, 422, "id"),
        ("POST", "/apps", {"id": "a", "colour": 1}, 422, "colour"),
        ("POST", "/apps", {"id": "a", "title": 1}, 422, "title"),
        ("POST", "/apps", {"id": "a", "title": "\n"}, 422, "title"),
        ("POST", "/apps", {"id": "a", "fallback_url": "ftp://x"}, 422, "fallback_url"),
        ("POST", "/apps", {"id": "a", "kind": "web"}, 422, "origins"),
        ("POST", "/apps", {"id": "a", "origins": ["https://a.example"]}, 422, "origins"),
        ("POST", "/apps", {"id": "a", "stores": {"app_store": "x"}}, 422, "stores.app_store"),
        ("POST", "/apps", {"id": "a", "stores": {"google": "x"}}, 422, "stores.google"),
        ("POST", "/apps", {"id": "a", "stores": {"hosts": ["x"]}}, 422, "stores.hosts"),
        ("POST", "/apps", {"id": "a", "stores": {"android_sha256": ["x"]}}, 422, "stores.android_sha256"),
        ("POST", "/apps", {"id": "mine"}, 409, "id"),
        ("PATCH", "/apps/mine", {"coppa": True}, 422, "coppa"),
        ("PATCH", "/apps/mine", {"origins": ["https://a.example"]}, 409, "origins"),
        ("PATCH", "/apps/none", {"title": "x"}, 404, None),
        ("DELETE", "/apps/mine", None, 409, None),
        ("POST", "/apps/mine/keys", {"kind": "web"}, 409, "kind"),
        ("DELETE", "/apps/mine/keys/none", None, 404, None),
        ("POST", "/partners", {"id": "mine"}, 409, "id"),
        ("POST", "/partners", {"id": "a", "parameters": {"click_id": 1}}, 422, "parameters[...]"),
        ("POST", "/partners", {"id": "a", "parameters": {"click_id": "\0"}}, 422, "parameters.click_id"),
        ("POST", "/partners", {"id": "a", "parameters": {"\0": "x"}}, 422, "parameters"),
        ("POST", "/partners", {"id": "a", "sending": {"secret": "short"}}, 422, "sending.secret"),
        ("POST", "/partners", {"id": "a", "sending": {"pace": 1}}, 422, "sending"),
        ("POST", "/partners", {"id": "a", "protection": {"secrets": ["short"]}}, 422, "protection.secrets[0]"),
        ("POST", "/partners", {"id": "a", "protection": {"addresses": ["x"]}}, 422, "protection.addresses[0]"),
        ("POST", "/partners", {"id": "a", "protection": {}}, 422, "protection"),
        ("DELETE", "/partners/mine", None, 409, None),
        ("POST", "/campaigns", {"id": "a", "partner": "none"}, 422, "partner"),
        ("POST", "/campaigns", {"id": "a", "kind": "x"}, 422, "kind"),
        ("PATCH", "/campaigns/mine", {"kind": "preinstall"}, 409, "kind"),
        ("DELETE", "/campaigns/mine", None, 409, None),
        ("POST", "/links", {"app": "none"}, 422, "app"),
        ("POST", "/links", {"app": "mine", "id": "mine"}, 409, "id"),
        ("POST", "/links", {"app": "mine", "id": "a/b"}, 422, "id"),
        ("POST", "/links", {"app": "mine", "campaign": "none"}, 422, "campaign"),
        ("POST", "/links", {"app": "mine", "campaign": "mine", "kind": "preinstall"}, 409, "kind"),
        ("POST", "/links", {"app": "mine", "targets": [TARGET | {"url": "x"}]}, 422, "targets"),
        ("POST", "/links", {"app": "mine", "targets": [TARGET, TARGET]}, 422, "targets"),
        ("POST", "/links", {"app": "mine", "targets": [TARGET | {"app": "none"}]}, 422, "targets"),
        ("POST", "/links", {"app": "mine", "targets": [TARGET | {"x": 1}]}, 422, "targets[0].x"),
        ("POST", "/links", {"app": "mine", "windows": [{"method": "fingerprint", "touch": "click", "hours": 200}]}, 422,
         "windows"),
        ("POST", "/links", {"app": "mine", "host": "https://x"}, 422, "host"),
        ("PATCH", "/links/mine", {"windows": []}, 422, "windows"),
        ("POST", "/tokens", {"title": "x", "role": "admin", "apps": ["mine"]}, 422, "role"),
        ("POST", "/tokens", {"title": "x", "apps": ["none"]}, 422, "apps"),
        ("POST", "/tokens", {"title": "x", "partner": "none"}, 422, "partner"),
        ("POST", "/tokens", {"title": "x", "expires_at": PAST}, 422, "expires_at"),
        ("GET", "/apps?limit=0", None, 422, "limit"),
        ("GET", "/apps?colour=red", None, 422, "colour"),
        ("GET", "/apps?limit=1&limit=2", None, 422, "limit"),
        ("GET", "/audit?after=x", None, 422, "after"),
        ("GET", "/nothing", None, 404, None),
        ("PUT", "/apps", None, 405, None),
    ],
)  # fmt: skip
async def test_a_refusal_names_the_field(
    world: Api, method: str, path: str, body: Any, status: int, field: str | None
) -> None:
    before = await world.rows()
    found, answer = await world.ask(method, path, body)
    assert (found, answer["error"]["field"]) == (status, field), answer
    assert answer["error"]["message"]
    assert await world.rows() == before


async def test_a_body_that_is_no_json_or_too_large_is_refused(api: Api) -> None:
    headers = {"Authorization": f"Bearer {api.admin}"}
    for body, status, code in (
        (b'{"id":', 400, "bad_json"),
        (b"\xff", 400, "bad_json"),
        (b" " * 2**21, 413, "too_large"),
    ):
        async with api.client.post("/api/v1/apps", data=BytesIO(body), headers=headers) as answer:
            assert (answer.status, (await answer.json())["error"]["code"]) == (status, code)


async def test_a_list_is_read_page_by_page(api: Api) -> None:
    for n in range(5):
        await api.connection.execute("INSERT INTO apps (id, title) VALUES ($1, $1)", f"app-{n}")
        await api.connection.execute("INSERT INTO links (id, app) VALUES ($1, $2)", f"link-{n}", f"app-{n}")
    for path, expected in (("/apps", range(5)), ("/links", range(4, -1, -1))):
        found: list[str] = []
        after: dict[str, Any] = {}
        while True:
            _, answer = await api.ask("GET", path, limit=2, **after)
            found += [one["id"].split("-")[1] for one in answer["items"]]
            if answer["next"] is None:
                break
            after = {"after": answer["next"]}
        assert found == [str(n) for n in expected]


NUMBERED: dict[str, dict[str, Any]] = {
    "/tariffs": {"campaign": "c", "model": "cpi", "price": "1", "currency": "EUR", "starts_on": "2026-11-01"},
    "/corrections": {
        "campaign": "c", "app": "a", "amount": "1", "currency": "EUR", "starts_on": "2026-11-01",
        "ends_on": "2026-11-01", "zone": "UTC",
    },
    "/postback-templates": {"app": "a", "event": "install", "url": "https://a.example/"},
    "/skan/sources": {"app": "a", "campaign": "c"},
}  # fmt: skip


@pytest.mark.parametrize("path", NUMBERED)
async def test_a_list_of_numbered_things_is_read_page_by_page(api: Api, path: str) -> None:
    await api.connection.execute("INSERT INTO apps (id, title) VALUES ('a', '')")
    await api.connection.execute("INSERT INTO campaigns (id, title) VALUES ('c', '')")
    made = []
    for n in range(5):
        further = {"campaign_id": n + 1} if path == "/skan/sources" else {}
        status, answer = await api.ask("POST", path, NUMBERED[path] | further)
        assert status == 201, answer
        made.append(answer["id"])
    found: list[int] = []
    after: dict[str, Any] = {}
    while True:
        _, answer = await api.ask("GET", path, limit=2, **after)
        assert len(answer["items"]) <= 2
        found += [one["id"] for one in answer["items"]]
        if answer["next"] is None:
            break
        after = {"after": answer["next"]}
    assert found == (made if path == "/skan/sources" else made[::-1])
    status, answer = await api.ask("GET", path, after="x")
    assert (status, answer["error"]["field"]) == (422, "after")


async def test_a_postgres_that_is_away_is_said_and_when_to_ask_again(tmp_path: Path) -> None:
    away = {"TOUCHLINE_DATABASE_URL": "postgresql://touchline@127.0.0.1:1/nobody", "TOUCHLINE_DATA": str(tmp_path)}
    settings = Settings.read(away)
    pool = await open_pool(settings)
    async with TestClient(TestServer(make_app(settings, pool, Meters()))) as client:
        answer = await client.get("/api/v1/apps", headers={"Authorization": "Bearer x"})
        assert (answer.status, (await answer.json())["error"]["code"]) == (503, "no_postgres")
        assert int(answer.headers["Retry-After"]) > 0
    await pool.close()


class DaysAsked(Asked, frozen=True):
    since: date | None = None


def test_null_is_no_day() -> None:
    assert said_query(make_mocked_request("GET", "/?since=2026-11-22"), DaysAsked) == DaysAsked(
        since=date(2026, 11, 22)
    )
    with pytest.raises(Invalid, match="since 'null' is no value"):
        said_query(make_mocked_request("GET", "/?since=null"), DaysAsked)
