"""`touchline tail`: touches and rejects as they come."""

import asyncio
import time
from typing import Annotated, Any, NamedTuple

import asyncpg
import orjson
import typer
from rich.console import Console
from rich.text import Text

from console.arrivals import Arrival, Window, reject, touch
from process.postgres import AWAY, connect
from process.terminal import complain, page, safe, sentence, settings
from schemas.ids import floor_id, received_us
from schemas.settings import Settings
from schemas.sql import load

POLL_S = 0.5
RETRY_S = 2.0
SHARE_OF_TIME = 4
"""After a poll that took long, the pause is at least so many times as long."""
NEWEST_MAX = 1000
"""Rows a poll reads: more a second than anybody can read."""
LOOKED_THROUGH_MAX = 100_000
AHEAD_US = 3_600_000_000
"""Ids further in the future are none of a sane clock: unreadable records have made-up ones."""
REJECTING = ("edge", "touches", "attribution")
LIMIT, LIMIT_SINCE = 20, 1000

Windows = dict[str | None, Window]
"""Of the rejects of each consumer, which lag apart from each other; None: of the touches."""


class Wanted(NamedTuple):
    """What the person asked for."""

    link: str | None
    since_us: int
    limit: int
    json: bool


def tail(
    link: Annotated[
        str | None, typer.Option(metavar="ID", help="Only this link's; begins with those among the newest 100 000.")
    ] = None,
    since: Annotated[
        int | None,
        typer.Option(
            metavar="SECONDS", min=0, max=10**9, help="Begin with those received in the last so many seconds."
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=0, max=NEWEST_MAX, help=f"Begin with at most so many: {LIMIT}, or {LIMIT_SINCE} with --since."
        ),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Go on until Ctrl-C, or end at once.")] = True,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line, with the sender's raw query.")] = False,
) -> None:
    """Did my ping arrive? Touches and rejects as they come to Postgres, with the reasons.

    A touch shows when it was received, its kind and mode, link, click id, address and flags; a reject
    the parameter that was wrong. What the edge answers with 404 (no such link) is not kept.
    """
    shown = LIMIT if since is None else LIMIT_SINCE
    since_us = int((time.time() - since) * 1_000_000) if since is not None else 0
    wanted = Wanted(link, since_us, limit if limit is not None else shown, json)
    try:
        asyncio.run(_tail(settings(), wanted, follow=follow))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


async def _tail(configured: Settings, wanted: Wanted, *, follow: bool) -> None:
    """Raises one of AWAY when there is no Postgres at the start; later it is waited for."""
    out = page()
    windows: Windows = {consumer: Window(wanted.since_us) for consumer in (None, *REJECTING)}
    connection: asyncpg.Connection | None = await connect(configured)
    first = True
    try:
        while True:
            began_at = time.monotonic()
            try:
                if connection is None:
                    connection = await connect(configured)
                arrivals = await _read(connection, wanted.link, windows)
            except AWAY as error:
                if first or not follow:
                    raise
                if connection is not None:
                    complain("touchline tail", f"{sentence(error)}; trying again")
                    connection.terminate()
                    connection = None
                await asyncio.sleep(RETRY_S)
                continue
            if first:
                arrivals = arrivals[len(arrivals) - min(wanted.limit, len(arrivals)) :]
            elif sum(one.what == "touch" for one in arrivals) == NEWEST_MAX:
                complain("touchline tail", f"more than {NEWEST_MAX} came at once, older ones are left out; use --link")
            _print(out, arrivals, json=wanted.json)
            first = False
            if not follow:
                return
            await asyncio.sleep(max(POLL_S, (time.monotonic() - began_at) * SHARE_OF_TIME))
    finally:
        if connection is not None:
            connection.terminate()


async def _read(connection: asyncpg.Connection, link: str | None, windows: Windows) -> list[Arrival]:
    """What was not read before, the oldest first."""
    sql = load("console")
    now_us = time.time_ns() // 1000
    top = floor_id(now_us + AHEAD_US)
    # before the rows: what commits in between lies above, and is read again
    newest = {row["consumer"]: row["id"] for row in await connection.fetch(sql["newest_ids"], top, REJECTING)}
    floors = {consumer: floor_id(window.floor_us) for consumer, window in windows.items()}
    bounds = (top, link, LOOKED_THROUGH_MAX, NEWEST_MAX)
    touches = await connection.fetch(sql["newest_touches"], floors[None], *bounds)
    rejecting = [floors[consumer] for consumer in REJECTING]
    rejects = await connection.fetch(sql["newest_rejects"], REJECTING, rejecting, *bounds)
    found = windows[None].new(map(touch, touches))
    for consumer in REJECTING:
        found += windows[consumer].new(reject(row) for row in rejects if row["consumer"] == consumer)
    for consumer, record_id in newest.items():
        if record_id is not None:
            # a clock that runs ahead must not hide what others send meanwhile
            windows[consumer].advance(min(received_us(str(record_id)), now_us))
    return sorted(found, key=lambda one: one.id)


def _print(out: Console, arrivals: list[Arrival], *, json: bool) -> None:
    for one in arrivals:
        if json:
            typer.echo(orjson.dumps(one.facts, option=orjson.OPT_UTC_Z).decode())
        else:
            out.print(line(one))


def line(one: Arrival) -> Text:
    """One arrival for people."""
    facts = one.facts
    at = f"{facts['received_at']:%Y-%m-%d %H:%M:%S}.{one.received_us // 1000 % 1000:03d}"
    if one.what == "touch":
        said = _words(facts["kind"], facts["mode"], facts["link"], _named("click_id", facts["click_id"]), facts["ip"])
        flags = " ".join(facts["flags"])
        return Text.assemble((at, "dim"), f"  {said}", (f"  {safe(flags)}" if flags else "", "yellow"))
    subject = facts.get("link") or facts.get("app")
    said = _words("reject", facts["kind"], subject, facts["reason"], _named("parameter", facts["parameter"]))
    return Text.assemble((at, "dim"), (f"  {said}  {safe(facts['detail'])}", "red"))


def _words(*words: Any) -> str:
    return "  ".join(safe(word) for word in words if word)


def _named(name: str, value: str | None) -> str | None:
    return f"{name}={value}" if value else None
