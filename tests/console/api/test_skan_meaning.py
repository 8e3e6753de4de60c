"""Schemas, sources and the report over HTTP, and what limited tokens see of them."""

from tests.console.api.conftest import Api
from tests.support.skan import STORE_APP, insert_postback

VALUES = {"currency": "EUR", "fine": [{"from": 1, "to": 9, "events": ["purchase"], "revenue_min": "1"}]}


async def test_a_schema_is_set_and_shown(world: Api) -> None:
    assert (await world.ask("GET", "/skan/schemas/mine"))[0] == 404
    status, made = await world.ask("POST", "/skan/schemas/mine", VALUES)
    assert (status, made["version"], made["schema"]["fine"][0]["from"]) == (201, 1, 1)
    assert await world.ask("GET", "/skan/schemas/mine") == (200, made)
    for body, field in (
        ({"fine": [{"from": 0, "to": 64}]}, "fine[0].to"),
        ({"fine": [{"from": 1, "to": 0}]}, "fine[0].to"),
        ({"coarse": [{"value": "low", "revenue_max": "1"}]}, "currency"),
    ):
        status, answer = await world.ask("POST", "/skan/schemas/mine", body)
        assert (status, answer["error"]["field"]) == (422, field)
    assert (await world.ask("POST", "/skan/schemas/none", VALUES))[0] == 404


async def test_sources_are_made_listed_in_parts_and_deleted(world: Api) -> None:
    made = []
    for digits in ("11", "12", "13"):
        asked = {"app": "mine", "campaign": "mine", "source_identifier": digits}
        status, answer = await world.ask("POST", "/skan/sources", asked)
        assert status == 201
        made.append(answer)
        assert (await world.ask("POST", "/skan/sources", asked))[0] == 409
    _, first = await world.ask("GET", "/skan/sources", limit=2)
    _, rest = await world.ask("GET", "/skan/sources", limit=2, after=first["next"])
    assert (first["items"], rest) == (made[:2], {"items": made[2:], "next": None})
    assert (await world.ask("GET", "/skan/sources", after="x"))[0] == 422
    path = f"/skan/sources/{made[0]['id']}"
    assert (await world.ask("DELETE", path))[1]["deleted_at"] is not None
    assert (await world.ask("DELETE", path))[0] == 404
    assert len((await world.ask("GET", "/skan/sources", deleted="true"))[1]["items"]) == 3


async def test_limited_tokens_see_what_is_theirs(world: Api) -> None:
    ids = {}
    for name in ("mine", "theirs"):
        asked = {"app": name, "campaign": name, "campaign_id": 7}
        ids[name] = (await world.ask("POST", "/skan/sources", asked))[1]["id"]
        assert (await world.ask("POST", f"/skan/schemas/{name}", VALUES))[0] == 201
    of_app = await world.token("manage", apps=("mine",))
    of_partner = await world.token("manage", partner="mine")
    for token in (of_app, of_partner):
        listed = (await world.ask("GET", "/skan/sources", token=token))[1]["items"]
        assert [one["app"] for one in listed] == ["mine"]
        status, answer = await world.ask("GET", "/skan/sources?app=theirs", token=token)
        assert (status, answer["error"]["field"]) == (422, "app")
        assert (await world.ask("DELETE", f"/skan/sources/{ids['theirs']}", token=token))[0] in (403, 404)
    assert (await world.ask("GET", "/skan/schemas/mine", token=of_app))[0] == 200
    assert (await world.ask("GET", "/skan/schemas/theirs", token=of_app))[0] == 404
    assert (await world.ask("DELETE", f"/skan/sources/{ids['mine']}", token=of_app))[0] == 200


async def test_the_report_of_a_limited_token_names_an_app(world: Api) -> None:
    for number, name in enumerate(("mine", "theirs")):
        await world.connection.execute(
            "UPDATE apps SET stores = jsonb_build_object('app_store', $2::text) WHERE id = $1",
            *(name, str(STORE_APP + number)),
        )
        await insert_postback(world.connection, store_app=STORE_APP + number)
    status, found = await world.ask("GET", "/skan/report", by="app")
    assert (status, [row["app"] for row in found["rows"]]) == (200, ["mine", "theirs"])
    token = await world.token("read", apps=("mine",))
    status, found = await world.ask("GET", "/skan/report", app="mine", by="app", token=token)
    assert (status, [row["app"] for row in found["rows"]]) == (200, ["mine"])
    for query, field in (("", "app"), ("?app=theirs", "app"), ("?app=mine&campaign=theirs", "campaign")):
        status, answer = await world.ask("GET", f"/skan/report{query}", token=token)
        assert (status, answer["error"]["field"]) == (422, field)
    partner = await world.token("read", partner="mine")
    status, answer = await world.ask("GET", "/skan/report", app="mine", token=partner)
    assert (status, answer["error"]["code"]) == (403, "limited")
    for query, field in (("by=hour", "by"), ("since=2026-13-01", "since"), ("since=2000-01-01", "since")):
        status, answer = await world.ask("GET", f"/skan/report?{query}")
        assert (status, answer["error"]["field"]) == (422, field)
