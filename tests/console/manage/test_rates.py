"""Rates: set by hand, loaded from either kind of file, whole or not at all; amounts converted exactly."""

import subprocess
from collections.abc import AsyncIterator
from datetime import date
from fractions import Fraction
from pathlib import Path

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.manage.common import Refused
from console.manage.exchange import Rates
from console.manage.rates import NewRate, list_rates, load_rates, rates_between, read_rates, set_rate
from tests.console.conftest import Console
from tests.support.logs import pool_of

FRIDAY, SUNDAY, MONDAY = date(2026, 6, 5), date(2026, 6, 7), date(2026, 6, 8)


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    pool = await pool_of(database_url)
    async with pool.acquire() as connection:
        yield connection
    pool.terminate()


TALL = "day,currency,rate\n2026-06-05,USD,1.10\n2026-06-08,USD,1.2\n\n2026-06-05,JPY,160\n"
WIDE = "\ufeffDate, USD, JPY, XYZ, \n2026-06-08, 1.2, N/A, , \n2026-06-05, 1.10, 160, N/A, \n"


@pytest.mark.parametrize("text", [TALL, WIDE])
async def test_both_kinds_of_files_are_loaded(connection: asyncpg.Connection, text: str) -> None:
    made = await load_rates(connection, "me", text, "ecb.csv")
    assert (made.rates, made.currencies, made.first_day, made.last_day) == (3, ["JPY", "USD"], FRIDAY, MONDAY)
    found = [(one.day, one.currency, one.rate) for one in await list_rates(connection)]
    assert found == [(MONDAY, "USD", "1.2"), (FRIDAY, "JPY", "160"), (FRIDAY, "USD", "1.10")]
    assert await connection.fetchval("SELECT action FROM audit WHERE kind = 'rate'") == "load"


BAD = [
    ("", "line 1"),
    ("a,b\n1,2\n", "line 1"),
    (TALL + "2026-06-31,USD,1\n", "line 6"),
    (TALL + "2026-06-30,usd,1\n", "line 6"),
    (TALL + "2026-06-30,USD,0\n", "line 6"),
    (TALL + "2026-06-30,USD,1e9\n", "line 6"),
    (TALL + "2026-06-30,EUR,1\n", "line 6"),
    (TALL + "2026-06-30,USD\n", "line 6"),
    (WIDE + "2026-06-30, ten, 1\n", "line 4"),
]


async def test_a_file_with_a_bad_line_changes_nothing(connection: asyncpg.Connection) -> None:
    for text, line in BAD:
        with pytest.raises(Refused, match=line) as refused:
            await load_rates(connection, "me", text, "ecb.csv")
        assert refused.value.field == "file"
    assert await list_rates(connection) == []


async def test_a_rate_holds_until_the_next_one(connection: asyncpg.Connection) -> None:
    await load_rates(connection, "me", TALL, "ecb.csv")
    await set_rate(connection, "me", NewRate(day=MONDAY, currency="USD", rate="1.25"))
    rates = await rates_between(connection, {"USD", "JPY", "EUR", "CHF"}, SUNDAY, MONDAY)
    assert rates.rate("USD", SUNDAY) == Fraction(11, 10)
    assert rates.rate("USD", MONDAY) == Fraction(5, 4)
    assert rates.rate("EUR", SUNDAY) == 1
    assert rates.rate("CHF", SUNDAY) is None
    assert rates.convert(Fraction(11), "USD", "JPY", SUNDAY) == 1600
    assert rates.convert(Fraction(1), "CHF", "CHF", SUNDAY) == 1
    assert rates.convert(Fraction(1), "CHF", "EUR", SUNDAY) is None
    assert (await rates_between(connection, {"USD"}, SUNDAY, SUNDAY)).rate("USD", FRIDAY) == Fraction(11, 10)
    assert (await rates_between(connection, {"USD"}, date(2026, 1, 1), date(2026, 1, 2))).rate("USD", SUNDAY) is None


@settings(deadline=None)
@given(
    st.integers(-(10**18), 10**18),
    st.fractions(Fraction(1, 10**6), 10**6),
    st.fractions(Fraction(1, 10**6), 10**6),
)
def test_there_and_back_is_the_same(amount: int, one: Fraction, other: Fraction) -> None:
    rates = Rates([("AAA", FRIDAY, one), ("BBB", FRIDAY, other)])
    there = rates.convert(Fraction(amount), "AAA", "BBB", MONDAY)
    assert there is not None
    assert rates.convert(there, "BBB", "AAA", MONDAY) == amount


def test_no_line_is_lost() -> None:
    assert [(row.currency, str(row.rate)) for row in read_rates(WIDE)] == [
        ("USD", "1.2"),
        ("USD", "1.10"),
        ("JPY", "160"),
    ]


def test_from_the_shell(console: Console, tmp_path: Path) -> None:
    console.run("rate", "set", "USD", "1.0956", "--day", "2026-06-05")
    file = tmp_path / "rates.csv"
    file.write_text(TALL)
    assert console.facts("rate", "load", str(file))["rates"] == 3
    assert [one["rate"] for one in console.facts("rate", "list", "--currency", "USD")] == ["1.2", "1.10"]
    assert isinstance(console.run("rate", "list"), subprocess.CompletedProcess)
    assert "1,1" in console.refusal("rate", "set", "USD", "1,1", code=1)
