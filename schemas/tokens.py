"""Tokens of the management API: what one looks like, and as what it is kept."""

import secrets
from hashlib import sha256
from typing import Literal, NamedTuple, get_args

Role = Literal["read", "manage", "admin"]
"""Each may what the one before it may."""
ROLES: tuple[Role, ...] = get_args(Role)


class NewToken(NamedTuple):
    """A token just made: `text` is said once, `digest` is kept."""

    id: str
    text: str
    digest: str


def new_token(token_id: str | None = None) -> NewToken:
    """`tl_` id `_` 43 random characters; the id of an old one stays when it gets a new secret."""
    made = token_id or secrets.token_hex(5)
    text = f"tl_{made}_{secrets.token_urlsafe(32)}"
    return NewToken(made, text, digest(text))


def digest(text: str) -> str:
    """SHA-256 as it is kept: 256 random bits need no salt, and are looked up by it."""
    return sha256(text.encode("utf-8", "replace")).hexdigest()
