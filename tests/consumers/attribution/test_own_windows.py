"""Links with look-back windows of their own, on a real Postgres: their touches are found, and nobody else's change."""

import itertools
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import msgspec
import pytest

from tests.consumers.attribution.test_decider import put_install, put_touch, settle
from tests.support.logs import pool_of

DAY_S = 86_400
LINKS = """
INSERT INTO apps (id, title) VALUES ('app', ''), ('other', ''), ('lean', '');
INSERT INTO links (id, app, windows, targets) VALUES
    ('long', 'app', '[{"method": "identifier", "touch": "click", "hours": 720}]', '[]'),
    ('short', 'app', '[{"method": "identifier", "touch": "click", "hours": 24}]', '[]'),
    ('views', 'app', '[{"method": "fingerprint", "touch": "impression", "hours": 168}]', '[]'),
    ('smart', 'other', '[{"method": "identifier", "touch": "click", "hours": 480}]',
     '[{"store": "app_store", "url": "https://e.example/", "app": "lean"}, {"store": "web", "url": "https://e.example/"}]');
INSERT INTO links (id, app) VALUES ('plain', 'app'), ('plainer', 'lean');
"""


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await pool_of(database_url)
    await pool.execute(LINKS)
    yield pool
    pool.terminate()


async def click(pool: asyncpg.Pool, link: str, days_ago: float, app: str = "app", **changes: Any) -> str:
    return await put_touch(pool, app, seconds_ago=days_ago * DAY_S, link=link, **changes)


async def last(pool: asyncpg.Pool, app: str = "app") -> tuple[str, str | None, dict[str, str]]:
    """Method, link, and link → reason of the candidates."""
    row = await pool.fetchrow(
        "SELECT d.method, d.link, d.candidates FROM decisions d JOIN installs i ON i.id = d.conversion"
        " WHERE i.app = $1 ORDER BY d.number DESC LIMIT 1",
        app,
    )
    candidates = msgspec.json.decode(row["candidates"])
    return row["method"], row["link"], {one["link"]: one["reason"] for one in candidates}


async def test_a_longer_window_of_its_own_finds_a_touch_and_nobody_elses(pool: asyncpg.Pool) -> None:
    await click(pool, "long", 20)
    await click(pool, "plain", 9)
    await put_install(pool, "i", "app")
    await settle(pool)
    # the other click lies outside the app's week: it is read for nobody
    assert await last(pool) == ("identifier", "long", {"long": "latest_of_method"})


async def test_a_shorter_window_of_its_own_lets_an_earlier_touch_win(pool: asyncpg.Pool) -> None:
    await click(pool, "short", 2)
    await click(pool, "plain", 5)
    await put_install(pool, "i", "app")
    await settle(pool)
    reasons = {"short": "outside_own_window", "plain": "latest_of_method"}
    assert await last(pool) == ("identifier", "plain", reasons)


async def test_beyond_its_own_window_nothing_counts(pool: asyncpg.Pool) -> None:
    await click(pool, "long", 31)
    await click(pool, "plain", 31)
    await put_install(pool, "i", "app")
    await settle(pool)
    assert await last(pool) == ("organic", None, {})


async def test_the_order_of_arrival_changes_nothing(pool: asyncpg.Pool) -> None:
    expected = (
        "identifier",
        "plain",
        {"long": "earlier_than_winner", "short": "outside_own_window", "plain": "latest_of_method"},
    )
    for number, order in enumerate(itertools.permutations(["long", "short", "plain", "install"])):
        if number % 5:  # five of the orders
            continue
        await pool.execute("TRUNCATE installs, decisions, touches, conversion_keys, waiting, marks CASCADE")
        for what in order:
            if what == "install":
                await put_install(pool, f"i-{number}", "app")
            else:
                await click(pool, what, {"long": 20, "short": 2, "plain": 3}[what])
            await settle(pool)
        assert await last(pool) == expected, order


async def test_a_method_that_the_app_does_not_count_stays_off(pool: asyncpg.Pool) -> None:
    await put_touch(pool, "app", seconds_ago=60, link="views", kind="impression", query="", ip="198.51.100.7")
    await put_install(pool, "i", "app", ids={}, ip="198.51.100.7")
    await settle(pool)
    assert await last(pool) == ("organic", None, {})


async def test_the_app_of_a_smart_links_target_looks_as_far_back(pool: asyncpg.Pool) -> None:
    await click(pool, "smart", 19, app="lean")
    await put_install(pool, "i", "lean")
    await settle(pool)
    assert (await last(pool, "lean"))[:2] == ("identifier", "smart")


async def test_a_preinstall_link_wins_by_no_click(pool: asyncpg.Pool) -> None:
    await click(pool, "plain", 1, flags=["preinstall"])
    await put_install(pool, "i", "app")
    await settle(pool)
    assert await last(pool) == ("organic", None, {"plain": "no_clicks"})


async def test_apps_know_the_longest_window_of_their_links(pool: asyncpg.Pool) -> None:
    await pool.execute(
        "INSERT INTO links (id, app, windows) VALUES"
        """ ('more', 'app', '[{"method": "identifier", "touch": "click", "hours": 100}]'::jsonb)"""
    )
    rows = await pool.fetch("SELECT app, method, touch, hours FROM app_windows ORDER BY app, method")
    assert [tuple(row) for row in rows] == [
        ("app", "fingerprint", "impression", 168),
        ("app", "identifier", "click", 720),
        ("lean", "identifier", "click", 480),
        ("other", "identifier", "click", 480),
    ]


async def test_a_links_windows_are_fixed(pool: asyncpg.Pool) -> None:
    for link, windows in (("long", None), ("long", "[]"), ("plain", "[]")):
        with pytest.raises(asyncpg.CheckViolationError, match=f"the windows of link {link} are fixed"):
            await pool.execute("UPDATE links SET windows = $2::text::jsonb WHERE id = $1", link, windows)
    await pool.execute("UPDATE links SET paused = true")
