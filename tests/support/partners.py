"""Partners that take postbacks: a real HTTP server, postbacks that wait for it, and a clock to be moved."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import asyncpg
from aiohttp import web

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass
class Received:
    """A request that reached the partner."""

    key: str
    method: str
    target: str
    body: bytes
    headers: dict[str, str]
    address: str
    """At which of our addresses."""


@dataclass
class Partner:
    """What it received, and how it answers."""

    port: int = 0
    received: list[Received] = field(default_factory=list)
    status: int = 200
    answer: Answer | None = None
    open: int = 0
    open_most: int = 0

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        self.received.append(
            Received(
                request.headers.get("Idempotency-Key", ""),
                request.method,
                request.raw_path,
                await request.read(),
                dict(request.headers),
                request.transport.get_extra_info("sockname")[0],
            )
        )
        self.open += 1
        self.open_most = max(self.open, self.open_most)
        try:
            if self.answer is not None:
                return await self.answer(request)
            return web.Response(status=self.status, text="noted")
        finally:
            self.open -= 1

    @property
    def keys(self) -> list[str]:
        return [one.key for one in self.received]

    def url(self, path: str = "/pb", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"


@asynccontextmanager
async def partner(*hosts: str) -> AsyncIterator[Partner]:
    """Listens on these addresses, or 127.0.0.1, while the block runs."""
    made = Partner()
    runner = web.ServerRunner(web.Server(made.handle), shutdown_timeout=0.1)
    await runner.setup()
    try:
        for host in hosts or ("127.0.0.1",):
            site = web.TCPSite(runner, host, made.port)
            await site.start()
            made.port = runner.addresses[0][1]
        yield made
    finally:
        await runner.cleanup()


async def hang(_: web.BaseRequest) -> web.StreamResponse:
    """Never answers."""
    await asyncio.Event().wait()
    raise AssertionError


class Clock:
    """Stands still until it is moved."""

    def __init__(self, now: datetime | None = None) -> None:
        self.now = now or datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **duration: float) -> None:
        self.now += timedelta(**duration)


PUT = """
INSERT INTO postbacks (app, partner, event, key, method, url, body, due_at, conversion)
VALUES ('shop', $1, 'install', $2, $3, $4, $5, $6, gen_random_uuid()) RETURNING id
"""


async def put_partner(pool: asyncpg.Pool, name: str, sending: str = "{}") -> None:
    await pool.execute("INSERT INTO partners (id, title, sending) VALUES ($1, $1, $2)", name, sending)


async def put_postback(
    pool: asyncpg.Pool,
    url: str,
    due_at: datetime,
    *,
    partner: str | None = None,
    key: str = "k",
    method: str = "GET",
    body: str | None = None,
) -> int:
    """A postback that waits; its id."""
    made: int = await pool.fetchval(PUT, partner, key, method, url, body, due_at)
    return made
