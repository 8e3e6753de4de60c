import json
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import asyncpg
import msgspec
import pytest

from console.manage.common import Refused
from console.manage.templates import NewTemplate, create_template
from tests.console.conftest import Console
from tests.consumers.postbacks.support import SHOP, click, follow, install
from tests.support.devices import GAID, event, put
from tests.support.logs import pool_of

URL = "https://p.example/pb?click={click_id}"


@pytest.fixture
async def pool(console: Console) -> AsyncIterator[asyncpg.Pool]:
    pool = await pool_of(console.url)
    await pool.execute(SHOP)
    yield pool
    pool.terminate()


def create(console: Console, *arguments: str, event: str = "install", url: str = URL) -> dict[str, object]:
    made: dict[str, object] = console.facts(
        "postback-template", "create", "--app", "shop", "--event", event, "--url", url, *arguments
    )
    return made


async def test_a_template_is_made_shown_changed_and_deleted(console: Console, pool: asyncpg.Pool) -> None:
    made = create(console, "--partner", "adnet", "--method", "POST", "--body", '{"c": "{click_id}", "p": {price}}')
    one = str(made["id"])
    assert made | {"id": 0, "created_at": ""} == {
        "id": 0, "app": "shop", "partner": "adnet", "event": "install", "mode": "attributed", "first_only": False,
        "method": "POST", "url": URL, "body": '{"c": "{click_id}", "p": {price}}', "reversal_url": None,
        "created_at": "", "deleted_at": None, "remarks": [],
    }  # fmt: skip
    own = create(console, "--mode", "all", "--first-only", "--reversal-url", URL)
    assert [row["id"] for row in console.facts("postback-template", "list")] == [own["id"], made["id"]]
    assert [row["id"] for row in console.facts("postback-template", "list", "--partner", "adnet")] == [made["id"]]
    changed = console.facts("postback-template", "set", one, "--method", "GET", "--mode", "all", "--first-only")
    assert changed == made | {"method": "GET", "body": None, "mode": "all", "first_only": True}
    assert console.facts("postback-template", "set", str(own["id"]), "--reversal-url", "") == own | {
        "reversal_url": None
    }
    deleted = console.facts("postback-template", "delete", one)
    assert deleted["deleted_at"] is not None
    assert console.facts("postback-template", "show", one) == deleted
    assert len(console.facts("postback-template", "list")) == 1
    assert "does not exist" in console.refusal("postback-template", "delete", one, code=1)
    rows = console.sql(
        "SELECT action, subject, before IS NULL, after ->> 'mode' FROM audit"
        " WHERE kind = 'postback-template' ORDER BY id"
    )
    assert rows == [
        ("create", one, True, "attributed"),
        ("create", str(own["id"]), True, "all"),
        ("change", one, False, "all"),
        ("change", str(own["id"]), False, "all"),
        ("delete", one, False, "all"),
    ]


WRONG: list[tuple[dict[str, object], str]] = [
    ({"app": "none"}, "app: 'none' does not exist"),
    ({"partner": "none"}, "partner: 'none' does not exist"),
    ({"event": " "}, "event: "),
    ({"event": "x" * 101}, "event: "),
    ({"app": "web"}, "event: 'install' is nothing that happens on a website"),
    ({"app": "web", "event": "payment", "first_only": True}, "first_only: "),
    ({"url": "ftp://p.example/"}, "url: "),
    ({"url": "https://{host}.example/"}, "url: "),
    ({"url": "https://p.example/?{a}=1"}, "url: "),
    ({"reversal_url": "p.example"}, "reversal_url: "),
    ({"body": "{}"}, "body: belongs to POST"),
    ({"method": "POST"}, "body: is missing"),
    ({"method": "POST", "body": '{"a": }'}, "body: "),
    ({"method": "POST", "body": '{"{a}": 1}'}, "body: "),
    ({"method": "POST", "body": f'"{"x" * 20_000}"'}, "body: "),
]


async def test_what_is_wrong_is_refused_by_the_name_of_its_field(console: Console, pool: asyncpg.Pool) -> None:
    async with pool.acquire() as connection:
        for changes, said in WRONG:
            values: dict[str, object] = {"app": "shop", "event": "install", "url": URL} | changes
            with pytest.raises(Refused, match=said):
                await create_template(connection, "shell", msgspec.convert(values, NewTemplate))
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"app": "shop", "event": "install", "url": URL, "mode": "some"}, NewTemplate)
    said = console.refusal("postback-template", "create", "--app", "none", "--event", "x", "--url", URL, code=1)
    assert said.endswith("postback-template create: app: 'none' does not exist.")
    assert await pool.fetchval("SELECT count(*) FROM postback_templates") == 0


async def test_a_name_that_is_no_macro_is_accepted_and_remarked_on(console: Console, pool: asyncpg.Pool) -> None:
    made = create(console, url="https://p.example/?a={my_sub}&b={mtep_level}&c={mtpp_secret}&d={click_id}")
    assert made["remarks"] == [
        "{my_sub} is no macro of ours: it is the click's parameter of that name, or empty.",
        "{mtpp_secret} is no macro: it is always empty.",
    ]


async def test_what_waits_is_not_sent_when_its_template_is_off_or_deleted(console: Console, pool: asyncpg.Pool) -> None:
    off, gone, other = (str(create(console, "--mode", "all")["id"]) for _ in range(3))
    await install(pool)
    await follow(pool)
    await pool.execute("UPDATE postbacks SET state = 'sent' WHERE template = $1", int(other))
    console.facts("postback-template", "set", off, "--mode", "off")
    console.facts("postback-template", "delete", gone)
    rows = console.sql("SELECT template, state FROM postbacks ORDER BY template")
    assert rows == [(int(off), "superseded"), (int(gone), "superseded"), (int(other), "sent")]


async def test_a_template_is_tried_out_with_made_up_values_or_an_install(console: Console, pool: asyncpg.Pool) -> None:
    url = "https://p.example/?click={click_id}&gaid={mt_gaid}&sum={price}&e={conversion_event_name}&x={nothing}"
    own = str(create(console, event="payment", url=url)["id"])
    theirs = str(create(console, "--partner", "rival", "--method", "POST", "--body", '{"c": {click_id}}')["id"])
    trial = console.facts("postback-template", "try", own)
    assert parse_qs(urlsplit(trial["url"]).query) == {
        "click": ["sample-click"], "gaid": [GAID], "sum": ["4.99"], "e": ["payment"]
    }  # fmt: skip
    assert (trial["postback"], trial["conversion"], len(trial["remarks"])) == (None, None, 2)
    await click(pool)
    one = await install(pool)
    trial = console.facts("postback-template", "try", own, "--install", "i")
    assert trial["conversion"] == one, "there is no payment yet"
    paid = event("e", "i", name="purchase")
    await put(pool, [event("e-0", "i", name="launch", revenue=None), paid])
    await follow(pool)
    trial = console.facts("postback-template", "try", own, "--install", "i", "--send")
    assert trial["conversion"] == paid.id
    assert parse_qs(urlsplit(trial["url"]).query) == {
        "click": ["c-1"], "gaid": [GAID], "sum": ["4.99"], "e": ["purchase"]
    }  # fmt: skip
    rows = console.sql("SELECT id, template, conversion::text, url, state FROM postbacks WHERE template IS NULL")
    assert rows == [(trial["postback"], None, paid.id, trial["url"], "waiting")]
    assert GAID not in json.dumps(console.sql("SELECT after::text FROM audit"))
    trial = console.facts("postback-template", "try", theirs, "--install", "i")
    assert (trial["body"], trial["url"]) == ('{"c": null}', "https://p.example/pb?click=")
    assert "rival" in trial["remarks"][-1]
    assert "no install" in console.refusal("postback-template", "try", own, "--install", "none", code=1)
    assert "GET https://p.example/" in console.run("postback-template", "try", own, "--install", "i").stdout
    console.facts("postback-template", "delete", own)
    assert "deleted" in console.refusal("postback-template", "try", own, "--send", code=1)


async def test_the_templates_that_a_profile_offers_are_created_at_once(console: Console, pool: asyncpg.Pool) -> None:
    await pool.execute("UPDATE partners SET profile = 'unity_ads' WHERE id = 'adnet'")
    asked = ("postback-template", "offered", "--app", "shop", "--partner", "adnet")
    assert "account.game_id: It is missing" in console.refusal(*asked, code=1)
    assert console.facts("postback-template", "list") == []
    [made] = console.facts(*asked, "--account", "game_id=12/34")
    assert (made["event"], made["mode"], made["partner"], made["method"]) == ("install", "attributed", "adnet", "GET")
    assert made["url"].startswith("https://postback.unityads.unity3d.com/games/12%2F34/install?")
    assert "stands already" in console.refusal(*asked, "--account", "game_id=12/34", code=1)
    assert "offers postbacks of install" in console.refusal(*asked, "--account", "game_id=1", "--event", "x", code=1)
    assert "no NAME=VALUE" in console.refusal(*asked, "--account", "game_id", code=2)
    assert "'nobody' does not exist" in console.refusal(*asked[:-1], "nobody", code=1)
    assert len(console.facts("postback-template", "list")) == 1


async def test_a_draft_offers_templates_that_are_off_and_a_partner_without_profile_generic_ones(
    console: Console, pool: asyncpg.Pool
) -> None:
    asked = ("postback-template", "offered", "--app", "shop", "--partner", "adnet", "--account")
    generic = console.facts(*asked, "host=pb.example")
    assert [(one["event"], one["mode"]) for one in generic] == [("install", "attributed"), ("payment", "attributed")]
    await pool.execute("UPDATE partners SET profile = 'yandex_direct' WHERE id = 'adnet'")
    drafts = console.facts(*asked[:-1])
    assert {one["mode"] for one in drafts} == {"off"}
    await pool.execute("UPDATE partners SET profile = 'a_file_of_mine' WHERE id = 'adnet'")
    assert "is a file of yours" in console.refusal(*asked[:-1], code=1)
