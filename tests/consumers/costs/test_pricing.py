"""What each model asks for, and when a tariff holds."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.costs.pricing import Happened, Price, Tariff, exactly, price, prices, touch_nanos
from schemas.money import MICROS_MAX, whole_micros

AT = datetime(2026, 6, 15, 12, tzinfo=UTC)
MICROS = st.integers(0, MICROS_MAX)


def tariff(model: str, **changes: Any) -> Tariff:
    fixed = {} if model in ("share", "other") else {"micros": 2_500_000, "currency": "EUR"}
    values: dict[str, Any] = {"id": 1, "campaign": "c", "model": model, "starts_on": date(2026, 1, 1)}
    return Tariff(**values | fixed | changes)


def install(**changes: Any) -> Happened:
    values: dict[str, Any] = {"kind": "install", "campaign": "c", "app": "a", "at": AT}
    return Happened(**values | changes)


def event(name: str, **changes: Any) -> Happened:
    values: dict[str, Any] = {"kind": "event", "name": name, "installed_at": AT - timedelta(days=3)}
    return install(**values | changes)


PAYMENT = event("payment", revenue_micros=9_990_000, currency="USD")
FIXED = Price("EUR", Decimal(2_500_000_000))


@pytest.mark.parametrize(
    ("asks", "one", "expected"),
    [
        (tariff("cpi"), install(), FIXED),
        (tariff("cpi"), install(kind="re-install"), None),
        (tariff("cpi"), PAYMENT, None),
        (tariff("cpa", event="install"), install(), FIXED),
        (tariff("cpa", event="install"), event("install"), None),  # an event that only calls itself so
        (tariff("cpa", event="re-install"), install(kind="re-install"), FIXED),
        (tariff("cpa", event="re-install"), install(), None),
        (tariff("cpa", event="re-engagement"), event("launch", kind="re-engagement"), FIXED),
        (tariff("cpa", event="re-engagement"), event("launch"), None),
        (tariff("cpa", event="launch"), event("launch", kind="re-engagement"), None),
        (tariff("cpa", event="launch"), event("launch"), FIXED),
        (tariff("cpa", event="first payment"), PAYMENT, None),
        (tariff("cpa", event="first payment"), msgspec.structs.replace(PAYMENT, first_payment=True), FIXED),
        (tariff("cpa", event="payment"), PAYMENT, FIXED),
        (tariff("share", share_ppm=300_000), PAYMENT, Price("USD", Decimal(2_997_000_000))),
        (tariff("share", share_ppm=1), event("p", revenue_micros=1, currency="USD"), Price("USD", Decimal("0.001"))),
        (tariff("share", share_ppm=300_000), event("launch"), None),
        (tariff("share", share_ppm=300_000), install(), None),
        (tariff("share", share_ppm=1_000_000, days=3), PAYMENT, None),  # three days are over
        (tariff("share", share_ppm=1_000_000, days=4), PAYMENT, Price("USD", Decimal(9_990_000_000))),
        (
            tariff("share", share_ppm=500_000),
            msgspec.structs.replace(PAYMENT, revenue_micros=-3),  # paid back
            Price("USD", Decimal(-1500)),
        ),
        (tariff("other"), install(), None),
        (tariff("cpc"), install(), None),
        (tariff("cpm"), install(), None),
    ],
)
def test_each_model_asks_for_its_own(asks: Tariff, one: Happened, expected: Price | None) -> None:
    assert price(asks, one) == expected


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({}, True),
        ({"app": "a"}, True),
        ({"app": "b"}, False),
        ({"campaign": "d"}, False),
        ({"starts_on": date(2026, 6, 15)}, True),
        ({"starts_on": date(2026, 6, 16)}, False),
        ({"ends_on": date(2026, 6, 15)}, True),
        ({"ends_on": date(2026, 6, 14)}, False),
    ],
)
def test_it_holds_for_its_campaign_its_app_and_its_days(changes: dict[str, Any], holds: bool) -> None:
    assert (price(tariff("cpi", **changes), install()) is not None) is holds


def test_days_are_those_of_utc() -> None:
    at = datetime(2026, 6, 16, 1, tzinfo=timezone(timedelta(hours=2)))  # 23:00 of the 15th
    asks = tariff("cpi", ends_on=date(2026, 6, 15))
    assert price(asks, install(at=at)) == FIXED
    assert price(asks, install(at=at + timedelta(hours=1))) is None


def test_a_thousand_impressions_cost_the_rate_and_one_nothing_less_than_its_part() -> None:
    assert touch_nanos("cpm", 1) * 1000 == touch_nanos("cpc", 1) == 1000
    assert whole_micros(7 * touch_nanos("cpm", 1_999_999)) == 14_000  # 13 999.993


def test_of_several_tariffs_each_asks() -> None:
    several = [tariff("cpi", id=1), tariff("cpa", event="install", id=2, micros=1), tariff("other", id=3)]
    several.append(tariff("cpi", id=4, micros=0))
    assert prices(several, install()) == {1: FIXED, 2: Price("EUR", Decimal(1000))}


@settings(deadline=None)
@given(st.integers(-MICROS_MAX, MICROS_MAX), st.integers(1, 1_000_000))
def test_shares_are_exact(micros: int, share_ppm: int) -> None:
    found = price(tariff("share", share_ppm=share_ppm), event("p", revenue_micros=micros, currency="USD"))
    assert found is not None
    assert Fraction(found.nanos) == Fraction(micros * share_ppm, 10**6) * 1000


@settings(deadline=None)
@given(st.lists(st.tuples(MICROS, st.integers(1, 1_000_000)), max_size=20))
def test_sums_of_shares_are_rounded_once(payments: list[tuple[int, int]]) -> None:
    exact = sum(Fraction(micros * ppm, 10**6) for micros, ppm in payments)
    assert whole_micros(sum(Fraction(exactly(micros * ppm, 3)) for micros, ppm in payments)) == round(exact)
