"""`touchline link`: tracking links. The edges see every change at once, by the table's trigger."""

from typing import Annotated

import asyncpg
import msgspec
import typer
from msgspec import UNSET

from console import link_form
from console.manage.campaigns import CampaignKind, mention_campaign
from console.manage.common import Part, shell_user
from console.manage.links import (
    AskedTarget,
    LinkChange,
    LinkFacts,
    NewLink,
    change_link,
    create_link,
    delete_link,
    list_links,
    show_link,
)
from console.manage.skan_uses import WHERE
from process.terminal import Command, Json, facts_lines, page, print_json, settings, table, with_postgres
from schemas.errors import ConfigError
from schemas.links import LinkKind
from schemas.rules import LinkWindow

links = typer.Typer(no_args_is_help=True, help="Tracking links: where clicks and impressions of an app come in.")

LinkId = Annotated[str, typer.Argument(metavar="ID", help="The link's id, as text: it may exceed any integer.")]
STORES_HELP = ", ".join(link_form.STORES)
TargetUrls = Annotated[
    list[str] | None,
    typer.Option(metavar="STORE=URL", help=f"Where a store's devices land; again for each of {STORES_HELP}."),
]
DeepLinks = Annotated[
    list[str] | None, typer.Option(metavar="STORE=URL", help="What opens the app where it is installed already.")
]
FallbackUrl = Annotated[
    str | None, typer.Option(metavar="URL", help="Where everybody else lands, and everybody while it is paused.")
]
Host = Annotated[str | None, typer.Option(metavar="HOST", help="Host name of its addresses, such as go.shop.example.")]


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
            " anywhere. s2s: for pings of ad servers only. preinstall: a label of apps that phones are sold with."
        ),
    ] = "redirect",
    target: TargetUrls = None,
    deep_link: DeepLinks = None,
    fallback_url: FallbackUrl = None,
    window: Annotated[
        list[str] | None,
        typer.Option(
            metavar="METHOD:TOUCH=HOURS",
            help="A look-back window instead of the app's, such as identifier:click=168; fixed from now on.",
        ),
    ] = None,
    host: Host = None,
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
    if partner is not None and campaign is None:
        raise ConfigError(f"partner {partner!r} needs a --campaign: a link belongs to a partner through its campaign.")
    found = link_form.targets(target or (), deep_link or ())
    asked = NewLink(
        id=link,
        app=app,
        title=title,
        campaign=campaign,
        kind=kind,
        targets=tuple(AskedTarget(**msgspec.structs.asdict(one)) for one in found),
        fallback_url=fallback_url,
        windows=_windows(window),
        host=host,
    )

    async def work(connection: asyncpg.Connection) -> LinkFacts:
        async with connection.transaction():
            if campaign is not None:
                campaign_kind: CampaignKind = "preinstall" if kind == "preinstall" else "ad"
                await mention_campaign(connection, shell_user(), campaign, partner, campaign_kind)
            return await create_link(connection, shell_user(), asked, settings())

    made = with_postgres(work)
    _print(made, json=json, headline=f"Created the link {made.id}.")


@links.command("list", cls=Command)
def list_(
    app: Annotated[str | None, typer.Option(help="Only links of this app.")] = None,
    campaign: Annotated[str | None, typer.Option(help="Only links of this campaign.")] = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="Deleted ones too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many, the newest.")] = 100,
    json: Json = False,
) -> None:
    """Links, the newest first."""
    found = with_postgres(
        lambda connection: list_links(
            connection, Part(limit + 1), settings(), app=app, campaign=campaign, deleted=deleted
        )
    )
    if json:
        print_json(found[:limit])
        return
    names = ("id", "app", "campaign", "partner", "kind", "state", "title")
    page().print(table(("link", *names[1:]), [[getattr(one, name) for name in names] for one in found[:limit]]))
    if len(found) > limit:
        page().print(f"… and more: --limit {limit * 10} shows them.")


@links.command("show", cls=Command)
def show(link: LinkId, json: Json = False) -> None:
    """One link: where it leads, and its addresses."""
    _print(with_postgres(lambda connection: show_link(connection, link, settings())), json=json)


@links.command("set", cls=Command)
def set_(
    link: LinkId,
    title: Annotated[str | None, typer.Option(help="A name for people.")] = None,
    campaign: Annotated[str | None, typer.Option(help="Another campaign, of the link's kind.")] = None,
    target: TargetUrls = None,
    deep_link: DeepLinks = None,
    fallback_url: FallbackUrl = None,
    host: Host = None,
    json: Json = False,
) -> None:
    """Change a link for everything that comes from now on; --target says all of them anew."""
    found = link_form.targets(target or (), deep_link or ())
    asked = LinkChange(
        title=UNSET if title is None else title,
        campaign=UNSET if campaign is None else campaign,
        targets=tuple(AskedTarget(**msgspec.structs.asdict(one)) for one in found) or UNSET,
        fallback_url=UNSET if fallback_url is None else fallback_url or None,
        host=UNSET if host is None else host or None,
    )
    if asked == LinkChange():
        raise ConfigError("nothing to change: --help names what can be")
    _change(link, asked, json=json, headline=f"Changed the link {link}.")


@links.command("pause", cls=Command)
def pause(link: LinkId, json: Json = False) -> None:
    """Send people to the fallback and flag the link's touches, until it is resumed."""
    _change(link, LinkChange(paused=True), json=json, headline=f"Paused the link {link}.")


@links.command("resume", cls=Command)
def resume(link: LinkId, json: Json = False) -> None:
    """Let a paused link lead to its targets again."""
    _change(link, LinkChange(paused=False), json=json, headline=f"The link {link} is active.")


@links.command("delete", cls=Command)
def delete(link: LinkId, json: Json = False) -> None:
    """Delete a link: it leads to the fallback for ever; its touches and its id are kept."""
    deleted = with_postgres(lambda connection: delete_link(connection, shell_user(), link, settings()))
    _print(deleted, json=json, headline=f"Deleted the link {link}.")


def _change(link: str, asked: LinkChange, *, json: bool, headline: str) -> None:
    changed = with_postgres(lambda connection: change_link(connection, shell_user(), link, asked, settings()))
    _print(changed, json=json, headline=headline)


def _windows(texts: list[str] | None) -> tuple[LinkWindow, ...] | None:
    """Of `METHOD:TOUCH=HOURS` texts. Raises ConfigError."""
    if not texts:
        return None
    found = []
    for text in texts:
        what, _, hours = text.partition("=")
        method, _, touch = what.partition(":")
        try:
            stated = {"method": method, "touch": touch, "hours": int(hours)}
            found.append(msgspec.convert(stated, LinkWindow))
        except (ValueError, msgspec.ValidationError):
            raise ConfigError(f"window {text!r} is not METHOD:TOUCH=HOURS, such as identifier:click=168.") from None
    return tuple(found)


def _print(facts: LinkFacts, *, json: bool, headline: str | None = None) -> None:
    if json:
        print_json(facts)
        return
    out = page()
    if headline:
        out.print(f"{headline}\n")
    names = ("app", "campaign", "partner", "title", "kind", "state")
    lines: list[tuple[str, object]] = [("link", facts.id), *((name, getattr(facts, name) or None) for name in names)]
    for target in facts.targets:
        lines += [(f"on {target.store}", target.url), ("  in the app", target.deep_link)]
    lines.append(("else", facts.fallback_url))
    for window in facts.windows or ():
        lines.append(("window", f"{window.method} of a {window.touch}: {window.hours} h"))
    out.print(facts_lines(lines))
    if urls := facts.urls:
        out.print(f"\nClicks\n  {urls['serve']}\n  {urls['click']}\nImpressions\n  {urls['impression']}")
        out.print(f"Pings of an ad server, with its own macros in place of ours\n  {urls['s2s_click']}")
        out.print(f"  {urls['s2s_impression']}")
    for their in facts.partner_urls:
        which = f", on {their.platform}" if their.platform else ""
        out.print(f"For the forms of {facts.partner}{which}\n  {their.click}\n  {their.impression}")
    if facts.skan is not None:
        out.print("\nSKAdNetwork: where which address goes")
        for name, where in WHERE.items():  # lines, not a table: its cells would break what is to be copied
            out.print(f"  {where}\n    {getattr(facts.skan, name) or '–'}")
    for remark in facts.remarks:
        out.print(f"\nNote: {remark}", style="yellow")
