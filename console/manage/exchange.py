"""Amounts in another currency: exact fractions, rounded by nobody but whoever shows them. Pure."""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import date
from fractions import Fraction

BASE = "EUR"
"""Rates are units of a currency for one of this."""


class Rates:
    """Rates of days: where a day has none, the last one before it holds, as on weekends."""

    def __init__(self, rates: Iterable[tuple[str, date, Fraction]]) -> None:
        self._days: dict[str, list[tuple[date, Fraction]]] = {}
        for currency, day, rate in sorted(rates):
            self._days.setdefault(currency, []).append((day, rate))

    def rate(self, currency: str, day: date) -> Fraction | None:
        """Units for one EUR; None: none is known up to that day."""
        if currency == BASE:
            return Fraction(1)
        known = self._days.get(currency, [])
        at = bisect_right(known, day, key=lambda one: one[0])
        return known[at - 1][1] if at else None

    def convert(self, amount: Fraction, source: str, target: str, day: date) -> Fraction | None:
        """The amount in the target's units by that day's rates; None: one of them is not known."""
        if source == target:
            return amount
        sold, bought = self.rate(source, day), self.rate(target, day)
        return None if sold is None or bought is None else amount / sold * bought
