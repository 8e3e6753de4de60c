from collections.abc import AsyncIterator

import asyncpg
import msgspec
import pytest

from consumers.outcomes.queue import leave
from schemas.events import Device
from tests.console.conftest import Console
from tests.consumers.postbacks.support import SHOP, add_template, follow, sent, told
from tests.support.devices import (
    ADDRESS,
    GAID,
    OTHER,
    OTHER_ADDRESS,
    USER,
    event,
    everything,
    hit,
    install,
    now_us,
    put,
    traces,
)
from tests.support.logs import pool_of

EVERYTHING = (
    "https://p.example/?c={click_id}&g={mt_gaid}&ip={install_ipv6}&u={profile_id}&d={device_model}&e={mtep_seen}"
)


@pytest.fixture
async def pool(console: Console) -> AsyncIterator[asyncpg.Pool]:
    pool = await pool_of(console.url)
    await pool.execute(SHOP)
    yield pool
    pool.terminate()


async def test_postbacks_of_a_forgotten_device_are_blanked_and_not_sent(console: Console, pool: asyncpg.Pool) -> None:
    for name in ("install", "payment"):
        for partner, mode in (("adnet", "attributed"), ("rival", "all")):
            await add_template(pool, name, partner, mode=mode, url=EVERYTHING, method="POST", body='["{click_id}"]')
    ago_us = now_us() - 60_000_000
    mine = hit(f"click_id=hers-c&google_aid={GAID}", received_us=ago_us)
    theirs = hit(f"click_id=c&google_aid={OTHER}", ip=OTHER_ADDRESS, ua="Other/1", received_us=ago_us)
    others = msgspec.structs.replace(
        install("i-2", OTHER), ip=OTHER_ADDRESS, ua="Other/1", user_id="bob", device=Device(os="Android")
    )
    one, paid = install("hers-i"), event("hers-e", "hers-i", seen=GAID)
    await put(pool, [mine, theirs, one, others, paid, event("e-2", "i-2", ip=OTHER_ADDRESS, ua="Other/1")])
    await follow(pool)
    await pool.execute("UPDATE postbacks SET state = 'sent', attempts = 1 WHERE partner = 'adnet'")
    await pool.execute(
        "INSERT INTO postback_attempts (postback, number, at, status, latency_ms, answer, error)"
        " SELECT id, 1, now(), 200, 5, convert_to(url, 'UTF8'), url FROM postbacks WHERE partner = 'adnet'"
    )
    before = await everything(pool)
    assert {table for table, _ in traces(before)} >= {"postbacks"}
    rows = console.facts("forget", "--id", GAID, "--yes")["rows"]
    assert (rows["postbacks"], rows["postback_attempts"]) == (4, 2)
    after = await everything(pool)
    assert traces(after, USER, ADDRESS) == []
    assert len(after["postbacks"]) == 8
    assert len(set(before["postbacks"]) & set(after["postbacks"])) == 4, "another device's are left as they are"
    blanked = await pool.fetch(
        "SELECT partner, event, state FROM postbacks WHERE url = '' AND body IS NULL ORDER BY 1, 2"
    )
    assert [tuple(row) for row in blanked] == [
        ("adnet", "install", "sent"),
        ("adnet", "payment", "sent"),
        ("rival", "install", "superseded"),
        ("rival", "payment", "superseded"),
    ]
    async with pool.acquire() as connection:
        await leave(connection, [one.id, paid.id])
    await follow(pool)
    assert (await everything(pool))["postbacks"] == after["postbacks"], "nobody is told of it again"


async def test_a_reversal_of_a_forgotten_click_tells_nothing_of_it(console: Console, pool: asyncpg.Pool) -> None:
    await add_template(
        pool, url=EVERYTHING, reversal_url="https://p.example/back?c={click_id}&t={conversion_timestamp}"
    )
    await put(pool, [hit(f"click_id=c&google_aid={GAID}", received_us=now_us() - 60_000_000), install("i")])
    await follow(pool)
    await sent(pool)
    console.run("forget", "--id", GAID, "--yes")
    late = hit(f"click_id=c-2&google_aid={GAID}", received_us=now_us() - 30_000_000)
    await put(pool, [late])
    await follow(pool)
    assert await told(pool, whole=True) == ["adnet install sent"]
