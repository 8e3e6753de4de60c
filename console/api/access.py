"""Who asks, and whether they may: role first, then what the token is limited to."""

from typing import Any, NamedTuple

import asyncpg
from aiohttp import web
from msgspec import UNSET

from console.api.errors import Denied
from console.api.route import Kind, Route
from console.manage.common import Within
from console.manage.refusals import Invalid, Missing
from schemas.sql import load
from schemas.tokens import ROLES, Role, digest

MAY_NAME: dict[Kind, str] = {
    "app": load("scope")["app"],
    "partner": load("scope")["partner"],
    "campaign": load("scope")["campaign"],
    "link": load("scope")["link"],
    "tariff": load("scope")["tariff"],
    "correction": load("scope")["correction"],
    "postback_template": load("scope")["postback_template"],
    "postback": load("scope")["postback"],
    "skan_source": load("scope")["skan_source"],
}
"""Statements that give a row when a limited token may name the thing."""
_TOKEN_CHARS_MAX = 200


class Holder(NamedTuple):
    """Who holds a token."""

    token: str
    role: Role
    within: Within


async def holder_of(connection: asyncpg.Connection, request: web.Request) -> Holder:
    """Raises Denied (401) without a token that is good."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not 0 < len(token) <= _TOKEN_CHARS_MAX:
        raise Denied(401, "no_token", "Authorization: Bearer TOKEN is missing; `touchline token create` makes one.")
    row = await connection.fetchrow(load("tokens")["holder"], digest(token))
    if row is None:
        raise Denied(401, "bad_token", "The token is unknown, expired or revoked.")
    if row["unnoticed"]:
        await connection.execute(load("tokens")["used"], row["id"])
    apps = None if row["apps"] is None else tuple(row["apps"])
    return Holder(row["id"], row["role"], Within(apps, row["partner"]))


def check_role(holder: Holder, route: Route) -> None:
    """Raises Denied (403)."""
    if ROLES.index(holder.role) < ROLES.index(route.role):
        raise Denied(403, "role", f"This needs a token of role {route.role}; this one's is {holder.role}.")
    for limit in route.refuses:
        if getattr(holder.within, limit) is not None:
            whose = "some apps" if limit == "apps" else "a partner"
            raise Denied(403, "limited", f"A token for {whose} may not: it concerns what is not theirs too.")


async def check_limits(
    connection: asyncpg.Connection, within: Within, route: Route, path: dict[str, str], body: Any, query: Any
) -> None:
    """What a limited token names must be its own; what is not does not exist for it. Raises Refused."""
    if within.everything:
        return
    for kind in MAY_NAME:
        if kind in path and not await _may_name(connection, within, kind, path[kind]):
            raise Missing(kind, path[kind])
        for said in (body, query):
            named = getattr(said, kind, None)
            if isinstance(named, str) and not await _may_name(connection, within, kind, named):
                raise Missing(kind, named, kind)
    for limit, kind in route.needs.items():
        if getattr(within, limit) is not None and getattr(query, kind, None) is None:
            raise Invalid(kind, "is missing: a limited token has to name one.")
    for target in getattr(body, "targets", None) or ():
        if target.app is not None and not await _may_name(connection, within, "app", target.app):
            raise Missing("app", target.app, "targets")
    if within.partner is not None and route.owner is not None:
        owner = getattr(body, route.owner, UNSET)
        if owner is None or (owner is UNSET and route.method == "POST"):
            raise Invalid(route.owner, "is missing: a token for a partner makes and keeps what is this partner's.")


async def _may_name(connection: asyncpg.Connection, within: Within, kind: Kind, subject: str) -> bool:
    return bool(await connection.fetchval(MAY_NAME[kind], subject, within.apps, within.partner))
