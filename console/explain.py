"""`touchline explain`: why an install was attributed as it was."""

from collections.abc import Iterator
from typing import Annotated, Any

import asyncpg
import typer
from rich.console import Console

from console.credited import credited
from console.explanation import facts, facts_of_return
from console.remarks import duration
from process.terminal import Json, facts_lines, page, print_json, safe, table, with_postgres
from schemas.errors import TouchlineError
from schemas.reasons import SENTENCES, WON
from schemas.sql import load

RETURNS_SHOWN_MAX = 20


def explain(
    install_id: Annotated[str, typer.Argument(metavar="INSTALL_ID", help="What the edge answered, or you sent.")],
    app: Annotated[str | None, typer.Option(help="Needed when several apps have an install of this id.")] = None,
    json: Json = False,
) -> None:
    """Why an install was attributed as it was: the decision, every touch that was looked at, and the reasons.

    A touch wins by the most certain method that found one, and within it the latest; one that is not valid, or a
    fingerprint that is not sure enough, makes room for the next. Organic means that none counts. An install is
    decided once every touch received before it is stored; until then the decision is null. Re-engagements, returns of
    the user after a time away, are decided likewise; the install keeps its own attribution.
    """

    async def work(connection: asyncpg.Connection) -> dict[str, Any]:
        rows = await connection.fetch(load("console")["explained"], install_id, app)
        one = _the_one(rows, install_id, app)
        returns = await connection.fetch(load("console")["reengagements"], one["id"], RETURNS_SHOWN_MAX)
        return {
            **facts(one),
            **await credited(connection, one["id"]),
            "reengagements": [facts_of_return(row) for row in returns],
        }

    found = with_postgres(work)
    if json:
        print_json(found)
    else:
        _print(page(), found)


def _the_one(rows: list[asyncpg.Record], install_id: str, app: str | None) -> asyncpg.Record:
    """Raises TouchlineError unless there is exactly one."""
    if not rows:
        where = f" for app {app!r}" if app is not None else ""
        raise TouchlineError(
            f"install_id {install_id!r} is not stored{where}: it may not have been read yet"
            " (`touchline status` shows what is unread), or nobody sent it."
        )
    if len(rows) > 1:
        apps = ", ".join(row["app"] for row in rows)
        raise TouchlineError(f"install_id {install_id!r} stands in several apps ({apps}): say which with --app.")
    return rows[0]


def _print(out: Console, found: dict[str, Any]) -> None:
    decision = found["decision"]
    out.print(safe(found["sentence"]), style="bold")
    out.print()
    lines = [("install", found["install_id"]), ("app", found["app"]), ("received", _time(found["received_at"]))]
    if decision:
        by = f"{_time(found['decided_at'])} by the rules {found['rules']}" + (", replayed" if found["replayed"] else "")
        lines += [("decided", by)]
        lines += [("decision", f"number {found['decisions']}, the last one counts")] if found["decisions"] > 1 else []
        lines += [("earlier", _earlier(found["earlier"]))] if found["earlier"] else []
    lines += [("note", note) for note in _notes(found)]
    out.print(facts_lines(lines))
    _print_touches(out, found, "the install")
    for one in found["reengagements"]:
        test = ", a test" if one["test"] else ""
        out.print(f"\nRe-engagement by {safe(one['name'])} on {_time(one['at'])}{test}:")
        out.print(safe(one["sentence"]), style="bold")
        _print_touches(out, one, "the event")


def _print_touches(out: Console, found: dict[str, Any], conversion: str) -> None:
    if not found["candidates"]:
        return
    out.print(f"\nTouches that were looked at, by how long before {conversion} they happened:\n")
    rows = [row for one in found["candidates"] for row in _rows(one)]
    out.print(table(("before", "touch", "link", "click id", "method", "sure", "verdict", "why"), rows))
    for reason, count in found["more"].items():
        out.print(f"… and {count} more: {safe(SENTENCES.get(reason, reason))}")


def _notes(found: dict[str, Any]) -> list[str]:
    notes = []
    if found["decided_again_soon"]:
        notes.append("A touch that concerns it came since: it is decided again soon.")
    if found["too_late"]:
        notes.append("A touch came more than seven days after this install and changed nothing.")
    return notes


def _earlier(one: dict[str, Any]) -> str:
    return f"the device's install {one['install_id']}, {_time(one['received_at'])}"


def _rows(one: dict[str, Any]) -> Iterator[tuple[object, ...]]:
    """The candidate, and below it what else is known of it."""
    age = duration(one["age_seconds"]) if one["age_seconds"] is not None else None
    verdict = one["verdict"].upper() if one["verdict"] == WON else one["verdict"]
    sure = f"{one['confidence']:.0%}" if one["confidence"] is not None else None
    yield age, one["touch_kind"], one["link"], one["click_id"], one["method"], sure, verdict, one["sentence"]
    for remark in one["remarks"]:
        yield *[""] * 7, remark


def _time(moment: Any) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
