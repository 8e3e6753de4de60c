"""Figures: each postback counts under one of them, and values mean what the schema of their time says."""

from collections.abc import Iterable
from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.manage import skan_figures
from console.manage.skan_figures import DIMENSIONS, Dimension, Figures, Group, SkanRow, TooManyRows
from schemas.skan.values import ConversionValues

DAY = date(2026, 11, 1)
SCHEMA = msgspec.convert(
    {
        "currency": "EUR",
        "fine": [
            {"from": 1, "to": 1, "events": ["launch"]},
            {"from": 2, "to": 2, "events": ["launch", "purchase"], "revenue_min": "0.01", "revenue_max": "4.99"},
            {"from": 3, "to": 3, "events": ["purchase"], "revenue_min": "5"},
        ],
        "coarse": [{"value": "high", "events": ["purchase"], "revenue_min": "1", "revenue_max": "2"}],
    },
    ConversionValues,
)
DOLLARS = msgspec.convert({"currency": "USD", "fine": SCHEMA.fine}, ConversionValues)


def group(**changes: Any) -> Group:
    values: dict[str, Any] = {
        "day": DAY, "store_app": 1, "framework": "skadnetwork", "network": "n.skadnetwork",
        "source_kind": "source_identifier", "source": "5239", "sequence": 0, "did_win": True, "conversion": "download",
        "campaign": "spring", "ambiguous": False, "fine": None, "coarse": None, "postbacks": 1, "app": "shop",
        "schema": SCHEMA,
    }  # fmt: skip
    return Group(**values | changes)


def figures(groups: Iterable[Group], by: Iterable[Dimension]) -> list[SkanRow]:
    made = Figures(by)
    for one in groups:
        made.add(one)
    return made.rows()


def total(*groups: Group) -> SkanRow:
    (row,) = figures(groups, ("framework",))
    return row


def counted(row: SkanRow) -> dict[str, int]:
    names = ("installs", "redownloads", "reengagements", "later_postbacks", "non_winning")
    return {name: number for name in names if (number := getattr(row, name))}


@pytest.mark.parametrize(
    ("changes", "figure"),
    [
        ({}, "installs"),
        ({"did_win": None, "sequence": None, "source_kind": "campaign_id", "source": "7"}, "installs"),
        ({"did_win": None, "sequence": None, "conversion": None}, "installs"),
        ({"conversion": "redownload"}, "redownloads"),
        ({"conversion": "re-engagement"}, "reengagements"),
        ({"sequence": 1}, "later_postbacks"),
        ({"sequence": 2, "conversion": "re-engagement"}, "later_postbacks"),
        ({"did_win": False}, "non_winning"),
        ({"did_win": False, "conversion": "redownload"}, "non_winning"),
    ],
)
def test_a_postback_counts_under_one_figure(changes: dict[str, Any], figure: str) -> None:
    row = total(group(**changes, postbacks=3))
    assert (counted(row), row.postbacks) == ({figure: 3}, 3)


def test_events_and_ranges_of_revenue_are_added_up_exactly() -> None:
    row = total(group(fine=1, postbacks=2), group(fine=2, postbacks=3), group(coarse="high", sequence=1))
    assert row.events == {"launch": 5, "purchase": 4}
    assert (row.revenue_min, row.revenue_max) == ({"EUR": "1.03"}, {"EUR": "16.97"})
    assert (row.with_value, row.without_schema, row.not_in_schema) == (6, 0, 0)


def test_one_value_without_an_upper_end_leaves_the_sum_without_one() -> None:
    for groups in ([group(fine=3), group(fine=2)], [group(fine=2), group(fine=3)]):
        row = total(*groups)
        assert (row.revenue_min, row.revenue_max) == ({"EUR": "5.01"}, {"EUR": None})


def test_currencies_are_never_added() -> None:
    row = total(group(fine=2), group(fine=2, schema=DOLLARS, postbacks=2))
    assert row.revenue_min == {"EUR": "0.01", "USD": "0.02"}
    assert row.revenue_max == {"EUR": "4.99", "USD": "9.98"}


def test_values_of_which_nothing_is_known_are_counted_as_such() -> None:
    row = total(group(fine=60, postbacks=2), group(fine=1, schema=None, postbacks=3), group(coarse="low", sequence=2))
    assert (row.with_value, row.without_schema, row.not_in_schema) == (6, 3, 3)
    assert (row.events, row.revenue_min, row.revenue_max) == ({}, {}, {})


def test_a_value_of_one_who_did_not_win_is_somebody_elses() -> None:
    row = total(group(did_win=False, fine=2))
    assert (row.with_value, row.events, row.revenue_min) == (0, {}, {})


def test_rows_are_told_apart_by_what_the_report_is_made_by_and_what_is_not_known_comes_last() -> None:
    groups = [
        group(campaign="spring"),
        group(campaign=None, source="39", ambiguous=True, postbacks=2),
        group(campaign="fall", source="39", source_kind="campaign_id", postbacks=4),
        group(campaign="spring", source="239", postbacks=8),
        group(app=None, store_app=2, campaign=None, postbacks=16),
    ]
    rows = figures(groups, ("campaign",))
    assert [(row.campaign, row.postbacks, row.ambiguous) for row in rows] == [
        ("fall", 4, 0), ("spring", 9, 0), (None, 18, 2),
    ]  # fmt: skip
    assert {row.ambiguous for row in figures(groups, ("app",))} == {msgspec.UNSET}
    by_source = figures(groups, ("app", "source"))
    assert [(row.app, row.store_app, row.campaign_id, row.source_identifier, row.postbacks) for row in by_source] == [
        ("shop", 1, 39, None, 4), ("shop", 1, None, "239", 8), ("shop", 1, None, "39", 2), ("shop", 1, None, "5239", 1),
        (None, 2, None, "5239", 16),
    ]  # fmt: skip


def test_more_rows_than_anybody_reads_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skan_figures, "ROWS_MAX", 2)
    groups = [group(source="11"), group(source="12"), group(source="13")]
    assert len(figures(groups[:2], ("source",))) == 2
    with pytest.raises(TooManyRows):
        figures(groups, ("source",))


GROUPS = st.lists(
    st.builds(
        group,
        day=st.dates(DAY, date(2026, 11, 3)),
        app=st.sampled_from(["shop", "game", None]),
        campaign=st.sampled_from(["spring", "fall", None]),
        source=st.sampled_from(["39", "139", "1139", "5239"]),
        sequence=st.sampled_from([None, 0, 1, 2]),
        did_win=st.sampled_from([None, True, False]),
        conversion=st.sampled_from([None, "download", "redownload", "re-engagement"]),
        fine=st.sampled_from([None, 1, 2, 3, 60]),
        coarse=st.sampled_from([None, "low", "high"]),
        schema=st.sampled_from([None, SCHEMA, DOLLARS]),
        postbacks=st.integers(1, 5),
    ),
    min_size=1,
    max_size=20,
)


@given(GROUPS, st.lists(st.sampled_from(DIMENSIONS), unique=True))
def test_nothing_is_lost_however_the_report_is_made(groups: list[Group], by: list[Dimension]) -> None:
    rows = figures(groups, by)
    assert sum(row.postbacks for row in rows) == sum(one.postbacks for one in groups)
    for row in rows:
        assert row.postbacks == sum(counted(row).values())
        assert row.with_value >= row.without_schema + row.not_in_schema
    whole = total(*groups)
    for name in ("installs", "with_value", "without_schema", "not_in_schema"):
        assert sum(getattr(row, name) for row in rows) == getattr(whole, name)
    assert sum(row.events.get("purchase", 0) for row in rows) == whole.events.get("purchase", 0)
