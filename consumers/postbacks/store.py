"""Postbacks in Postgres: claimed, recorded, given up, forgotten. Each function is one transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import asyncpg

from consumers.postbacks.asking import Answer
from consumers.postbacks.lanes import Claimed
from consumers.postbacks.schedule import GIVE_UP, LEASE, retry_at
from schemas.postbacks import PostbackState
from schemas.sql import load

PAGE = 1000
GIVEN_UP = f"Not asked for: nothing was answered for {GIVE_UP // timedelta(hours=1)} hours."


class Result(NamedTuple):
    """A postback, when it was asked for, and what came of it."""

    claimed: Claimed
    at: datetime
    answer: Answer
    state: PostbackState
    due_at: datetime | None
    """Of the next attempt; None: there is none."""


def judged(claimed: Claimed, at: datetime, answer: Answer) -> Result:
    """What an answer makes of a postback."""
    if answer.succeeded:
        return Result(claimed, at, answer, "sent", None)
    if answer.refused:
        return Result(claimed, at, answer, "refused", None)
    due_at = retry_at(claimed.first_at or at, at)
    return Result(claimed, at, answer, "waiting" if due_at is not None else "dead", due_at)


async def lanes(pool: asyncpg.Pool, after: str, most: int) -> list[asyncpg.Record]:
    """(lane, partner, due_at of its first, sending) of the lanes in which anything waits, in order."""
    found: list[asyncpg.Record] = await pool.fetch(load("sending")["lanes"], after, most)
    return found


async def claim(pool: asyncpg.Pool, rooms: Mapping[str, int], now: datetime) -> list[Claimed]:
    """What is due in these lanes, at most so many of each, the longest due first; leased from now on."""
    rows = await pool.fetch(load("sending")["claim"], list(rooms), list(rooms.values()), now, now + LEASE)
    return sorted((Claimed(*row) for row in rows), key=lambda one: (one.due_at, one.id))


async def release(pool: asyncpg.Pool, claimed: Sequence[Claimed]) -> None:
    """Not asked for: whoever sends may claim them at once."""
    ids, leases = [one.id for one in claimed], [one.leased_until for one in claimed]
    await pool.execute(load("sending")["release"], ids, leases)


async def record(pool: asyncpg.Pool, results: Sequence[Result]) -> None:
    """Write attempts and what came of them. Each postback once."""
    columns = zip(
        *(
            (
                one.claimed.id,
                one.state,
                one.at,
                one.answer.status,
                one.answer.latency_ms,
                one.answer.body,
                one.answer.error,
                one.due_at,
                one.claimed.leased_until,
            )
            for one in results
        ),
        strict=True,
    )
    await pool.execute(load("sending")["record"], *columns)


async def give_up(pool: asyncpg.Pool, lane: str, now: datetime) -> int:
    """How many postbacks of a lane that is down have waited for too long: dead now."""
    return await _in_pages(pool, "give_up", lane, now - GIVE_UP, now, PAGE, GIVEN_UP)


async def count_waiting(pool: asyncpg.Pool, names: Sequence[str], now: datetime, most: int) -> dict[str, int]:
    """How many are due in each lane, counted up to `most`."""
    rows = await pool.fetch(load("sending")["count_waiting"], names, now, most)
    return {row["lane"]: row["waiting"] for row in rows}


async def forget_old(pool: asyncpg.Pool, before: datetime) -> int:
    """How many postbacks made before then were deleted, with their attempts; those that wait stay."""
    return await _in_pages(pool, "forget_old", before, PAGE)


async def _in_pages(pool: asyncpg.Pool, statement: str, *arguments: object) -> int:
    total = 0
    while True:
        tag: str = await pool.execute(load("sending")[statement], *arguments)
        count = int(tag.rpartition(" ")[2])
        total += count
        if count < PAGE:
            return total
