"""Postbacks of Apple's as the consumer would have left them, without anybody having signed them."""

import time
from datetime import datetime
from typing import Any
from uuid import uuid4

import asyncpg

from schemas.ids import new_id

NETWORK = "example123.skadnetwork"
STORE_APP = 525463029


async def insert_postback(connection: asyncpg.Connection, *, at: datetime | None = None, **fields: Any) -> str:
    """The id of a row: the first postback of a winner of SKAdNetwork 4 that counts, received `at` (now), but for
    `fields`, columns of skan_postbacks."""
    received_us = time.time_ns() // 1000 if at is None else int(at.timestamp() * 1_000_000)
    row: dict[str, Any] = {
        "id": new_id(received_us),
        "framework": "skadnetwork",
        "transaction": str(uuid4()),
        "verdict": "valid",
        "reason": "",
        "version": "4.0",
        "hash": b"",
        "body": b"{}",
        "key": "test",
        "network": NETWORK,
        "store_app": STORE_APP,
        "source_kind": "source_identifier",
        "source": "5239",
        "sequence": 0,
        "did_win": True,
        "conversion": "download",
    } | fields
    places = ", ".join(f"${place}" for place in range(1, len(row) + 1))
    await connection.execute(f"INSERT INTO skan_postbacks ({', '.join(row)}) VALUES ({places})", *row.values())  # noqa: S608
    return str(row["id"])
