"""Which installs are tests: those of a test device of their app, and those that say they come from a sandbox."""

from collections.abc import Sequence

import asyncpg

from consumers.attribution.candidates import timestamp
from schemas.events import SANDBOX, Install
from schemas.identifiers import device_ids, stored_digests
from schemas.ids import received_us
from schemas.sql import load


async def tests_among(connection: asyncpg.Connection, installs: Sequence[Install]) -> set[str]:
    """Their ids. Asked once, when they are stored: what was counted in a report is not taken out of it, nor the other
    way round, by a device that is added or removed later."""
    found = {one.id for one in installs if SANDBOX in one.flags}
    asked = [
        (one.id, one.app, its.kind, digest, timestamp(received_us(one.id)))
        for one in installs
        for its in device_ids(one.ids)
        for digest in stored_digests(its)[:1]
        if digest is not None
    ]
    if asked:
        rows = await connection.fetch(load("conversions")["test_devices"], *zip(*asked, strict=True))
        found |= {str(row["install"]) for row in rows}
    return found
