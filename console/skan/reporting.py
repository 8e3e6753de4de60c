"""`touchline skan report`: what Apple's postbacks tell of campaigns."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
import typer

from console.manage.skan_figures import DIMENSIONS, SkanRow
from console.manage.skan_report import DEFAULT_BY, skan_report
from console.skan.commands import skan
from process.terminal import Command, Json, page, print_json, table, with_postgres

Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="DAY", help="UTC, inclusive.")]

_COUNTS = ("installs", "redownloads", "reengagements", "later_postbacks", "non_winning", "ambiguous", "with_value",
           "without_schema", "not_in_schema", "device_installs")  # fmt: skip
_MEANT = ("events", "revenue_min", "revenue_max")


@skan.command("report", cls=Command)
def report(
    app: Annotated[str | None, typer.Option(metavar="APP", help="Of this app only.")] = None,
    campaign: Annotated[str | None, typer.Option(metavar="CAMPAIGN", help="Of this campaign only.")] = None,
    since: Day = None,
    until: Day = None,
    by: Annotated[str, typer.Option(metavar="NAMES", help=f"Some of {','.join(DIMENSIONS)}.")] = ",".join(DEFAULT_BY),
    json: Json = False,
) -> None:
    """Count the postbacks that verify, each once; the last days that are asked for, or the last 30.

    Beside device-level installs, never to be added to them: `--by day,app,campaign` shows both.
    """
    found = with_postgres(
        lambda connection: skan_report(
            connection,
            app=app,
            campaign=campaign,
            since=since and since.date(),
            until=until and until.date(),
            by=by,
        )
    )
    if json:
        print_json(found)
        return
    page().print(f"Postbacks received from {found.since} to {found.until} (UTC):\n")
    if not found.rows:
        page().print("There are none.")
        return
    facts: list[dict[str, Any]] = [msgspec.to_builtins(row) for row in found.rows]
    keys = [name for name in facts[0] if name not in (*_COUNTS, *_MEANT, "postbacks")]
    counts = [name for name in _COUNTS if any(one.get(name) for one in facts)]
    rows = [
        [*(one[name] for name in (*keys, *counts)), _events(row), _revenue(row)]
        for one, row in zip(facts, found.rows, strict=True)
    ]
    page().print(table((*keys, *counts, "events", "revenue"), rows))


def _events(row: SkanRow) -> str:
    return ", ".join(f"{name} {number}" for name, number in row.events.items())


def _revenue(row: SkanRow) -> str:
    ranges = ((currency, least, row.revenue_max[currency]) for currency, least in row.revenue_min.items())
    return ", ".join(
        f"{least} {currency} or more" if most is None else f"{least} to {most} {currency}"
        for currency, least, most in ranges
    )
