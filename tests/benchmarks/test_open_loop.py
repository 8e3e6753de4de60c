"""The open-loop generator: times from the intended send, and nothing that went wrong is lost."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from benchmarks.open_loop import Generator

TEMPLATES = [b"GET /%d/%012d HTTP/1.1\r\nHost: here\r\n\r\n"]
Answer = Callable[[int], Awaitable[bytes | None]]
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[int]:
    """Answers the n-th request of all; None closes the connection instead. Gives the port."""
    count = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                count += 1
                said = await answer(count)
                if said is None:
                    break
                writer.write(said)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


async def test_every_number_is_sent_once_and_acknowledged() -> None:
    async def answer(_: int) -> bytes:
        return NO_CONTENT

    async with server(answer) as port:
        generator = Generator(TEMPLATES, rate=200, seconds=0.5)
        await generator.run("127.0.0.1", port, connections=4)
    facts = generator.facts()

    assert (facts["sent"], facts["answered"], facts["statuses"]) == (100, 100, {"204": 100})
    assert facts["unacknowledged"] == [] and facts["unanswered"] == facts["broken"] == 0


async def test_waiting_for_a_busy_connection_counts() -> None:
    async def answer(_: int) -> bytes:
        await asyncio.sleep(0.02)
        return NO_CONTENT

    async with server(answer) as port:
        generator = Generator(TEMPLATES, rate=200, seconds=0.2)
        await generator.run("127.0.0.1", port, connections=1)
    facts = generator.facts()

    # 40 requests of 20 ms one after the other take 0.8 s; the last was meant to start before 0.2 s
    assert facts["answered"] == 40
    assert facts["percentiles_ms"][-1][1] > 550


async def test_refusals_and_lost_connections_are_errors() -> None:
    async def answer(n: int) -> bytes | None:
        if n % 10 == 0:
            return None
        body = b"later"
        return b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\n\r\n" + body if n % 2 else NO_CONTENT

    async with server(answer) as port:
        generator = Generator(TEMPLATES, rate=200, seconds=0.5)
        await generator.run("127.0.0.1", port, connections=4)
    facts = generator.facts()

    assert facts["broken"] >= 1 and facts["statuses"]["503"] >= 1
    assert facts["answered"] + facts["broken"] + facts["unanswered"] == facts["sent"] == 100
    assert len(facts["unacknowledged"]) == facts["sent"] - facts["statuses"]["204"]


async def test_a_generator_that_fell_behind_says_so() -> None:
    async def answer(_: int) -> bytes:
        return NO_CONTENT

    async with server(answer) as port:
        generator = Generator(TEMPLATES, rate=200, seconds=0.3)

        async def block() -> None:
            import time

            await asyncio.sleep(0.05)
            time.sleep(0.1)  # noqa: ASYNC251 # the loop of the generator stands still

        await asyncio.gather(generator.run("127.0.0.1", port, connections=4), block())

    assert generator.facts()["late_share"] > 0.01
    assert generator.facts()["lag_max_ms"] > 50


async def test_a_closed_loop_sends_as_soon_as_it_has_its_answer() -> None:
    async def answer(_: int) -> bytes:
        return NO_CONTENT

    async with server(answer) as port:
        generator = Generator(TEMPLATES, rate=0, seconds=0.2)
        await generator.run("127.0.0.1", port, connections=4)
    facts = generator.facts()

    assert facts["answered"] == facts["sent"] > 4
    assert facts["unacknowledged"] == []
