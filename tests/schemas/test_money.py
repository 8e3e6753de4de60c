import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.money import MICROS, MICROS_MAX, is_currency, to_micros


@pytest.mark.parametrize(
    ("amount", "micros"),
    [
        ("0", 0),
        ("4.99", 4_990_000),
        ("004.990", 4_990_000),
        ("0.000001", 1),
        ("+3", 3_000_000),
        ("-0.5", -500_000),
        ("1.00000000000000000000", 1_000_000),
        ("9223372036854.775807", MICROS_MAX),
        ("-9223372036854.775807", -MICROS_MAX),
    ],
)
def test_reads_a_decimal_text_exactly(amount: str, micros: int) -> None:
    assert to_micros(amount) == micros


@pytest.mark.parametrize(
    ("amount", "why"),
    [
        ("0.0000001", "more than six decimals"),
        ("1.00000000000000000000000000000000001", "more than six decimals"),  # 28 digits were all it saw
        ("9223372036854.775808", "too large"),
        ("9" * 60, "too large"),
    ],
)
def test_never_rounds(amount: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        to_micros(amount)


@pytest.mark.parametrize(
    "amount",
    [
        "",
        "-",
        ".",
        " 4.99",
        "4.99\n",
        "4,99",
        "1_000",
        "1e3",
        "1e999999",  # a decimal context overflows here
        "NaN",
        "sNaN",
        "Infinity",
        "١٢",
        "0x10",
        "€4",
        "4.99.1",
        "9" * 5000,
    ],
)
def test_refuses_what_is_no_plain_decimal_number(amount: str) -> None:
    with pytest.raises(ValueError, match="is no decimal number"):
        to_micros(amount)


@given(st.integers(-MICROS_MAX, MICROS_MAX))
@example(-1)
def test_reads_back_every_amount_there_is(micros: int) -> None:
    whole, rest = divmod(abs(micros), MICROS)
    assert to_micros(f"{'-' if micros < 0 else ''}{whole}.{rest:06d}") == micros


@given(st.text())
def test_refuses_with_a_sentence_whatever_it_is(amount: str) -> None:
    try:
        assert abs(to_micros(amount)) <= MICROS_MAX
    except ValueError as error:
        assert " " in str(error)


@pytest.mark.parametrize("text", ["EUR", "USD", "XTS"])
def test_knows_the_shape_of_a_currency(text: str) -> None:
    assert is_currency(text)


@pytest.mark.parametrize("text", ["", "eur", "EURO", "EU", "E1R", "EUR\n", "ЕUR"])
def test_knows_what_is_no_currency(text: str) -> None:
    assert not is_currency(text)
