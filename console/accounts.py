"""The accounting of promise 5: `received = stored + rejected(reason)` per link and hour. Pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple


class Account(NamedTuple):
    """One link (or app) in one hour of receipt."""

    subject: str
    hour: int
    """Hours since 1970."""
    received: int
    stored: int
    rejected: Mapping[str, int]

    @property
    def difference(self) -> int:
        """Records that are neither stored nor rejected; below 0: stored without having been received."""
        return self.received - self.stored - sum(self.rejected.values())


def accounts(
    rows: Sequence[tuple[str, int, int, int]], rejected: Sequence[tuple[str | None, int | None, str, int]]
) -> list[Account]:
    """Join (subject, hour, received, stored) with (subject, hour, reason, records)."""
    reasons: dict[tuple[str, int], dict[str, int]] = {}
    for subject, hour, reason, records in rejected:
        if subject is not None and hour is not None:
            by_reason = reasons.setdefault((subject, hour), {})
            by_reason[reason] = by_reason.get(reason, 0) + records
    found = [
        Account(subject, hour, received, stored, reasons.pop((subject, hour), {}))
        for subject, hour, received, stored in rows
    ]
    found += [Account(subject, hour, 0, 0, by_reason) for (subject, hour), by_reason in reasons.items()]
    return sorted(found, key=lambda one: (one.hour, one.subject))


def hour_text(hour: int) -> str:
    """`2026-11-21T19:00Z`"""
    return f"{datetime.fromtimestamp(hour * 3600, UTC):%Y-%m-%dT%H:%MZ}"
