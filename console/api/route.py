"""What a route of the API is, and what its function is called with."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, Literal, TypeVar

import asyncpg
import msgspec
from msgspec import Meta

from console.manage.checks import LIST_MAX
from console.manage.common import Missing, Part, Within
from schemas.settings import Settings
from schemas.tokens import Role

T = TypeVar("T")

Method = Literal["GET", "POST", "PATCH", "DELETE"]
Kind = Literal[
    "app", "partner", "campaign", "link", "tariff", "correction", "postback_template", "postback", "skan_source"
]  # fmt: skip
"""Things that a limited token may be kept from: access.py says how."""
Limit = Literal["apps", "partner"]
DIGITS_MAX = 19
LIMITED: tuple[Limit, ...] = ("apps", "partner")
"""Of `Route.refuses`: only a token for the whole installation may."""


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of a list."""

    limit: Annotated[int, Meta(ge=1, le=LIST_MAX)] = 100
    after: Annotated[str, Meta(max_length=200)] | None = None
    """The `next` of the answer before."""

    @property
    def part(self) -> Part:
        """One more than asked for: whether there is a next page."""
        return Part(self.limit + 1, self.after)


class DeletedToo(Asked, frozen=True):
    """The query of a list that leaves out what is deleted."""

    deleted: bool = False


class Page(msgspec.Struct, Generic[T], frozen=True):
    """A part of a list; `next` is the `after` of the part that follows, null at the end."""

    items: tuple[T, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Call:
    """One request that was understood and is allowed."""

    connection: asyncpg.Connection
    by: str
    """The token's id."""
    within: Within
    path: dict[str, str]
    body: Any
    """The request struct of the route."""
    query: Any
    """The query struct of the route."""
    settings: Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One row of the table."""

    name: str
    """Of the operation, in the document."""
    method: Method
    path: str
    """Below /api/v1; a part in braces that is named as a `Kind` is one."""
    role: Role
    """The least that may."""
    does: str
    """A sentence of the document."""
    call: Callable[[Call], Awaitable[Any]]
    answer: Any
    """Type of the answer."""
    body: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] | None = None
    status: int = 200
    refuses: tuple[Limit, ...] = ()
    """Tokens with such a limit may not: it concerns what is outside of theirs too."""
    owner: str | None = None
    """Field of the body that says whose it is: a token for a partner must not leave it empty."""
    needs: Mapping[Limit, Kind] = field(default_factory=dict)
    """What the query must name with a token of such a limit, when the function itself knows no limits."""


async def page(query: Asked, found: Awaitable[list[T]]) -> Page[T]:
    """The answer of a list whose function was asked for `query.part`; its things have an `id`."""
    items = await found
    kept = tuple(items[: query.limit])
    last: Any = kept[-1] if len(items) > query.limit else None
    return Page(kept, None if last is None else str(last.id))


async def whole(found: Awaitable[list[T]]) -> Page[T]:
    """The answer of a list that is not told in parts."""
    return Page(tuple(await found), None)


def number(call: Call, kind: Kind) -> int:
    """The id in the path, of things that are numbered. Raises Missing."""
    text = call.path[kind]
    if not text.isascii() or not text.isdigit() or len(text) > DIGITS_MAX:
        raise Missing(kind, text)
    return int(text)
