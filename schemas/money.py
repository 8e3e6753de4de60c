"""Money: whole micro-units of a currency, never floats."""

import re
from decimal import Decimal, InvalidOperation

MICROS = 1_000_000
MICROS_MAX = 2**63 - 1

_CURRENCY = re.compile(r"[A-Z]{3}\Z")


def to_micros(amount: str) -> int:
    """Micro-units of a decimal text such as "4.99". Raises ValueError with a sentence."""
    try:
        value = Decimal(amount)
    except InvalidOperation:
        raise ValueError(f"{amount!r} is no decimal number") from None
    if not value.is_finite():
        raise ValueError(f"{amount!r} is no amount of money")
    micros = value * MICROS
    if abs(value.adjusted()) > 30 or abs(micros) > MICROS_MAX:
        raise ValueError(f"{amount!r} is too large")
    if micros != int(micros):
        raise ValueError(f"{amount!r} has more than six decimals")
    return int(micros)


def is_currency(text: str) -> bool:
    """Whether the text has the shape of an ISO 4217 code."""
    return _CURRENCY.match(text) is not None
