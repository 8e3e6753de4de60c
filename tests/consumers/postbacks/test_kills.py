"""A sender that is killed loses nothing: what it had in hand is sent again, with the same key."""

import asyncio
import os
import signal
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from aiohttp import web

from tests.consumers.postbacks.conftest import Sending
from tests.support.mortal import Death, Fuse, mortal_pool
from tests.support.partners import Partner, hang, put_partner, put_postback
from tests.support.product import free_ports

COUNT = 120
KILLED_AT = (30, 70)
"""When the partner has received so many, and answers no more."""


async def test_every_postback_is_delivered_although_its_sender_is_killed(
    sending: Sending, database_url: str, tmp_path: Path, one: Partner
) -> None:
    patience = 0

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return await hang(request) if len(one.received) > patience else web.Response(status=202)

    one.answer = answer
    await put_partner(sending.pool, "p", '{"concurrency": 20}')
    for number in range(COUNT):
        await put_postback(
            sending.pool, one.url(f"/{number}"), datetime.now(UTC), partner="p", key=f"key of {number}"
        )  # fmt: skip
    environment = {
        **os.environ,
        "TOUCHLINE_DATABASE_URL": database_url,
        "TOUCHLINE_DATA": str(tmp_path),
        "TOUCHLINE_METRICS_PORT": str(free_ports(1)),
        "TOUCHLINE_POSTBACK_TARGETS": "127.0.0.1",
    }
    for enough in KILLED_AT:
        patience, held = enough, one.open
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "consumers", "consume", "postbacks", env=environment,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            await sending.until(partial(are_open, one, held + 5))  # requests stand open when it dies
        finally:
            process.send_signal(signal.SIGKILL)
            await process.wait()
        # its leases end: their 15 seconds are over
        await sending.pool.execute("UPDATE postbacks SET leased_until = now() WHERE leased_until IS NOT NULL")
    patience = 10 * COUNT
    sending.clock.now = datetime.now(UTC) + timedelta(seconds=1)
    async with sending.running(answer_s=5):
        await sending.until_state("sent", COUNT)
    times = Counter((got.key, got.target) for got in one.received)
    assert set(times) == {(f"key of {number}", f"/{number}") for number in range(COUNT)}
    assert sum(times.values()) > COUNT, "some were in hand, and are sent again"
    attempts = Counter(attempt["postback"] for attempt in await sending.attempts())
    assert len(attempts) == COUNT
    assert await sending.pool.fetchval("SELECT bool_and(leased_until IS NULL) FROM postbacks")


async def are_open(one: Partner, least: int) -> bool:
    return one.open >= least


@pytest.mark.parametrize("how", ["before", "within", "after"])
async def test_connections_to_postgres_that_break_lose_nothing(
    sending: Sending, database_url: str, one: Partner, how: Death
) -> None:
    fuse = Fuse()
    mortal = await mortal_pool(database_url, fuse)
    try:
        broken = Sending(mortal, sending.clock)
        for number in range(8):
            await put_postback(sending.pool, one.url(f"/{number}"), sending.clock.now, key=str(number))
        for statement in (1, 2, 3, 4):
            fuse.light(statement, how)
            async with broken.running():
                await sending.until(partial(has_burnt, fuse, statement))
        sending.clock.pass_(seconds=16)
        async with broken.running():
            await sending.until_state("sent", 8)
    finally:
        mortal.terminate()
    assert set(one.keys) == {str(number) for number in range(8)}
    attempts = await sending.attempts()
    assert len({attempt["postback"] for attempt in attempts}) == 8
    assert len(attempts) == await sending.pool.fetchval("SELECT sum(attempts) FROM postbacks")
    assert len(attempts) <= len(one.received), "no attempt is on record twice"


async def has_burnt(fuse: Fuse, times: int) -> bool:
    return fuse.deaths >= times
