"""`touchline rate`: daily rates of currencies."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer

from console.manage.common import shell_user
from console.manage.rates import NewRate, list_rates, load_rates, set_rate
from process.terminal import Command, Json, page, print_json, safe, table, with_postgres

rates = typer.Typer(no_args_is_help=True, help="Daily rates of currencies: units for one euro.")

Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="DAY")]


@rates.command("set", cls=Command)
def set_(
    currency: Annotated[str, typer.Argument(metavar="CODE", help="ISO 4217, such as USD.")],
    rate: Annotated[str, typer.Argument(help="Units for one euro, such as 1.0956.")],
    day: Day = None,
    json: Json = False,
) -> None:
    """Set the rate of a day, today's unless --day says otherwise; it holds until the next one that is known."""
    asked = NewRate(day=(day or datetime.now(UTC)).date(), currency=currency, rate=rate)
    made = with_postgres(lambda connection: set_rate(connection, shell_user(), asked))
    if json:
        print_json(msgspec.to_builtins(made))
    else:
        page().print(f"One euro is {made.rate} {made.currency} on {made.day}.")


@rates.command("load", cls=Command)
def load_(
    file: Annotated[typer.FileText, typer.Argument(metavar="FILE", help="`-` reads standard input.")],
    json: Json = False,
) -> None:
    """Load rates from a CSV file, all or none of them.

    Columns day,currency,rate; or as the European Central Bank publishes its reference rates: Date, and a column for
    each currency, N/A where there is none. Rates that are known are replaced.
    """
    text = file.read()
    made = with_postgres(lambda connection: load_rates(connection, shell_user(), text, file.name))
    if json:
        print_json(msgspec.to_builtins(made))
    elif made.rates:
        days = f"{made.first_day} to {made.last_day}"
        page().print(safe(f"Loaded {made.rates} rates of {len(made.currencies)} currencies, {days}."))
    else:
        page().print("There is no rate in the file.")


@rates.command("list", cls=Command)
def list_(
    currency: Annotated[str | None, typer.Option(metavar="CODE", help="Only of this currency.")] = None,
    since: Day = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 100,
    json: Json = False,
) -> None:
    """Rates, the newest first."""
    day = since.date() if since else None
    found = with_postgres(lambda connection: list_rates(connection, currency=currency, since=day, limit=limit))
    if json:
        print_json(msgspec.to_builtins(found))
        return
    page().print(table(("day", "currency", "rate", "source"), [(r.day, r.currency, r.rate, r.source) for r in found]))
