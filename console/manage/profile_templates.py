"""The postback templates that a partner's profile offers, created at once."""

import asyncpg
import msgspec

from console.manage.checks import Text
from console.manage.common import Conflict, Missing
from console.manage.profiles import GENERIC, default_templates
from console.manage.templates import NewTemplate, Template, create_template, list_templates
from console.profiles import shipped
from schemas.sql import load


class OfferedTemplates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For which app the templates of a partner's profile are created."""

    app: Text
    account: dict[str, str] = {}
    """What only the operator knows, such as a key: the profile names what it needs."""
    event: Text | None = None
    """Only the one of this event."""


async def create_offered(
    connection: asyncpg.Connection, by: str, partner: str, asked: OfferedTemplates
) -> list[Template]:
    """All of them, or none; those of a draft are off. A partner without a profile has the generic one, as for its
    addresses. Raises Refused."""
    async with connection.transaction():
        row = await connection.fetchrow(load("templates")["profile"], partner)
        if row is None:
            raise Missing("partner", partner)
        name = row["profile"] or GENERIC
        if name not in shipped():
            raise Conflict("partner", f"profile {name!r} is a file of yours: create its templates one by one.")
        offered = default_templates(shipped()[name], asked.account)
        chosen = [one for one in offered if asked.event in (None, one.event)]
        if not chosen:
            events = ", ".join(one.event for one in offered) or "none"
            raise Conflict("event", f"the profile {name!r} offers postbacks of {events}.")
        stand = await list_templates(connection, app=asked.app, partner=partner)
        standing = {(one.event, one.url) for one in stand}
        twice = next((one.event for one in chosen if (one.event, one.url) in standing), None)
        if twice is not None:
            raise Conflict("event", f"the postback of {twice!r} that the profile {name!r} offers stands already.")
        facts = [msgspec.structs.asdict(one) for one in chosen]
        return [
            await create_template(connection, by, NewTemplate(app=asked.app, partner=partner, **one)) for one in facts
        ]
