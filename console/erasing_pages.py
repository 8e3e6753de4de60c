"""What every step of an erasure works with: statements, pages of rows, counts and pseudonyms."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence

import asyncpg

from schemas.forgetting import pseudonym

PAGE_ROWS = 500
SCAN_ROWS = 10_000
STAGE_S = 24 * 3600.0
"""A look-up by keys is one statement, however many rows there are."""

FIRST_ID, _LAST_ID = "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"
_HIDDEN = "forgotten-"


class Pages:
    """The rows of an erasure, a page at a time."""

    def __init__(self, connection: asyncpg.Connection, salt: bytes, progress: Callable[[str, int], None]) -> None:
        self.connection = connection
        self.salt = salt
        self.progress = progress
        self.counts: Counter[str] = Counter()

    async def fetch(self, statement: str, *values: object) -> list[asyncpg.Record]:
        """Rows of a statement."""
        rows: list[asyncpg.Record] = await self.connection.fetch(statement, *values)
        return rows

    async def stage(self, statement: str, *values: object) -> None:
        """A statement that fills a stage, or makes it."""
        await self.connection.execute(statement, *values, timeout=STAGE_S)

    async def count(self, table: str, statement: str, *values: object) -> None:
        """A statement that gives each row it changed."""
        self.counts[table] += len(await self.fetch(statement, *values))

    async def of(self, statement: str) -> AsyncIterator[tuple[object, object]]:
        """(after, up to) of every page of a table."""
        after: object = FIRST_ID
        while True:
            end = await self.connection.fetchval(statement, after, SCAN_ROWS)
            yield after, end or _LAST_ID
            if end is None:
                return
            after = end

    def hidden(self, row: asyncpg.Record, kind: str) -> str | None:
        """The pseudonym of what the row calls `kind`, if anything; a row may be met again."""
        value: str | None = row[kind] or None
        return value if value is None or is_hidden(value) else pseudonym(self.salt, row["app"], kind, value)


def is_hidden(value: str) -> bool:
    """Whether it is a pseudonym already."""
    return value.startswith(_HIDDEN)


def cut(rows: Sequence[asyncpg.Record]) -> list[Sequence[asyncpg.Record]]:
    """In pages, each for a transaction."""
    return [rows[at : at + PAGE_ROWS] for at in range(0, len(rows), PAGE_ROWS)]


def columns(pairs: Iterable[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """(app, id) as two columns."""
    ordered = sorted(pairs)
    return [app for app, _ in ordered], [value for _, value in ordered]
