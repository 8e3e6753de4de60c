"""No request leaves for the network that the sender stands in: not by a URL, a redirect or a changing name."""

import asyncio
import socket
import threading
from typing import Any

import pytest
from aiohttp import web

from tests.consumers.postbacks.conftest import Sending
from tests.support.partners import Clock, Partner, partner, put_postback


class Names:
    """A name server of the test: gives the next answer each time it is asked, the last one for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, family: int = 0, type: int = 0) -> list[Any]:
        self.asked.append(host)
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]


async def test_a_private_target_is_refused_and_says_why(sending: Sending, clock: Clock, one: Partner) -> None:
    await put_postback(sending.pool, one.url(), clock.now, key="literal")
    await put_postback(sending.pool, one.url(host="2130706433"), clock.now, key="odd")
    await put_postback(sending.pool, one.url(host="inside.example"), clock.now, key="name")
    async with sending.running(allowed="", look_up=Names(["127.0.0.1", "10.0.0.1"])):
        await sending.until_state("refused", 3)
        clock.pass_(hours=1)
    assert one.received == []
    errors = [str(attempt["error"]) for attempt in sorted(await sending.attempts(), key=lambda one: one["postback"])]
    assert errors == [
        "127.0.0.1 is not an address on the internet.",
        "The host '2130706433' is an address in an odd spelling.",
        "inside.example is at 127.0.0.1, 10.0.0.1: not on the internet.",
    ]


@pytest.mark.parametrize(
    "location", ["http://127.0.0.1:{port}/x", "//127.0.0.1:{port}/", "http://0x7f.1:{port}/", "ftp://a/"]
)
async def test_a_redirect_into_the_private_network_is_refused(
    sending: Sending, clock: Clock, one: Partner, location: str
) -> None:
    async def redirect(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": location.format(port=one.port)})

    one.answer = redirect
    await put_postback(sending.pool, one.url(host="partner.example"), clock.now)
    async with sending.running(allowed="partner.example", look_up=Names(["127.0.0.1"])):
        await sending.until_state("refused")
    assert len(one.received) == 1
    (attempt,) = await sending.attempts()
    assert attempt["status"] == 302 and attempt["error"]


async def test_a_redirect_is_followed_and_counts_as_its_end(sending: Sending, clock: Clock, one: Partner) -> None:
    async def redirect(request: web.BaseRequest) -> web.StreamResponse:
        status = int(request.query.get("status", "0"))
        if request.path == "/end":
            return web.Response(status=int(request.query["end"]))
        return web.Response(status=status, headers={"Location": f"/end?end={request.query['end']}"})

    one.answer = redirect
    for status in (301, 302, 303, 307, 308):
        for end in (200, 500):
            await put_postback(
                sending.pool,
                one.url(f"/pb?status={status}&end={end}"),
                clock.now,
                key=f"{status} {end}",
                method="POST",
                body="{}",
            )
    async with sending.running():
        await sending.until_attempts(10)
    assert {key: state for key, state, _ in await sending.states()} == {
        f"{status} {end}": "sent" if end == 200 else "waiting"
        for status in (301, 302, 303, 307, 308)
        for end in (200, 500)
    }
    ends = {(got.key[:3], got.method, got.body) for got in one.received if got.target.startswith("/end")}
    assert ends == {(status, "GET", b"") for status in ("301", "302", "303")} | {
        (status, "POST", b"{}") for status in ("307", "308")
    }


async def test_redirects_without_end_fail(sending: Sending, clock: Clock, one: Partner) -> None:
    async def redirect(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": "/again"})

    one.answer = redirect
    await put_postback(sending.pool, one.url(), clock.now)
    async with sending.running():
        await sending.until_attempts(1)
    assert len(one.received) == 4
    (attempt,) = await sending.attempts()
    assert (attempt["status"], attempt["error"]) == (302, "It redirects more than 3 times.")
    assert (await sending.states())[0][1] == "waiting"


async def test_a_name_that_changes_between_check_and_use_leads_nowhere_else(sending: Sending, clock: Clock) -> None:
    names = Names(["127.0.0.2"], ["127.0.0.1"])
    async with partner("127.0.0.1", "127.0.0.2") as both:
        await put_postback(sending.pool, both.url(host="changing.example"), clock.now, key="first")
        async with sending.running(allowed="127.0.0.2", look_up=names):
            await sending.until_state("sent")
        assert [got.address for got in both.received] == ["127.0.0.2"]
        assert names.asked == ["changing.example"]
        assert both.received[0].headers["Host"] == f"changing.example:{both.port}"
        await put_postback(sending.pool, both.url(host="changing.example"), clock.now, key="second")
        async with sending.running(allowed="127.0.0.2", look_up=names):
            await sending.until_state("refused")
        assert [got.address for got in both.received] == ["127.0.0.2"]


async def test_of_several_addresses_only_the_permitted_are_connected_to(sending: Sending, clock: Clock) -> None:
    async with partner("127.0.0.1", "127.0.0.2") as both:
        for number in range(10):
            await put_postback(sending.pool, both.url(host="both.example"), clock.now, key=str(number))
        async with sending.running(allowed="127.0.0.2", look_up=Names(["127.0.0.1", "127.0.0.2"])):
            await sending.until_state("sent", 10)
        assert {got.address for got in both.received} == {"127.0.0.2"}


async def test_a_name_that_is_not_known_is_tried_again(sending: Sending, clock: Clock, one: Partner) -> None:
    await put_postback(sending.pool, one.url(host="late.example"), clock.now)
    async with sending.running(look_up=Names([], ["127.0.0.1"])):
        await sending.until_attempts(1)
        clock.pass_(minutes=3)
        await sending.until_state("sent")
    first, _ = await sending.attempts()
    assert first["error"] == "The name late.example was not found."


async def test_names_whose_server_hangs_hold_up_nobody(sending: Sending, clock: Clock, one: Partner) -> None:
    over, good = threading.Event(), Names(["127.0.0.1"])

    def look_up(host: str, port: int, family: int = 0, type: int = 0) -> list[Any]:
        if host != "good.example":
            over.wait(30)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return good(host, port)

    try:
        async with sending.running(look_up=look_up):
            for number in range(30):
                await put_postback(sending.pool, one.url(host=f"h{number}.example"), clock.now, key=str(number))
            await sending.until_attempts(30)
            await put_postback(sending.pool, one.url(host="good.example"), clock.now, key="good")
            await sending.until_state("sent")
    finally:
        over.set()
    assert one.keys == ["good"]


async def test_a_location_of_any_bytes_is_on_record(sending: Sending, clock: Clock) -> None:
    async def odd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: http://\xff\xfe/\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(odd, "127.0.0.1", 0)
    await put_postback(sending.pool, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", clock.now)
    async with server, sending.running():
        await sending.until_attempts(1)
    (attempt,) = await sending.attempts()
    assert attempt["status"] == 302 and attempt["error"]
