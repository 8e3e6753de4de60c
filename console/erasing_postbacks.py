"""Postbacks of an erasure: what was sent is the partner's to erase, what stands here of it is blanked."""

from collections.abc import Sequence

import asyncpg

from console.erasing_pages import Pages
from schemas.sql import load


async def blank_postbacks(pages: Pages, conversions: Sequence[object]) -> None:
    """Of these installs and events; none of them is sent any more. Within the caller's transaction."""
    await _blank(pages, await pages.fetch(load("forget")["blank_postbacks"], conversions))


async def blank_postbacks_of_touches(pages: Pages, keys: Sequence[object], touches: Sequence[object]) -> None:
    """Those that tell of these touches, of conversions under one of the keys. Within the caller's transaction."""
    await _blank(pages, await pages.fetch(load("forget")["blank_postbacks_of_touches"], keys, touches))


async def _blank(pages: Pages, rows: Sequence[asyncpg.Record]) -> None:
    pages.counts["postbacks"] += len(rows)
    ids = [row["id"] for row in rows]
    await pages.count("postback_attempts", load("forget")["blank_attempts"], ids)
