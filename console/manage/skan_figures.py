"""The figures of Apple's postbacks: groups of equal ones, put under what the report is made by, and added up. Pure."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any, Literal, NamedTuple, get_args

import msgspec
from msgspec import UNSET, UnsetType

from schemas.money import from_micros
from schemas.skan.sources import SourceKind
from schemas.skan.values import ConversionValues, Meaning, meaning

Dimension = Literal["day", "app", "campaign", "source", "network", "framework", "sequence"]
DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)
ROWS_MAX = 10_000

_FIELDS: Mapping[Dimension, tuple[str, ...]] = {
    "day": ("day",),
    "app": ("app", "store_app"),
    "campaign": ("campaign",),
    "source": ("campaign_id", "source_identifier"),
    "network": ("network",),
    "framework": ("framework",),
    "sequence": ("sequence",),
}
"""What a row is told apart by."""

FIRST = (None, 0)
"""`sequence` of a postback that may tell of an install; None: before 4.0 there is one only."""


class TooManyRows(Exception):
    """More than anybody reads."""


class Group(NamedTuple):
    """Postbacks that count and are alike."""

    day: date
    store_app: int
    framework: str | None
    """None, as the next three: they are not told apart by it."""
    network: str | None
    source_kind: SourceKind | None
    source: str | None
    campaign: str | None
    """None: it is not known, or not asked for."""
    ambiguous: bool
    """Whether the source fits several campaigns."""
    sequence: int | None
    did_win: bool | None
    conversion: str | None
    fine: int | None
    coarse: str | None
    postbacks: int
    app: str | None
    """None: no app has the number."""
    schema: ConversionValues | None
    """That held when they were received."""


class SkanRow(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of the postbacks of one day, campaign, …: of what the report is made by; the rest is not there."""

    day: date | UnsetType = UNSET
    """UTC, of receipt; it says nothing exact of the install's."""
    app: str | UnsetType | None = UNSET
    """Null: no app has the number."""
    store_app: int | UnsetType = UNSET
    """The app's number in the App Store."""
    campaign: str | UnsetType | None = UNSET
    """Null: no source names one, or what was received fits several."""
    campaign_id: int | UnsetType | None = UNSET
    """Up to SKAdNetwork 3.0."""
    source_identifier: str | UnsetType | None = UNSET
    """Two to four digits, as received."""
    network: str | UnsetType = UNSET
    framework: str | UnsetType = UNSET
    sequence: int | UnsetType | None = UNSET
    """Null: before SKAdNetwork 4.0."""
    postbacks: int
    """installs + redownloads + reengagements + later_postbacks + non_winning."""
    installs: int
    redownloads: int
    reengagements: int
    later_postbacks: int
    """The second and the third of a conversion: of later windows of measurement."""
    non_winning: int
    """Told to networks whose ad did not win."""
    ambiguous: int | UnsetType
    """Of sources that fit several campaigns; there in reports by campaign only."""
    with_value: int
    """Winning ones with a conversion value, fine or coarse."""
    without_schema: int
    """Of these: received while their app had no schema."""
    not_in_schema: int
    """Of these: of values that the schema does not speak of."""
    events: dict[str, int]
    """Name → postbacks whose value stands for it."""
    revenue_min: dict[str, str]
    """Currency → decimal text: at least so much …"""
    revenue_max: dict[str, str | None]
    """… and at most so much; null: a value in it has no upper end."""
    device_installs: int | UnsetType | None = UNSET
    """Installs on iOS that attribution credits to the campaign, by the day of the install: never to be added to the
    others. There in reports by day, app and campaign only; null where the campaign is."""


class _Sums:
    """What is being added up for one row."""

    def __init__(self) -> None:
        self.counts: dict[str, Any] = dict.fromkeys(
            ("postbacks", "installs", "redownloads", "reengagements", "later_postbacks", "non_winning", "ambiguous",
             "with_value", "without_schema", "not_in_schema"), 0)  # fmt: skip
        self.events: dict[str, int] = {}
        self.least: dict[str, int] = {}
        self.most: dict[str, int | None] = {}

    def add(self, group: Group) -> None:
        counts, number = self.counts, group.postbacks
        counts["postbacks"] += number
        counts[_figure(group)] += number
        counts["ambiguous"] += number * group.ambiguous
        # Apple sends no value to those who did not win: one that stands there is somebody else's
        if group.did_win is False or (group.fine is None and group.coarse is None):
            return
        counts["with_value"] += number
        if group.schema is None:
            counts["without_schema"] += number
            return
        said = meaning(group.schema, group.sequence, group.fine, group.coarse)
        if said is None:
            counts["not_in_schema"] += number
            return
        self._mean(said, group.schema.currency, number)

    def _mean(self, said: Meaning, currency: str | None, number: int) -> None:
        for name in said.events:
            self.events[name] = self.events.get(name, 0) + number
        if currency is not None and said.min_micros is not None:
            self.least[currency] = self.least.get(currency, 0) + said.min_micros * number
            most = self.most.get(currency, 0)
            self.most[currency] = None if most is None or said.max_micros is None else most + said.max_micros * number


class Figures:
    """Adds groups up to the rows of a report."""

    def __init__(self, by: Iterable[Dimension]) -> None:
        self._names = [name for dimension in by for name in _FIELDS[dimension]]
        self._sums: dict[tuple[Any, ...], _Sums] = {}

    def add(self, group: Group) -> None:
        """Raises TooManyRows."""
        key = tuple([_VALUES[name](group) for name in self._names])
        sums = self._sums.get(key)
        if sums is None:
            if len(self._sums) == ROWS_MAX:
                raise TooManyRows
            sums = self._sums[key] = _Sums()
        sums.add(group)

    def rows(self) -> list[SkanRow]:
        """In the order of `by`."""
        return [
            _row(dict(zip(self._names, key, strict=True)), self._sums[key]) for key in sorted(self._sums, key=_order)
        ]


def _figure(group: Group) -> str:
    """Under what a postback counts: under one, always."""
    if group.did_win is False:
        return "non_winning"
    if group.sequence not in FIRST:
        return "later_postbacks"
    return {"redownload": "redownloads", "re-engagement": "reengagements"}.get(group.conversion or "", "installs")


_VALUES: Mapping[str, Callable[[Group], Any]] = {
    "day": lambda group: group.day,
    "app": lambda group: group.app,
    "store_app": lambda group: group.store_app,
    "campaign": lambda group: group.campaign,
    "campaign_id": lambda group: int(group.source or 0) if group.source_kind == "campaign_id" else None,
    "source_identifier": lambda group: group.source if group.source_kind == "source_identifier" else None,
    "network": lambda group: group.network,
    "framework": lambda group: group.framework,
    "sequence": lambda group: group.sequence,
}


def _order(key: tuple[Any, ...]) -> tuple[tuple[bool, Any], ...]:
    """What is not known comes last."""
    return tuple((value is None, 0 if value is None else value) for value in key)


def _row(fields: dict[str, Any], sums: _Sums) -> SkanRow:
    counts = sums.counts if "campaign" in fields else sums.counts | {"ambiguous": UNSET}
    return SkanRow(
        **fields,
        **counts,
        events=dict(sorted(sums.events.items())),
        revenue_min={currency: from_micros(micros) for currency, micros in sorted(sums.least.items())},
        revenue_max={
            currency: None if micros is None else from_micros(micros) for currency, micros in sorted(sums.most.items())
        },
    )
