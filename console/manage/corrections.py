"""Corrections of what a campaign cost in an app: a sum, spread over the hours of its days in its time zone."""

from datetime import date, datetime

import asyncpg
import msgspec

from console.manage.common import Missing, Part, Refused, known_number, note, number_after
from console.manage.forms import LISTED, TEXT_CHARS_MAX, amount_micros, currency_of, owners
from schemas.money import from_micros
from schemas.spreading import DAYS_MAX, FIRST_DAY, hours_of, spread, zone_named
from schemas.sql import load

LAST_DAY = date(2200, 1, 1)


class NewCorrection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A correction to create."""

    campaign: str
    app: str
    amount: str
    """May be below zero."""
    currency: str
    starts_on: date
    """In the zone, inclusive, as the end."""
    ends_on: date
    zone: str
    """Of the IANA's database, such as Europe/Berlin."""
    description: str = ""


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """A correction as it is shown; a deleted one counts nowhere."""

    id: int
    campaign: str
    app: str
    amount: str
    currency: str
    starts_on: date
    ends_on: date
    zone: str
    description: str
    hours: int
    """Over which it is spread."""
    created_at: datetime
    deleted_at: datetime | None


async def create_correction(connection: asyncpg.Connection, by: str, asked: NewCorrection) -> Correction:
    """Raises Refused."""
    micros = amount_micros("amount", asked.amount)
    currency = currency_of("currency", asked.currency)
    hours = _hours(asked)
    if not (asked.description.isprintable() and len(asked.description) <= TEXT_CHARS_MAX):
        raise Refused("description", f"is not up to {TEXT_CHARS_MAX} printable characters.")
    parts = zip(*spread(micros, hours), strict=True)
    sql = load("money")
    async with connection.transaction():
        await owners(connection, asked.campaign, asked.app)
        row = await connection.fetchrow(
            sql["put_correction"],
            *(asked.campaign, asked.app, micros, currency, asked.starts_on, asked.ends_on, asked.zone),
            asked.description,
        )
        await connection.execute(sql["put_correction_hours"], row["id"], *parts)
        made = await show_correction(connection, row["id"])
        await note(connection, by, "create", "correction", str(made.id), before=None, after=made)
    return made


async def list_corrections(
    connection: asyncpg.Connection, part: Part = LISTED, *, campaign: str | None = None, deleted: bool = True
) -> list[Correction]:
    """The newest first; deleted ones stay in the list. Raises Invalid."""
    values = (campaign, None, deleted, part.limit, number_after(part))
    rows = await connection.fetch(load("money")["corrections"], *values)
    return [_shown(row) for row in rows]


async def show_correction(connection: asyncpg.Connection, id: int) -> Correction:
    """Also a deleted one. Raises Missing."""
    values = (None, known_number("correction", id), True, 1, None)
    row = await connection.fetchrow(load("money")["corrections"], *values)
    if row is None:
        raise Missing("correction", str(id))
    return _shown(row)


async def delete_correction(connection: asyncpg.Connection, by: str, id: int) -> Correction:
    """Raises Missing, also when it is deleted already."""
    async with connection.transaction():
        before = await show_correction(connection, id)
        if await connection.fetchval(load("money")["delete_correction"], id) is None:
            raise Missing("correction", str(id))
        after = await show_correction(connection, id)
        await note(connection, by, "delete", "correction", str(id), before=before, after=after)
    return after


def _hours(asked: NewCorrection) -> range:
    """Raises Refused."""
    try:
        zone = zone_named(asked.zone)
    except ValueError as error:
        raise Refused("zone", f"{error}.") from None
    if not FIRST_DAY <= asked.starts_on <= LAST_DAY:
        raise Refused("starts_on", f"{asked.starts_on} is not from {FIRST_DAY} to {LAST_DAY}.")
    if asked.ends_on < asked.starts_on:
        raise Refused("ends_on", f"{asked.ends_on} is before the start, {asked.starts_on}.")
    if (asked.ends_on - asked.starts_on).days >= DAYS_MAX:
        raise Refused("ends_on", f"{asked.ends_on} is more than {DAYS_MAX} days after the start.")
    hours = hours_of(asked.starts_on, asked.ends_on, zone)
    if not hours:
        raise Refused("starts_on", f"{asked.starts_on} is a day that {asked.zone} left out.")
    return hours


def _shown(row: asyncpg.Record) -> Correction:
    values = {name: value for name, value in row.items() if name != "micros"}
    return Correction(amount=from_micros(row["micros"]), **values)
