"""`touchline token`: who may use the API, and for what."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from msgspec import UNSET

from console.manage.common import Part, shell_user
from console.manage.tokens import NewToken, Rotation, Token, create_token, list_tokens, revoke_token, rotate_token
from process.terminal import Command, Json, page, print_json, table, with_postgres
from schemas.tokens import Role

LIST_MAX = 10_000

tokens = typer.Typer(no_args_is_help=True, help="Tokens of the API; the text of one is printed once.")

TokenId = Annotated[str, typer.Argument(metavar="ID", help="As `touchline token list` names it.")]
Days = Annotated[int | None, typer.Option("--days", min=1, max=36_500, help="How long it is good; else without end.")]


@tokens.command("create", cls=Command)
def create(
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What it is for, so that you find it again.")],
    role: Annotated[
        Role, typer.Option(help="read: looks. manage: changes apps, links, campaigns. admin: tokens and audit too.")
    ] = "read",
    app: Annotated[list[str] | None, typer.Option(metavar="APP", help="Only this app; repeat it.")] = None,
    partner: Annotated[str | None, typer.Option(help="Only what is this partner's.")] = None,
    days: Days = None,
    json: Json = False,
) -> None:
    """Create a token; it is printed once, only its SHA-256 is kept."""
    asked = NewToken(
        title=title, role=role, apps=tuple(app) if app else None, partner=partner, expires_at=_in_days(days)
    )
    _print_made(with_postgres(lambda connection: create_token(connection, shell_user(), asked)), json=json)


@tokens.command("list", cls=Command)
def list_(
    revoked: Annotated[bool, typer.Option("--revoked", help="Revoked ones too.")] = False, json: Json = False
) -> None:
    """Tokens by id, never their texts."""
    found = with_postgres(lambda connection: list_tokens(connection, Part(LIST_MAX), revoked=revoked))
    if json:
        print_json(found)
        return
    rows = [(one.id, one.role, _limits(one), one.title, one.used_at, one.expires_at, one.revoked_at) for one in found]
    page().print(table(("token", "role", "for", "title", "used", "expires", "revoked"), rows))


@tokens.command("rotate", cls=Command)
def rotate(token: TokenId, days: Days = None, json: Json = False) -> None:
    """Give a token another secret, printed once; the old one is worth nothing at once."""
    asked = Rotation(expires_at=_in_days(days) or UNSET)
    _print_made(with_postgres(lambda connection: rotate_token(connection, shell_user(), token, asked)), json=json)


@tokens.command("revoke", cls=Command)
def revoke(token: TokenId, json: Json = False) -> None:
    """Let nobody sign in with a token any more."""
    revoked = with_postgres(lambda connection: revoke_token(connection, shell_user(), token))
    if json:
        print_json(revoked)
    else:
        page().print(f"Revoked the token {revoked.id}.")


def _print_made(made: Token, *, json: bool) -> None:
    if json:
        print_json(made)
    else:
        page().print(f"The token {made.id}, role {made.role}, for {_limits(made)}, printed this once:\n\n{made.token}")


def _limits(token: Token) -> str:
    found = [", ".join(token.apps)] if token.apps is not None else []
    found += [f"partner {token.partner}"] if token.partner is not None else []
    return " of ".join(found) or "everything"


def _in_days(days: int | None) -> datetime | None:
    return None if days is None else datetime.now(UTC) + timedelta(days=days)
