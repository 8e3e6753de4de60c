"""What conversions should cost, as a function of what stands: attributions, payments, tariffs, and partners' words."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import msgspec

from consumers.costs.pricing import Happened, Tariff, prices
from consumers.costs.stated import stated_cost
from schemas.query import parse_query
from schemas.sql import load
from schemas.tariffs import PARTNERS_WORD

HOUR_S = 3600


class Place(NamedTuple):
    """Where a cost belongs: the sum of a place is what stands."""

    conversion: UUID
    tariff: int
    link: str
    app: str
    hour: int
    currency: str


class Wanted(NamedTuple):
    """What conversions should cost, and what of it cannot be known any more and stays as it is."""

    nanos: dict[Place, Decimal]
    kept: frozenset[UUID]
    """Conversions of people who were forgotten, and now show no attribution: all their rows stay."""
    kept_words: frozenset[UUID]
    """Installs whose touch is not stored any more: the partner's word stays."""


class _Cause(NamedTuple):
    """A conversion that belongs to a link, with what its price hangs on."""

    id: UUID
    link: str
    happened: Happened


async def wanted_of_installs(connection: asyncpg.Connection, installs: Sequence[UUID]) -> Wanted:
    """Of installs and reinstalls."""
    rows = await connection.fetch(load("costs")["standing_installs"], installs)
    causes = [
        _Cause(row["id"], row["link"], _happened(row, kind="re-install" if row["again"] else "install"))
        for row in rows
        if row["counts"] and row["campaign"] is not None and row["link"] is not None
    ]
    nanos = await _priced(connection, causes)
    for row in rows:
        if row["counts"] and not row["again"] and row["link"] is not None and row["query"] is not None:
            nanos |= _partners_word(row)
    return Wanted(
        nanos,
        _forgotten(rows, nanos),
        frozenset(row["id"] for row in rows if not row["touch_known"]),
    )


async def wanted_of_events(connection: asyncpg.Connection, events: Sequence[UUID], firsts: frozenset[UUID]) -> Wanted:
    """Of events, and of the returns that some of them are; `firsts`: those that are their users' first payment."""
    rows = await connection.fetch(load("costs")["standing_events"], events)
    causes = []
    for row in rows:
        if row["counts"] and row["campaign"] is not None and row["link"] is not None:
            payment = {name: row[name] for name in ("name", "revenue_micros", "currency", "installed_at")}
            one = _happened(row, kind="event", first_payment=row["id"] in firsts, **payment)
            causes.append(_Cause(row["id"], row["link"], one))
        if row["return_campaign"] is not None and row["return_link"] is not None:
            one = _happened(row, kind="re-engagement", name=row["name"], campaign=row["return_campaign"])
            causes.append(_Cause(row["id"], row["return_link"], one))
    nanos = await _priced(connection, causes)
    return Wanted(nanos, _forgotten(rows, nanos), frozenset())


def _happened(row: asyncpg.Record, **values: Any) -> Happened:
    return Happened(**{"campaign": row["campaign"], "app": row["app"], "at": row["at"]} | values)


async def _priced(connection: asyncpg.Connection, causes: Sequence[_Cause]) -> dict[Place, Decimal]:
    campaigns = sorted({one.happened.campaign for one in causes})
    if not campaigns:
        return {}
    tariffs = await tariffs_of(connection, campaigns)
    found = {}
    for id, link, happened in causes:
        for tariff, asked in prices(tariffs.get(happened.campaign, ()), happened).items():
            place = Place(id, tariff, link, happened.app, hour_of(happened.at), asked.currency)
            found[place] = asked.nanos
    return found


async def tariffs_of(connection: asyncpg.Connection, campaigns: Sequence[str]) -> Mapping[str, list[Tariff]]:
    """Campaign → the tariffs that price its conversions."""
    found: dict[str, list[Tariff]] = {}
    for row in await connection.fetch(load("costs")["tariffs"], campaigns):
        found.setdefault(row["campaign"], []).append(msgspec.convert(dict(row), Tariff))
    return found


def _partners_word(row: asyncpg.Record) -> dict[Place, Decimal]:
    try:
        said = stated_cost(parse_query(row["query"]))
    except ValueError:  # the touch carries the flag that says so
        return {}
    if said is None or said.model != "cpi" or not said.nanos:
        return {}
    return {Place(row["id"], PARTNERS_WORD, row["link"], row["app"], hour_of(row["at"]), said.currency): said.nanos}


def _forgotten(rows: Iterable[asyncpg.Record], nanos: Mapping[Place, Decimal]) -> frozenset[UUID]:
    """Their identifiers are gone, and with them, perhaps, what connected them to an install."""
    priced = {place.conversion for place in nanos}
    return frozenset(row["id"] for row in rows if row["forgotten"] and row["id"] not in priced)


def hour_of(at: datetime) -> int:
    """Whole hours since 1970."""
    return int(at.timestamp()) // HOUR_S
