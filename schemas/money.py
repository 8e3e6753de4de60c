"""Money: whole micro-units of a currency, never floats."""

import re
from decimal import Decimal
from fractions import Fraction

MICROS = 1_000_000
MICROS_MAX = 2**63 - 1

_AMOUNT = re.compile(r"([+-]?)([0-9]+)(?:\.([0-9]+))?")
_AMOUNT_CHARS_MAX = 100
_DECIMALS = 6
_CURRENCY = re.compile(r"[A-Z]{3}\Z")


def to_micros(amount: str) -> int:
    """Micro-units of a decimal text such as "4.99". Raises ValueError with a sentence."""
    found = _AMOUNT.fullmatch(amount) if len(amount) <= _AMOUNT_CHARS_MAX else None
    if found is None:
        raise ValueError(f"{amount[:60]!r} is no decimal number")
    sign, whole, decimals = found[1], found[2], (found[3] or "").rstrip("0")
    if len(decimals) > _DECIMALS:
        raise ValueError(f"{amount!r} has more than six decimals")
    micros = int(whole) * MICROS + int(decimals.ljust(_DECIMALS, "0"))
    if micros > MICROS_MAX:
        raise ValueError(f"{amount!r} is too large")
    return -micros if sign == "-" else micros


def is_currency(text: str) -> bool:
    """Whether the text has the shape of an ISO 4217 code."""
    return _CURRENCY.match(text) is not None


def from_micros(micros: int) -> str:
    """Decimal text with two to six decimals: 4990000 → "4.99"."""
    whole, rest = divmod(abs(micros), MICROS)
    decimals = f"{rest:06}".rstrip("0").ljust(2, "0")
    return f"{'-' if micros < 0 else ''}{whole}.{decimals}"


def whole_micros(nanos: Fraction | Decimal | int) -> int:
    """Nano-units as micro-units, rounded once, half to even: for what is shown."""
    return round(Fraction(nanos) / 1000)
