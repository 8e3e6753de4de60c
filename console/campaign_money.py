"""`touchline campaign-money`: what a campaign cost, and what it earned."""

from datetime import datetime
from typing import Annotated

import msgspec
import typer

from console.manage.money import campaign_money
from process.terminal import Json, facts_lines, page, print_json, with_postgres

Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="DAY", help="UTC, inclusive.")]


def campaign_money_command(
    campaign: Annotated[str, typer.Argument(metavar="CAMPAIGN")],
    app: Annotated[str | None, typer.Option(metavar="APP", help="Of this app only.")] = None,
    since: Day = None,
    until: Day = None,
    currency: Annotated[str | None, typer.Option(metavar="CODE", help="Everything in this currency, too.")] = None,
    json: Json = False,
) -> None:
    """Touches, installs, cost and revenue of a campaign, exact to the micro-unit."""
    found = with_postgres(
        lambda connection: campaign_money(
            connection,
            campaign,
            app=app,
            since=since.date() if since else None,
            until=until.date() if until else None,
            currency=currency,
        )
    )
    facts = msgspec.to_builtins(found)
    if json:
        print_json(facts)
        return
    converted = facts.pop("converted") or {}
    lines = [*facts.items(), *((f"{name} (converted)", value) for name, value in converted.items())]
    page().print(facts_lines([(name, _text(value)) for name, value in lines]))


def _text(value: object) -> object:
    if isinstance(value, dict):
        return ", ".join(f"{amount} {currency}" for currency, amount in value.items()) or "–"
    return value or None if isinstance(value, list) else value
