"""What is due is sent, again and again until it is taken, and never by a lock."""

import asyncio
import hashlib
import hmac
from datetime import timedelta

import asyncpg
from aiohttp import web

from consumers.postbacks.schedule import DOWN_AFTER
from consumers.postbacks.sender import POLL_S
from tests.consumers.postbacks.conftest import Sending, true
from tests.support.partners import Clock, Partner, hang, partner, put_partner, put_postback

SECRET = "a secret of the partner"


async def test_a_postback_is_sent_once_and_its_attempt_is_on_record(
    sending: Sending, clock: Clock, one: Partner
) -> None:
    await put_partner(sending.pool, "p")
    await put_postback(sending.pool, one.url("/pb?c=%20ы"), clock.now, partner="p", key="k-1")
    async with sending.running():
        await sending.until_state("sent")
    (got,) = one.received
    assert (got.key, got.method, got.target) == ("k-1", "GET", "/pb?c=%20%D1%8B")
    assert got.headers["User-Agent"].startswith("Touchline/")
    assert "Touchline-Signature" not in got.headers
    (attempt,) = await sending.attempts()
    assert (attempt["status"], attempt["answer"], attempt["error"], attempt["at"]) == (200, b"noted", None, clock.now)
    row = await sending.pool.fetchrow("SELECT * FROM postbacks")
    assert (row["attempts"], row["first_at"], row["leased_until"]) == (1, clock.now, None)
    shown = sending.meters.exposition().decode()
    assert 'touchline_postbacks_total{outcome="sent",partner="p"} 1.0' in shown
    assert "touchline_postback_delay_seconds_count 1.0" in shown


async def test_what_is_not_due_waits(sending: Sending, clock: Clock, one: Partner) -> None:
    await put_postback(sending.pool, one.url(), clock.now + timedelta(minutes=5))
    async with sending.running():
        await asyncio.sleep(3 * POLL_S)
        assert one.received == []
        clock.pass_(minutes=5)
        await sending.until_state("sent")


async def test_a_body_is_posted_and_signed(sending: Sending, clock: Clock, one: Partner) -> None:
    await put_partner(sending.pool, "p", f'{{"secret": "{SECRET}"}}')
    await put_postback(sending.pool, one.url(), clock.now, partner="p", method="POST", body='{"name": "ы"}')
    async with sending.running():
        await sending.until_state("sent")
    (got,) = one.received
    assert (got.method, got.body, got.headers["Content-Type"]) == ("POST", '{"name": "ы"}'.encode(), "application/json")
    signed = f"POST\n{one.url()}\n".encode() + got.body
    assert (
        got.headers["Touchline-Signature"] == f"sha256={hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()}"
    )


async def test_500_for_an_hour_then_200(sending: Sending, clock: Clock, one: Partner) -> None:
    await put_partner(sending.pool, "p")
    await put_postback(sending.pool, one.url(), clock.now, partner="p", key="same")
    began, one.status = clock.now, 500
    async with sending.running():
        for minute in range(0, 60, 3):
            await sending.until_attempts(minute // 3 + 1)
            clock.pass_(minutes=3)
            one.status = 500 if minute < 57 else 200
        await sending.until_state("sent")
    attempts = await sending.attempts()
    assert [attempt["status"] for attempt in attempts] == [500] * 20 + [200]
    assert [attempt["at"] - began for attempt in attempts] == [timedelta(minutes=3 * n) for n in range(21)]
    assert [attempt["number"] for attempt in attempts] == list(range(1, 22))
    assert set(one.keys) == {"same"}


async def test_after_a_day_it_is_dead(sending: Sending, clock: Clock, one: Partner) -> None:
    one.status = 404
    postback = await put_postback(sending.pool, one.url(), clock.now)
    async with sending.running():
        await sending.until_attempts(1)
        clock.pass_(hours=23, minutes=57)
        await sending.until_attempts(2)
        assert (await sending.states())[0][1] == "waiting"
        clock.pass_(minutes=3)
        await sending.until_state("dead")
        clock.pass_(hours=1)
        await asyncio.sleep(2 * POLL_S)
    assert len(one.received) == 3
    assert await sending.pool.fetchval("SELECT attempts FROM postbacks WHERE id = $1", postback) == 3


async def test_a_partner_that_hangs_fails_in_words_and_holds_up_nobody(
    sending: Sending, clock: Clock, one: Partner
) -> None:
    one.answer = hang
    await put_partner(sending.pool, "hanging")
    await put_partner(sending.pool, "other")
    for number in range(100):
        await put_postback(sending.pool, one.url(), clock.now, partner="hanging", key=f"h{number}")
    async with partner() as other, sending.running(answer_s=60):
        await sending.until(lambda: true(one.open == 20))
        for number in range(50):
            await put_postback(sending.pool, other.url(), clock.now, partner="other", key=f"o{number}")
        await sending.until_state("sent", 50)
        assert one.open == one.open_most == 20
        assert len(set(other.keys)) == 50
        for request in asyncio.all_tasks():
            if "_attempt" in repr(request.get_coro()):
                request.cancel()
    async with sending.running(answer_s=0.2):
        clock.pass_(seconds=20)
        await sending.until_attempts(51)
    failed = [attempt for attempt in await sending.attempts() if attempt["status"] is None]
    assert failed[0]["error"] == "No answer within 0.2 s."
    assert failed[0]["latency_ms"] >= 190  # timers may be early


async def test_a_partner_that_is_down_is_probed_and_then_served_at_full_speed(
    sending: Sending, clock: Clock, one: Partner
) -> None:
    one.status = 503
    await put_partner(sending.pool, "p", '{"concurrency": 5}')
    for number in range(60):
        await put_postback(sending.pool, one.url(), clock.now, partner="p", key=str(number))
    async with sending.running() as sender:
        await sending.until(lambda: true(any(its.health.down and not its.in_flight for its in sender.lanes)))
        tried = len(one.received)
        assert DOWN_AFTER <= tried <= DOWN_AFTER + 5
        await asyncio.sleep(3 * POLL_S)
        assert len(one.received) == tried
        clock.pass_(seconds=16)
        await sending.until_attempts(tried + 1)
        await asyncio.sleep(3 * POLL_S)
        assert len(one.received) == tried + 1, "one probe at a time"
        one.status = 200
        clock.pass_(minutes=3)
        await sending.until_state("sent", 60)
    assert len(one.received) == 61 + tried
    assert set(one.keys) == {str(number) for number in range(60)}


async def test_a_postback_that_is_wrong_does_not_bring_its_partner_down(
    sending: Sending, clock: Clock, one: Partner
) -> None:
    one.status = 404
    await put_partner(sending.pool, "p")
    for number in range(40):
        await put_postback(sending.pool, one.url(), clock.now, partner="p", key=str(number))
    async with sending.running() as sender:
        await sending.until_attempts(40)
        assert not any(lane.health.down for lane in sender.lanes)


async def test_own_postbacks_have_a_lane_per_host(sending: Sending, clock: Clock, one: Partner) -> None:
    one.answer = hang
    for number in range(30):
        await put_postback(sending.pool, one.url(), clock.now, key=f"h{number}")
    async with partner() as other, sending.running():
        await put_postback(sending.pool, other.url(), clock.now, key="other")
        await sending.until_state("sent")
    assert {row["lane"] for row in await sending.pool.fetch("SELECT lane FROM postbacks")} == {
        f"host:127.0.0.1:{one.port}",
        f"host:127.0.0.1:{other.port}",
    }


async def test_a_partner_is_asked_no_more_at_a_time_than_it_wants(sending: Sending, clock: Clock, one: Partner) -> None:
    async def slowly(_: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(0.02)
        return web.Response()

    one.answer = slowly
    await put_partner(sending.pool, "p", '{"concurrency": 3}')
    for number in range(60):
        await put_postback(sending.pool, one.url(), clock.now, partner="p", key=str(number))
    async with sending.running():
        await sending.until_state("sent", 60)
    assert one.open_most == 3


async def test_what_was_not_sent_when_a_sender_ends_is_claimed_by_another_at_once(
    sending: Sending, clock: Clock, one: Partner
) -> None:
    await put_partner(sending.pool, "p", '{"concurrency": 4, "rate": 4}')
    for number in range(6):
        await put_postback(sending.pool, one.url(), clock.now, partner="p", key=str(number))
    async with sending.running():
        await sending.until(lambda: true(one.received))
    assert len(one.received) < 6
    await sending.pool.execute("UPDATE partners SET sending = '{}'")
    async with sending.running():
        await sending.until_state("sent", 6)
    assert sorted(one.keys) == [str(number) for number in range(6)]


async def test_a_delivery_of_what_was_superseded_meanwhile_is_followed_again(
    sending: Sending, clock: Clock, one: Partner
) -> None:
    async def supersede(_: web.BaseRequest) -> web.StreamResponse:
        await sending.pool.execute("UPDATE postbacks SET state = 'superseded' WHERE state = 'waiting'")
        return web.Response(status=one.status)

    one.answer = supersede
    await put_postback(sending.pool, one.url(), clock.now, key="taken back")
    async with sending.running():
        await sending.until_state("sent")
        conversion = await sending.pool.fetchval("SELECT conversion FROM postbacks")
        rows = await sending.pool.fetch("SELECT conversions, silent FROM outcomes")
        assert [tuple(row) for row in rows] == [([conversion], False)]
        one.status = 500
        await put_postback(sending.pool, one.url(), clock.now, key="not delivered")
        await sending.until_attempts(2)
    assert [state for _, state, _ in await sending.states()] == ["sent", "superseded"]
    assert await sending.pool.fetchval("SELECT count(*) FROM outcomes") == 1


async def test_an_answer_is_kept_to_its_first_500_bytes(sending: Sending, clock: Clock, one: Partner) -> None:
    async def endless(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 8192)

    one.answer = endless
    await put_postback(sending.pool, one.url(), clock.now)
    async with sending.running():
        await sending.until_state("sent")
    (attempt,) = await sending.attempts()
    assert (attempt["status"], attempt["answer"]) == (200, b"x" * 500)


async def test_nobody_at_home_and_nonsense_fail_in_words(sending: Sending, clock: Clock) -> None:
    async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"hello\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(nonsense, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await put_postback(sending.pool, f"http://127.0.0.1:{port}/", clock.now, key="nonsense")
    await put_postback(sending.pool, "http://127.0.0.1:1/", clock.now, key="nobody")
    await put_postback(sending.pool, f"https://127.0.0.1:{port}/", clock.now, key="no TLS")
    async with server, sending.running():
        await sending.until_attempts(3)
    errors = [str(attempt["error"]) for attempt in sorted(await sending.attempts(), key=lambda one: one["postback"])]
    assert errors[0].startswith("The answer is not valid HTTP: ")
    assert errors[1].startswith("No connection: ")
    assert errors[2].startswith("No secure connection: ")
    assert [state for _, state, _ in await sending.states()] == ["waiting"] * 3


async def test_a_connection_closed_while_nobody_asked_costs_no_attempt(
    sending: Sending, clock: Clock, one: Partner
) -> None:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        response = web.Response()
        await response.prepare(request)
        await response.write_eof()
        assert request.transport is not None
        asyncio.get_running_loop().call_later(0.0, request.transport.close)
        return response

    one.answer = answer
    await put_partner(sending.pool, "p", '{"concurrency": 1}')
    for number in range(20):
        await put_postback(sending.pool, one.url(), clock.now, partner="p", key=str(number), method="POST", body="{}")
    async with sending.running():
        await sending.until_state("sent", 20)


async def test_leases_are_not_claimed_by_others_before_they_end(
    sending: Sending, clock: Clock, pool: asyncpg.Pool, one: Partner
) -> None:
    await put_postback(pool, one.url(), clock.now)
    await pool.execute("UPDATE postbacks SET leased_until = $1", clock.now + timedelta(seconds=15))
    async with sending.running():
        await asyncio.sleep(3 * POLL_S)
        assert one.received == []
        clock.pass_(seconds=15)
        await sending.until_state("sent")
