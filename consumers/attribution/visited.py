"""Events of websites: the visitor's visits are read, `visits_rule` says which of them brought the visitor."""

from collections.abc import Sequence
from datetime import timedelta

import asyncpg

from consumers.attribution.candidates import EPOCH
from consumers.attribution.decide import Decision, Judged
from consumers.attribution.deciding import Decided
from consumers.attribution.facts import Candidate, Conversion, Label
from consumers.attribution.visits_rule import HOUR_US, WINDOW_HOURS_DEFAULT, Seen, source_of
from schemas.events import SANDBOX
from schemas.ids import received_us
from schemas.keys import touch_id_key, visitor_key
from schemas.reasons import WON
from schemas.rules import DEFAULT, Named
from schemas.sql import joined, load

_US = timedelta(microseconds=1)


async def decided_visits(connection: asyncpg.Connection, rows: Sequence[asyncpg.Record]) -> list[Decided]:
    """Decisions about events of websites. Also keeps by what later visits, and touches that visits name, find them."""
    asked = [(number, row["app"], row["visitor_id"]) for number, row in enumerate(rows) if row["visitor_id"]]
    visits: dict[int, list[asyncpg.Record]] = {}
    if asked:
        for visit in await connection.fetch(load("events")["visits"], *zip(*asked, strict=True)):
            visits.setdefault(visit["number"], []).append(visit)
    hours = await connection.fetch(load("events")["windows"], sorted({row["app"] for row in rows}))
    windows = {row["id"]: row["visit_window_hours"] for row in hours}
    watched = [(key, str(row["id"])) for n, row in enumerate(rows) for key in _watched(row, visits.get(n, []))]
    if watched:
        await connection.execute(load("conversions")["insert_keys"], *joined(watched))
    return [
        _decided(row, visits.get(number, []), windows.get(row["app"], WINDOW_HOURS_DEFAULT))
        for number, row in enumerate(rows)
    ]


def _watched(row: asyncpg.Record, visits: Sequence[asyncpg.Record]) -> set[int]:
    own = {visitor_key(row["app"], row["visitor_id"])} if row["visitor_id"] else set()
    return own | {touch_id_key(str(one["named"])) for one in visits if one["named"]}


def _decided(row: asyncpg.Record, visits: Sequence[asyncpg.Record], hours: int) -> Decided:
    one = _conversion(row)
    seen = {str(visit["id"]): visit for visit in visits}
    source = source_of(one.at_us, [_seen(visit) for visit in visits], hours * HOUR_US)
    rules = Named(f"last-visit-{hours}h", DEFAULT.rules)
    if source is None:
        return Decided(one, rules, Decision("organic", None, None, [], test=one.test), [])
    visit = seen[source.visit]
    if source.touch_id is None:
        label = Label(visit["own_link"], visit["own_campaign"], visit["own_partner"])
        return Decided(one, rules, Decision("visit", None, 1.0, [], label=label, test=one.test), [])
    winner = _touch(visit, one.app)
    judged = Judged(winner, max(one.at_us - winner.touched_us, 0) // 1_000_000, WON, "last_visit")
    return Decided(one, rules, Decision("visit", winner, 1.0, [judged], test=one.test), [])


def _seen(visit: asyncpg.Record) -> Seen:
    """A touch that is not stored, or of another app, tags no visit; nor does a link of another app."""
    at_us = (visit["at"] - EPOCH) // _US
    return Seen(at_us, str(visit["id"]), str(visit["touch"]) if visit["touch"] else None, visit["own_link"])


def _conversion(row: asyncpg.Record) -> Conversion:
    event_id = str(row["id"])
    return Conversion(
        id=event_id,
        app=row["app"],
        received_us=received_us(event_id),
        at_us=(row["at"] - EPOCH) // _US,
        ids=[],
        touch_ids=frozenset(),
        click_ids=frozenset(),
        os="",
        os_version="",
        model="",
        language="",
        network=None,
        kind="web",
        test=SANDBOX in row["flags"],
    )


def _touch(visit: asyncpg.Record, app: str) -> Candidate:
    """What a decision keeps of the touch."""
    return Candidate(
        touch_id=str(visit["touch"]),
        method="visit",
        touch_kind=visit["kind"],
        app=app,
        link=visit["link"],
        campaign=visit["campaign"],
        partner=visit["partner"],
        touched_us=(visit["touched_at"] - EPOCH) // _US,
        click_id=visit["click_id"],
        external_click_id=visit["external_click_id"],
        network=None,
        os="",
        os_version="",
        model="",
        language="",
        ua="",
        flags=[],
    )
