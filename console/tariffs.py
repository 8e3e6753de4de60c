"""`touchline tariff`: how campaigns are paid for."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer

from console.manage.common import shell_user
from console.manage.tariffs import (
    ChangedTariff,
    NewTariff,
    Tariff,
    change_tariff,
    create_tariff,
    delete_tariff,
    list_tariffs,
)
from process.terminal import Command, Json, facts_lines, page, print_json, table, with_postgres
from schemas.tariffs import Model

tariffs = typer.Typer(no_args_is_help=True, help="Tariffs: how campaigns are paid for.")

Id = Annotated[int, typer.Argument(metavar="ID")]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="DAY")]


@tariffs.command("create", cls=Command)
def create(
    campaign: Annotated[str, typer.Option(metavar="CAMPAIGN")],
    model: Annotated[
        Model,
        typer.Option(
            help="cpi: per install. cpa: per --event. cpc: per click. cpm: per thousand impressions. share: a --percent"
            " of the revenue. other: nothing."
        ),
    ],
    price: Annotated[str | None, typer.Option(metavar="AMOUNT", help="Of one; of cpm: of a thousand.")] = None,
    currency: Annotated[str | None, typer.Option(metavar="CODE", help="ISO 4217, such as EUR.")] = None,
    event: Annotated[
        str | None,
        typer.Option(help="Of cpa: install, re-install, re-engagement, 'first payment', or the name of an event."),
    ] = None,
    percent: Annotated[str | None, typer.Option(help="Of share: of the revenue, such as 12.5.")] = None,
    days: Annotated[int | None, typer.Option(help="Of share: within so many days after the install.")] = None,
    app: Annotated[str | None, typer.Option(metavar="APP", help="This app of the campaign only.")] = None,
    starts_on: Day = None,
    ends_on: Day = None,
    json: Json = False,
) -> None:
    """Create a tariff. It prices what happens from now on; `touchline reprice` prices the past.

    Days are those of UTC, both inclusive; it starts today unless --starts-on says otherwise.

    touchline tariff create --campaign spring --model cpi --price 1.20 --currency EUR
    """
    asked = NewTariff(
        campaign=campaign,
        model=model,
        app=app,
        event=event,
        price=price,
        currency=currency,
        percent=percent,
        days=days,
        starts_on=(starts_on or datetime.now(UTC)).date(),
        ends_on=ends_on.date() if ends_on else None,
    )
    made = with_postgres(lambda connection: create_tariff(connection, shell_user(), asked))
    _print(made, json=json, headline=f"Created the tariff {made.id}.")


@tariffs.command("list", cls=Command)
def list_(
    campaign: Annotated[str | None, typer.Option(help="Only those of this campaign.")] = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="Deleted ones too.")] = False,
    json: Json = False,
) -> None:
    """Tariffs, the newest first."""
    found = with_postgres(lambda connection: list_tariffs(connection, campaign=campaign, deleted=deleted))
    if json:
        print_json(msgspec.to_builtins(found))
        return
    names = ("id", "campaign", "app", "model", "event", "price", "currency", "percent", "days", "starts_on", "ends_on")
    rows = [[*(getattr(one, name) for name in names), "deleted" if one.deleted_at else "active"] for one in found]
    page().print(table((*names, "state"), rows))


@tariffs.command("end", cls=Command)
def end(
    id: Id,
    on: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="DAY", help="UTC, inclusive.")] = None,
    json: Json = False,
) -> None:
    """Say which day is a tariff's last; without --on it does not end."""
    asked = ChangedTariff(ends_on=on.date() if on else None)
    made = with_postgres(lambda connection: change_tariff(connection, shell_user(), id, asked))
    _print(made, json=json, headline=f"The tariff {id} {f'ends on {made.ends_on}' if on else 'does not end'}.")


@tariffs.command("delete", cls=Command)
def delete(id: Id, json: Json = False) -> None:
    """Delete a tariff: it prices nothing more. What it priced stays until `touchline reprice --apply`."""
    made = with_postgres(lambda connection: delete_tariff(connection, shell_user(), id))
    _print(made, json=json, headline=f"Deleted the tariff {id}.")


def _print(made: Tariff, *, json: bool, headline: str) -> None:
    facts = msgspec.to_builtins(made)
    if json:
        print_json(facts)
    else:
        page().print(f"{headline}\n")
        page().print(facts_lines(list(facts.items())))
