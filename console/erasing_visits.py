"""Visits of an erasure: whose they are, the touches that they name, and what is blanked of them.

A visit that names a touch of the device, or has its identifier in its address, tells a visitor; that visitor's visits
name further touches. There it ends: people pass addresses on. Whatever leads to others is blanked after them, so that
a second run finds them too.
"""

from collections.abc import Sequence

import asyncpg

from console import erasing_pages
from console.erasing_pages import FIRST_ID, Pages, columns, is_hidden
from console.forgetting import Names
from schemas.forgetting import VISITOR, page_of, pseudonym
from schemas.sql import load

Visitors = frozenset[tuple[str, str]]


async def visitors_led_to(pages: Pages, names: Names, apps: Sequence[str]) -> Visitors:
    """(app, visitor id) of visits that lead from the device; of those that were blanked before, pseudonyms."""
    found: set[tuple[str, str]] = set()
    async for after, end in pages.of(load("forget")["visits_end"]):
        pages.progress("visits read", erasing_pages.SCAN_ROWS)
        rows = await pages.fetch(load("forget")["visits_leading"], after, end, apps, names.forms())
        found.update((row["app"], row["visitor_id"]) for row in rows)
    return frozenset(found)


def known(visitors: Visitors) -> Visitors:
    """Those that are not pseudonyms."""
    return frozenset(one for one in visitors if not is_hidden(one[1]))


async def stage_touches_named(pages: Pages, visitors: Visitors) -> None:
    """The touches that their visits name, blanked ones too."""
    hidden = {(app, pseudonym(pages.salt, app, VISITOR, value)) for app, value in known(visitors)}
    await pages.stage(load("forget")["touches_of_visitors"], *columns(visitors | hidden))


async def blank_visits(pages: Pages, visitors: Visitors) -> None:
    """All visits of the visitors."""
    await pages.stage(load("forget")["visits_of_visitors"], *columns(visitors))
    after: tuple[object, object] = (False, FIRST_ID)
    while rows := await pages.fetch(load("forget")["found_visits"], *after, erasing_pages.PAGE_ROWS):
        after = (rows[-1]["leads"], rows[-1]["id"])
        values = [_blanked(pages, row) for row in rows]
        await pages.count("visits", load("forget")["blank_visits"], *map(list, zip(*values, strict=True)))
        pages.progress("visits", len(rows))


def _blanked(pages: Pages, row: asyncpg.Record) -> tuple[object, ...]:
    return row["id"], pages.hidden(row, "visit_id"), pages.hidden(row, VISITOR), page_of(row["url"])
