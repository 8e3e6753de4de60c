"""A world into Postgres: an own server, its links, partitions for its days, its records by the product's handlers."""

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg

from benchmarks.attribution.parameters import World
from benchmarks.attribution.traffic import Link
from consumers.runner import Handler
from consumers.sources import Record
from consumers.touches.partitions import ensure_partitions
from deploy.migrate import migrate
from deploy.postgres import Postgres
from process.postgres import connect
from schemas.codec import encode
from schemas.events import Hit, Install
from schemas.settings import Settings

Done = Callable[[float], None]
"""Says which share of the work is behind."""

BATCH = 5000
DAYS_BEFORE = 14
"""The earliest touch before the world begins: up to nine days before its install, and others four days earlier."""

CREATE_APPS = "INSERT INTO apps (id, title) SELECT id, 'Benchmark' FROM unnest($1::text[]) AS id"
CREATE_PARTNERS = "INSERT INTO partners (id, title) SELECT id, 'Benchmark' FROM unnest($1::text[]) AS id"
CREATE_CAMPAIGNS = """
INSERT INTO campaigns (id, title, partner) SELECT 'c-' || id, 'Benchmark', id FROM unnest($1::text[]) AS id
"""
CREATE_LINKS = """
INSERT INTO links (id, app, campaign, kind)
SELECT l.id, l.app, 'c-' || l.partner, l.kind
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS l (id, app, partner, kind)
"""


@contextmanager
def postgres(folder: Path) -> Iterator[tuple[Settings, Postgres]]:
    """An own server with all tables, as `touchline up` runs it; stopped afterwards."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TOUCHLINE_")}
    settings = Settings.read(environment | {"TOUCHLINE_DATA": str(folder / "data")})
    server = Postgres(settings.own_postgres())
    server.start()
    try:
        asyncio.run(migrate(settings))
        yield settings, server
    finally:
        server.stop()


async def furnish(settings: Settings, world: World, links: Sequence[Link]) -> None:
    """The world's links with their owners, and partitions for its days."""
    connection: asyncpg.Connection = await connect(settings)
    try:
        begins = datetime.fromtimestamp(world.begins_s, UTC).date()
        await ensure_partitions(connection, begins + timedelta(days=world.days), behind=world.days + DAYS_BEFORE)
        partners = sorted({link.partner.name for link in links})
        await connection.execute(CREATE_APPS, sorted({link.app for link in links}))
        await connection.execute(CREATE_PARTNERS, partners)
        await connection.execute(CREATE_CAMPAIGNS, partners)
        values = [(link.id, link.app, link.partner.name, "s2s" if link.partner.s2s else "redirect") for link in links]
        await connection.execute(CREATE_LINKS, *zip(*values, strict=True))
    finally:
        await connection.close()


async def store(pool: asyncpg.Pool, handler: Handler, records: Sequence[Hit] | Sequence[Install], step: Done) -> None:
    """As a consumer does, batch by batch in their order: encoded, decoded and stored in one transaction each."""
    for at in range(0, len(records), BATCH):
        rows = [handler.decode(Record(0, encode(one))) for one in records[at : at + BATCH]]
        async with pool.acquire() as connection, connection.transaction():
            await handler.store(connection, rows)
        step((at + len(rows)) / len(records))
