"""`touchline replay` as people run it, on a real Postgres: what it says, what it keeps, and what it leaves alone."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from consumers.attribution.replay import Asked, replay
from schemas.ids import hour_of, new_id
from tests.support.devices import everything
from tests.support.logs import pool_of
from tests.support.shop import SHOP, Shop

HOUR = 3_600_000_000
DAY = 24 * HOUR
A_DAY = {
    "rules": [
        {"method": "identifier", "touch_kind": "click", "window_hours": 24},
        {"method": "identifier", "touch_kind": "impression", "window_hours": 24},
    ]
}


@pytest.fixture
async def shop(database_url: str, tmp_path: Path) -> AsyncIterator[Shop]:
    """old: a click three days before. seen: that, and a view of another campaign. new: a click an hour before."""
    pool = await pool_of(database_url)
    await pool.execute(SHOP)
    shop = Shop(database_url, pool, tmp_path)
    shop.rules.write_text(json.dumps(A_DAY))
    await shop.store(
        shop.touch("old", "a", 72),
        shop.touch("seen", "a", 72),
        shop.touch("seen", "b", 2, "impression"),
        shop.touch("new", "c", 1),
        shop.install("old"),
        shop.install("seen"),
        shop.install("new"),
        shop.event("old", 4_990_001, "EUR"),
        shop.event("old", -1_500_000, "EUR"),
        shop.event("old", 3_000_000, "USD"),
        shop.event("seen", 10_000_000, "EUR"),
        shop.event("seen", -12_250_000, "USD"),
        shop.event("new", 7_000_000, "EUR"),
    )
    await shop.decide()
    yield shop
    pool.terminate()


BY_DEFAULT: dict[str, tuple[object, ...]] = {
    "old": (1, "identifier", "a", "default-1", False),
    "seen": (1, "identifier", "a", "default-1", False),
    "new": (1, "identifier", "c", "default-1", False),
}
BY_A_DAY = BY_DEFAULT | {
    "old": (2, "organic", None, "shop-1", True),
    "seen": (2, "identifier", "b", "shop-1", True),
}


async def test_the_same_rules_change_nothing_and_write_nothing(shop: Shop) -> None:
    assert await shop.last() == BY_DEFAULT
    before = await everything(shop.pool)
    facts = await shop.facts()
    assert (facts["installs"], facts["changed"], facts["verdicts_changed"], facts["empty"]) == (3, 0, 0, True)
    assert "3 installs decided again, 0 differ" in (await shop.run())[0]
    assert (await shop.facts("--apply", "--renew-days"))["empty"]
    assert await everything(shop.pool) == before


async def test_other_rules_show_installs_and_money_to_the_micro_and_change_nothing(shop: Shop) -> None:
    before = await everything(shop.pool)
    facts = await shop.facts("--rules", str(shop.rules), "--app", "shop")
    assert facts == {
        "installs": 3,
        "changed": 2,
        "verdicts_changed": 0,
        "changed_test_installs": 0,
        "changed_with_a_touch_too_late": 0,
        "days_renewed": [],
        "waiting": 0,
        "events_left_alone": 0,
        "refused": 0,
        "refused_installs": [],
        "moves": facts["moves"],
        "campaigns": [
            {"campaign": "(organic)", "installs_lost": 0, "installs_gained": 1,
             "revenue_lost": {}, "revenue_gained": {"EUR": "3.490001", "USD": "3.00"}},
            {"campaign": "spring", "installs_lost": 2, "installs_gained": 0,
             "revenue_lost": {"EUR": "13.490001", "USD": "-9.25"}, "revenue_gained": {}},
            {"campaign": "summer", "installs_lost": 0, "installs_gained": 1,
             "revenue_lost": {}, "revenue_gained": {"EUR": "10.00", "USD": "-12.25"}},
        ],
        "empty": False,
        "applied": False,
    }  # fmt: skip
    assert sorted((one["from"], one["to"], one["installs"]) for one in facts["moves"]) == [
        ("spring", "(organic)", 1),
        ("spring", "summer", 1),
    ]
    said, _ = await shop.run("--rules", str(shop.rules))
    assert "3 installs decided again, 2 differ (not kept: --apply does)." in said
    assert [line.split() for line in said.splitlines() if line.startswith("summer")] == [
        ["summer", "0", "1", "–", "10.00", "EUR,", "-12.25", "USD"]
    ]
    assert await everything(shop.pool) == before


async def test_apply_keeps_what_differs_and_the_history_and_then_nothing_is_left(shop: Shop) -> None:
    facts = await shop.facts("--rules", str(shop.rules), "--app", "shop", "--apply")
    assert (facts["changed"], facts["applied"]) == (2, True)
    assert await shop.last() == BY_A_DAY
    stored = await shop.pool.fetch("SELECT app, version, rules FROM app_rules")
    assert [(row["app"], row["version"], json.loads(row["rules"])) for row in stored] == [("shop", 1, A_DAY)]
    assert await shop.pool.fetchval("SELECT count(*) FROM decisions WHERE number = 1 AND NOT replayed") == 3
    before = await everything(shop.pool)
    assert (await shop.facts("--apply"))["empty"]
    assert await everything(shop.pool) == before


async def test_a_touch_that_comes_later_is_judged_by_the_rules_of_the_replay(shop: Shop) -> None:
    await shop.run("--rules", str(shop.rules), "--app", "shop", "--apply")
    await shop.store(shop.touch("old", "b", 48), shop.touch("seen", "a", 3))
    await shop.decide()
    last = await shop.last()
    # by the default the click of two days before would have led to it
    assert last["old"][1:4] == ("organic", None, "shop-1")
    assert last["seen"] == (3, "identifier", "a", "shop-1", False)


async def test_installs_are_taken_by_app_and_time_of_receipt(shop: Shop) -> None:
    await shop.store(shop.touch("play", "g", 72, app="game"), shop.install("play", 30, app="game"))
    await shop.decide()
    assert (await shop.facts())["installs"] == 4
    assert (await shop.facts("--app", "game"))["installs"] == 1
    since = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(shop.now_us / 1e6 - 24 * 3600))
    assert (await shop.facts("--since", since))["installs"] == 3


async def test_decisions_about_events_are_counted_and_left_alone(shop: Shop) -> None:
    await shop.pool.execute(
        "INSERT INTO decisions (conversion, number, kind, method, candidates, rules)"
        " SELECT id, n, 're-engagement', 'organic', '[]', 'default-1' FROM events, generate_series(1, 2) n"
        " WHERE install_id = 'seen'"
    )
    assert (await shop.facts("--rules", str(shop.rules)))["events_left_alone"] == 2
    assert (await shop.facts("--app", "game"))["events_left_alone"] == 0
    assert "2 decisions about events" in (await shop.run("--rules", str(shop.rules), "--app", "shop", "--apply"))[0]
    assert await shop.pool.fetchval("SELECT count(*) FROM decisions WHERE kind <> 'install'") == 4


async def test_an_install_whose_window_is_not_stored_any_more_is_refused_and_listed(shop: Shop) -> None:
    early = shop.install("early", 72)
    await shop.store(early, shop.touch("early", "a", 74))
    await shop.decide()
    own = json.dumps(A_DAY)
    await shop.pool.execute("INSERT INTO app_rules (app, version, rules) VALUES ('shop', 1, $1)", own)
    assert (await shop.facts())["refused"] == 0, "nothing older was ever received"
    await shop.pool.execute(
        "INSERT INTO received (topic, subject, hour, records) VALUES ('hits', 'a', $1, 1)",
        hour_of(shop.now_us - 40 * DAY),
    )
    month = shop.rules.with_name("month.json")
    month.write_text(json.dumps({"rules": [{"method": "referrer", "touch_kind": "click", "window_hours": 720}]}))
    before = await shop.last()
    facts = await shop.facts("--rules", str(month), "--app", "shop", "--apply")
    assert early.id in facts["refused_installs"]
    assert facts["refused"] == len(facts["refused_installs"])
    assert (await shop.last())["early"] == before["early"]
    assert "refused: their look-back window is not stored any more" in (await shop.run())[0]
    assert (await shop.facts("--rules", str(shop.rules), "--app", "shop"))["refused"] == 0, "a day's window is stored"


async def test_what_waits_is_counted_and_left_alone(shop: Shop) -> None:
    await shop.pool.execute("INSERT INTO marks (conversion) SELECT id FROM installs WHERE install_id = 'old'")
    await shop.store(shop.install("waits"))
    facts = await shop.facts("--rules", str(shop.rules), "--app", "shop", "--apply")
    assert (facts["waiting"], facts["installs"], facts["changed"]) == (2, 2, 1)
    assert await shop.last() == BY_DEFAULT | {"seen": BY_A_DAY["seen"]}
    assert await shop.pool.fetchval("SELECT count(*) FROM marks") == 1


async def test_it_says_for_how_many_a_touch_came_too_late(shop: Shop) -> None:
    await shop.pool.execute("UPDATE installs SET too_late = true WHERE install_id IN ('old', 'new')")
    arguments = ("--rules", str(shop.rules), "--app", "shop")
    assert (await shop.facts(*arguments))["changed_with_a_touch_too_late"] == 1
    assert "1 of those that differ had a touch that came too late" in (await shop.run(*arguments))[0]


async def test_a_forgotten_install_keeps_its_decision(shop: Shop) -> None:
    await shop.pool.execute("UPDATE installs SET flags = '{forgotten}' WHERE install_id = 'old'")
    facts = await shop.facts("--rules", str(shop.rules), "--app", "shop", "--apply")
    assert (facts["installs"], facts["changed"]) == (2, 1)
    assert (await shop.last())["old"] == BY_DEFAULT["old"]


FLOOD = """
INSERT INTO touches (id, kind, mode, link, app, touched_at, ua, os, os_version, brand, model, browser, language,
                     query, headers, flags)
SELECT (substr($1, 1, 24) || lpad(to_hex(n), 12, '0'))::uuid, 'click', 's2s', 'c', 'shop', now(), '', 'android', '',
       '', '', '', '', '', '{}', '{}' FROM generate_series(1, 800) AS n
"""
OTHERS_DAY = """
INSERT INTO link_days (link, day, version, app, clicks, installs, first_hour, week_clicks, week_installs, flooding,
                       delays)
VALUES ('a', $1::date - 1, 1, 'shop', 1000, 100, 60, 1000, 100, false, false)
"""


async def test_links_that_turn_out_to_flood_lose_their_installs_with_renewed_days(shop: Shop) -> None:
    yesterday_us = (shop.now_us // DAY - 1) * DAY + 12 * HOUR
    day = await shop.pool.fetchval("SELECT max(day) FROM published_days")
    assert day.isoformat() == time.strftime("%Y-%m-%d", time.gmtime(yesterday_us / 1e6))
    await shop.pool.execute(OTHERS_DAY, day)
    await shop.pool.execute(FLOOD, str(new_id(yesterday_us)))
    before = await everything(shop.pool)
    assert (await shop.facts())["empty"], "the days are as they were published"
    facts = await shop.facts("--renew-days")
    assert (facts["days_renewed"], facts["changed"]) == ([day.isoformat()], 1)
    assert facts["moves"] == [{"from": "-", "to": "(organic)", "installs": 1}]
    assert f"links are judged in another way now: {day}" in (await shop.run("--renew-days"))[0]
    assert await everything(shop.pool) == before
    assert (await shop.facts("--renew-days", "--apply"))["changed"] == 1
    assert (await shop.last())["new"] == (2, "organic", None, "default-1", True)
    versions = await shop.pool.fetch("SELECT version, flooding FROM link_days WHERE link = 'c' ORDER BY version")
    assert [tuple(row) for row in versions] == [(2, True)]
    assert (await shop.facts("--renew-days"))["empty"]


THE_800TH = "SELECT FROM installs WHERE id = (SELECT id FROM installs ORDER BY id OFFSET 800 LIMIT 1) FOR UPDATE"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--since", "last week"), "touchline replay: --since 'last week' is no time"),
        (("--app", "nobody"), "touchline replay: --app 'nobody' does not exist"),
        (("--rules", "/nowhere/rules.json"), "/nowhere/rules.json"),
        (("--rules", "BAD", "--app", "shop"), "touchline replay: rules[0].window_hours is 1; identifier takes 24 to"),
        (("--rules", "RULES", "--apply"), "touchline replay: --rules with --apply needs --app"),
    ],
)
async def test_what_cannot_be_asked_is_named(shop: Shop, arguments: Sequence[str], said: str) -> None:
    bad = shop.rules.with_name("bad.json")
    bad.write_text('{"rules": [{"method": "identifier", "touch_kind": "click", "window_hours": 1}]}')
    names = {"BAD": str(bad), "RULES": str(shop.rules)}
    answer, complaint = await shop.run(*(names.get(one, one) for one in arguments), code=2)
    assert (answer, complaint.count("\n")) == ("", 1), complaint
    assert said in complaint


async def test_killed_in_the_middle_and_started_again_it_ends_the_same(shop: Shop) -> None:
    names = [f"n{number:04}" for number in range(1100)]  # three pages
    await shop.store(*(shop.touch(name, "a", 72) for name in names), *(shop.install(name) for name in names))
    await shop.decide()
    await shop.pool.execute("INSERT INTO app_rules (app, version, rules) VALUES ('shop', 1, $1)", json.dumps(A_DAY))
    async with shop.pool.acquire() as connection:
        async with connection.transaction():
            await connection.execute(THE_800TH)
            process = shop.start("--apply")
            while not await shop.pool.fetchval("SELECT count(*) FROM decisions WHERE replayed"):
                assert process.poll() is None
                await asyncio.sleep(0.05)
            process.kill()  # while its second page waits for the lock
            process.communicate(timeout=10)
        kept = await shop.pool.fetchval("SELECT count(*) FROM decisions WHERE replayed")
        assert 0 < kept < len(names)
        assert (await shop.facts("--apply"))["changed"] == len(names) + 2 - kept
        pages: list[int] = []
        found = await replay(connection, Asked(since_us=0), pages.append)
    assert (found.installs, found.empty, pages) == (1103, True, [500, 500, 103])
    assert await shop.last() == BY_A_DAY | dict.fromkeys(names, (2, "organic", None, "shop-1", True))
