"""`touchline postback-template`: what partners, or you, are told of an app's conversions."""

from typing import Annotated

import msgspec
import typer

from console.manage.common import Part, shell_user
from console.manage.profile_templates import OfferedTemplates, create_offered
from console.manage.templates import (
    LISTED_MAX,
    ChangedTemplate,
    Method,
    Mode,
    NewTemplate,
    Template,
    change_template,
    create_template,
    delete_template,
    list_templates,
    show_template,
)
from console.manage.trials import Trial, try_template
from process.terminal import Command, Json, facts_lines, page, print_json, safe, table, with_postgres
from schemas.errors import ConfigError

postback_templates = typer.Typer(
    no_args_is_help=True, help="Postback templates: what partners, or you, are told of an app's conversions."
)

Id = Annotated[int, typer.Argument(metavar="ID", help="`touchline postback-template list` names all.")]
MODE_HELP = (
    "attributed: of the partner's own conversions. all: of every one, others' without their click. off: of none."
)
URL_HELP = "Where to; {name} is a macro, such as {click_id}."
BODY_HELP = "Of POST: a JSON text with macros."
REVERSAL_HELP = "Asked for when an attribution that was told is taken back."
FIRST_HELP = "Of an install's events only one."


@postback_templates.command("create", cls=Command)
def create(
    app: Annotated[str, typer.Option(metavar="APP", help="Whose conversions.")],
    event: Annotated[
        str,
        typer.Option(help="install, re-install, re-engagement, registration, payment, or the name of an event."),
    ],
    url: Annotated[str, typer.Option(metavar="URL", help=URL_HELP)],
    partner: Annotated[str | None, typer.Option(help="Who is told; without it, it is your own.")] = None,
    mode: Annotated[Mode, typer.Option(help=MODE_HELP)] = "attributed",
    first_only: Annotated[bool, typer.Option("--first-only", help=FIRST_HELP)] = False,
    method: Annotated[Method, typer.Option(help="How it is asked for.")] = "GET",
    body: Annotated[str | None, typer.Option(metavar="JSON", help=BODY_HELP)] = None,
    reversal_url: Annotated[str | None, typer.Option(metavar="URL", help=REVERSAL_HELP)] = None,
    json: Json = False,
) -> None:
    """Create a postback template. It tells of conversions that are received from now on.

    {name} in addresses and body is a macro, encoded for its place; docs/postbacks.md names all. A name that is none is
    the click's parameter of that name.

    touchline postback-template create --app shop --partner adnet --event install
    --url 'https://adnet.example/pb?click={click_id}&time={conversion_timestamp}'
    """
    asked = NewTemplate(
        app=app,
        event=event,
        url=url,
        partner=partner,
        mode=mode,
        first_only=first_only,
        method=method,
        body=body,
        reversal_url=reversal_url,
    )
    made = with_postgres(lambda connection: create_template(connection, shell_user(), asked))
    _print(made, json=json, headline=f"Created the postback template {made.id}.")


@postback_templates.command("offered", cls=Command)
def offered(
    app: Annotated[str, typer.Option(metavar="APP", help="Whose conversions.")],
    partner: Annotated[str, typer.Option(metavar="PARTNER", help="Who is told; it has a profile.")],
    account: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE", help="What `touchline partner-profile show` says that you give; may be repeated."
        ),
    ] = None,
    event: Annotated[str | None, typer.Option(help="Only the one of this event.")] = None,
    json: Json = False,
) -> None:
    """Create the postback templates that a partner's profile offers; those of a draft are off.

    touchline postback-template offered --app shop --partner unity --account game_id=1234567
    """
    given: dict[str, str] = {}
    for pair in account or ():
        name, said, value = pair.partition("=")
        if not said:
            raise ConfigError(f"--account {pair!r} is no NAME=VALUE")
        given[name.strip()] = value
    asked = OfferedTemplates(app=app, account=given, event=event)
    made = with_postgres(lambda connection: create_offered(connection, shell_user(), partner, asked))
    if json:
        print_json([msgspec.to_builtins(one) for one in made])
        return
    for one in made:
        _print(one, json=False, headline=f"Created the postback template {one.id}.")


@postback_templates.command("list", cls=Command)
def list_(
    app: Annotated[str | None, typer.Option(help="Only those of this app.")] = None,
    partner: Annotated[str | None, typer.Option(help="Only those for this partner.")] = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="Deleted ones too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=LISTED_MAX, help="At most so many, the newest.")] = 100,
    json: Json = False,
) -> None:
    """Postback templates, the newest first."""
    found = with_postgres(
        lambda connection: list_templates(connection, Part(limit), app=app, partner=partner, deleted=deleted)
    )
    if json:
        print_json([msgspec.to_builtins(one) for one in found])
        return
    names = ("id", "app", "partner", "event", "mode", "method", "url")
    page().print(table(names, [[getattr(one, name) for name in names] for one in found]))


@postback_templates.command("show", cls=Command)
def show(id: Id, json: Json = False) -> None:
    """One postback template."""
    _print(with_postgres(lambda connection: show_template(connection, id)), json=json)


@postback_templates.command("set", cls=Command)
def set_(
    id: Id,
    url: Annotated[str | None, typer.Option(metavar="URL", help=URL_HELP)] = None,
    mode: Annotated[Mode | None, typer.Option(help=MODE_HELP)] = None,
    first_only: Annotated[bool | None, typer.Option("--first-only/--every", help=FIRST_HELP)] = None,
    method: Annotated[Method | None, typer.Option(help="GET drops the body.")] = None,
    body: Annotated[str | None, typer.Option(metavar="JSON", help=BODY_HELP)] = None,
    reversal_url: Annotated[
        str | None, typer.Option(metavar="URL", help=f"{REVERSAL_HELP} Empty: nothing is asked for.")
    ] = None,
    json: Json = False,
) -> None:
    """Change a postback template; what waits to be sent stays as it is, and is not sent when the mode becomes off."""
    said = {"url": url, "mode": mode, "first_only": first_only, "method": method, "body": body}
    changes: dict[str, object] = {name: value for name, value in said.items() if value is not None}
    if reversal_url is not None:
        changes["reversal_url"] = reversal_url or None
    asked = msgspec.convert(changes, ChangedTemplate)
    after = with_postgres(lambda connection: change_template(connection, shell_user(), id, asked))
    _print(after, json=json, headline=f"Changed the postback template {id}.")


@postback_templates.command("delete", cls=Command)
def delete(id: Id, json: Json = False) -> None:
    """Delete a postback template: it tells nothing any more, and what waits is not sent."""
    after = with_postgres(lambda connection: delete_template(connection, shell_user(), id))
    _print(after, json=json, headline=f"Deleted the postback template {id}.")


@postback_templates.command("try", cls=Command)
def try_(
    id: Id,
    install: Annotated[
        str | None, typer.Option(metavar="INSTALL_ID", help="Tell of this install, or of its last event of that name.")
    ] = None,
    send: Annotated[bool, typer.Option("--send", help="Send it, once, at once.")] = False,
    json: Json = False,
) -> None:
    """Print the request of a postback template, its macros replaced; without --install by made-up values."""
    trial = with_postgres(lambda connection: try_template(connection, shell_user(), id, install_id=install, send=send))
    if json:
        print_json(msgspec.to_builtins(trial))
    else:
        _print_trial(trial)


def _print_trial(trial: Trial) -> None:
    page().print(safe(f"{trial.method} {trial.url}"))
    if trial.body is not None:
        page().print(safe(trial.body))
    if trial.reversal_url is not None:
        page().print(safe(f"when it is taken back: GET {trial.reversal_url}"))
    if trial.postback is not None:
        page().print(f"It is sent at once, as postback {trial.postback}.")
    for remark in trial.remarks:
        page().print(safe(remark))


def _print(template: Template, *, json: bool, headline: str | None = None) -> None:
    facts = msgspec.to_builtins(template)
    if json:
        print_json(facts)
        return
    if headline is not None:
        page().print(f"{headline}\n")
    remarks = facts.pop("remarks")
    page().print(facts_lines([(name.replace("_", " "), value) for name, value in facts.items()]))
    for remark in remarks:
        page().print(safe(f"\n{remark}"))
