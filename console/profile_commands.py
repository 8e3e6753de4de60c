"""`touchline partner-profile`: what is known of ad networks, and the check of an operator's own profile."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from console.manage.profiles import TrackingUrls, profile_in, profile_named, tracking_urls
from console.profiles import Profile, shipped
from process.terminal import Command, Json, facts_lines, page, print_json, safe, settings, table

profiles = typer.Typer(no_args_is_help=True, help="Ad networks: the macros of their addresses, and their postbacks.")

LINK = "LINK"
"""Stands in printed addresses where a link's id belongs."""


@profiles.command("list", cls=Command)
def list_(json: Json = False) -> None:
    """The profiles that come with the product. integrated: ready. draft: says what nobody could find out."""
    if json:
        print_json([_facts(profile) for profile in shipped().values()])
        return
    rows = [
        (one.name, one.title, one.kind, one.call, ", ".join(postback.event for postback in one.postbacks) or None)
        for one in shipped().values()
    ]
    page().print(table(("profile", "network", "kind", "calls by", "postbacks"), rows))


@profiles.command("show", cls=Command)
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="One of `touchline partner-profile list`.")],
    link: Annotated[str, typer.Option(metavar="ID", help="The link whose addresses are shown.")] = LINK,
    json: Json = False,
) -> None:
    """One profile: its addresses with the network's macros filled in, its postbacks, and where all that was read."""
    profile = profile_named(name)
    if json:
        print_json(_facts(profile, link))
        return
    _print(profile, link)


@profiles.command("check", cls=Command)
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A profile of your own, as docs/partners.md says.")],
    json: Json = False,
) -> None:
    """Check a profile of your own; exit 1 with everything that is wrong with it."""
    profile, faults = profile_in(file)
    if json:
        print_json({"name": profile.name, "kind": profile.kind, "faults": [fault._asdict() for fault in faults]})
    elif faults:
        page().print(table(("field", "what is wrong"), faults))
    else:
        page().print(f"{safe(file)} is good: the {profile.kind} profile {profile.name}.\n")
        _print(profile, LINK)
    if faults:
        raise typer.Exit(1)


def _urls(profile: Profile, link: str) -> list[TrackingUrls]:
    return tracking_urls(profile, settings().printed_url(), link)


def _facts(profile: Profile, link: str = LINK) -> dict[str, Any]:
    built: dict[str, Any] = msgspec.to_builtins(profile)
    return built | {"urls": msgspec.to_builtins(_urls(profile, link))}


def _print(profile: Profile, link: str) -> None:
    out = page()
    lines: list[tuple[str, object]] = [("profile", profile.name), ("network", profile.title), ("kind", profile.kind)]
    out.print(facts_lines([*lines, ("calls by", profile.call)]))
    for missing in profile.missing:
        out.print(f"\nMissing: {safe(missing)}", style="yellow")
    for urls in _urls(profile, link):
        where = f" ({urls.platform})" if urls.platform else ""
        out.print(f"\nClicks{where}\n  {safe(urls.click)}\nImpressions{where}\n  {safe(urls.impression)}")
    for postback in profile.postbacks:
        out.print(f"\nPostback of {safe(postback.event)}, {postback.mode}\n  {postback.method} {safe(postback.url)}")
        out.print(f"  taken when: {safe(postback.success)}")
    for name, where in profile.account.items():
        out.print(f"\nYou give {name}: {safe(where)}")
    for remark in profile.remarks:
        out.print(f"\nNote: {safe(remark)}")
    out.print("\nRead at")
    for source in profile.sources:
        out.print(f"  {safe(source.url)}\n    {safe(source.by)}, {source.read}: {safe(source.gives)}")
