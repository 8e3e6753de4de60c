"""What requests about money share: amounts, currencies, texts, what must exist. Pure but for `known_*`."""

import asyncpg

from console.manage.common import Missing, Part, Refused
from schemas.money import MICROS_MAX, is_currency, to_micros
from schemas.sql import load

TEXT_CHARS_MAX = 200
LISTED_MAX = 1000
LISTED = Part(LISTED_MAX)
"""Of a list that nobody asked a part of."""


def amount_micros(field: str, text: str | None) -> int:
    """Micro-units of a decimal text. Raises Refused."""
    if text is None:
        raise Refused(field, "is missing: a decimal number such as 4.99.")
    try:
        return to_micros(text)
    except ValueError as error:
        raise Refused(field, f"{error}.") from None


def price_micros(field: str, text: str | None) -> int:
    """The same, not below zero. Raises Refused."""
    micros = amount_micros(field, text)
    if not 0 <= micros <= MICROS_MAX:
        raise Refused(field, f"{text!r} is below zero.")
    return micros


def currency_of(field: str, text: str | None) -> str:
    """Raises Refused."""
    if text is None or not is_currency(text):
        raise Refused(field, f"{(text or '')[:20]!r} is no currency: three capital letters such as EUR (ISO 4217).")
    return text


def one_line(field: str, text: str) -> str:
    """Something printable. Raises Refused."""
    if not (text.strip() and text.isprintable() and len(text) <= TEXT_CHARS_MAX):
        raise Refused(field, f"is not 1 to {TEXT_CHARS_MAX} printable characters.")
    return text


async def known_campaign(connection: asyncpg.Connection, campaign: str) -> asyncpg.Record:
    """The campaign, also a deleted one. Raises Missing."""
    row = await connection.fetchrow(load("money")["campaign"], campaign)
    if row is None:
        raise Missing("campaign", campaign)
    return row


async def owners(connection: asyncpg.Connection, campaign: str, app: str | None) -> None:
    """What a tariff or a correction belongs to. Raises Refused."""
    row = await connection.fetchrow(load("money")["campaign"], campaign)
    if row is None or row["deleted_at"] is not None:
        raise Refused("campaign", f"{campaign!r} does not exist.")
    if app is not None and not await connection.fetchval(load("money")["app"], app):
        raise Refused("app", f"{app!r} does not exist.")
