"""Rejects of an erasure: records that could not be taken, searched for what names the device."""

from collections.abc import Sequence

import asyncpg

from console import erasing_pages
from console.erasing_pages import FIRST_ID, Pages, cut
from console.forgetting import Names, subject_of
from schemas.forgetting import STUB
from schemas.sql import load


async def blank_rejects(pages: Pages, names: Names, only_apps: Sequence[str] | None) -> None:
    """Those of the device. `only_apps`: rejects that tell no app, or another one, stay."""
    sql = load("forget")
    after: tuple[object, object] = ("", FIRST_ID)
    needles = names.needles()
    while True:
        end = await pages.connection.fetchrow(sql["rejects_end"], *after, erasing_pages.SCAN_ROWS)
        bounds = (*after, *(end or (None, None)))
        rows = await pages.fetch(sql["rejects_with"], *bounds, needles)
        theirs = await _of_apps(pages, [row for row in rows if names.is_record(row["record"])], only_apps)
        for page in cut(theirs):
            ids = ([row["consumer"] for row in page], [row["id"] for row in page])
            await pages.count("rejects", sql["blank_rejects"], *ids, STUB)
        pages.progress("rejects read", erasing_pages.SCAN_ROWS)
        if end is None:
            return
        after = (end["consumer"], end["id"])


async def _of_apps(pages: Pages, rows: list[asyncpg.Record], only_apps: Sequence[str] | None) -> list[asyncpg.Record]:
    """Those of the apps that are asked for."""
    if only_apps is None or not rows:
        return rows
    told = [subject_of(row["record"]) for row in rows]
    links = sorted({link or row["subject"] for row, (app, link) in zip(rows, told, strict=True) if not app} - {None})
    found = await pages.fetch(load("forget")["apps_of_links"], links)
    of_links = {row["link"]: row["apps"] for row in found}
    return [
        row
        for row, (app, link) in zip(rows, told, strict=True)
        if not set(only_apps).isdisjoint([app] if app else of_links.get(link or row["subject"], ()))
    ]
