"""Tariffs of campaigns: how each is paid for, and for how long."""

from datetime import date, datetime
from typing import Any

import asyncpg
import msgspec

from console.manage.common import Missing, Part, Refused, known_number, note, number_after
from console.manage.forms import LISTED, amount_micros, currency_of, one_line, owners, price_micros
from schemas.money import MICROS, from_micros
from schemas.sql import load
from schemas.tariffs import MILESTONES, Model

PERCENT_PPM = 10_000
DAYS_MAX = 3650


class NewTariff(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tariff to create. It prices what happens from now on; `touchline reprice` the past."""

    campaign: str
    model: Model
    app: str | None = None
    """None: every app of the campaign."""
    event: str | None = None
    """Of cpa: install, re-install, re-engagement, first payment, or the name of an event."""
    price: str | None = None
    """Of one; of cpm: of a thousand impressions."""
    currency: str | None = None
    """Of the price. A share is paid in the currency of the payment."""
    percent: str | None = None
    """Of share: of the revenue, with up to four decimals."""
    days: int | None = None
    """Of share: within so many days after the install; None: without end."""
    starts_on: date
    ends_on: date | None = None
    """UTC, inclusive, as the start."""


class ChangedTariff(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Prices never change: a new price is a new tariff."""

    ends_on: date | None
    """The last day; None: it does not end."""


class Tariff(msgspec.Struct, frozen=True, kw_only=True):
    """A tariff as it is shown."""

    id: int
    campaign: str
    app: str | None
    model: Model
    event: str | None
    price: str | None
    currency: str | None
    percent: str | None
    days: int | None
    starts_on: date
    ends_on: date | None
    created_at: datetime
    deleted_at: datetime | None


async def create_tariff(connection: asyncpg.Connection, by: str, asked: NewTariff) -> Tariff:
    """Raises Refused."""
    values = _checked(asked)
    async with connection.transaction():
        await owners(connection, asked.campaign, asked.app)
        row = await connection.fetchrow(load("money")["put_tariff"], *values)
        made = _shown(row)
        await note(connection, by, "create", "tariff", str(made.id), before=None, after=made)
    return made


async def list_tariffs(
    connection: asyncpg.Connection, part: Part = LISTED, *, campaign: str | None = None, deleted: bool = False
) -> list[Tariff]:
    """The newest first. Raises Invalid."""
    values = (campaign, None, deleted, part.limit, number_after(part))
    rows = await connection.fetch(load("money")["tariffs"], *values)
    return [_shown(row) for row in rows]


async def show_tariff(connection: asyncpg.Connection, id: int) -> Tariff:
    """Also a deleted one. Raises Missing."""
    row = await connection.fetchrow(load("money")["tariffs"], None, known_number("tariff", id), True, 1, None)
    if row is None:
        raise Missing("tariff", str(id))
    return _shown(row)


async def change_tariff(connection: asyncpg.Connection, by: str, id: int, asked: ChangedTariff) -> Tariff:
    """Raises Missing, Refused."""
    async with connection.transaction():
        before = await _to_change(connection, id)
        if asked.ends_on is not None and asked.ends_on < before.starts_on:
            raise Refused("ends_on", f"{asked.ends_on} is before the start, {before.starts_on}.")
        after = _shown(await connection.fetchrow(load("money")["end_tariff"], id, asked.ends_on))
        await note(connection, by, "change", "tariff", str(id), before=before, after=after)
    return after


async def delete_tariff(connection: asyncpg.Connection, by: str, id: int) -> Tariff:
    """It prices nothing more; what it priced stays until it is priced again. Raises Missing."""
    async with connection.transaction():
        before = await _to_change(connection, id)
        after = _shown(await connection.fetchrow(load("money")["delete_tariff"], id))
        await note(connection, by, "delete", "tariff", str(id), before=before, after=after)
    return after


async def _to_change(connection: asyncpg.Connection, id: int) -> Tariff:
    row = await connection.fetchrow(load("money")["lock_tariff"], known_number("tariff", id))
    if row is None or row["deleted_at"] is not None:
        raise Missing("tariff", str(id))
    return _shown(row)


def _checked(asked: NewTariff) -> tuple[Any, ...]:
    """The row's values. Raises Refused."""
    micros = currency = ppm = None
    if asked.model in ("cpi", "cpa", "cpc", "cpm"):
        micros, currency = price_micros("price", asked.price), currency_of("currency", asked.currency)
    elif asked.model == "share":
        ppm = _ppm(asked.percent)
    _refuse_what_does_not_belong(asked)
    if asked.model == "cpa" and asked.event is None:
        raise Refused("event", f"is missing: {', '.join(MILESTONES)}, or the name of an event.")
    event = one_line("event", asked.event) if asked.event is not None else None
    if asked.days is not None and not 1 <= asked.days <= DAYS_MAX:
        raise Refused("days", f"{asked.days} is not 1 to {DAYS_MAX}.")
    if asked.ends_on is not None and asked.ends_on < asked.starts_on:
        raise Refused("ends_on", f"{asked.ends_on} is before the start, {asked.starts_on}.")
    return (
        *(asked.campaign, asked.app, asked.model, event, micros, ppm, asked.days, currency),
        *(asked.starts_on, asked.ends_on),
    )


def _refuse_what_does_not_belong(asked: NewTariff) -> None:
    """What would be forgotten in silence."""
    theirs = {
        "event": asked.model == "cpa",
        "price": asked.model not in ("share", "other"),
        "currency": asked.model not in ("share", "other"),
        "percent": asked.model == "share",
        "days": asked.model == "share",
    }
    for field, belongs in theirs.items():
        if not belongs and getattr(asked, field) is not None:
            raise Refused(field, f"does not belong to a tariff of the model {asked.model}.")


def _ppm(percent: str | None) -> int:
    ppm, rest = divmod(amount_micros("percent", percent) * PERCENT_PPM, MICROS)
    if rest or not 0 <= ppm <= 100 * PERCENT_PPM:
        raise Refused("percent", f"{percent!r} is not 0 to 100 with at most four decimals.")
    return ppm


def _shown(row: asyncpg.Record) -> Tariff:
    micros, ppm = row["micros"], row["share_ppm"]
    return Tariff(
        price=None if micros is None else from_micros(micros),
        percent=None if ppm is None else from_micros(ppm * MICROS // PERCENT_PPM),
        **{name: value for name, value in row.items() if name not in ("micros", "share_ppm")},
    )
