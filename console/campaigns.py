"""`touchline campaign`: what a partner runs, costs and brings."""

from datetime import datetime
from typing import Annotated

import asyncpg
import msgspec
import typer
from msgspec import UNSET

from console.manage.campaigns import (
    Campaign,
    CampaignChange,
    CampaignKind,
    Cost,
    NewCampaign,
    Traffic,
    change_campaign,
    create_campaign,
    delete_campaign,
    list_campaigns,
    show_campaign,
)
from console.manage.common import Part, shell_user
from console.manage.money import CampaignMoney, campaign_money
from process.terminal import Command, Json, facts_lines, page, print_json, table, with_postgres
from schemas.errors import ConfigError

LIST_MAX = 10_000

campaigns = typer.Typer(no_args_is_help=True, help="Campaigns: their links may lead to any app.")

Day = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="DAY", help="Money of these days: UTC, inclusive.")
]
CampaignId = Annotated[str, typer.Argument(metavar="ID", help="Its name, such as spring.")]
Title = Annotated[str | None, typer.Option(help="A name for people; the id if you give none.")]
KIND_HELP = "Which links it may have: of ads, or labels in apps that phones are sold with."
COST_HELP = "What it costs, beside corrections: by tariffs, as the partner reports it, or the sum of both."


@campaigns.command("create", cls=Command)
def create(
    campaign: CampaignId,
    title: Title = None,
    kind: Annotated[CampaignKind, typer.Option(help=KIND_HELP)] = "ad",
    traffic: Annotated[Traffic, typer.Option(help="Where the ads are shown.")] = "other",
    partner: Annotated[str | None, typer.Option(help="Who runs it.")] = None,
    cost: Annotated[Cost, typer.Option(help=COST_HELP)] = "tariffs",
    json: Json = False,
) -> None:
    """Create a campaign."""
    asked = NewCampaign(id=campaign, title=title, kind=kind, traffic=traffic, partner=partner, cost=cost)
    _print(with_postgres(lambda connection: create_campaign(connection, shell_user(), asked)), json=json)


@campaigns.command("list", cls=Command)
def list_(
    partner: Annotated[str | None, typer.Option(help="Only campaigns of this partner.")] = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="Deleted ones too.")] = False,
    json: Json = False,
) -> None:
    """Campaigns by id."""
    found = with_postgres(
        lambda connection: list_campaigns(connection, Part(LIST_MAX), partner=partner, deleted=deleted)
    )
    if json:
        print_json(found)
    elif found:
        names = ("id", "partner", "kind", "traffic", "cost", "links", "title")
        page().print(table(("campaign", *names[1:]), [[getattr(one, name) for name in names] for one in found]))
    else:
        page().print("No campaigns yet; `touchline campaign create --help` says how to make one.")


@campaigns.command("show", cls=Command)
def show(
    campaign: CampaignId,
    app: Annotated[str | None, typer.Option(metavar="APP", help="Money of this app only.")] = None,
    since: Day = None,
    until: Day = None,
    currency: Annotated[str | None, typer.Option(metavar="CODE", help="Money in this currency, too.")] = None,
    json: Json = False,
) -> None:
    """One campaign, what it cost and what it earned, exact to the micro-unit."""
    first, last = (one.date() if one else None for one in (since, until))

    async def work(connection: asyncpg.Connection) -> tuple[Campaign, CampaignMoney]:
        one = await show_campaign(connection, campaign)
        return one, await campaign_money(connection, campaign, app=app, since=first, until=last, currency=currency)

    one, money = with_postgres(work)
    facts = {name: value for name, value in msgspec.to_builtins(money).items() if name != "campaign"}
    if json:
        print_json({**msgspec.to_builtins(one), "money": facts})
        return
    _print(one, json=False)
    converted = facts.pop("converted") or {}
    lines = [*facts.items(), *((f"{name} (converted)", value) for name, value in converted.items())]
    page().print(facts_lines([(name.replace("_", " "), _amounts(value)) for name, value in lines]))


@campaigns.command("set", cls=Command)
def set_(
    campaign: CampaignId,
    title: Title = None,
    kind: Annotated[CampaignKind | None, typer.Option(help="Only while it has no links.")] = None,
    traffic: Annotated[Traffic | None, typer.Option(help="Where the ads are shown.")] = None,
    partner: Annotated[str | None, typer.Option(help="Who runs it from now on; empty: nobody.")] = None,
    cost: Annotated[Cost | None, typer.Option(help=COST_HELP)] = None,
    json: Json = False,
) -> None:
    """Change a campaign for everything that comes from now on."""
    asked = CampaignChange(
        title=UNSET if title is None else title,
        kind=kind or UNSET,
        traffic=traffic or UNSET,
        partner=UNSET if partner is None else partner or None,
        cost=cost or UNSET,
    )
    if asked == CampaignChange():
        raise ConfigError("nothing to change: --help names what can be")
    _print(with_postgres(lambda connection: change_campaign(connection, shell_user(), campaign, asked)), json=json)


@campaigns.command("delete", cls=Command)
def delete(campaign: CampaignId, json: Json = False) -> None:
    """Delete a campaign without links; what it brought in is kept."""
    _print(with_postgres(lambda connection: delete_campaign(connection, shell_user(), campaign)), json=json)


def _amounts(value: object) -> object:
    if isinstance(value, dict):
        return ", ".join(f"{amount} {currency}" for currency, amount in value.items()) or "–"
    return value or None if isinstance(value, list) else value


def _print(one: Campaign, *, json: bool) -> None:
    if json:
        print_json(one)
        return
    names = ("title", "partner", "kind", "traffic", "cost", "links", "created_at", "deleted_at")
    page().print(facts_lines([("campaign", one.id), *((name.split("_")[0], getattr(one, name)) for name in names)]))
