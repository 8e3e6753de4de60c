"""A shop whose ads two partners show, and what they were to be told."""

import json
from typing import Any

import asyncpg

from consumers.outcomes.following import Following
from consumers.outcomes.queue import leave
from consumers.postbacks.planner import Planner
from process.metrics import Meters
from schemas.events import Event
from tests.consumers.attribution.test_decider import put_install, put_touch, settle
from tests.support import devices

SHOP = """
INSERT INTO apps (id, title, stores) VALUES ('shop', 'The Shop', '{"google_play": "com.example.shop"}');
INSERT INTO apps (id, title, kind, origins) VALUES ('web', '', 'web', '{https://web.example}');
INSERT INTO partners (id, title) VALUES ('adnet', 'Ad Net'), ('rival', 'Rival');
INSERT INTO campaigns (id, title, partner) VALUES ('spring', 'Spring sale', 'adnet'), ('summer', 'Summer', 'rival');
INSERT INTO links (id, app, campaign, title) VALUES ('1', 'shop', 'spring', 'Banner'), ('2', 'shop', 'summer', '');
INSERT INTO links (id, app, campaign) VALUES ('w', 'web', 'spring');
"""
URL = "https://p.example/{conversion_event_name}?click={click_id}&m={match_type}"
BACK = "https://p.example/back?click={click_id}"
TOLD = """
SELECT partner, event, url, state, reversal, key FROM postbacks ORDER BY event, partner NULLS FIRST, id
"""


async def add_template(
    pool: asyncpg.Pool, event: str = "install", partner: str | None = "adnet", **changes: Any
) -> int:
    """Its id; of conversions that are received now, or after `created_at`."""
    row = {
        "app": "shop",
        "partner": partner,
        "event": event,
        "mode": "attributed",
        "method": "GET",
        "url": URL,
    } | changes
    places = ", ".join(f"${place}" for place in range(1, len(row) + 1))
    query = f"INSERT INTO postback_templates ({', '.join(row)}) VALUES ({places}) RETURNING id"  # noqa: S608
    number: int = await pool.fetchval(query, *row.values())
    return number


async def click(pool: asyncpg.Pool, link: str = "1", *, seconds_ago: float = 60, more: str = "") -> str:
    """Its id; by the device of every install."""
    gaid = "google_aid=38400000-8cf0-11bd-b23e-10b96e40000d"
    query = f"click_id=c-{link}&{gaid}{more}"
    return await put_touch(pool, "shop", seconds_ago=seconds_ago, link=link, query=query)


async def install(pool: asyncpg.Pool, install_id: str = "i", **changes: Any) -> str:
    """Its id."""
    return await put_install(pool, install_id, "shop", **changes)


async def follow(pool: asyncpg.Pool) -> None:
    """Decide what can be decided, and plan what follows."""
    await settle(pool)
    following = Following(pool, [Planner()], Meters())
    while await following.step():
        pass


async def told(pool: asyncpg.Pool, *, whole: bool = False) -> list[str]:
    """`partner event …path of the URL`, `back` before a reversal, with the state unless it waits."""
    rows = await pool.fetch(TOLD)
    return [
        " ".join(
            filter(
                None,
                (
                    row["partner"] or "own",
                    row["event"],
                    row["url"].removeprefix("https://p.example/") if whole else "",
                    "back" if row["reversal"] else "",
                    row["state"] if row["state"] != "waiting" else "",
                ),
            )
        )
        for row in rows
    ]


async def sent(pool: asyncpg.Pool) -> None:
    """Everything that waits was delivered."""
    await pool.execute("UPDATE postbacks SET state = 'sent', attempts = 1 WHERE state = 'waiting'")


def body(text: str | None) -> Any:
    return json.loads(text or "null")


def event(event_id: str, name: str = "payment", install_id: str | None = "i", **changes: Any) -> Event:
    if name not in ("payment", "purchase", "ad_revenue", "refund"):
        changes = {"revenue": None, **changes}
    return devices.event(event_id, install_id, name=name, **changes)


async def outcome(pool: asyncpg.Pool, *conversions: str, silent: bool = False) -> None:
    """As if something new were known of them."""
    async with pool.acquire() as connection:
        await leave(connection, conversions, silent=silent)
    await follow(pool)
