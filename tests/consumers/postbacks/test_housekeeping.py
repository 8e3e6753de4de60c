"""What waits is counted, what waits for too long is given up, and what is old enough is deleted."""

from datetime import timedelta

from consumers.postbacks import store
from consumers.postbacks.housekeeping import Housekeeping
from consumers.postbacks.sender import utc_now
from process.metrics import Meters
from tests.consumers.postbacks.conftest import Sending, true
from tests.support.partners import Clock, Partner, put_partner, put_postback

MADE = "UPDATE postbacks SET created_at = $2, state = $3 WHERE id = $1"


async def test_old_postbacks_go_with_their_attempts_in_pages(sending: Sending, clock: Clock, one: Partner) -> None:
    pool, old = sending.pool, clock.now - timedelta(days=91)
    first = await put_postback(pool, one.url(), clock.now, key="sent long ago")
    async with sending.running():
        await sending.until_state("sent")
    await pool.execute(MADE, first, old, "sent")
    await pool.execute(
        "INSERT INTO postbacks (app, event, key, method, url, due_at, created_at, state)"
        " SELECT 'shop', 'install', 'n' || n, 'GET', 'http://p.example/', $1, $1, 'dead' FROM generate_series(1, $2) n",
        old,
        store.PAGE + 1,
    )
    for key, made, state in (("waits", old, "waiting"), ("younger", clock.now - timedelta(days=89), "sent")):
        await pool.execute(MADE, await put_postback(pool, one.url(), clock.now, key=key), made, state)
    await Housekeeping(pool, Meters(), sending.make(), keep_days=90).step()
    assert {row["key"] for row in await pool.fetch("SELECT key FROM postbacks")} == {"waits", "younger"}
    assert await pool.fetchval("SELECT count(*) FROM postback_attempts WHERE postback = $1", first) == 0


async def test_what_waits_for_a_day_while_its_partner_is_down_is_dead_and_says_so(
    sending: Sending, clock: Clock, one: Partner
) -> None:
    one.status = 500
    clock.now = utc_now()
    await put_partner(sending.pool, "p")
    for number in range(40):
        await put_postback(sending.pool, one.url(), clock.now, partner="p", key=str(number))
    async with sending.running() as sender:
        housekeeping = Housekeeping(sending.pool, sending.meters, sender, keep_days=90)
        await sending.until(lambda: true(any(one.health.down and not one.in_flight for one in sender.lanes)))
        asked = len(one.received)
        await sending.until_attempts(asked)
        await sending.pool.execute("UPDATE postbacks SET leased_until = NULL")
        for number in range(3):
            due_at = clock.now - timedelta(hours=25)
            await put_postback(sending.pool, one.url(), due_at, partner="p", key=f"waited {number}")
        await housekeeping.step()
        shown = sending.meters.exposition().decode()
        assert f'touchline_postbacks_waiting{{partner="p"}} {43 - asked}.0' in shown
        assert 'touchline_postbacks_down{partner="p"} 1.0' in shown
    assert len(one.received) == asked
    dead = await sending.pool.fetch("SELECT key, attempts FROM postbacks WHERE state = 'dead' ORDER BY key")
    assert [tuple(row) for row in dead] == [(f"waited {number}", 1) for number in range(3)]
    said = await sending.pool.fetch("SELECT DISTINCT error FROM postback_attempts WHERE status IS NULL")
    assert [row["error"] for row in said] == [store.GIVEN_UP]
