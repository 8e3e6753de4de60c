"""Verdicts as they come out of Postgres: what is on record decides, in whichever order it came."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from schemas.validity import DUPLICATE_DAYS, Mode, Verdict
from tests.consumers.attribution.test_decider import GAID, put_install, put_touch, settle
from tests.support.logs import pool_of

HOUR_S, DAY_S = 3600, 24 * 3600
OTHER_GAID = "38400000-8cf0-11bd-b23e-10b96e40000e"
QUERY = f"google_aid={GAID}"

LAST = """
SELECT DISTINCT ON (i.id) d.number, d.method, d.touch::text, d.tags, d.earlier::text, d.candidates
FROM decisions d JOIN installs i ON i.id = d.conversion WHERE i.install_id = $1 ORDER BY i.id, d.number DESC
"""


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await pool_of(database_url)
    yield pool
    pool.terminate()


async def decision(pool: asyncpg.Pool, install_id: str = "i") -> asyncpg.Record:
    """The latest of an install."""
    (row,) = await pool.fetch(LAST, install_id)
    return row


async def judged(pool: asyncpg.Pool, install_id: str = "i", method: str = "identifier") -> dict[str, dict[str, Any]]:
    """Touch → what the latest decision says of it, as found by this method."""
    candidates = json.loads((await decision(pool, install_id))["candidates"])
    return {one["touch_id"]: one for one in candidates if one["method"] == method}


async def reasons(pool: asyncpg.Pool) -> dict[str, str]:
    return {touch: one["reason"] for touch, one in (await judged(pool)).items()}


async def own_modes(pool: asyncpg.Pool, verdict: Verdict, mode: Mode) -> None:
    """The app's own rules: the default's, with another mode."""
    rules = [{"method": method, "touch_kind": "click", "window_hours": 168} for method in ("identifier", "fingerprint")]
    await pool.execute("INSERT INTO apps (id, title) VALUES ('app-1', '') ON CONFLICT DO NOTHING")
    await pool.execute(
        "INSERT INTO app_rules (app, version, rules, created_at) VALUES ('app-1', 1, $1, now() - interval '1 year')",
        json.dumps({"rules": rules, "validity": {verdict: mode}}),
    )


# Duplicates


async def test_a_second_touch_of_a_click_id_loses_to_the_first(pool: asyncpg.Pool) -> None:
    first = await put_touch(pool, seconds_ago=2 * DAY_S, query=f"{QUERY}&click_id=c-1")
    copy = await put_touch(pool, seconds_ago=HOUR_S, query=f"{QUERY}&click_id=c-1")
    await put_install(pool, "i")
    await settle(pool)
    assert (await decision(pool))["touch"] == first
    assert await reasons(pool) == {first: "latest_of_method", copy: "duplicate"}
    assert (await judged(pool))[copy]["figures"]["duplicate"] == {"of": first}


@pytest.mark.parametrize(
    "earlier",
    [
        {"link": "link-2"},
        {"app": "app-2"},
        {"query": f"{QUERY}&click_id=c-2"},
        {"seconds_ago": HOUR_S + DUPLICATE_DAYS * DAY_S + 60},
        {"kind": "impression"},
    ],
    ids=["other link", "other app", "other click id", "longer ago", "other kind"],
)
async def test_what_is_not_the_same_click_is_no_duplicate(pool: asyncpg.Pool, earlier: dict[str, Any]) -> None:
    await put_touch(pool, **{"seconds_ago": 2 * HOUR_S, "query": f"{QUERY}&click_id=c-1", **earlier})
    click = await put_touch(pool, seconds_ago=HOUR_S, query=f"{QUERY}&click_id=c-1")
    await put_install(pool, "i")
    await settle(pool)
    assert (await decision(pool))["touch"] == click


@pytest.mark.parametrize("query", [QUERY, f"{QUERY}&click_id=", f"{QUERY}&click_id={{click_id}}"])
async def test_touches_without_a_click_id_are_each_unique(pool: asyncpg.Pool, query: str) -> None:
    first = await put_touch(pool, seconds_ago=2 * HOUR_S, query=query)
    second = await put_touch(pool, seconds_ago=HOUR_S, query=query)
    await put_install(pool, "i")
    await settle(pool)
    assert await reasons(pool) == {second: "latest_of_method", first: "earlier_than_winner"}


async def test_an_earlier_copy_that_arrives_later_is_the_one_that_counts(pool: asyncpg.Pool) -> None:
    copy = await put_touch(pool, seconds_ago=HOUR_S, query=f"{QUERY}&click_id=c-1")
    await put_install(pool, "i")
    await settle(pool)
    assert (await decision(pool))["touch"] == copy
    # of another device: the network gave one click away twice, and only the first is counted
    first = await put_touch(pool, seconds_ago=2 * HOUR_S, query=f"google_aid={OTHER_GAID}&click_id=c-1", ip="192.0.2.1")
    await settle(pool)
    latest = await decision(pool)
    assert (latest["number"], latest["method"]) == (2, "organic")
    assert (await judged(pool))[copy]["figures"]["duplicate"] == {"of": first}


# Repeats


@pytest.mark.parametrize(
    ("before", "repeats"),
    [
        ({}, True),
        ({"seconds_ago": HOUR_S + 11}, False),
        ({"link": "link-2"}, False),
        ({"ua": "another agent"}, False),
        ({"ip": "203.0.113.8"}, False),
    ],
)
async def test_a_click_seconds_after_another_of_its_address_is_tagged(
    pool: asyncpg.Pool, before: dict[str, Any], repeats: bool
) -> None:
    first = await put_touch(pool, **{"seconds_ago": HOUR_S + 9, "query": QUERY, **before})
    second = await put_touch(pool, seconds_ago=HOUR_S)
    await put_install(pool, "i")
    await settle(pool)
    latest = await decision(pool)
    assert (latest["touch"], "repeat" in latest["tags"]) == (second, repeats)
    figures = (await judged(pool))[second].get("figures", {})
    assert figures.get("repeat") == ({"of": first} if repeats else None)


@pytest.mark.parametrize(("network", "repeats"), [("203.0.113.0/25", True), ("203.0.113.128/25", False)])
async def test_two_networks_under_one_key_are_two_addresses(pool: asyncpg.Pool, network: str, repeats: bool) -> None:
    await put_touch(pool, seconds_ago=HOUR_S + 5, ip=network)
    await put_touch(pool, seconds_ago=HOUR_S, ip="203.0.113.0/25")
    await put_install(pool, "i")
    await settle(pool)
    assert ("repeat" in (await decision(pool))["tags"]) == repeats


# Injection, findings, and what an app makes of them


async def test_a_click_seconds_before_the_install_did_not_cause_it(pool: asyncpg.Pool) -> None:
    person = await put_touch(pool, seconds_ago=HOUR_S)
    injected = await put_touch(pool, seconds_ago=2)
    await put_install(pool, "i")
    await settle(pool)
    assert await reasons(pool) == {person: "latest_of_method", injected: "injection"}
    assert (await judged(pool))[injected]["figures"]["injection"]["seconds"] in range(10)


async def test_an_address_that_is_not_public_is_on_record_and_counts(pool: asyncpg.Pool) -> None:
    click = await put_touch(pool, seconds_ago=HOUR_S, ip="10.0.0.7", flags=["non_public"])
    await put_install(pool, "i")
    await settle(pool)
    latest = await decision(pool)
    assert (latest["touch"], list(latest["tags"])) == (click, ["non_public"])
    assert (await judged(pool))[click]["tags"] == ["non_public"]


async def suspicious(pool: asyncpg.Pool, verdict: Verdict) -> str:
    """A click with this verdict, an hour before the install."""
    changes: dict[str, Any] = {"seconds_ago": HOUR_S, "query": QUERY, "ip": "8.8.4.4"}
    if verdict == "duplicate":
        changes["query"] += "&click_id=c-1"
        await put_touch(pool, seconds_ago=2 * HOUR_S, query="click_id=c-1")
    elif verdict == "repeat":
        await put_touch(pool, **changes | {"seconds_ago": HOUR_S + 5, "query": f"google_aid={OTHER_GAID}"})
    elif verdict == "injection":
        changes["seconds_ago"] = 3
    elif verdict in ("flooding", "delays"):
        await publish(pool, **{verdict: True})
    elif verdict == "other_os":
        changes["ua"] = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15"
    else:
        changes["flags"] = [verdict]
    return await put_touch(pool, **changes)


async def publish(pool: asyncpg.Pool, *, flooding: bool = False, delays: bool = False) -> None:
    yesterday = datetime.now(UTC).date() - timedelta(1)
    await pool.execute("INSERT INTO published_days (day, version) VALUES ($1, 1)", yesterday)
    await pool.execute(
        "INSERT INTO link_days (link, day, version, app, clicks, installs, first_hour, week_clicks,"
        " week_installs, flooding, delays)"
        " VALUES ('link-1', $1, 1, 'app-1', 12000, 40, 0, 12000, 40, $2, $3)",
        yesterday,
        flooding,
        delays,
    )


VERDICTS_MET: list[Verdict] = [
    "bot",
    "non_public",
    "duplicate",
    "repeat",
    "flooding",
    "delays",
    "injection",
    "other_os",
]


@pytest.mark.parametrize("mode", ["off", "tag", "reject"])
@pytest.mark.parametrize("verdict", VERDICTS_MET)
async def test_an_app_says_what_becomes_of_each_verdict(pool: asyncpg.Pool, verdict: Verdict, mode: Mode) -> None:
    await own_modes(pool, verdict, mode)
    before = await put_touch(pool, seconds_ago=2 * DAY_S, link="link-2", ip="8.8.8.8")
    click = await suspicious(pool, verdict)
    await put_install(pool, "i")
    await settle(pool)
    latest, one = await decision(pool), (await judged(pool))[click]
    assert latest["touch"] == (before if mode == "reject" else click)
    assert one["reason"] == (verdict if mode == "reject" else "latest_of_method")
    assert (verdict in one.get("tags", [])) == (mode != "off")
    assert (verdict in latest["tags"]) == (mode == "tag")


# Reinstall


async def test_a_devices_second_install_belongs_to_the_first(pool: asyncpg.Pool) -> None:
    first = await put_install(pool, "first", received_us=ago_us(DAY_S))
    click = await put_touch(pool, seconds_ago=HOUR_S)
    await put_install(pool, "i")
    await settle(pool)
    latest = await decision(pool)
    assert (latest["method"], latest["touch"], latest["earlier"]) == ("reinstall", None, first)
    assert await reasons(pool) == {click: "reinstalled"}


async def test_an_earlier_install_that_arrives_later_makes_the_later_one_a_reinstall(pool: asyncpg.Pool) -> None:
    click = await put_touch(pool, seconds_ago=HOUR_S)
    await put_install(pool, "i")
    await settle(pool)
    assert (await decision(pool))["touch"] == click
    first = await put_install(pool, "first", received_us=ago_us(DAY_S))
    await settle(pool)
    latest = await decision(pool)
    assert (latest["number"], latest["method"], latest["earlier"]) == (2, "reinstall", first)
    assert (await decision(pool, "first"))["method"] == "organic"


@pytest.mark.parametrize(
    "earlier",
    [{"app": "app-2"}, {"ids": {"google_aid": OTHER_GAID}}, {"ids": {}}, {"seconds_ago": 181 * DAY_S}],
    ids=["other app", "other device", "nobody", "long ago"],
)
async def test_what_is_no_reinstall_is_attributed_anew(pool: asyncpg.Pool, earlier: dict[str, Any]) -> None:
    await put_install(pool, "first", received_us=ago_us(earlier.pop("seconds_ago", DAY_S)), **earlier)
    click = await put_touch(pool, seconds_ago=HOUR_S)
    await put_install(pool, "i")
    await settle(pool)
    latest = await decision(pool)
    assert (latest["method"], latest["touch"]) == ("identifier", click)


def ago_us(seconds: float) -> int:
    return int((datetime.now(UTC).timestamp() - seconds) * 1_000_000)
