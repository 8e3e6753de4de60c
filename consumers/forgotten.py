"""Devices that were forgotten: what the log still holds or brings of them is stored without what identifies them.

Consumers ask inside the transaction of every batch whether there are new keys, so that whoever forgets a device
needs to wait only for the transactions of that moment. Nothing else is done while nobody was ever forgotten.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import asyncpg
import msgspec

from consumers.accounts import Rejected
from consumers.sources import Record
from schemas.codec import decode_conversion, decode_hit
from schemas.errors import DeadLetter
from schemas.events import Conversion, Device, Event, Install, Reject, Visit
from schemas.forgetting import (
    FLAG,
    STUB,
    TOUCH_KINDS,
    VISITOR,
    OtherKind,
    conversion_keys,
    device_keys,
    named_ids,
    other_key,
    page_of,
    pseudonym,
    visitor_of,
)
from schemas.identifiers import LIMITS
from schemas.ids import received_us
from schemas.keys import touch_id_key
from schemas.query import parse_query
from schemas.sql import load

_EVER_US = 2**63
_LIMITS = tuple(f"{name}=".encode() for name in sorted(LIMITS))


class Forgotten:
    """The keys of forgotten devices, as far as this process has seen them; some 100 bytes a key."""

    def __init__(self) -> None:
        self._until_us: dict[int, int] = {}
        self._change = 0
        self._salt = b""

    async def read(self, connection: asyncpg.Connection) -> bool:
        """Within the rows' transaction: learn what is new. Whether anybody was ever forgotten."""
        self._salt, change = await connection.fetchrow(load("forget")["state"])
        if change != self._change:
            for row in await connection.fetch(load("forget")["since"], self._change):
                self._until_us[row["key"]] = _EVER_US if row["until_us"] is None else row["until_us"]
            self._change = change
        return bool(self._until_us)

    def has_touch(self, touch_id: str, keys: Sequence[int | None], hit: bytes) -> bool:
        """Whether a touch is a forgotten device's, by its device keys; the hit itself is read when it has none."""
        if self._has(keys, touch_id) or self._has((touch_id_key(touch_id),), touch_id):
            return True
        # a device that limits tracking has no keys, and its identifiers stand in the query all the same
        if any(key is not None for key in keys):
            return False
        return any(name in hit for name in _LIMITS) and self._has_hit(hit)

    def has_conversion(self, record: Conversion) -> bool:
        """Whether an install, event or visit is a forgotten device's, user's or visitor's."""
        return self._has(conversion_keys(self._salt, record), record.id)

    async def stubbed(self, connection: asyncpg.Connection, rejects: Sequence[Rejected]) -> Sequence[Rejected]:
        """The rejects, without the records of forgotten devices; what cannot be read at all stays."""
        if not rejects or not await self.read(connection):
            return rejects
        return [
            one._replace(record=Record(one.record.offset, STUB), detail="")
            if self._has_record(one.record.value)
            else one
            for one in rejects
        ]

    async def refused(self, connection: asyncpg.Connection, rejects: Sequence[Reject]) -> set[str]:
        """Ids of the refused requests that are forgotten devices': only their link tells their app."""
        if not await self.read(connection):
            return set()
        found = await connection.fetch(load("forget")["apps_of_links"], sorted({one.link for one in rejects}))
        apps = {row["link"]: row["apps"] for row in found}
        return {one.id for one in rejects if self._has_query(apps.get(one.link, ()), one.query, one.id)}

    def blank_conversion(self, one: Conversion) -> Conversion:
        """What was counted stays: time, name, money, operating system. Ids that rows need become pseudonyms."""
        if isinstance(one, Install):
            return msgspec.structs.replace(
                one,
                install_id=pseudonym(self._salt, one.app, "install_id", one.install_id),
                ids={},
                user_id=None,
                device=Device(os=one.device.os),
                referrer=None,
                **self._blank_fields(one),
            )
        if isinstance(one, Visit):
            return msgspec.structs.replace(
                one,
                visit_id=pseudonym(self._salt, one.app, "visit_id", one.visit_id),
                visitor_id=pseudonym(self._salt, one.app, VISITOR, one.visitor_id),
                url=page_of(one.url),
                referer="",
                language="",
                **self._blank_fields(one),
            )
        return msgspec.structs.replace(
            one,
            event_id=pseudonym(self._salt, one.app, "event_id", one.event_id),
            install_id=self._hidden(one, "install_id", one.install_id),
            ids={VISITOR: visitor} if (visitor := self._hidden(one, "visitor_id", visitor_of(one))) else {},
            user_id=None,
            params={},
            **self._blank_fields(one),
        )

    def _blank_fields(self, one: Conversion) -> dict[str, Any]:
        return {"ip": None, "ua": "", "flags": [*one.flags, FLAG]}

    def _hidden(self, one: Event, kind: OtherKind, value: str | None) -> str | None:
        """An event of a forgotten user may belong to an install, or visitor, that is not forgotten."""
        if not value or not self._has([other_key(self._salt, one.app, kind, value)], one.id):
            return value
        return pseudonym(self._salt, one.app, kind, value)

    def _has_record(self, value: bytes) -> bool:
        try:
            return self._has_hit(value)
        except DeadLetter:
            pass
        try:
            return self.has_conversion(decode_conversion(value))
        except DeadLetter:
            return False

    def _has_hit(self, value: bytes) -> bool:
        hit = decode_hit(value)
        return self._has_query((hit.app,), hit.query, hit.id)

    def _has_query(self, apps: Iterable[str], query: str, record_id: str) -> bool:
        ids = named_ids(parse_query(query))
        return bool(ids) and any(
            self._has(device_keys(app, kind, ids), record_id) for app in apps for kind in TOUCH_KINDS
        )

    def _has(self, keys: Iterable[int | None], record_id: str) -> bool:
        for key in keys:  # nearly always in vain
            until_us = self._until_us.get(key)  # type: ignore[arg-type]  # None is no key of anything
            if until_us is not None and received_us(record_id) <= until_us:
                return True
        return False
