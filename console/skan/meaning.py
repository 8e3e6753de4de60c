"""`touchline skan schema` and `touchline skan source`: what postbacks mean in an app."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from console.manage.common import Part, Refused, shell_user
from console.manage.skan_schemas import SkanSchema, set_skan_schema, show_skan_schema
from console.manage.skan_sources import CAMPAIGN_ID_MAX, NewSource, Source, create_source, delete_source, list_sources
from console.skan.commands import skan
from process.terminal import Command, Json, facts_lines, page, print_json, table, with_postgres
from schemas.skan.values import CoarseValue, ConversionValues, FineValue

LIST_MAX = 1000

schemas = typer.Typer(no_args_is_help=True, help="What the conversion values of an app mean.")
sources = typer.Typer(no_args_is_help=True, help="Which campaigns campaign-ids and source identifiers stand for.")
skan.add_typer(schemas, name="schema")
skan.add_typer(sources, name="source")

App = Annotated[str, typer.Argument(metavar="APP")]


@schemas.command("set", cls=Command)
def set_(
    app: App,
    file: Annotated[Path, typer.Option(metavar="FILE.json", help='{"currency", "fine": […], "coarse": […]}')],
    json: Json = False,
) -> None:
    """Say what conversion values mean, for postbacks received from now on; earlier versions are kept.

    {"currency": "EUR", "fine": [{"from": 1, "to": 9, "events": ["purchase"], "revenue_min": "1", "revenue_max": "5"}],
    "coarse": [{"value": "high", "window": 1, "events": ["purchase"]}]}
    """
    asked = _read(file)
    made = with_postgres(lambda connection: set_skan_schema(connection, shell_user(), app, asked))
    _print_schema(made, json=json)


@schemas.command("show", cls=Command)
def show(app: App, json: Json = False) -> None:
    """The version that holds."""
    _print_schema(with_postgres(lambda connection: show_skan_schema(connection, app)), json=json)


@sources.command("create", cls=Command)
def create(
    app: Annotated[str, typer.Option(metavar="APP")],
    campaign: Annotated[str, typer.Option(metavar="CAMPAIGN", help="What it stands for.")],
    network: Annotated[
        str | None, typer.Option(metavar="NETWORK", help="As example123.skadnetwork; without: of every network.")
    ] = None,
    campaign_id: Annotated[int | None, typer.Option(min=1, max=CAMPAIGN_ID_MAX, help="Up to SKAdNetwork 3.0.")] = None,
    source_identifier: Annotated[
        str | None, typer.Option(metavar="DIGITS", help="All four, or the last two or three: whatever ends in them.")
    ] = None,
    json: Json = False,
) -> None:
    """Say which campaign a campaign-id or a source identifier stands for: in reports of earlier days too."""
    asked = NewSource(
        app=app, campaign=campaign, network=network, campaign_id=campaign_id, source_identifier=source_identifier
    )
    made = with_postgres(lambda connection: create_source(connection, shell_user(), asked))
    _print_source(made, json=json, headline=f"Created the source {made.id}.")


@sources.command("list", cls=Command)
def list_(
    app: Annotated[str | None, typer.Option(metavar="APP", help="Of this app only.")] = None,
    campaign: Annotated[str | None, typer.Option(metavar="CAMPAIGN", help="Of this campaign only.")] = None,
    after: Annotated[int | None, typer.Option(min=0, metavar="ID", help="The next page: the last id of this.")] = None,
    json: Json = False,
) -> None:
    """Sources, the oldest first, a thousand a page."""
    part = Part(LIST_MAX, None if after is None else str(after))
    found = with_postgres(lambda connection: list_sources(connection, app=app, campaign=campaign, part=part))
    if json:
        print_json(msgspec.to_builtins(found))
        return
    names = ("id", "app", "network", "campaign_id", "source_identifier", "campaign")
    page().print(table(names, [[getattr(one, name) for name in names] for one in found]))


@sources.command("delete", cls=Command)
def delete(id: Annotated[int, typer.Argument(metavar="ID")], json: Json = False) -> None:
    """Delete a source: it stands for nothing any more, in reports of earlier days too."""
    made = with_postgres(lambda connection: delete_source(connection, shell_user(), id))
    _print_source(made, json=json, headline=f"Deleted the source {id}.")


def _read(file: Path) -> ConversionValues:
    """Raises Refused, and OSError."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=ConversionValues)
    except msgspec.DecodeError as error:
        raise Refused(str(file), f"{str(error).replace('`$.', '`')}.") from None


def _print_schema(made: SkanSchema, *, json: bool) -> None:
    if json:
        print_json(made)
        return
    values = made.schema
    page().print(f"Version {made.version} of {made.app}, since {made.created_at:%Y-%m-%d %H:%M} UTC:\n")
    every: list[FineValue | CoarseValue] = [*values.fine, *values.coarse]
    rows = [_line(one, values.currency) for one in every]
    page().print(table(("value", "window", "events", "revenue"), rows))


def _line(one: FineValue | CoarseValue, currency: str | None) -> tuple[str, str, str, str]:
    revenue = ""
    if (one.revenue_min, one.revenue_max) != (None, None):
        least = one.revenue_min or "0"
        revenue = (
            f"{least} {currency} or more" if one.revenue_max is None else f"{least} to {one.revenue_max} {currency}"
        )
    events = ", ".join(one.events)
    if isinstance(one, FineValue):
        return (str(one.from_) if one.from_ == one.to else f"{one.from_}–{one.to}", "0", events, revenue)
    return (one.value, "every" if one.window is None else str(one.window), events, revenue)


def _print_source(made: Source, *, json: bool, headline: str) -> None:
    facts = msgspec.to_builtins(made)
    if json:
        print_json(facts)
    else:
        page().print(f"{headline}\n")
        page().print(facts_lines(list(facts.items())))
