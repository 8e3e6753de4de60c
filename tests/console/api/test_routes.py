"""What holds for every row of the table."""

import json
import re
from typing import Any

import pytest
from openapi_spec_validator import validate

from console.api.route import Route
from console.api.table import ROUTES
from tests.console.api.conftest import Api

BODIES: dict[str, Any] = {
    "create_app": {"id": "new"},
    "change_app": {"title": "Changed"},
    "create_key": {"kind": "sdk"},
    "create_partner": {"id": "new"},
    "change_partner": {"title": "Changed"},
    "create_campaign": {"id": "new", "partner": "NAME"},
    "change_campaign": {"title": "Changed"},
    "create_link": {"id": "new", "app": "NAME", "campaign": "NAME"},
    "change_link": {"title": "Changed"},
    "create_token": {"title": "new"},
    "create_tariff": {"campaign": "NAME", "model": "cpi", "price": "1.5", "currency": "EUR", "starts_on": "2026-11-01"},
    "change_tariff": {"ends_on": "2026-12-01"},
    "create_correction": {
        "campaign": "NAME",
        "app": "NAME",
        "amount": "10",
        "currency": "EUR",
        "starts_on": "2026-11-01",
        "ends_on": "2026-11-02",
        "zone": "UTC",
    },
    "set_rate": {"day": "2026-11-01", "currency": "USD", "rate": "1.1"},
    "create_postback_template": {
        "app": "NAME",
        "partner": "NAME",
        "event": "install",
        "url": "https://a.example/{click_id}",
    },
    "create_offered_templates": {"app": "NAME", "account": {"host": "pb.example"}},
    "change_postback_template": {"mode": "all"},
    "try_postback_template": {"send": False},
    "set_skan_schema": {"fine": [{"from": 0, "to": 9, "events": ["purchase"]}]},
    "create_skan_source": {"app": "NAME", "campaign": "NAME", "source_identifier": "39"},
    "sign_skan_ad": {"version": "1.0", "campaign_id": 3, "itunes_item_id": 525463029},
    "issue_skan_web_ad": {"source_identifier": 5239, "itunes_item_id": 525463029},
    "rotate_token": {},
    "answer_skan_bid": {"request": {"imp": [{"ext": {"skadn": {"versions": ["2.0"]}}}]}, "campaign_id": 45},
}
"""A body that is right, of every route that has one; NAME: whose it is."""


def path_of(route: Route, name: str) -> str:
    return re.sub(r"{\w+}", name, route.path)


def body_of(route: Route, name: str) -> Any:
    body = BODIES.get(route.name)
    return body and {field: name if value == "NAME" else value for field, value in body.items()}


def test_every_route_is_in_the_document_once_and_tested_here() -> None:
    assert len({route.name for route in ROUTES}) == len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)
    assert {route.name for route in ROUTES if route.body} == set(BODIES)


async def test_the_document_is_valid_and_needs_no_token(api: Api) -> None:
    status, document = await api.ask("GET", "/openapi.json", token="")
    assert status == 200
    validate(document)
    documented = {(path, method.upper()) for path, one in document["paths"].items() for method in one}
    assert documented == {(f"/api/v1{route.path}", route.method) for route in ROUTES}


async def test_without_a_good_token_nothing_is_answered(world: Api) -> None:
    before = await world.rows()
    for route in ROUTES:
        for token in ("", "tl_0000000000_guessed", "x" * 4_000):
            status, answer = await world.ask(route.method, path_of(route, "mine"), body_of(route, "mine"), token=token)
            assert (status, answer["error"]["field"]) == (401, None), route.name
    assert await world.rows() == before


async def test_a_read_token_changes_nothing(world: Api) -> None:
    token = await world.token("read")
    before = await world.rows()
    for route in ROUTES:
        if route.method != "GET":
            status, answer = await world.ask(route.method, path_of(route, "mine"), body_of(route, "mine"), token=token)
            assert (status, answer["error"]["code"]) == (403, "role"), route.name
    assert await world.rows() == before


async def test_each_role_may_what_its_routes_say(world: Api) -> None:
    rank = {"read": 0, "manage": 1, "admin": 2}
    tokens = {"read": await world.token("read"), "manage": await world.token("manage"), "admin": world.admin}
    for route in ROUTES:
        for role, token in tokens.items():
            # of a thing that does not exist: what is asked is whether it may be asked
            status, answer = await world.ask(route.method, path_of(route, "none"), {"nonsense": 1}, token=token)
            assert (status == 403) == (rank[role] < rank[route.role]), (route.name, role, answer)


@pytest.mark.parametrize("limits", [{"apps": ("mine",)}, {"partner": "mine"}, {"apps": ("mine",), "partner": "mine"}])
async def test_a_limited_token_sees_and_changes_its_own_only(world: Api, limits: Any) -> None:
    token = await world.token("manage", **limits)
    before = await world.rows()
    for route in ROUTES:
        status, answer = await world.ask(route.method, path_of(route, "theirs"), body_of(route, "theirs"), token=token)
        if route.method == "GET" and "{" not in route.path and status == 200:
            assert "theirs" not in json.dumps(answer), route.name
        else:
            assert status in (403, 404, 422), (route.name, answer)
            assert "error" in answer
    assert await world.rows() == before
    for kind in ("apps", "partners", "campaigns", "links"):
        assert (await world.ask("GET", f"/{kind}/mine", token=token))[0] == 200
        listed = (await world.ask("GET", f"/{kind}", token=token))[1]["items"]
        assert [one["id"] for one in listed] == ["mine"]
    assert (await world.ask("PATCH", "/links/mine", {"title": "Changed"}, token=token))[0] == 200
    assert (await world.ask("POST", "/links", {"app": "mine", "campaign": "mine"}, token=token))[0] == 201


async def test_a_partners_token_makes_nothing_that_it_could_not_see(world: Api) -> None:
    token = await world.token("manage", partner="mine")
    for method, path, body, field in (
        ("POST", "/links", {"app": "mine"}, "campaign"),
        ("POST", "/links", {"app": "mine", "campaign": "theirs"}, "campaign"),
        ("POST", "/links", {"app": "theirs", "campaign": "mine"}, "app"),
        ("POST", "/links", {"app": "mine", "campaign": "mine",
                            "targets": [{"store": "web", "url": "https://a.example/", "app": "theirs"}]}, "targets"),
        ("PATCH", "/links/mine", {"campaign": None}, "campaign"),
        ("PATCH", "/links/mine", {"campaign": "theirs"}, "campaign"),
        ("POST", "/campaigns", {"id": "new"}, "partner"),
        ("PATCH", "/campaigns/mine", {"partner": None}, "partner"),
        ("GET", "/links?campaign=theirs", None, "campaign"),
    ):  # fmt: skip
        status, answer = await world.ask(method, path, body, token=token)
        assert (status, answer["error"]["field"]) == (422, field), (path, body)
    assert (await world.ask("POST", "/campaigns", {"id": "new", "partner": "mine"}, token=token))[0] == 201
