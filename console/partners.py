"""`touchline partner`: who shows the ads."""

from typing import Annotated, Any

import msgspec
import typer
from msgspec import UNSET

from console.manage.common import Part, shell_user
from console.manage.partners import (
    NewPartner,
    Partner,
    PartnerChange,
    change_partner,
    create_partner,
    delete_partner,
    list_partners,
    show_partner,
)
from console.manage.profiles import chosen_profile, kept_parameters
from console.profiles import shipped
from process.terminal import Command, Json, facts_lines, page, print_json, table, with_postgres
from schemas.errors import ConfigError

LIST_MAX = 10_000

partners = typer.Typer(no_args_is_help=True, help="Partners: ad networks and whoever else shows ads.")

PartnerId = Annotated[str, typer.Argument(metavar="ID", help="Its name, such as adnet.")]
Title = Annotated[str | None, typer.Option(help="A name for people; the id if you give none.")]
Profile = Annotated[
    str | None,
    typer.Option(metavar="NAME|FILE", help="`touchline partner-profile list` names them; or a file of your own."),
]
Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "--parameter",
        metavar="OURS=MACRO",
        help="What the partner fills a parameter of ours with, such as click_id={clickid}; repeat it.",
    ),
]
Sending = Annotated[str | None, typer.Option(metavar="JSON", help="How postbacks to it are sent; docs/management.md.")]
Protection = Annotated[
    str | None, typer.Option(metavar="JSON", help="How its pings are protected; null: they are not.")
]


@partners.command("create", cls=Command)
def create(
    partner: PartnerId,
    title: Title = None,
    profile: Profile = None,
    parameter: Parameters = None,
    sending: Sending = None,
    protection: Protection = None,
    json: Json = False,
) -> None:
    """Create a partner: a name is enough."""
    name, parameters = _profile(profile, _parameters(parameter))
    asked = NewPartner(
        id=partner,
        title=title,
        profile=name,
        parameters=parameters,
        sending=_object("sending", sending) or {},
        protection=_object("protection", protection),
    )
    _print(with_postgres(lambda connection: create_partner(connection, shell_user(), asked)), json=json)


@partners.command("list", cls=Command)
def list_(
    deleted: Annotated[bool, typer.Option("--deleted", help="Deleted ones too.")] = False, json: Json = False
) -> None:
    """Partners by id."""
    found = with_postgres(lambda connection: list_partners(connection, Part(LIST_MAX), deleted=deleted))
    if json:
        print_json(found)
    elif found:
        rows = [(one.id, one.title, one.profile, one.deleted_at) for one in found]
        page().print(table(("partner", "title", "profile", "deleted"), rows))
    else:
        page().print("No partners yet; `touchline partner create --help` says how to make one.")


@partners.command("show", cls=Command)
def show(partner: PartnerId, json: Json = False) -> None:
    """One partner; secrets are not shown."""
    _print(with_postgres(lambda connection: show_partner(connection, partner)), json=json)


@partners.command("set", cls=Command)
def set_(
    partner: PartnerId,
    title: Title = None,
    profile: Annotated[str | None, typer.Option(metavar="NAME|FILE", help="Another profile; empty: none.")] = None,
    parameter: Parameters = None,
    sending: Sending = None,
    protection: Protection = None,
    json: Json = False,
) -> None:
    """Change a partner for everything that comes from now on. --parameter, --sending and --protection say all anew."""
    name, parameters = _profile(profile, _parameters(parameter))
    asked = PartnerChange(
        title=UNSET if title is None else title,
        profile=UNSET if profile is None else name or None,
        parameters=parameters or UNSET,
        sending=UNSET if sending is None else _object("sending", sending) or {},
        protection=UNSET if protection is None else _object("protection", protection),
    )
    if asked == PartnerChange():
        raise ConfigError("nothing to change: --help names what can be")
    _print(with_postgres(lambda connection: change_partner(connection, shell_user(), partner, asked)), json=json)


@partners.command("delete", cls=Command)
def delete(partner: PartnerId, json: Json = False) -> None:
    """Delete a partner without campaigns; what it brought in is kept."""
    _print(with_postgres(lambda connection: delete_partner(connection, shell_user(), partner)), json=json)


def _profile(profile: str | None, own: dict[str, str]) -> tuple[str | None, dict[str, str]]:
    """Its name, and the parameters that are kept: of an operator's file all that it says."""
    if not profile:
        return profile, own
    chosen = chosen_profile(profile)
    return chosen.name, own if chosen == shipped().get(chosen.name) else kept_parameters(chosen, own)


def _print(one: Partner, *, json: bool) -> None:
    if json:
        print_json(one)
        return
    lines: list[tuple[str, object]] = [("partner", one.id), ("title", one.title), ("profile", one.profile)]
    lines += [(f"  {name}", macro) for name, macro in one.parameters.items()]
    for name, settings in (("protection", one.protection), ("sending", one.sending)):
        lines.append((name, msgspec.json.encode(settings).decode() if settings else None))
    page().print(facts_lines([*lines, ("created", one.created_at), ("deleted", one.deleted_at)]))


def _parameters(texts: list[str] | None) -> dict[str, str]:
    """Of `OURS=MACRO` texts. Raises ConfigError."""
    pairs = dict(text.partition("=")[::2] for text in texts or ())
    if wrong := next((text for text in texts or () if not all(text.partition("=")[:2])), None):
        raise ConfigError(f"parameter {wrong!r} is not OURS=MACRO, such as click_id={{clickid}}.")
    return pairs


def _object(argument: str, text: str | None) -> dict[str, Any] | None:
    """Raises ConfigError."""
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=dict[str, Any] | None)
    except msgspec.DecodeError as error:
        raise ConfigError(f"{argument} {text[:80]!r} is no JSON object: {error}.") from None
