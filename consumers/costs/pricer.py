"""Prices conversions: appends what makes the sum of each one's rows what it should be now.

A flipped decision, a replay, another tariff: nothing is edited, the difference is added, below zero when less is owed.
Done a second time it adds nothing.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from consumers.costs.standing import Place, Wanted, wanted_of_events, wanted_of_installs
from schemas.sql import load
from schemas.tariffs import PARTNERS_WORD

PAGE_EVENTS = 1000

_LOWEST = UUID(int=0)


class Missing(NamedTuple):
    """A row to add: where, its number among those of its conversion and tariff, nano-units."""

    place: Place
    number: int
    nanos: Decimal


class Scope(NamedTuple):
    """What is priced again on request."""

    tariffs: frozenset[int]
    since_hour: int
    """Of the conversion."""

    def has(self, place: Place) -> bool:
        """Whether it is asked for."""
        return place.tariff in self.tariffs and place.hour >= self.since_hour


class Pricer:
    """A Follower: what is silent is priced like everything else."""

    async def follow(self, connection: asyncpg.Connection, conversions: Sequence[UUID], *, silent: bool) -> None:
        """Price installs, all their events, the reinstalls that stand on them, and events."""
        async for rows in missing(connection, conversions, lock=True):
            await add(connection, rows)


async def missing(
    connection: asyncpg.Connection, conversions: Sequence[UUID], *, lock: bool, scope: Scope | None = None
) -> AsyncIterator[list[Missing]]:
    """The rows to add, of a page of conversions at a time; with `lock` nobody else adds any before the transaction
    ends."""
    sql = load("costs")
    priced = await connection.fetchrow(sql["priced"])
    installs = [row["id"] for row in await connection.fetch(sql["installs"], conversions)]
    if installs:
        if lock:
            await connection.execute(sql["lock_installs"], installs)
        yield await _missing(connection, installs, await wanted_of_installs(connection, installs), scope)
    after = _LOWEST
    while priced["events"]:
        rows = await connection.fetch(sql["events"], conversions, installs, after, PAGE_EVENTS)
        if not rows:
            return
        after = rows[-1]["id"]
        events = [row["id"] for row in rows]
        firsts: frozenset[UUID] = frozenset()
        if priced["first_payments"]:
            events, firsts = await _with_first_payments(connection, events)
        if lock:
            await connection.execute(sql["lock_events"], events)
        yield await _missing(connection, events, await wanted_of_events(connection, events, firsts), scope)


async def add(connection: asyncpg.Connection, rows: Iterable[Missing]) -> None:
    """Append them."""
    values = [(one.conversion, one.tariff, number, *one[2:], nanos) for one, number, nanos in rows]
    if values:
        await connection.execute(load("costs")["add"], *zip(*values, strict=True))


async def _with_first_payments(
    connection: asyncpg.Connection, events: Sequence[UUID]
) -> tuple[list[UUID], frozenset[UUID]]:
    """The events, and those that gain or lose the place of their user's first payment; and who has it."""
    users = await connection.fetch(load("costs")["first_payments"], events)
    firsts = frozenset(row["first"] for row in users)
    return sorted({*events, *firsts, *(one for row in users for one in row["priced"] or ())}), firsts


async def _missing(
    connection: asyncpg.Connection, conversions: Sequence[UUID], wanted: Wanted, scope: Scope | None
) -> list[Missing]:
    standing = await connection.fetch(load("costs")["standing"], conversions)
    found = differences(standing, wanted) if standing or wanted.nanos else []
    return found if scope is None else [one for one in found if scope.has(one.place)]


def differences(standing: Iterable[Mapping[str, Any]], wanted: Wanted) -> list[Missing]:
    """What is taken back comes first."""
    sums: dict[Place, Decimal] = {}
    numbers: dict[tuple[UUID, int], int] = {}
    for row in standing:
        place = Place(*(row[name] for name in Place._fields))
        sums[place] = row["nanos"]
        key = place.conversion, place.tariff
        numbers[key] = max(numbers.get(key, 0), row["number"])
    found = []
    for place in sorted({*sums, *wanted.nanos}, key=lambda one: (one in wanted.nanos, one)):
        nanos = wanted.nanos.get(place, Decimal()) - sums.get(place, Decimal())
        if not nanos or place.conversion in wanted.kept:
            continue
        if place.tariff == PARTNERS_WORD and place.conversion in wanted.kept_words:
            continue
        key = place.conversion, place.tariff
        numbers[key] = numbers.get(key, 0) + 1
        found.append(Missing(place, numbers[key], nanos))
    return found
