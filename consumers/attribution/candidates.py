"""Reads the candidates of installs from Postgres: the shell around `decide`."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import asyncpg

from consumers.attribution.facts import Candidate, Conversion
from consumers.attribution.own_windows import lowest_id
from consumers.attribution.probes import Search, searches
from schemas.addresses import parse_address
from schemas.ids import US_PER_HOUR, hour_floor_id
from schemas.rules import CLOCK_SKEW_US, RECEIVED_WITHIN_US, RuleSet, Windows
from schemas.sql import joined, load

PER_KEY_FIRST = 50
PER_KEY_MAX = 1000

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
_network = lru_cache(maxsize=10_000)(parse_address)


async def read_candidates(
    connection: asyncpg.Connection,
    conversions: Sequence[Conversion],
    rules: Sequence[RuleSet],
    longest: Mapping[str, Windows],
    *,
    per_key: int,
) -> tuple[list[list[Candidate]], list[bool]]:
    """Per install its candidates by its app's rules, in any order, and whether a key had more than `per_key`.

    `longest`: of each app whose links have windows of their own the longest, as far back as touches are read.
    Behind an address the latest fifty are read and no more: a crowd makes a fingerprint unsure, however it goes on.
    """
    asked: list[tuple[str, ...]] = []
    named: list[tuple[int, str, datetime]] = []
    for number, (one, its) in enumerate(zip(conversions, rules, strict=True)):
        top_us = one.at_us + CLOCK_SKEW_US
        top = (hour_floor_id(top_us + RECEIVED_WITHIN_US + US_PER_HOUR), str(top_us))
        for search in searches(one, its.rules):
            keys = [_array(found) for found in (search.sha1, search.md5, search.clicks, search.prints)]
            asked.append((str(number), search.method, *_bounds(one, its, search, per_key, longest), *top, *keys))
        # none of those that would not have the install decided again, if they came late
        named += [(number, touch_id, timestamp(one.received_us + CLOCK_SKEW_US)) for touch_id in one.touch_ids]
    rows: list[asyncpg.Record] = []
    if asked:
        rows += await connection.fetch(load("conversions")["candidates"], *joined(asked, ";"))
    if named:
        rows += await connection.fetch(load("conversions")["by_id"], *zip(*named, strict=True))
    return _sorted_out(rows, len(conversions), per_key)


def _array(keys: Sequence[int]) -> str:
    return f"{{{','.join(map(str, keys))}}}"


def _bounds(
    one: Conversion, rules: RuleSet, search: Search, per_key: int, longest: Mapping[str, Windows]
) -> tuple[str, str]:
    """Rows at most, lowest id."""
    rows = PER_KEY_FIRST if search.method == "fingerprint" else per_key
    return str(rows), lowest_id(one, rules, (search.method, search.touch_kind), longest.get(one.app))


def timestamp(us: int) -> datetime:
    """Unix microseconds as Postgres takes them, exactly."""
    return EPOCH + us * _US


def _sorted_out(
    rows: Sequence[asyncpg.Record], conversions: int, per_key: int
) -> tuple[list[list[Candidate]], list[bool]]:
    found: list[dict[tuple[str, str], Candidate]] = [{} for _ in range(conversions)]
    counts: dict[tuple[int, int], int] = {}
    for row in rows:
        number, method = row["number"], row["method"]
        touch_id = str(row["id"])
        if (method, touch_id) not in found[number]:
            found[number][method, touch_id] = _candidate(row, touch_id)
        if method != "fingerprint" and row["key"] is not None:
            counts[number, row["key"]] = counts.get((number, row["key"]), 0) + 1
    full = [False] * conversions
    for (number, _), count in counts.items():
        full[number] |= count >= per_key
    return [list(one.values()) for one in found], full


def _candidate(row: asyncpg.Record, touch_id: str) -> Candidate:
    ip = row["ip"]
    sha1_key, md5_key = row["device_sha1_key"], row["device_md5_key"]
    return Candidate(
        touch_id=touch_id,
        method=row["method"],
        touch_kind=row["kind"],
        app=row["app"],
        link=row["link"],
        campaign=row["campaign"],
        partner=row["partner"],
        touched_us=(row["touched_at"] - EPOCH) // _US,
        click_id=row["click_id"],
        external_click_id=row["external_click_id"],
        network=_network(ip) if ip else None,
        os=row["os"],
        os_version=row["os_version"],
        model=row["model"],
        language=row["language"],
        ua=row["ua"],
        flags=row["flags"],
        query=row["query"],
        device_key=sha1_key if sha1_key is not None else md5_key,
        click_key=row["click_key"],
        print_key=row["print_key"],
    )
