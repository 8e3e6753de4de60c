"""`touchline postback`: what partners were told, what they answered, and once more."""

from typing import Annotated, get_args

import msgspec
import typer

from console.manage.common import shell_user
from console.manage.postbacks import (
    LIST_MAX,
    Postback,
    PostbackFilter,
    list_postbacks,
    resend_postback,
    show_postback,
)
from process.terminal import Command, Json, facts_lines, page, print_json, safe, table, with_postgres
from schemas.errors import ConfigError
from schemas.postbacks import PostbackState

postbacks = typer.Typer(no_args_is_help=True, help="Postbacks to partners: what was sent, and what was answered.")

PostbackId = Annotated[int, typer.Argument(metavar="ID", min=1, help="The number that `postback list` shows.")]
STATES = get_args(PostbackState)


@postbacks.command("list", cls=Command)
def list_(
    app: Annotated[str | None, typer.Option(metavar="APP", help="Of this app only.")] = None,
    partner: Annotated[str | None, typer.Option(metavar="PARTNER", help="To this partner only.")] = None,
    state: Annotated[str | None, typer.Option(help=f"In this state only: {', '.join(STATES)}.")] = None,
    before: Annotated[int | None, typer.Option(min=1, metavar="ID", help="Older than this one: the next page.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=LIST_MAX, help="At most so many.")] = 50,
    json: Json = False,
) -> None:
    """Postbacks, the latest first."""
    if state is not None and state not in STATES:
        raise ConfigError(f"--state {state!r} is none; there are {', '.join(STATES)}")
    asked = msgspec.convert(
        {"app": app, "partner": partner, "state": state, "before": before, "limit": limit}, PostbackFilter
    )
    found = with_postgres(lambda connection: list_postbacks(connection, asked))
    if json:
        print_json([_plain(one) for one in found])
    elif found:
        names = ("postback", "due", "app", "partner", "event", "state", "attempts", "url")
        page().print(table(names, [_line(one) for one in found]))
    else:
        page().print("There are no such postbacks.")


@postbacks.command("show", cls=Command)
def show(postback: PostbackId, json: Json = False) -> None:
    """One postback with its attempts and their answers."""
    _print(with_postgres(lambda connection: show_postback(connection, postback)), json=json)


@postbacks.command("resend", cls=Command)
def resend(postback: PostbackId, json: Json = False) -> None:
    """Send one now, whatever came of it; the partner sees the same Idempotency-Key."""
    _print(with_postgres(lambda connection: resend_postback(connection, shell_user(), postback)), json=json)


def _print(one: Postback, *, json: bool) -> None:
    if json:
        print_json(_plain(one))
        return
    facts = _plain(one)
    names = ("app", "partner", "event", "conversion", "touch", "state", "due_at", "key", "method", "url", "body")
    reversal = [("reversal", "yes")] if one.reversal else []
    page().print(facts_lines([("postback", one.id), *((name, facts[name]) for name in names), *reversal]))
    if one.tries:
        rows = [
            (its.number, f"{its.at:%Y-%m-%d %H:%M:%S}", its.status, its.latency_ms, its.error, its.answer)
            for its in one.tries
        ]
        page().print(table(("attempt", "at", "status", "ms", "error", "answer"), rows))
    else:
        page().print(safe("Not asked for yet."))


def _line(one: Postback) -> tuple[object, ...]:
    return (
        one.id,
        f"{one.due_at:%Y-%m-%d %H:%M:%S}",
        one.app,
        one.partner,
        f"{one.event} (reversal)" if one.reversal else one.event,
        one.state,
        one.attempts,
        one.url,
    )


def _plain(one: Postback) -> dict[str, object]:
    plain: dict[str, object] = msgspec.to_builtins(one)
    if one.tries is None:
        del plain["tries"]
    return plain
