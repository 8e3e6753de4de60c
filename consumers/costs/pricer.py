"""Prices conversions: appends what makes the sum of each one's rows what it should be now.

A flipped decision, a replay, another tariff: nothing is edited, the difference is added, below zero when less is owed.
Done a second time it adds nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from uuid import UUID

import asyncpg

from consumers.costs.standing import Place, Wanted, wanted_of_events, wanted_of_installs
from schemas.sql import load
from schemas.tariffs import PARTNERS_WORD

PAGE_EVENTS = 1000

_LOWEST = UUID(int=0)

Row = tuple[Place, int, Decimal]
"""Where, the number of the row among those of its conversion and tariff, nano-units."""


class Pricer:
    """A Follower: what is silent is priced like everything else."""

    async def follow(self, connection: asyncpg.Connection, conversions: Sequence[UUID], *, silent: bool) -> None:
        """Price installs, all their events, the reinstalls that stand on them, and events."""
        sql = load("costs")
        priced = await connection.fetchrow(sql["priced"])
        installs = [row["id"] for row in await connection.fetch(sql["installs"], conversions)]
        if installs:
            await connection.fetch(sql["lock_installs"], installs)
            await _settle(connection, installs, await wanted_of_installs(connection, installs))
        if not priced["events"]:
            return
        after = _LOWEST
        while True:
            rows = await connection.fetch(sql["events"], conversions, installs, after, PAGE_EVENTS)
            if not rows:
                return
            after = rows[-1]["id"]
            await price_events(connection, [row["id"] for row in rows], first_payments=priced["first_payments"])


async def price_events(connection: asyncpg.Connection, events: Sequence[UUID], *, first_payments: bool) -> None:
    """Price events, and those that lose the place of the first payment to one of them."""
    firsts: frozenset[UUID] = frozenset()
    if first_payments:
        users = await connection.fetch(load("costs")["first_payments"], events)
        firsts = frozenset(row["first"] for row in users)
        events = sorted({*events, *firsts, *(one for row in users for one in row["priced"] or ())})
    await connection.fetch(load("costs")["lock_events"], events)
    await _settle(connection, events, await wanted_of_events(connection, events, firsts))


async def _settle(connection: asyncpg.Connection, conversions: Sequence[UUID], wanted: Wanted) -> None:
    standing = await connection.fetch(load("costs")["standing"], conversions)
    if not standing and not wanted.nanos:
        return
    rows = differences(standing, wanted)
    if rows:
        values = [(one.conversion, one.tariff, number, *one[2:], nanos) for one, number, nanos in rows]
        await connection.execute(load("costs")["add"], *zip(*values, strict=True))


def differences(standing: Iterable[Mapping[str, object]], wanted: Wanted) -> list[Row]:
    """The rows to add: what is taken back comes first."""
    sums: dict[Place, Decimal] = {}
    numbers: dict[tuple[UUID, int], int] = {}
    for row in standing:
        place = Place(*(row[name] for name in Place._fields))  # type: ignore[arg-type]
        sums[place] = row["nanos"]  # type: ignore[assignment]
        key = place.conversion, place.tariff
        numbers[key] = max(numbers.get(key, 0), row["number"])  # type: ignore[call-overload]
    found = []
    for place in sorted({*sums, *wanted.nanos}, key=lambda one: (one in wanted.nanos, one)):
        missing = wanted.nanos.get(place, Decimal()) - sums.get(place, Decimal())
        if not missing or place.conversion in wanted.kept:
            continue
        if place.tariff == PARTNERS_WORD and place.conversion in wanted.kept_words:
            continue
        key = place.conversion, place.tariff
        numbers[key] = numbers.get(key, 0) + 1
        found.append((place, numbers[key], missing))
    return found
