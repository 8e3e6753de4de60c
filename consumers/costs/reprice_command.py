"""`touchline reprice`: what today's tariffs change about the past."""

from datetime import UTC, datetime
from typing import Annotated, Any

import asyncpg
import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from consumers.costs.reprice import Difference, reprice
from process.postgres import prepare
from process.terminal import Json, page, print_json, table, with_postgres
from schemas.money import from_micros, whole_micros


def reprice_command(
    campaign: Annotated[str, typer.Argument(metavar="CAMPAIGN")],
    since: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], metavar="DAY", help="What happened from this day on; UTC.")
    ],
    apply: Annotated[bool, typer.Option("--apply", help="Keep what differs; rows are added, none is edited.")] = False,
    json: Json = False,
) -> None:
    """Price a campaign's past by its tariffs of today and show the difference; nothing changes without --apply.

    Touches are counted again without duplicates: those with the click id of an earlier one of the same link within 7
    days. What deleted tariffs priced is taken back. While it is applied, new touches that cost something wait.
    """

    async def work(connection: asyncpg.Connection) -> Difference:
        await prepare(connection)
        progressed = lambda count: progress.advance(task, count)  # noqa: E731
        return await reprice(connection, campaign, since.replace(tzinfo=UTC).date(), apply=apply, progress=progressed)

    columns = (SpinnerColumn(), TextColumn("{task.completed} conversions"), TimeElapsedColumn())
    err = Console(stderr=True)
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("", total=None)
        found = with_postgres(work)
    rows = _rows(found)
    if json:
        print_json({"differences": rows, "empty": not rows, "applied": apply})
        return
    done = "kept" if apply else "not kept: --apply does"
    page().print(f"{len(rows)} differences by tariff and day ({done}).", style="bold")
    if rows:
        page().print(table(tuple(rows[0]), [tuple(row.values()) for row in rows]))


def _rows(found: Difference) -> list[dict[str, Any]]:
    return [
        {
            "tariff": tariff,
            "day": str(day),
            "touches": found.touches[tariff, day, currency],
            "conversions": found.conversions[tariff, day, currency],
            "amount": from_micros(whole_micros(nanos)),
            "currency": currency,
        }
        for (tariff, day, currency), nanos in sorted(found.nanos.items())
    ]
