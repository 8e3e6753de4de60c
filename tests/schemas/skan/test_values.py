"""What conversion values mean: fine before coarse, windows, ranges of money, and schemas that contradict themselves."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.skan.values import ConversionValues, Meaning, WrongValues, check, meaning

SCHEMA = {
    "currency": "EUR",
    "fine": [
        {"from": 0, "to": 0, "events": ["launch"]},
        {"from": 1, "to": 9, "events": ["launch", "purchase"], "revenue_min": "0.01", "revenue_max": "5"},
        {"from": 10, "to": 10, "events": ["purchase"], "revenue_min": "5.000001"},
        {"from": 11, "to": 11, "revenue_max": "1"},
    ],
    "coarse": [
        {"value": "low", "events": ["launch"]},
        {"value": "high", "events": ["purchase"], "revenue_min": "1", "revenue_max": "2"},
        {"value": "high", "window": 2, "events": ["renewal"]},
    ],
}


def schema(**changes: Any) -> ConversionValues:
    made = msgspec.convert(SCHEMA | changes, ConversionValues)
    check(made)
    return made


@pytest.mark.parametrize(
    ("sequence", "fine", "coarse", "expected"),
    [
        (0, 0, None, Meaning(("launch",), None, None)),
        (None, 9, None, Meaning(("launch", "purchase"), 10_000, 5_000_000)),
        (0, 10, None, Meaning(("purchase",), 5_000_001, None)),
        (0, 11, None, Meaning((), 0, 1_000_000)),
        (0, 12, None, None),
        (0, None, "low", Meaning(("launch",), None, None)),
        (2, None, "low", Meaning(("launch",), None, None)),
        (1, None, "high", Meaning(("purchase",), 1_000_000, 2_000_000)),
        (2, None, "high", Meaning(("renewal",), None, None)),
        (0, None, "medium", None),
        (0, None, None, None),
        # a fine value wins, also one that the schema does not speak of
        (0, 1, "low", Meaning(("launch", "purchase"), 10_000, 5_000_000)),
        (0, 63, "low", None),
        # a device sends none later
        (1, 1, "low", Meaning(("launch",), None, None)),
        (2, 1, None, None),
    ],
)
def test_a_value_means_what_its_row_says(
    sequence: int | None, fine: int | None, coarse: str | None, expected: Meaning | None
) -> None:
    assert meaning(schema(), sequence, fine, coarse) == expected


def test_the_row_of_a_window_counts_before_the_one_of_every_window_in_any_order() -> None:
    turned = schema(coarse=SCHEMA["coarse"][::-1])
    for sequence in (None, 0, 1, 2):
        assert meaning(turned, sequence, None, "high") == meaning(schema(), sequence, None, "high")


def test_an_empty_schema_says_nothing() -> None:
    empty = ConversionValues()
    check(empty)
    assert meaning(empty, 0, 5, None) is meaning(empty, 0, None, "high") is None


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"fine": [{"from": 3, "to": 2}]}, "fine[0].to", "2 is below from, 3"),
    ({"fine": [{"from": 0, "to": 4}, {"from": 4, "to": 9}]}, "fine[1].from", "4 is among those of fine[0] too"),
    ({"fine": [{"from": 5, "to": 5}, {"from": 0, "to": 63}]}, "fine[1].from", "5 is among those of fine[0] too"),
    ({"fine": [{"from": 0, "to": 0, "revenue_min": "2", "revenue_max": "1.99"}]}, "fine[0].revenue_max", "below"),
    ({"fine": [{"from": 0, "to": 0, "revenue_min": "-1"}]}, "fine[0].revenue_min", "below zero"),
    ({"fine": [{"from": 0, "to": 0, "revenue_max": "a lot"}]}, "fine[0].revenue_max", "no decimal number"),
    ({"fine": [{"from": 0, "to": 0, "events": ["a", " "]}]}, "fine[0].events[1]", "printable"),
    ({"fine": [{"from": 0, "to": 0, "events": ["a", "a"]}]}, "fine[0].events[1]", "twice"),
    ({"coarse": [{"value": "low"}, {"value": "low", "window": None}]}, "coarse[1].value", "what coarse[0] says"),
    ({"coarse": [{"value": "low", "window": 1}] * 2}, "coarse[1].value", "of window 1"),
    ({"coarse": [{"value": "low", "revenue_min": "1e3"}]}, "coarse[0].revenue_min", "no decimal number"),
    ({"currency": None}, "currency", "fine[1] speaks of revenue"),
    ({"currency": "euro"}, "currency", "ISO 4217"),
]


@pytest.mark.parametrize(("changes", "field", "says"), WRONG)
def test_what_contradicts_itself_is_refused_by_its_path(changes: dict[str, Any], field: str, says: str) -> None:
    with pytest.raises(WrongValues) as caught:
        schema(**changes)
    assert caught.value.field == field
    assert says in caught.value.rest


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"fine": [{"from": 0, "to": 64}]}, "$.fine[0].to"),
        ({"fine": [{"from": -1, "to": 6}]}, "$.fine[0].from"),
        ({"fine": [{"from": 0, "to": 0, "revenue_min": 1.5}]}, "$.fine[0].revenue_min"),
        ({"coarse": [{"value": "tall"}]}, "$.coarse[0].value"),
        ({"coarse": [{"value": "low", "window": 3}]}, "$.coarse[0].window"),
    ],
)
def test_what_is_out_of_range_is_refused_by_its_path(changes: dict[str, Any], path: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        schema(**changes)
    assert path in str(caught.value)


@given(
    st.lists(st.tuples(st.integers(0, 63), st.integers(0, 63)), max_size=6),
    st.integers(0, 63),
)
def test_a_schema_that_passes_gives_every_value_one_meaning(ranges: list[tuple[int, int]], value: int) -> None:
    rows = [{"from": low, "to": high, "events": [f"{number}"]} for number, (low, high) in enumerate(ranges)]
    holding = [number for number, (low, high) in enumerate(ranges) if low <= value <= high]
    try:
        made = schema(fine=rows)
    except WrongValues:
        sets = [set(range(low, high + 1)) for low, high in ranges]
        assert not all(sets) or len(set().union(*sets)) < sum(map(len, sets))
        return
    said = meaning(made, 0, value, "low")
    assert [f"{number}" for number in holding] == ([] if said is None else list(said.events))
