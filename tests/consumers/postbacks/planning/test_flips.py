"""What is told when, whatever the order of arrival, and what is taken back when an attribution changes."""

import asyncio
import itertools
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from consumers.postbacks.planner import Planner
from schemas.events import Event
from tests.consumers.postbacks.support import (
    BACK,
    add_template,
    click,
    event,
    follow,
    install,
    outcome,
    sent,
    told,
)
from tests.support import devices
from tests.support.devices import GAID, OTHER, put

DAY_US = 24 * 3_600_000_000


async def test_any_order_of_arrival_tells_the_same(pool: asyncpg.Pool) -> None:
    for name in ("install", "payment"):
        await add_template(pool, name, first_only=True)
    at_us = time.time_ns() // 1000
    for number, order in enumerate(itertools.permutations(("click", "install", "event"))):
        gaid = GAID[:-2] + f"{number:02}"
        for one in order:
            if one == "click":
                await put(pool, [devices.hit(f"click_id=c&google_aid={gaid}", received_us=at_us - 60_000_000)])
            elif one == "install":
                await install(pool, f"i-{number}", ids={"google_aid": gaid})
            else:
                await put(pool, [event(f"p-{number}", install_id=f"i-{number}")])
            await follow(pool)
        assert await told(pool) == ["adnet install", "adnet payment"], order
        await pool.execute("DELETE FROM postbacks")


async def test_what_waits_for_the_loser_is_superseded_and_the_winner_is_told(pool: asyncpg.Pool) -> None:
    for partner in ("adnet", "rival"):
        await add_template(pool, partner=partner, reversal_url=BACK)
        await add_template(pool, "payment", partner, reversal_url=BACK)
    await click(pool, "1")
    await install(pool)
    await put(pool, [event("e")])
    await follow(pool)
    assert await told(pool) == ["adnet install", "adnet payment"]
    await click(pool, "2", seconds_ago=30)
    await follow(pool)
    assert await told(pool) == [
        "adnet install superseded", "rival install", "adnet payment superseded", "rival payment"
    ]  # fmt: skip


async def test_what_was_sent_is_taken_back_and_told_again_when_the_attribution_returns(pool: asyncpg.Pool) -> None:
    await add_template(pool, reversal_url=BACK, method="POST", body='{"click": "{click_id}"}')
    await add_template(pool, partner="rival")
    await click(pool, "1")
    one = await install(pool)
    await follow(pool)
    await sent(pool)
    late = await click(pool, "2", seconds_ago=30)
    await follow(pool)
    assert await told(pool, whole=True) == [
        "adnet install install?click=c-1&m=identifier sent",
        "adnet install back?click=c-1 back",
        "rival install install?click=c-2&m=identifier",
    ]
    assert [tuple(row) for row in await pool.fetch("SELECT method, body FROM postbacks WHERE reversal")] == [
        ("GET", None)
    ]
    await sent(pool)
    await pool.execute("INSERT INTO decisions SELECT conversion, 3, method, touch, touch_kind, link, campaign, partner,"
                       " click_id, confidence, candidates, rules, now() FROM decisions WHERE number = 1")  # fmt: skip
    await outcome(pool, one)
    assert await told(pool) == [
        "adnet install sent", "adnet install back sent", "adnet install", "rival install sent"
    ], f"the rival, whose click {late} lost, has no address for it"  # fmt: skip
    await outcome(pool, one)
    assert len(await told(pool)) == 4
    keys = [row["key"] for row in await pool.fetch("SELECT key FROM postbacks")]
    assert len(set(keys)) == len(keys)


async def test_a_reversal_that_nobody_was_sent_is_superseded_when_the_attribution_returns(pool: asyncpg.Pool) -> None:
    await add_template(pool, reversal_url=BACK)
    await click(pool, "1")
    one = await install(pool)
    await follow(pool)
    await pool.execute("UPDATE postbacks SET attempts = 1")  # it timed out: it may have arrived
    await click(pool, "2", seconds_ago=30)
    await follow(pool)
    assert await told(pool) == ["adnet install superseded", "adnet install back"]
    await pool.execute("INSERT INTO decisions SELECT conversion, 3, method, touch, touch_kind, link, campaign, partner,"
                       " click_id, confidence, candidates, rules, now() FROM decisions WHERE number = 1")  # fmt: skip
    await outcome(pool, one)
    assert await told(pool) == ["adnet install", "adnet install back superseded"]
    await pool.execute("UPDATE postbacks SET state = 'sent' WHERE state = 'waiting'")
    await pool.execute("INSERT INTO decisions SELECT conversion, 4, method, touch, touch_kind, link, campaign, partner,"
                       " click_id, confidence, candidates, rules, now() FROM decisions WHERE number = 2")  # fmt: skip
    await outcome(pool, one)
    assert await told(pool) == ["adnet install sent", "adnet install back"]


async def test_what_was_delivered_while_it_was_superseded_is_taken_back(pool: asyncpg.Pool) -> None:
    await add_template(pool, reversal_url=BACK)
    await click(pool, "1")
    one = await install(pool)
    await follow(pool)
    await click(pool, "2", seconds_ago=30)
    await follow(pool)
    assert await told(pool) == ["adnet install superseded"]
    await pool.execute("UPDATE postbacks SET state = 'sent', attempts = 1")
    await outcome(pool, one)
    assert await told(pool) == ["adnet install sent", "adnet install back"]


async def test_what_was_refused_or_never_asked_for_is_not_taken_back(pool: asyncpg.Pool) -> None:
    await add_template(pool, reversal_url=BACK)
    await click(pool, "1")
    await install(pool)
    await follow(pool)
    await pool.execute("UPDATE postbacks SET state = 'refused', attempts = 1")
    await click(pool, "2", seconds_ago=30)
    await follow(pool)
    assert await told(pool) == ["adnet install refused"]


async def test_planned_twice_nothing_is_new(pool: asyncpg.Pool) -> None:
    for partner, name in itertools.product((None, "adnet"), ("install", "payment")):
        await add_template(pool, name, partner)
    await click(pool)
    one = await install(pool)
    paid = event("e")
    await put(pool, [paid])
    await follow(pool)
    before = await pool.fetch("SELECT * FROM postbacks ORDER BY id")
    await outcome(pool, one, paid.id, one)
    await put(pool, [paid, event("e")])  # a journal's replay, and a sender's retry
    await follow(pool)
    assert await pool.fetch("SELECT * FROM postbacks ORDER BY id") == before
    assert len(before) == 4


async def test_a_replay_tells_nobody(pool: asyncpg.Pool) -> None:
    await add_template(pool, mode="all")
    await install(pool)
    await follow(pool)
    (row,) = await pool.fetch("SELECT id FROM installs")
    await pool.execute("DELETE FROM postbacks")
    await outcome(pool, str(row["id"]), silent=True)
    assert await told(pool) == []
    await outcome(pool, str(row["id"]))
    assert await told(pool) == ["adnet install"]


async def test_first_only_tells_one_event_of_an_install(pool: asyncpg.Pool) -> None:
    await add_template(pool, "payment", first_only=True, url="https://p.example/?e={mtep_seen}")
    await click(pool)
    now_us = time.time_ns() // 1000
    await put(
        pool,
        [event("second", seen=2, occurred_us=now_us - 10**6), event("first", seen=1, occurred_us=now_us - 2 * 10**6)],
    )
    await install(pool)
    await install(pool, "j", ids={"google_aid": OTHER})
    await follow(pool)
    assert await told(pool, whole=True) == ["adnet payment ?e=1"]
    await put(pool, [event("even earlier", seen=0, occurred_us=now_us - 3 * 10**6), event("others", install_id="j")])
    await follow(pool)
    assert await told(pool, whole=True) == ["adnet payment ?e=1"], "it was told already"


async def test_more_events_than_a_page_follow_their_install(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.postbacks.planner.PAGE_CONVERSIONS", 3)
    await add_template(pool, "payment")
    await click(pool)
    at_us = time.time_ns() // 1000
    await put(pool, [event(f"e-{number}", occurred_us=at_us) for number in range(10)])
    await follow(pool)
    await install(pool)
    await follow(pool)
    assert len(await told(pool)) == 10


async def test_nobody_is_told_before_it_is_decided(pool: asyncpg.Pool) -> None:
    for name in ("install", "payment"):
        await add_template(pool, name, mode="all")
    one = await install(pool)
    paid = event("e")
    await put(pool, [paid])
    async with pool.acquire() as connection, connection.transaction():
        await Planner().follow(connection, [UUID(one), UUID(paid.id)], silent=False)
    assert await told(pool) == []
    await follow(pool)
    assert await told(pool) == ["adnet install", "adnet payment"]


async def test_what_is_long_ago_is_not_told_anew_and_what_was_told_of_it_stands(pool: asyncpg.Pool) -> None:
    now_us = time.time_ns() // 1000
    await add_template(pool, mode="all", created_at=datetime.now(UTC) - timedelta(days=90))
    old, _ = [await install(pool, f"i-{days}", ids={}, received_us=now_us - days * DAY_US) for days in (61, 59)]
    await follow(pool)
    (row,) = await pool.fetch("SELECT id, conversion FROM postbacks")
    assert str(row["conversion"]) != old
    await pool.execute("UPDATE postbacks SET conversion = $1, install = $1", old)
    await outcome(pool, old)
    assert await told(pool) == ["adnet install"]


async def test_two_that_plan_for_an_install_at_once_tell_one_event(pool: asyncpg.Pool) -> None:
    await add_template(pool, "payment", first_only=True)
    await click(pool)
    await install(pool)
    await follow(pool)
    payments = [event("e-1"), event("e-2")]
    await put(pool, payments)

    async def plan(one: Event) -> None:
        async with pool.acquire() as connection, connection.transaction():
            await Planner().follow(connection, [UUID(one.id)], silent=False)
            await asyncio.sleep(0.2)  # the other one has come as far as it can

    await asyncio.gather(*map(plan, payments))
    assert await told(pool) == ["adnet payment"]
