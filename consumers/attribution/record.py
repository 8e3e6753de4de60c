"""What the rest of the record says: copies of candidates, the link's day, the device's earlier install, tests."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

import asyncpg
import msgspec

from consumers.attribution.candidates import EPOCH, timestamp
from consumers.attribution.days import DAY_0
from consumers.attribution.facts import Candidate, Conversion, Facts, LinkDay, conversion_time
from consumers.attribution.probes import device_keys
from consumers.attribution.validity import judged_day
from schemas.identifiers import device_ids, same_device
from schemas.ids import US_PER_HOUR, hour_floor_id, received_us
from schemas.partitions import DAY_US
from schemas.rules import AGAIN_WITHIN_US, CLOCK_SKEW_US, RECEIVED_WITHIN_US, RuleSet
from schemas.sql import joined, load
from schemas.validity import DUPLICATE_DAYS, REPEAT_S

_US = timedelta(microseconds=1)
_ids = msgspec.json.Decoder(dict[str, str])


async def read_facts(
    connection: asyncpg.Connection,
    conversions: Sequence[Conversion],
    contenders: Sequence[Sequence[Candidate]],
    rules: Sequence[RuleSet],
) -> list[Facts]:
    """Per install the facts about its contenders."""
    touches = {one.touch_id: one for found in contenders for one in found}
    duplicates = await _duplicates(connection, touches.values())
    repeats = await _repeats(connection, touches.values())
    days = await _link_days(connection, conversions, contenders)
    earlier = await _earlier_installs(connection, conversions)
    links = await _earlier_links(connection, conversions, rules, earlier)
    return [
        Facts(duplicates, repeats, days, earlier.get(number), one.test, links.get(number))
        for number, one in enumerate(conversions)
    ]


async def _duplicates(connection: asyncpg.Connection, touches: Collection[Candidate]) -> Mapping[str, str]:
    asked = [
        (
            one.touch_id,
            one.click_key,
            one.link,
            one.partner,
            one.click_id,
            timestamp(one.touched_us),
            hour_floor_id(one.touched_us - DUPLICATE_DAYS * DAY_US - CLOCK_SKEW_US),
            hour_floor_id(one.touched_us + RECEIVED_WITHIN_US + US_PER_HOUR),
        )
        for one in touches
        if one.click_key is not None
    ]
    if not asked:
        return {}
    rows = await connection.fetch(load("conversions")["duplicates"], *zip(*asked, strict=True), DUPLICATE_DAYS)
    return {str(row["touch"]): str(row["earlier"]) for row in rows}


async def _repeats(connection: asyncpg.Connection, touches: Collection[Candidate]) -> Mapping[str, str]:
    asked = [
        (
            one.touch_id,
            one.print_key,
            one.link,
            one.ua,
            one.network.text,
            timestamp(one.touched_us),
            hour_floor_id(one.touched_us - REPEAT_S * 1_000_000 - CLOCK_SKEW_US),
            hour_floor_id(one.touched_us + RECEIVED_WITHIN_US + US_PER_HOUR),
        )
        for one in touches
        if one.print_key is not None and one.network is not None and one.touch_kind == "click"
    ]
    if not asked:
        return {}
    rows = await connection.fetch(load("conversions")["repeats"], *zip(*asked, strict=True), REPEAT_S)
    return {str(row["touch"]): str(row["earlier"]) for row in rows}


async def _link_days(
    connection: asyncpg.Connection, conversions: Sequence[Conversion], contenders: Sequence[Sequence[Candidate]]
) -> Mapping[tuple[str, int], LinkDay]:
    """Of every day by which a contender's link is judged."""
    asked = {
        (one.link, judged_day(one.touch_id, install.received_us))
        for install, found in zip(conversions, contenders, strict=True)
        for one in found
    }
    if not asked:
        return {}
    links, days = zip(*asked, strict=True)
    rows = await connection.fetch(load("conversions")["link_days"], links, [DAY_0 + timedelta(day) for day in days])
    return {
        (row["link"], (row["day"] - DAY_0).days): LinkDay(
            row["installs"],
            row["first_hour"],
            row["week_clicks"],
            row["week_installs"],
            row["flooding"],
            row["delays"],
        )
        for row in rows
    }


async def _earlier_installs(
    connection: asyncpg.Connection, conversions: Sequence[Conversion]
) -> dict[int, tuple[str, int]]:
    """Install's number → the device's last install before it, and its time."""
    installs = [(number, one) for number, one in enumerate(conversions) if one.kind == "install"]
    asked = [(number, key, one.id) for number, one in installs for key in sorted(device_keys(one))]
    if not asked:
        return {}
    rows = await connection.fetch(load("conversions")["earlier_installs"], *joined(asked))
    found: dict[int, tuple[str, int]] = {}
    for row in rows:
        one, install_id = conversions[row["number"]], str(row["id"])
        theirs = device_ids(_ids.decode(row["ids"]))
        if any(same_device(a, b) for a in one.ids for b in theirs):
            at_us = conversion_time((row["installed_at"] - EPOCH) // _US, received_us(install_id))
            found[row["number"]] = max(found.get(row["number"], ("", 0)), (install_id, at_us))
    return found


async def _earlier_links(
    connection: asyncpg.Connection,
    conversions: Sequence[Conversion],
    rules: Sequence[RuleSet],
    earlier: Mapping[int, tuple[str, int]],
) -> dict[int, str]:
    """Install's number → the link that brought its device before, of those that are attributed anew.

    Not of an earlier install whose decision may still change: the answer would hang on when it is asked for.
    """
    asked = {
        number: before
        for number, (before, at_us) in earlier.items()
        if conversions[number].at_us - at_us >= rules[number].reattribution_days * DAY_US
        and conversions[number].received_us - received_us(before) > AGAIN_WITHIN_US
    }
    if not asked:
        return {}
    rows = await connection.fetch(load("conversions")["standing_links"], sorted(set(asked.values())))
    links = {str(row["install"]): row["link"] for row in rows}
    return {number: links[before] for number, before in asked.items() if before in links}
