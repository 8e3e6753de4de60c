"""The status as a page for people."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from console.remarks import duration
from process.terminal import facts_lines, safe, table

_BYTES = (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3))


def show(out: Console, facts: Mapping[str, Any]) -> None:
    """Print it, the most urgent first."""
    out.print(facts_lines(_summary(facts)))
    out.print("\nProcesses of this host", style="bold")
    rows = [(one["role"], one["port"], _ready(one["ready"]), one["says"]) for one in facts["processes"]]
    out.print(table(("role", "port", "ready", "says"), rows))
    out.print("\nJournals of this host", style="bold")
    _journals(out, facts["journals"])
    out.print("\nConsumers", style="bold")
    _consumers(out, facts["consumers"])
    if facts["holes"]:
        out.print(f"\nALARM: {facts['holes']} holes: parts of a log were gone before they were read.", style="bold red")


def _summary(facts: Mapping[str, Any]) -> list[tuple[str, object]]:
    postgres, log, waiting, country = (
        facts[name] for name in ("postgres", "log", "waiting_conversions", "country_database")
    )
    address = f" at {postgres['address']}" if postgres["address"] else ""
    says = f"{postgres['version']}{address}" if postgres["version"] else f"away{address}"
    where = f"Kafka at {log['address']}" if log["kind"] == "kafka" else f"the journals under {log['address']}"
    unrecorded, refused = (sum(one[name] for one in facts["counts"]) for name in ("unrecorded", "refused"))
    lines: list[tuple[str, object]] = [
        ("ready", "yes" if facts["ready"] else "no"),
        ("Postgres", _and_why(says, postgres["why"])),
        ("log", _and_why(where, log["why"])),
        ("unrecorded", f"{unrecorded} redirects without a durable hit"),
        ("refused", f"{refused} answers 503"),
        ("countries", f"{country['source']} of {country['date']}" if country else "not known: touches does not say"),
    ]
    if postgres["why"] is None:
        age = f", the oldest since {duration(int(waiting['oldest_seconds']))}" if waiting["conversions"] else ""
        lines.insert(3, ("rate", f"{facts['touches_per_second']:g} touches a second in the last minute"))
        lines.insert(4, ("waiting", f"{waiting['conversions']} conversions without a decision{age}"))
    return lines


def _and_why(says: str, why: str | None) -> str:
    return f"{says} – {why}" if why else says


def _journals(out: Console, journals: Sequence[Mapping[str, Any]]) -> None:
    if not journals:
        out.print("none: no edge has written here")
        return
    rows = [
        (
            one["topic"],
            one["worker"],
            one.get("end"),
            one.get("last_batch"),
            f"{one['read_by']} to {one['read_up_to'] or 'nowhere'}" if "read_by" in one else safe(one["why"]),
            _unread(one.get("unread_batches"), one.get("unread_bytes"), one.get("oldest_unread_seconds")),
            size(one.get("bytes_on_disk")),
            f"{one.get('host')} {one.get('uuid')}",
        )
        for one in journals
    ]
    out.print(table(("topic", "worker", "end", "last batch", "read by", "unread", "on disk", "host, uuid"), rows))


def _consumers(out: Console, consumers: Sequence[Mapping[str, Any]]) -> None:
    if not consumers:
        out.print("none has a position in this log")
        return
    rows = [
        (
            one["consumer"],
            one["log"] if one.get("partition") is None else f"{one['log']} / {one['partition']}",
            one["position"],
            _lag(one),
            f"{one['stored_at']:%Y-%m-%d %H:%M:%S} UTC" if one["stored_at"] else None,
        )
        for one in consumers
    ]
    out.print(table(("consumer", "log", "position", "behind by", "last stored"), rows))


def _lag(one: Mapping[str, Any]) -> str:
    if "lag_records" in one:
        return "not known" if one["lag_records"] is None else f"{one['lag_records']} records"
    if one["lag_bytes"] is None:
        return "not known: another host's journal"
    return _unread(one["lag_batches"], one["lag_bytes"], one["oldest_unread_seconds"])


def _unread(batches: int | None, size_bytes: int | None, oldest_s: float | None) -> str:
    if not size_bytes:
        return "nothing"
    count = "some" if batches is None else str(batches)
    age = f", the oldest {duration(int(oldest_s))} old" if oldest_s is not None else ""
    return f"{count} batches, {size(size_bytes)}{age}"


def size(count: int | None) -> str:
    """`1.5 MB`"""
    if count is None:
        return "–"
    for unit, factor in _BYTES:
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} B"


def _ready(ready: bool) -> Text:
    return Text("yes", "green") if ready else Text("no", "bold red")
