"""What an app means by its conversion values: fine ones (0 to 63) and coarse ones stand for events and revenue. Pure.

Apple passes the values on as the app set them; they are not signed. Money is in micro-units of the schema's currency.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from schemas.money import is_currency, to_micros

FINE_MAX = 63
EVENTS_MAX = 20
"""Of one value."""
EVENT_CHARS_MAX = 100

Fine = Annotated[int, Meta(ge=0, le=FINE_MAX)]
Coarse = Literal["low", "medium", "high"]
Window = Annotated[int, Meta(ge=0, le=2)]
Names = Annotated[tuple[str, ...], Meta(max_length=EVENTS_MAX)]


class WrongValues(ValueError):
    """A schema that contradicts itself: `field` is the path of what is wrong, `rest` goes on where it ends."""

    def __init__(self, field: str, rest: str) -> None:
        super().__init__(f"{field} {rest}")
        self.field = field
        self.rest = rest


class FineValue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fine values from one to another, both included, and what they mean."""

    from_: Fine = msgspec.field(name="from")
    to: Fine
    events: Names = ()
    revenue_min: str | None = None
    """A decimal number, included; absent: 0."""
    revenue_max: str | None = None
    """Likewise; absent beside a minimum: there is no upper end."""


class CoarseValue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A coarse value, and what it means."""

    value: Coarse
    window: Window | None = None
    """Of measurement, as the postback's sequence index; absent: every window that has no row of its own."""
    events: Names = ()
    revenue_min: str | None = None
    revenue_max: str | None = None


class ConversionValues(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The conversion-value schema of an app."""

    currency: str | None = None
    """ISO 4217, of every revenue."""
    fine: Annotated[tuple[FineValue, ...], Meta(max_length=FINE_MAX + 1)] = ()
    coarse: Annotated[tuple[CoarseValue, ...], Meta(max_length=12)] = ()


class Meaning(NamedTuple):
    """What one value says: not which sums, but from where to where."""

    events: tuple[str, ...]
    min_micros: int | None
    """None: the value says nothing of revenue."""
    max_micros: int | None
    """None beside a minimum: there is no upper end."""


def check(schema: ConversionValues) -> None:
    """Raises WrongValues."""
    if schema.currency is not None and not is_currency(schema.currency):
        raise WrongValues("currency", f"{schema.currency[:20]!r} is no three capital letters such as EUR (ISO 4217).")
    for at, value in _rows(schema):
        _check_events(f"{at}.events", value.events)
        _range(value, at)
        if schema.currency is None and (value.revenue_min, value.revenue_max) != (None, None):
            raise WrongValues("currency", f"is missing: {at} speaks of revenue.")
    _check_fine(schema.fine)
    seen: dict[tuple[Coarse, int | None], int] = {}
    for number, one in enumerate(schema.coarse):
        if (before := seen.setdefault((one.value, one.window), number)) != number:
            window = "every window" if one.window is None else f"window {one.window}"
            raise WrongValues(f"coarse[{number}].value", f"{one.value!r} of {window} is what coarse[{before}] says.")


def meaning(
    schema: ConversionValues, sequence: int | None, fine: int | None, coarse: str | None
) -> Meaning | None:  # fmt: skip
    """What a postback's value says; None: nothing is known.

    A fine value wins over a coarse one. Apple sends it in the first postback only (`sequence` 0, or None up to 3.0): in
    a later one somebody else has put it in, and it says nothing.
    """
    window = sequence or 0
    if fine is not None and window == 0:
        found = next((one for one in schema.fine if one.from_ <= fine <= one.to), None)
        return None if found is None else _meaning(found)
    fitting = [one for one in schema.coarse if one.value == coarse and one.window in (None, window)]
    return _meaning(max(fitting, key=lambda one: one.window is not None)) if fitting else None


def _rows(schema: ConversionValues) -> Iterator[tuple[str, FineValue | CoarseValue]]:
    yield from ((f"fine[{number}]", one) for number, one in enumerate(schema.fine))
    yield from ((f"coarse[{number}]", one) for number, one in enumerate(schema.coarse))


def _check_fine(values: Sequence[FineValue]) -> None:
    for number, one in enumerate(values):
        if one.to < one.from_:
            raise WrongValues(f"fine[{number}].to", f"{one.to} is below from, {one.from_}.")
        for before, other in enumerate(values[:number]):
            if one.from_ <= other.to and other.from_ <= one.to:
                twice = max(one.from_, other.from_)
                raise WrongValues(f"fine[{number}].from", f"{one.from_}: {twice} is among those of fine[{before}] too.")


def _check_events(field: str, names: Sequence[str]) -> None:
    for number, name in enumerate(names):
        if not (name.strip() and name.isprintable() and len(name) <= EVENT_CHARS_MAX):
            raise WrongValues(f"{field}[{number}]", f"is not 1 to {EVENT_CHARS_MAX} printable characters.")
        if name in names[:number]:
            raise WrongValues(f"{field}[{number}]", f"{name!r} is there twice.")


def _range(value: FineValue | CoarseValue, at: str) -> tuple[int | None, int | None]:
    """Raises WrongValues."""
    least, most = _micros(value.revenue_min, f"{at}.revenue_min"), _micros(value.revenue_max, f"{at}.revenue_max")
    if least is None and most is not None:
        least = 0
    if least is not None and most is not None and most < least:
        raise WrongValues(f"{at}.revenue_max", f"{value.revenue_max} is below revenue_min, {value.revenue_min}.")
    return least, most


def _micros(text: str | None, field: str) -> int | None:
    if text is None:
        return None
    try:
        micros = to_micros(text)
    except ValueError as error:
        raise WrongValues(field, f"{error}.") from None
    if micros < 0:
        raise WrongValues(field, f"{text} is below zero.")
    return micros


def _meaning(value: FineValue | CoarseValue) -> Meaning:
    return Meaning(value.events, *_range(value, ""))
