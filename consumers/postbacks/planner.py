"""Plans postbacks as a function of what stands: rows of `postbacks`, which the sender takes when they are due."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg

from consumers.postbacks.planning import Changes, New, Template, hold_s, plan, postback_of, template_of
from schemas.macro_values import macro_values
from schemas.macros import expand_json, expand_url
from schemas.sql import load

PAGE_CONVERSIONS = 500

_FIRST_TIME = datetime(1, 1, 2, tzinfo=UTC)
_FIRST_ID = UUID(int=0)


class Planner:
    """A follower of outcomes. Nobody is told of events before their install is decided: they come with its decision."""

    async def follow(self, connection: asyncpg.Connection, conversions: Sequence[UUID], *, silent: bool) -> None:
        """See `Follower`."""
        if silent:
            return
        rows = await connection.fetch(load("planning")["templates"], conversions)
        if not rows:
            return
        templates: dict[str, list[Template]] = defaultdict(list)
        for row in rows:
            templates[row["app"]].append(template_of(row))
        family = await connection.fetch(load("planning")["family"], conversions)
        # before anything else is read, so that what another process has just planned is seen
        await connection.execute(load("planning")["lock_installs"], [row["id"] for row in family])
        whole = [row["id"] for row in family if row["whole"]]
        ids = list(dict.fromkeys((*whole, *conversions)))
        for at in range(0, len(ids), PAGE_CONVERSIONS):
            await _plan(connection, ids[at : at + PAGE_CONVERSIONS], templates)
        await _plan_events(connection, whole, templates)


async def _plan_events(
    connection: asyncpg.Connection, installs: Sequence[UUID], templates: Mapping[str, Sequence[Template]]
) -> None:
    """Those of installs whose attribution may be new; the earliest first."""
    after: tuple[datetime, UUID] = (_FIRST_TIME, _FIRST_ID)
    while installs:
        page = await connection.fetch(load("planning")["events_of"], installs, *after, PAGE_CONVERSIONS)
        await _plan(connection, [row["event"] for row in page], templates)
        if len(page) < PAGE_CONVERSIONS:
            return
        after = page[-1]["at"], page[-1]["event"]


async def _plan(
    connection: asyncpg.Connection, ids: Sequence[UUID], templates: Mapping[str, Sequence[Template]]
) -> None:
    if not ids:
        return
    # before they are read as well: whoever forgets one of them waits, or is waited for
    await connection.execute(load("planning")["lock_events"], ids)
    rows = await connection.fetch(load("telling")["conversions"], ids)
    if not rows:
        return
    planned = defaultdict(list)
    for row in await connection.fetch(load("planning")["postbacks"], ids):
        planned[row["conversion"]].append(postback_of(row))
    first_only = [one.id for theirs in templates.values() for one in theirs if one.first_only]
    installs = [row["install"] for row in rows if row["install"] is not None]
    told = await connection.fetch(load("planning")["told_first"], installs, first_only) if first_only else []
    first = {(row["template"], row["install"]): row["conversion"] for row in told}
    await _write(connection, plan(rows, templates, planned, first, time.time_ns() // 1000))


async def _write(connection: asyncpg.Connection, changes: Changes) -> None:
    sql = load("planning")
    if changes.supersede:
        await connection.execute(sql["supersede"], changes.supersede)
    if changes.revive:
        await connection.execute(sql["revive"], *map(list, zip(*changes.revive, strict=True)))
    if changes.new:
        lost = await _lost(connection, changes.new)
        values = [_values(one, lost.get(at)) for at, one in enumerate(changes.new)]
        await connection.execute(sql["plan"], *map(list, zip(*values, strict=True)))


async def _lost(connection: asyncpg.Connection, changes: Sequence[New]) -> dict[int, Mapping[str, Any]]:
    """Number of a reversal → the attribution that it takes back."""
    asked = [
        (at, one.attribution.touch, one.attribution.link, one.row["conversion"], one.row["install"])
        for at, one in enumerate(changes)
        if one.reversal
    ]
    if not asked:
        return {}
    found = await connection.fetch(load("planning")["lost"], *map(list, zip(*asked, strict=True)))
    return {row["number"]: row for row in found}


def _values(one: New, lost: Mapping[str, Any] | None) -> tuple[object, ...]:
    """Of a row of `postbacks`."""
    template = one.template
    values = macro_values({**one.row, **(lost or {})}, one.name, attributed=one.attribution.link is not None)
    url = expand_url((one.reversal and template.reversal_url) or template.url, values)
    has_body = template.method == "POST" and template.body is not None and not one.reversal
    return (
        template.id,
        one.row["conversion"],
        one.row["install"],
        *one.attribution,
        one.reversal,
        template.app,
        template.partner,
        template.event,
        one.key,
        "GET" if one.reversal else template.method,
        url,
        expand_json(template.body or "", values) if has_body else None,
        hold_s(one),
    )
