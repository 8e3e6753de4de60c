"""Apple's postbacks as they were stored, with what was found of each."""

from datetime import UTC, datetime
from typing import Any, Literal

import asyncpg
import msgspec
import orjson

from console.manage.common import Missing
from schemas.events import Framework
from schemas.ids import received_us
from schemas.sql import load

Verdict = Literal["valid", "invalid", "duplicate", "changed"]

SHOWN_MAX = 1000


class SkanPostback(msgspec.Struct, frozen=True, kw_only=True):
    """One body that a device, or somebody else, sent."""

    verdict: Verdict
    """`valid`: counts. `duplicate`: of one that counts. `changed`: of its id, with another content."""
    reason: str
    framework: Framework
    version: str | None
    """Of SKAdNetwork."""
    key: str | None
    """Under which it verifies."""
    received_at: datetime
    body: Any
    """As it came: JSON, or text when it is none."""


class SkanTransaction(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that came with one id, the first received first, at most 1 000."""

    postbacks: tuple[SkanPostback, ...]


async def show_transaction(connection: asyncpg.Connection, transaction: str) -> SkanTransaction:
    """By `transaction-id` or `postback-identifier`, in any case of letters. Raises Missing."""
    named = transaction.replace("\0", "").lower()
    rows = await connection.fetch(load("skan")["of_transaction"], named, SHOWN_MAX)
    if not rows:
        raise Missing("postback", transaction)
    return SkanTransaction(postbacks=tuple(_shown(row) for row in rows))


def _shown(row: asyncpg.Record) -> SkanPostback:
    return SkanPostback(
        verdict=row["verdict"],
        reason=row["reason"],
        framework=row["framework"],
        version=row["version"],
        key=row["key"],
        received_at=datetime.fromtimestamp(received_us(str(row["id"])) / 1_000_000, UTC),
        body=_readable(row["body"]),
    )


def _readable(body: bytes) -> Any:
    try:
        value = orjson.loads(body)
        orjson.dumps(value)  # less deep than it reads
        return value
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return body.decode("utf-8", "replace")
