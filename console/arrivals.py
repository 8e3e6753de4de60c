"""Touches and rejects as they arrive, and which of them were shown already. Pure."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

import orjson

from schemas.ids import received_us

OUT_OF_ORDER_US = 10_000_000
"""Rows may commit this long after a row with a higher id."""

SEEN_MAX = 50_000


class Arrival(NamedTuple):
    """A touch, or a reject with the reason; `facts` is what --json prints."""

    what: Literal["touch", "reject"]
    id: str
    received_us: int
    facts: dict[str, Any]


def touch(row: Mapping[str, Any]) -> Arrival:
    """Of a row of `touches`."""
    record_id = str(row["id"])
    return _arrival("touch", record_id, {**row, "id": record_id, "query": row["query"]})


def reject(row: Mapping[str, Any]) -> Arrival:
    """Of a row of `rejects`; kind, address and query are read out of the record as it stood in the log."""
    record_id = str(row["id"])
    subject = "app" if row["consumer"] == "attribution" else "link"
    record = _record(row["record"])
    facts = {
        "id": record_id,
        "consumer": row["consumer"],
        subject: row["subject"],
        "reason": row["reason"],
        "parameter": row["parameter"],
        "detail": row["detail"],
        "kind": record.get("kind"),
        "ip": record.get("ip"),
        "query": record.get("query"),
    }
    return _arrival("reject", record_id, facts)


def _arrival(what: Literal["touch", "reject"], record_id: str, facts: dict[str, Any]) -> Arrival:
    at_us = received_us(record_id)
    return Arrival(what, record_id, at_us, {"received_at": _moment(at_us), "what": what, **facts})


def _moment(at_us: int) -> datetime:
    return datetime.fromtimestamp(at_us / 1_000_000, UTC)


def _record(value: bytes) -> dict[str, Any]:
    try:
        record = orjson.loads(value)
    except orjson.JSONDecodeError:
        return {"query": value.decode("utf-8", "replace")}
    return record if isinstance(record, dict) else {}


class Window:
    """What of one source was shown: the last 10 s are read again, because ids commit a little out of order."""

    def __init__(self, floor_us: int = 0) -> None:
        self.floor_us = floor_us
        """Nothing below is read any more."""
        self._seen: dict[str, int] = {}

    def new(self, arrivals: Iterable[Arrival]) -> list[Arrival]:
        """Those not given before."""
        found = [one for one in arrivals if one.id not in self._seen]
        self._seen.update((one.id, one.received_us) for one in found)
        return found

    def advance(self, latest_us: int) -> None:
        """The source has rows up to `latest_us`, all read: forget what lies further back than rows may be late."""
        self.floor_us = max(self.floor_us, latest_us - OUT_OF_ORDER_US)
        recent = ((one, at_us) for one, at_us in self._seen.items() if at_us >= self.floor_us)
        self._seen = dict(sorted(recent)[-SEEN_MAX:])
