"""Daily rates of currencies: units for one euro, set by hand or loaded from a file."""

import csv
import io
import re
from collections.abc import Collection, Iterable
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import asyncpg
import msgspec

from console.manage.common import Refused, note
from console.manage.exchange import BASE, Rates
from console.manage.forms import LISTED_MAX, currency_of, one_line
from schemas.sql import load

ROWS_MAX = 1_000_000
_RATE = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")
_EMPTY = ("", "N/A")


class NewRate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rate to set; one that is known for the day is replaced."""

    day: date
    currency: str
    rate: str
    """Units of the currency for one euro, such as 1.0956."""


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """A rate as it is shown."""

    day: date
    currency: str
    rate: str
    source: str


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What a file brought."""

    rates: int
    currencies: list[str]
    first_day: date | None
    last_day: date | None
    source: str


class _Row(NamedTuple):
    day: date
    currency: str
    rate: Decimal


async def set_rate(connection: asyncpg.Connection, by: str, asked: NewRate) -> Rate:
    """Raises Refused."""
    row = _row(asked.day, asked.currency, asked.rate)
    made = Rate(day=row.day, currency=row.currency, rate=_text(row.rate), source=by)
    async with connection.transaction():
        await _put(connection, [row], by)
        await note(connection, by, "set", "rate", row.currency, before=None, after=made)
    return made


async def load_rates(connection: asyncpg.Connection, by: str, text: str, source: str) -> Loaded:
    """A CSV with the columns day, currency, rate; or as the European Central Bank publishes it: Date, and a column a
    currency. All or nothing. Raises Refused, which names the line."""
    source = one_line("source", source)
    rows = list({row[:2]: row for row in read_rates(text)}.values())
    days = [row.day for row in rows]
    made = Loaded(
        rates=len(rows),
        currencies=sorted({row.currency for row in rows}),
        first_day=min(days, default=None),
        last_day=max(days, default=None),
        source=source,
    )
    async with connection.transaction():
        await _put(connection, rows, source)
        await note(connection, by, "load", "rate", source, before=None, after=made)
    return made


async def list_rates(
    connection: asyncpg.Connection, *, currency: str | None = None, since: date | None = None, limit: int = LISTED_MAX
) -> list[Rate]:
    """The newest first."""
    rows = await connection.fetch(load("money")["rates"], currency, since, min(limit, LISTED_MAX))
    return [Rate(**{**row, "rate": _text(row["rate"])}) for row in rows]


async def rates_between(connection: asyncpg.Connection, currencies: Collection[str], first: date, last: date) -> Rates:
    """For amounts of these days."""
    rows = await connection.fetch(load("money")["rates_between"], sorted(currencies), first, last)
    return Rates((row["currency"], row["day"], Fraction(row["rate"])) for row in rows)


def read_rates(text: str) -> Iterable[_Row]:
    """Raises Refused."""
    lines = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    head = [name.strip() for name in next(lines, [])]
    small = [name.lower() for name in head]
    if small[:1] not in (["day"], ["date"]) or len(head) < 2:
        raise Refused("file", "line 1 is neither day,currency,rate nor Date and a column for each currency.")
    tall = small[1:3] == ["currency", "rate"]
    for number, line in enumerate(lines, 2):
        cells = [cell.strip() for cell in line]
        if not any(cells):
            continue
        if number > ROWS_MAX:
            raise Refused("file", f"has more than {ROWS_MAX} lines.")
        try:
            yield from _tall(cells) if tall else _wide(head, cells)
        except (Refused, ValueError) as error:
            raise Refused("file", f"line {number}: {error}") from None


def _tall(cells: list[str]) -> Iterable[_Row]:
    if len(cells) < 3:
        raise ValueError("has fewer than three columns.")
    yield _row(date.fromisoformat(cells[0]), cells[1], cells[2])


def _wide(head: list[str], cells: list[str]) -> Iterable[_Row]:
    day = date.fromisoformat(cells[0])
    for currency, rate in zip(head[1:], cells[1:], strict=False):
        if currency and rate not in _EMPTY:
            yield _row(day, currency, rate)


def _row(day: date, currency: str, rate: str) -> _Row:
    """Raises Refused."""
    if currency_of("currency", currency) == BASE:
        raise Refused("currency", f"{BASE} is what rates are for: its own is always 1.")
    if not _RATE.fullmatch(rate) or not Decimal(rate):
        raise Refused("rate", f"{rate[:40]!r} is no decimal number above zero with at most twelve decimals.")
    return _Row(day, currency, Decimal(rate))


async def _put(connection: asyncpg.Connection, rows: list[_Row], source: str) -> None:
    if rows:
        await connection.execute(load("money")["put_rates"], *zip(*rows, strict=True), source)


def _text(rate: Decimal) -> str:
    return f"{rate:f}"
