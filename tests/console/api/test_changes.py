"""What changes leave behind: rows, the audit, and what the edge reads."""

import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from schemas.sql import load
from tests.console.api.conftest import Api

PROOF = "proof-of-16-characters"


async def as_the_edge_reads_it(api: Api, kind: str, subject: str) -> dict[str, object]:
    rows = await api.connection.fetch(load("links")["changes"], 0, 1000)
    found = [json.loads(row["body"]) for row in rows if row["kind"] == kind]
    return next(one for one in found if one.get("id") == subject)


async def test_every_change_is_in_the_audit_with_who_and_what(api: Api) -> None:
    _, made = await api.ask("POST", "/apps", {"id": "shop"})
    await api.ask("PATCH", "/apps/shop", {"title": "Shop"})
    await api.ask("DELETE", f"/apps/shop/keys/{made['keys'][0]['id']}")
    await api.ask("DELETE", "/apps/shop")
    _, answer = await api.ask("GET", "/audit", limit=4)
    actor = api.admin.split("_")[1]
    assert [(one["actor"], one["action"], one["kind"]) for one in reversed(answer["items"])] == [
        (actor, "create", "app"), (actor, "change", "app"), (actor, "revoke", "key"), (actor, "delete", "app")
    ]  # fmt: skip
    changed = answer["items"][2]
    assert (changed["before"]["title"], changed["after"]["title"]) == ("shop", "Shop")
    everything = json.dumps(answer)
    assert not any(key["key"] in everything for key in made["keys"])
    _, of_apps = await api.ask("GET", "/audit", kind="app", subject="shop", limit=1)
    assert (len(of_apps["items"]), of_apps["next"]) == (1, str(answer["items"][0]["id"]))


async def test_what_is_refused_is_not_in_the_audit(world: Api) -> None:
    before = await world.rows()
    assert (await world.ask("POST", "/apps", {"id": "mine"}))[0] == 409
    assert await world.rows() == before


async def test_deleted_things_stay_as_rows_and_leave_the_lists(world: Api) -> None:
    for kind in ("links", "campaigns", "partners", "apps"):
        status, _ = await world.ask("DELETE", f"/{kind}/mine")
        assert status == 200
        listed = (await world.ask("GET", f"/{kind}"))[1]["items"]
        assert [one["id"] for one in listed] == ["theirs"]
        everything = (await world.ask("GET", f"/{kind}", deleted="true"))[1]["items"]
        assert {one["id"] for one in everything} == {"mine", "theirs"}
        assert (await world.ask("GET", f"/{kind}/mine"))[0] == 200
        assert (await world.ask("DELETE", f"/{kind}/mine"))[0] in (404, 409)
        assert (await world.ask("PATCH", f"/{kind}/mine", {"title": "x"}))[0] in (404, 409)
    assert (await as_the_edge_reads_it(world, "link", "mine"))["paused"] is True
    assert (
        await world.connection.fetchval("SELECT count(*) FROM app_keys WHERE app = 'mine' AND revoked_at IS NULL") == 0
    )


async def test_an_app_has_keys_that_are_shown_once(api: Api) -> None:
    _, made = await api.ask(
        "POST", "/apps", {"id": "shop", "coppa": True, "stores": {"google_play": "com.example.shop"}}
    )
    assert (made["coppa"], made["stores"]) == (True, {"google_play": "com.example.shop"})
    _, key = await api.ask("POST", "/apps/shop/keys", {"kind": "server", "title": "back end"})
    digests = {row[0] for row in await api.connection.fetch("SELECT hash FROM app_keys")}
    assert {sha256(one["key"].encode()).hexdigest() for one in (*made["keys"], key)} == digests
    _, shown = await api.ask("GET", "/apps/shop")
    assert [(one["kind"], "key" in one) for one in shown["keys"]] == [
        ("sdk", False), ("server", False), ("server", False)
    ]  # fmt: skip
    _, left = await api.ask("DELETE", f"/apps/shop/keys/{key['id']}")
    assert key["id"] not in [one["id"] for one in left["keys"]]


async def test_the_kind_of_a_campaign_decides_which_links_it_has(world: Api) -> None:
    await world.ask("POST", "/campaigns", {"id": "phones", "kind": "preinstall", "traffic": "oem"})
    status, made = await world.ask("POST", "/links", {"app": "mine", "campaign": "phones", "kind": "preinstall"})
    assert (status, made["urls"]) == (201, {})
    status, answer = await world.ask("POST", "/links", {"app": "mine", "campaign": "phones"})
    assert (status, answer["error"]["field"]) == (409, "kind")
    status, answer = await world.ask("PATCH", "/links/mine", {"campaign": "phones"})
    assert (status, answer["error"]["field"]) == (409, "kind")
    for app in ("mine", "theirs"):  # of any app, as many as one likes
        assert (await world.ask("POST", "/links", {"app": app, "campaign": "mine"}))[0] == 201
    assert (await world.ask("GET", "/campaigns/mine"))[1]["links"] == 3


async def test_a_links_windows_and_host_stay_with_it(world: Api) -> None:
    windows = [{"method": "identifier", "touch": "click", "hours": 48}]
    asked = {"id": "7", "app": "mine", "windows": windows, "host": "go.shop.example"}
    _, made = await world.ask("POST", "/links", asked)
    assert (made["windows"], made["urls"]["click"]) == (windows, "http://go.shop.example/c/7")
    assert made["urls"]["impression"] == "http://go.shop.example/i/7"
    _, changed = await world.ask("PATCH", "/links/7", {"host": None, "paused": True})
    assert (changed["windows"], changed["state"]) == (windows, "paused")
    assert changed["urls"]["click"] == "http://localhost:8080/c/7"
    _, changed = await world.ask("PATCH", "/links/7", {"title": "Seven"})
    assert (changed["state"], changed["title"]) == ("paused", "Seven")


async def test_the_secrets_of_a_partner_are_kept_and_never_shown(api: Api) -> None:
    sending = {"rate": 5, "secret": "s3cret-of-16-characters"}
    _, made = await api.ask(
        "POST", "/partners", {"id": "adnet", "sending": sending, "protection": {"secrets": [PROOF]}}
    )
    assert made["sending"] == {"rate": 5, "secret": "…"}
    _, changed = await api.ask("PATCH", "/partners/adnet", {"sending": made["sending"] | {"rate": 6}})
    assert changed["sending"] == {"rate": 6, "secret": "…"}
    stored = await api.connection.fetchval("SELECT sending FROM partners WHERE id = 'adnet'")
    assert json.loads(stored) == {"rate": 6, "secret": "s3cret-of-16-characters"}
    seen = json.dumps([(await api.ask("GET", path))[1] for path in ("/partners", "/partners/adnet", "/audit")])
    assert "s3cret-" not in seen
    assert PROOF not in seen


async def test_a_token_is_shown_once_rotated_revoked_and_ends(api: Api) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    _, made = await api.ask("POST", "/tokens", {"title": "script", "expires_at": soon.isoformat()})
    stored = await api.connection.fetchval("SELECT hash FROM tokens WHERE id = $1", made["id"])
    assert stored == sha256(made["token"].encode()).hexdigest()
    _, listed = await api.ask("GET", "/tokens")
    assert made["token"] not in json.dumps(listed)
    assert (await api.ask("GET", "/apps", token=made["token"]))[0] == 200
    assert (await api.ask("GET", f"/tokens/{made['id']}"))[1]["used_at"] is not None
    _, rotated = await api.ask("POST", f"/tokens/{made['id']}/rotate")
    assert rotated["expires_at"] == made["expires_at"]
    assert (await api.ask("GET", "/apps", token=made["token"]))[0] == 401
    assert (await api.ask("GET", "/apps", token=rotated["token"]))[0] == 200
    await api.connection.execute("UPDATE tokens SET expires_at = now() WHERE id = $1", made["id"])
    assert (await api.ask("GET", "/apps", token=rotated["token"]))[0] == 401
    _, again = await api.ask("POST", f"/tokens/{made['id']}/rotate", {"expires_at": None})
    assert (await api.ask("GET", "/apps", token=again["token"]))[0] == 200
    await api.ask("DELETE", f"/tokens/{made['id']}")
    assert (await api.ask("GET", "/apps", token=again["token"]))[0] == 401
    assert (await api.ask("POST", f"/tokens/{made['id']}/rotate"))[0] == 404
