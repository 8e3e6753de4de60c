"""Look-back windows of links' own: which touches they make reachable, and which of them are read.

A link's windows are fixed when it is made, so a decision stays a function of the touches and the rules.
"""

from collections.abc import Collection, Mapping, Sequence

import asyncpg
import msgspec

from consumers.attribution.facts import Candidate, Conversion
from consumers.attribution.fingerprint import CROWD_US
from schemas.ids import RecordId, hour_floor_id
from schemas.rules import CLOCK_SKEW_US, LinkWindow, Pair, RuleSet, Windows, link_windows_us
from schemas.sql import load

_windows = msgspec.json.Decoder(tuple[LinkWindow, ...])


async def read_longest(connection: asyncpg.Connection, apps: Collection[str]) -> dict[str, Windows]:
    """App → the longest window, in microseconds, that any of its links has of its own; without it none has one."""
    rows = await connection.fetch(load("conversions")["longest_windows"], sorted(set(apps)))
    found: dict[str, list[LinkWindow]] = {}
    for row in rows:
        one = LinkWindow(method=row["method"], touch=row["touch"], hours=row["hours"])
        found.setdefault(row["app"], []).append(one)
    return {app: link_windows_us(theirs) for app, theirs in found.items()}


async def read_own(connection: asyncpg.Connection, candidates: Sequence[Sequence[Candidate]]) -> dict[str, Windows]:
    """Link → its own windows, of the candidates' links that have some."""
    links = sorted({one.link for found in candidates for one in found})
    rows = await connection.fetch(load("conversions")["link_windows"], links)
    return {row["id"]: link_windows_us(_windows.decode(row["windows"])) for row in rows}


def lowest_id(one: Conversion, rules: RuleSet, search: Pair, others: Windows | None) -> RecordId:
    """From where on touches are read: within the rule's window, or a longer one of `others`, and a crowd's."""
    window_us = max(rules.windows_us[search], (others or {}).get(search, 0))
    if search[0] == "fingerprint":
        window_us = max(window_us, CROWD_US)
    return hour_floor_id(one.at_us - window_us - CLOCK_SKEW_US)


def reach_us(rules: RuleSet, longest: Windows | None) -> int:
    """How long before an install a touch may have caused it, by any method, in microseconds."""
    theirs = longest or {}
    return max(max(its_us, theirs.get(pair, 0)) for pair, its_us in rules.windows_us.items())


def reachable(
    one: Conversion, found: Sequence[Candidate], rules: RuleSet, own: Mapping[str, Windows]
) -> list[Candidate]:
    """Those that would have been read if no other link had a window of its own: nobody's decision depends on it."""
    return [
        touch
        for touch in found
        if touch.touch_id in one.touch_ids
        or touch.touch_id >= lowest_id(one, rules, (touch.method, touch.touch_kind), own.get(touch.link))
    ]
