"""The events of an install, and to whom they are credited: to the attribution that stands for it now."""

from typing import Any

import asyncpg

from schemas.money import from_micros
from schemas.sql import load

EVENTS_SHOWN_MAX = 20


async def credited(connection: asyncpg.Connection, install: object) -> dict[str, Any]:
    """Of an install (UUID of its record): `events`, the newest 20, each with `credited_to`, which is None while the
    install is not decided; `events_count`, all of them; `revenue`, currency → amount, without tests."""
    rows = await connection.fetch(load("console")["credited"], install, EVENTS_SHOWN_MAX)
    sums = await connection.fetch(load("console")["credited_sums"], install)
    money = {row["currency"]: from_micros(row["micros"]) for row in sums if row["currency"] and row["micros"]}
    return {
        "events": [_event(row) for row in rows],
        "events_count": sum(row["events"] for row in sums),
        "revenue": money,
    }


def _event(row: asyncpg.Record) -> dict[str, Any]:
    owner = {name: row[name] for name in ("method", "link", "campaign", "partner")}
    return {
        "name": row["name"],
        "occurred_at": row["occurred_at"],
        "revenue": None if row["revenue_micros"] is None else from_micros(row["revenue_micros"]),
        "currency": row["currency"],
        "test": row["test"],
        "credited_to": owner if row["decided"] else None,
    }
