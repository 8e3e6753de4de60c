"""What a tariff makes of a touch or a conversion: nano-units of a currency, exactly. Pure.

A nano-unit is a thousandth of a micro-unit: an impression costs the rate per thousand in micro-units, in nano-units, so
that nothing is rounded. A share of revenue may have three more decimals.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Literal, NamedTuple, assert_never

import msgspec

from schemas.tariffs import FIRST_PAYMENT, INSTALL, MICROS_TO_NANOS, MILESTONES, REENGAGEMENT, REINSTALL, Model

Kind = Literal["install", "re-install", "re-engagement", "event"]

_SHARE_DIGITS = 3  # micro-units × millionths, in nano-units: a thousandth


class Tariff(msgspec.Struct, frozen=True, kw_only=True):
    """How a campaign pays for one thing."""

    id: int
    campaign: str
    app: str | None = None
    """None: every app of the campaign."""
    model: Model
    event: str | None = None
    """Of cpa: one of MILESTONES, or an event's name."""
    micros: int | None = None
    """Of one; of cpm: of a thousand."""
    share_ppm: int | None = None
    """Of share: millionths of the revenue."""
    days: int | None = None
    """Of share: within so many days after the install; None: without end."""
    currency: str | None = None
    """None: of share, the payment's own; and of other."""
    starts_on: date
    ends_on: date | None = None
    """UTC, inclusive, as the start."""

    def holds(self, campaign: str, app: str, day: date) -> bool:
        """Whether it prices what happened in this app on that day (UTC)."""
        return (
            self.campaign == campaign
            and self.app in (None, app)
            and self.starts_on <= day
            and (self.ends_on is None or day <= self.ends_on)
        )


class Happened(msgspec.Struct, frozen=True, kw_only=True):
    """A conversion, as far as its price hangs on it."""

    kind: Kind
    campaign: str
    app: str
    at: datetime
    name: str = ""
    """Of an event."""
    first_payment: bool = False
    revenue_micros: int | None = None
    currency: str | None = None
    installed_at: datetime | None = None
    """None: of websites, which have no install; their visits have a window of their own."""


class Price(NamedTuple):
    """What one conversion costs by one tariff."""

    currency: str
    nanos: Decimal


def touch_nanos(model: Literal["cpc", "cpm"], micros: int) -> int:
    """What one click or one impression costs."""
    return micros * MICROS_TO_NANOS if model == "cpc" else micros


def price(tariff: Tariff, one: Happened) -> Price | None:
    """What the tariff asks for a conversion; None: nothing at all."""
    if not tariff.holds(one.campaign, one.app, one.at.astimezone(UTC).date()):
        return None
    match tariff.model:
        case "cpi":
            return _fixed(tariff) if one.kind == INSTALL else None
        case "cpa":
            return _fixed(tariff) if _is_action(tariff.event, one) else None
        case "share":
            return _share(tariff, one)
        case "cpc" | "cpm" | "other":
            return None
    assert_never(tariff.model)


def prices(tariffs: Iterable[Tariff], one: Happened) -> dict[int, Price]:
    """Tariff's id → what it asks for, of those that ask for something."""
    found = {tariff.id: price(tariff, one) for tariff in tariffs}
    return {id: asked for id, asked in found.items() if asked is not None and asked.nanos}


def _is_action(event: str | None, one: Happened) -> bool:
    if event in (INSTALL, REINSTALL, REENGAGEMENT):
        return one.kind == event
    if event == FIRST_PAYMENT:
        return one.kind == "event" and one.first_payment
    return one.kind == "event" and one.name == event and one.name not in MILESTONES


def _fixed(tariff: Tariff) -> Price | None:
    if tariff.micros is None or tariff.currency is None:
        return None
    return Price(tariff.currency, Decimal(tariff.micros * MICROS_TO_NANOS))


def _share(tariff: Tariff, one: Happened) -> Price | None:
    if one.kind != "event" or one.revenue_micros is None or one.currency is None or tariff.share_ppm is None:
        return None
    if tariff.days is not None and one.installed_at is not None and one.at - one.installed_at >= timedelta(tariff.days):
        return None
    return Price(one.currency, exactly(one.revenue_micros * tariff.share_ppm, _SHARE_DIGITS))


def exactly(whole: int, decimals: int) -> Decimal:
    """`whole` with so many of its digits behind the point: made of digits, so that no precision rounds it."""
    digits = tuple(map(int, str(abs(whole))))
    return Decimal((int(whole < 0), digits, -decimals))
