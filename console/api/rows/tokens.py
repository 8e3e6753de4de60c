"""Rows of tokens, and of the audit of what they did."""

from console.api.route import Asked, Page, Route, page
from console.manage.audit import Entry, list_audit
from console.manage.checks import Text
from console.manage.tokens import (
    NewToken,
    Rotation,
    Token,
    create_token,
    list_tokens,
    revoke_token,
    rotate_token,
    show_token,
)


class TokensAsked(Asked, frozen=True):
    """Which tokens."""

    revoked: bool = False


class AuditAsked(Asked, frozen=True):
    """Which changes."""

    kind: Text | None = None
    subject: Text | None = None


TOKENS: tuple[Route, ...] = (
    Route(name="list_tokens", method="GET", path="/tokens", role="admin", query=TokensAsked, answer=Page[Token],
          does="Tokens, by id; never their texts.",
          call=lambda c: page(c.query, list_tokens(c.connection, c.query.part, revoked=c.query.revoked))),
    Route(name="create_token", method="POST", path="/tokens", role="admin", body=NewToken, answer=Token, status=201,
          does="A new token; its text stands in this answer only.",
          call=lambda c: create_token(c.connection, c.by, c.body)),
    Route(name="show_token", method="GET", path="/tokens/{token}", role="admin", answer=Token,
          does="One token.",
          call=lambda c: show_token(c.connection, c.path["token"])),
    Route(name="rotate_token", method="POST", path="/tokens/{token}/rotate", role="admin", body=Rotation, answer=Token,
          does="Another secret under the same id; the old one is worth nothing at once.",
          call=lambda c: rotate_token(c.connection, c.by, c.path["token"], c.body)),
    Route(name="revoke_token", method="DELETE", path="/tokens/{token}", role="admin", answer=Token,
          does="Nobody signs in with it any more; its row stays.",
          call=lambda c: revoke_token(c.connection, c.by, c.path["token"])),
    Route(name="list_audit", method="GET", path="/audit", role="admin", query=AuditAsked, answer=Page[Entry],
          does="Who changed what, the latest first.",
          call=lambda c: page(
              c.query, list_audit(c.connection, c.query.part, kind=c.query.kind, subject=c.query.subject))),
)  # fmt: skip
