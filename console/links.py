"""`touchline link`: tracking links. The edges see every change at once, by the table's trigger."""

from typing import Annotated, Any

import asyncpg
import msgspec
import typer

from console import link_form
from console.apps import no_such_app
from console.urls import edge_of, new_link_id, printed_urls
from process.terminal import Command, Json, facts_lines, page, print_json, settings, table, with_postgres
from schemas.errors import ConfigError, TouchlineError
from schemas.links import Link, LinkKind, Target
from schemas.sql import load

links = typer.Typer(no_args_is_help=True, help="Tracking links: where clicks and impressions of an app come in.")

LinkId = Annotated[str, typer.Argument(metavar="ID", help="The link's id, as text: it may exceed any integer.")]
STORES_HELP = ", ".join(link_form.STORES)


@links.command("create", cls=Command)
def create(
    app: Annotated[str, typer.Option(metavar="APP", help="The app whose installs the link shall bring.")],
    link: Annotated[
        str | None, typer.Argument(metavar="ID", help="A vendor's id to keep; without one a random number is made.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="A name for people.")] = None,
    campaign: Annotated[str | None, typer.Option(help="Created on first mention.")] = None,
    partner: Annotated[str | None, typer.Option(help="Who shows the ads of the campaign; created likewise.")] = None,
    kind: Annotated[
        LinkKind,
        typer.Option(
            help="redirect: people are sent on. tracking: beside the landing, answers without sending anybody"
            " anywhere. s2s: for pings of ad servers only."
        ),
    ] = "redirect",
    target: Annotated[
        list[str] | None,
        typer.Option(metavar="STORE=URL", help=f"Where a store's devices land; again for each of {STORES_HELP}."),
    ] = None,
    deep_link: Annotated[
        list[str] | None, typer.Option(metavar="STORE=URL", help="What opens the app where it is installed already.")
    ] = None,
    fallback_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Where everybody else lands, and everybody while it is paused.")
    ] = None,
    json: Json = False,
) -> None:
    """Create a tracking link and print its addresses, ready to copy.

    {name} in a URL is a macro: the value of that parameter of the click, percent-encoded. The first
    target that serves a person's device is where they land; `web` is for devices without a store. A website
    (`app create --kind web`) has a `web` target only, for everybody; touchline_id= is added to its query.

    touchline link create --app shop --campaign spring --partner adnet
    --target 'google_play=https://play.google.com/store/apps/details?id=com.example.shop'
    --target 'app_store=https://apps.apple.com/app/id123456789' --fallback-url https://example.com/
    """
    made = Link(
        id=link_form.checked_link_id(link) if link is not None else new_link_id(),
        app=app,
        kind=kind,
        targets=link_form.targets(target or (), deep_link or ()),
        fallback_url=link_form.checked_fallback(fallback_url),
    )
    title, campaign, partner = (
        link_form.checked_text(name, text)
        for name, text in (("title", title), ("campaign", campaign), ("partner", partner))
    )
    if partner is not None and campaign is None:
        raise ConfigError(f"partner {partner!r} needs a --campaign: a link belongs to a partner through its campaign.")

    async def work(connection: asyncpg.Connection) -> list[asyncpg.Record]:
        await _put(connection, made, title or "", campaign, partner)
        rows: list[asyncpg.Record] = await connection.fetch(load("manage")["links"], made.id, None, True, 1)
        return rows

    _print(_facts(with_postgres(work)[0]), json=json, headline=f"Created the link {made.id}.")


async def _put(
    connection: asyncpg.Connection, link: Link, title: str, campaign: str | None, partner: str | None
) -> None:
    sql = load("manage")
    try:
        async with connection.transaction():
            app = await connection.fetchrow(sql["app"], link.app)
            if app is None:
                raise no_such_app(link.app)
            if app["kind"] == "web":
                link_form.check_website(link)
            if partner is not None:
                await connection.execute(sql["put_partner"], partner, partner)
            if campaign is not None:
                await connection.execute(sql["put_campaign"], campaign, campaign, partner)
                owner = await connection.fetchval(sql["campaign_partner"], campaign)
                if partner is not None and owner != partner:
                    whose = f"partner {owner!r} does" if owner is not None else "it has no partner"
                    raise TouchlineError(f"partner {partner!r} does not own the campaign {campaign!r}: {whose}.")
            packed = msgspec.json.encode(link.targets).decode()
            values = (link.id, link.app, campaign, title, link.kind, packed, link.fallback_url)
            await connection.execute(sql["put_link"], *values)
    except asyncpg.UniqueViolationError:
        raise TouchlineError(f"id {link.id!r} is taken: `touchline link show {link.id}` shows it.") from None


@links.command("list", cls=Command)
def list_(
    app: Annotated[str | None, typer.Option(help="Only links of this app.")] = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="Deleted ones too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many, the newest.")] = 100,
    json: Json = False,
) -> None:
    """Links, the newest first."""
    found = _read(None, app, deleted, limit + 1)
    if json:
        print_json([_facts(row) for row in found[:limit]])
        return
    names = ("id", "app", "campaign", "partner", "kind", "state", "title")
    page().print(table(("link", *names[1:]), [[row[name] for name in names] for row in found[:limit]]))
    if len(found) > limit:
        page().print(f"… and more: --limit {limit * 10} shows them.")


@links.command("show", cls=Command)
def show(link: LinkId, json: Json = False) -> None:
    """One link: where it leads, and its addresses."""
    _print(_known(link), json=json)


@links.command("pause", cls=Command)
def pause(link: LinkId, json: Json = False) -> None:
    """Send people to the fallback and flag the link's touches, until it is resumed."""
    _change(link, "pause_link", True)
    _print(_known(link), json=json, headline=f"Paused the link {link}.")


@links.command("resume", cls=Command)
def resume(link: LinkId, json: Json = False) -> None:
    """Let a paused link lead to its targets again."""
    _change(link, "pause_link", False)
    _print(_known(link), json=json, headline=f"The link {link} is active.")


@links.command("delete", cls=Command)
def delete(link: LinkId, json: Json = False) -> None:
    """Delete a link: it leads to the fallback for ever; its touches and its id are kept."""
    _change(link, "delete_link")
    _print(_known(link), json=json, headline=f"Deleted the link {link}.")


def _change(link: str, statement: str, *values: bool) -> None:
    changed = with_postgres(lambda connection: connection.fetchval(load("manage")[statement], link, *values))
    if changed is None:
        _known(link)
        raise TouchlineError(f"link {link!r} is deleted; make a new one with `touchline link create`.")


def _read(link: str | None, app: str | None, deleted: bool, limit: int) -> list[asyncpg.Record]:
    return with_postgres(lambda connection: connection.fetch(load("manage")["links"], link, app, deleted, limit))


def _known(link: str) -> dict[str, Any]:
    """Raises TouchlineError."""
    rows = _read(link, None, True, 1)
    if not rows:
        raise TouchlineError(f"link {link!r} does not exist; `touchline link list` names those that do.")
    return _facts(rows[0])


def _facts(row: asyncpg.Record) -> dict[str, Any]:
    configured = settings()
    link = Link(
        id=row["id"],
        app=row["app"],
        kind=row["kind"],
        targets=msgspec.json.decode(row["targets"], type=tuple[Target, ...]),
        fallback_url=row["fallback_url"],
    )
    facts = {name: value for name, value in row.items() if name != "app_fallback_url"}
    return facts | {
        "targets": msgspec.to_builtins(link.targets),
        "urls": printed_urls(edge_of(configured.printed_url(), row["host"]), link.id),
        "remarks": link_form.remarks(
            link, app_fallback=row["app_fallback_url"], public_url=bool(configured.public_url)
        ),
    }


def _print(facts: dict[str, Any], *, json: bool, headline: str | None = None) -> None:
    if json:
        print_json(facts)
        return
    out = page()
    if headline:
        out.print(f"{headline}\n")
    names = ("app", "campaign", "partner", "title", "kind", "state")
    lines: list[tuple[str, object]] = [("link", facts["id"]), *((name, facts[name] or None) for name in names)]
    for target in facts["targets"]:
        lines.append((f"on {target['store']}", target["url"]))
        lines.append(("  in the app", target.get("deep_link")))
    lines.append(("else", facts["fallback_url"]))
    out.print(facts_lines(lines))
    urls = facts["urls"]
    out.print(f"\nClicks\n  {urls['serve']}\n  {urls['click']}\nImpressions\n  {urls['impression']}")
    out.print(f"Pings of an ad server, with its own macros in place of ours\n  {urls['s2s_click']}")
    out.print(f"  {urls['s2s_impression']}")
    for remark in facts["remarks"]:
        out.print(f"\nNote: {remark}", style="yellow")
