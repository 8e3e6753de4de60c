"""`touchline correction`: sums that correct what a campaign cost."""

from datetime import datetime
from typing import Annotated

import msgspec
import typer

from console.manage.common import shell_user
from console.manage.corrections import (
    Correction,
    NewCorrection,
    create_correction,
    delete_correction,
    list_corrections,
)
from process.terminal import Command, Json, facts_lines, page, print_json, table, with_postgres

corrections = typer.Typer(no_args_is_help=True, help="Corrections of what campaigns cost.")

Day = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], metavar="DAY", help="In the zone, inclusive.")]


@corrections.command("create", cls=Command)
def create(
    campaign: Annotated[str, typer.Option(metavar="CAMPAIGN")],
    app: Annotated[str, typer.Option(metavar="APP")],
    amount: Annotated[str, typer.Option(help="May be below zero: --amount=-12.50.")],
    currency: Annotated[str, typer.Option(metavar="CODE", help="ISO 4217, such as EUR.")],
    starts_on: Day,
    ends_on: Day,
    zone: Annotated[str, typer.Option(help="A time zone such as Europe/Berlin.")] = "UTC",
    description: Annotated[str, typer.Option(help="A line for people.")] = "",
    json: Json = False,
) -> None:
    """Correct what a campaign cost in an app.

    The sum is spread over the hours of its days in the zone, 23 or 25 where clocks change, in about equal parts that
    sum to it exactly.

    touchline correction create --campaign spring --app shop --amount 4800 --currency USD
    --starts-on 2026-09-01 --ends-on 2026-09-02 --zone Europe/Berlin
    """
    asked = NewCorrection(
        campaign=campaign,
        app=app,
        amount=amount,
        currency=currency,
        starts_on=starts_on.date(),
        ends_on=ends_on.date(),
        zone=zone,
        description=description,
    )
    made = with_postgres(lambda connection: create_correction(connection, shell_user(), asked))
    _print(made, json=json, headline=f"Created the correction {made.id}.")


@corrections.command("list", cls=Command)
def list_(
    campaign: Annotated[str | None, typer.Option(help="Only those of this campaign.")] = None, json: Json = False
) -> None:
    """Corrections, the newest first; deleted ones are marked, and count nowhere."""
    found = with_postgres(lambda connection: list_corrections(connection, campaign=campaign))
    if json:
        print_json(msgspec.to_builtins(found))
        return
    names = ("id", "campaign", "app", "amount", "currency", "starts_on", "ends_on", "zone", "description")
    rows = [[*(getattr(one, name) for name in names), "deleted" if one.deleted_at else "counts"] for one in found]
    page().print(table((*names, "state"), rows))


@corrections.command("delete", cls=Command)
def delete(id: Annotated[int, typer.Argument(metavar="ID")], json: Json = False) -> None:
    """Delete a correction: it counts nowhere, and stays listed."""
    made = with_postgres(lambda connection: delete_correction(connection, shell_user(), id))
    _print(made, json=json, headline=f"Deleted the correction {id}.")


def _print(made: Correction, *, json: bool, headline: str) -> None:
    facts = msgspec.to_builtins(made)
    if json:
        print_json(facts)
    else:
        page().print(f"{headline}\n")
        page().print(facts_lines(list(facts.items())))
