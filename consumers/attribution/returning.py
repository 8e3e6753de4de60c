"""Users who return to an app: which events bring somebody back, and which click brought them.

What decides whether an event is a return are the events and installs around it, and these may be stored in any order.
So each transaction that stores some leaves their ids, and once it is committed they are looked at: a return waits to be
decided, and what waits or was decided already is decided again when something came before it.
"""

from collections.abc import Sequence
from datetime import timedelta

import asyncpg
import msgspec

from consumers.attribution.candidates import EPOCH
from consumers.attribution.decide import Decision
from consumers.attribution.deciding import Decided, decided_by, rules_of
from consumers.attribution.facts import Conversion
from consumers.attribution.returns_rule import conversion_of_return, has_returned, of_clicks
from schemas.events import Device
from schemas.identifiers import device_ids
from schemas.ids import received_us
from schemas.sql import load

LOOKED_AT_ONCE = 4
"""Rows of activities; each holds ACTIVITIES_MAX ids at most."""
ACTIVITIES_MAX = 500

_US = timedelta(microseconds=1)
_device = msgspec.json.Decoder(Device)
_ids = msgspec.json.Decoder(dict[str, str])

NO_RETURN = Decision(method="active", winner=None, confidence=None, judged=[])
"""Of an event that was taken for a return, until an earlier event arrived."""


async def keep_activity(connection: asyncpg.Connection, ids: Sequence[str]) -> None:
    """New events and installs of apps, to be looked at once they are committed."""
    pages = [(ids[at : at + ACTIVITIES_MAX],) for at in range(0, len(ids), ACTIVITIES_MAX)]
    await connection.executemany(load("events")["new_activity"], pages)


async def look(connection: asyncpg.Connection) -> bool:
    """Whether any were left to look at. Within the caller's transaction.

    Marks are made also of what waits: its decision may have been read already by another transaction.
    """
    taken = await connection.fetch(load("events")["take_activities"], LOOKED_AT_ONCE)
    if not taken:
        return False
    ids = [one for row in taken for one in row["conversions"]]
    concerned = [row["event"] for row in await connection.fetch(load("events")["concerned"], ids)]
    rows = await connection.fetch(load("events")["returns"], concerned) if concerned else []
    known = [row["id"] for row in rows if row["waits"] or row["decided"]]
    if known:
        await connection.execute(load("events")["mark"], known)
    others = [row for row in rows if not row["waits"] and not row["decided"] and row["active_at"] < row["at"]]
    rules = await rules_of(connection, [_conversion(row) for row in others], [None] * len(others))
    new = [row["id"] for row, its in zip(others, rules, strict=True) if has_returned(*_times(row), its.rules)]
    if new:
        await connection.execute(load("events")["returns_wait"], new)
    return True


async def decided_returns(connection: asyncpg.Connection, taken: Sequence[asyncpg.Record]) -> list[Decided]:
    """Decisions about events that wait or are marked; one that is no return has a decision only when it had one."""
    by_name = {row["id"]: row["decided_by"] for row in taken}
    rows = await connection.fetch(load("events")["returns"], list(by_name))
    conversions = [_conversion(row) for row in rows]
    rules = await rules_of(connection, conversions, [by_name[row["id"]] for row in rows])
    found: list[Decided] = []
    back: list[tuple[Conversion, int]] = []
    for number, (row, one, its) in enumerate(zip(rows, conversions, rules, strict=True)):
        if has_returned(*_times(row), its.rules):
            back.append((one, number))
        elif row["decided"]:
            found.append(Decided(one, its, NO_RETURN._replace(test=one.test), []))
    clicks = [of_clicks(rules[number]) for _, number in back]
    return found + (await decided_by(connection, [one for one, _ in back], clicks) if back else [])


def _times(row: asyncpg.Record) -> tuple[int, int]:
    """(T, last activity before it), Unix microseconds."""
    return (row["at"] - EPOCH) // _US, (row["active_at"] - EPOCH) // _US


def _conversion(row: asyncpg.Record) -> Conversion:
    event_id = str(row["id"])
    at_us, active_us = _times(row)
    told = {**_ids.decode(row["install_ids"]), **_ids.decode(row["ids"])}
    return conversion_of_return(
        event_id=event_id,
        app=row["app"],
        received_us=received_us(event_id),
        at_us=at_us,
        active_us=active_us,
        ids=device_ids(told),
        touch_id=row["touch_id"],
        device=_device.decode(row["device"]),
        ip=row["ip"],
        test=row["test"],
    )
