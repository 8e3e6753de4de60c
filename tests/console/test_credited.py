from collections.abc import AsyncIterator

import asyncpg
import pytest

from schemas.ids import new_id
from tests.console.conftest import Console
from tests.support.devices import GAID, OTHER, event, install, put
from tests.support.logs import pool_of


@pytest.fixture
async def pool(console: Console) -> AsyncIterator[asyncpg.Pool]:
    pool = await pool_of(console.url)
    yield pool
    pool.terminate()


async def test_explain_tells_what_an_installs_events_brought_and_to_whom(console: Console, pool: asyncpg.Pool) -> None:
    events = [event(f"e-{number:02}", "i-1", occurred_us=10**15 + number) for number in range(25)]
    free = event("free", "i-1", revenue=None, name="launch", occurred_us=10**15 - 1)
    tried = event("tried", "i-1", flags=["sandbox"], occurred_us=10**15 + 99)
    one = install("i-1")
    await put(pool, [one, *events, free, tried])
    facts = console.facts("explain", "i-1")
    assert facts["events"][0]["credited_to"] is None, "it is not decided"
    assert (len(facts["events"]), facts["events_count"], facts["revenue"]) == (20, 27, {"EUR": "124.75"})
    await pool.execute("DELETE FROM waiting")
    console.add_decision(one.id, touch=new_id(1), candidates=[])
    facts = console.facts("explain", "i-1")
    assert facts["events"][:2] == [
        {
            "name": "payment",
            "occurred_at": f"2001-09-09T01:46:40.0000{microseconds}Z",
            "revenue": "4.99",
            "currency": "EUR",
            "test": microseconds == 99,
            "credited_to": {"method": "identifier", "link": "77", "campaign": "spring", "partner": "adnet"},
        }
        for microseconds in (99, 24)
    ]
    assert facts["decision"]["method"] == "identifier"


async def test_an_install_without_events_says_so(console: Console, pool: asyncpg.Pool) -> None:
    await put(pool, [install("i-1")])
    facts = console.facts("explain", "i-1")
    assert (facts["events"], facts["events_count"], facts["revenue"]) == ([], 0, {})


async def test_verify_counts_events_that_nobody_is_credited_with(console: Console, pool: asyncpg.Pool) -> None:
    await put(pool, [install("i-1"), event("hers", None, ids={"google_aid": GAID}), event("named", "i-1")])
    await put(pool, [event("lost", None, ids={"google_aid": OTHER}), event("early", "i-2")])
    assert console.facts("verify", code=1)["events_without_install"] == 2
    await put(pool, [install("i-2", OTHER)])
    assert "events without install 0" in console.run("verify", code=1).stdout
