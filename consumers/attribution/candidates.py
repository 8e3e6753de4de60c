"""Reads the candidates of installs from Postgres: the shell around `decide`."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec

from consumers.attribution.facts import Candidate, Conversion, Probe, probes
from schemas.addresses import parse_address
from schemas.identifiers import device_ids
from schemas.ids import floor_id
from schemas.rules import CLOCK_SKEW_US, RuleSet
from schemas.sql import load

PER_KEY_FIRST = 50
PER_KEY_MAX = 1000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


async def read_candidates(
    connection: asyncpg.Connection, conversions: Sequence[Conversion], rules: Sequence[RuleSet], *, per_key: int
) -> tuple[list[list[Candidate]], list[bool]]:
    """Per install its candidates by its app's rules, the latest first, and whether a key had more than `per_key`."""
    asked: list[tuple[int, str, str, int, str, datetime]] = []
    named: list[tuple[int, str]] = []
    for number, (one, its) in enumerate(zip(conversions, rules, strict=True)):
        asked += [(number, *_asked(one, probe, its.window_ms_max)) for probe in probes(one, its.rules)]
        named += [(number, touch_id) for touch_id in one.touch_ids]
    rows: list[asyncpg.Record] = []
    if asked:
        columns = zip(*asked, strict=True)
        rows += await connection.fetch(load("conversions")["candidates"], *columns, per_key)
    if named:
        rows += await connection.fetch(load("conversions")["by_id"], *zip(*named, strict=True))
    return _sorted_out(rows, len(conversions), per_key)


def _asked(one: Conversion, probe: Probe, window_ms: int) -> tuple[str, str, int, str, datetime]:
    floor = floor_id(one.at_us - window_ms * 1000 - CLOCK_SKEW_US)
    top = _EPOCH + (one.at_us + CLOCK_SKEW_US) * _US
    return probe.method, probe.column, probe.key, floor, top


def _sorted_out(
    rows: Sequence[asyncpg.Record], conversions: int, per_key: int
) -> tuple[list[list[Candidate]], list[bool]]:
    found: list[dict[tuple[str, str], Candidate]] = [{} for _ in range(conversions)]
    counts: dict[tuple[int, str, int], int] = {}
    for row in rows:
        key = (row["number"], row["col"], row["key"])
        counts[key] = counts.get(key, 0) + 1
        candidate = _candidate(row)
        found[row["number"]].setdefault((candidate.method, candidate.touch_id), candidate)
    full = [False] * conversions
    for (number, column, _), count in counts.items():
        full[number] |= count >= per_key and column != "id"
    return [list(one.values()) for one in found], full


def _candidate(row: asyncpg.Record) -> Candidate:
    params = msgspec.json.decode(row["params"], type=dict[str, str])
    return Candidate(
        touch_id=str(row["id"]),
        method=row["method"],
        touch_kind=row["kind"],
        app=row["app"],
        link=row["link"],
        campaign=row["campaign"],
        partner=row["partner"],
        touched_us=(row["touched_at"] - _EPOCH) // _US,
        click_id=row["click_id"],
        external_click_id=row["external_click_id"],
        ids=device_ids(params),
        network=parse_address(row["ip"]) if row["ip"] else None,
        os_version=row["os_version"],
        model=row["model"],
        language=row["language"],
        ua=row["ua"],
        flags=row["flags"],
    )
