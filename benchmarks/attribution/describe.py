"""A world in figures: what a reader wants to know before believing a benchmark on it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from rich.table import Table

from benchmarks.attribution.places import kind_of
from benchmarks.attribution.truth import LABELS, METHODS, Touch
from benchmarks.attribution.world import History
from schemas.events import Mode, TouchKind

DAY_US = 24 * 3_600_000_000
QUANTILES = (0.1, 0.5, 0.9, 0.99, 1.0)


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value that this share does not exceed; of a sorted, filled sequence."""
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def tables(history: History) -> list[Table]:
    """Touches, installs, crowds and delays."""
    return [_touches(history), _installs(history), _crowds(history.touches), _delays(history)]


def _touches(history: History) -> Table:
    kinds: list[tuple[TouchKind, Mode]] = [
        ("click", "s2s"),
        ("click", "redirect"),
        ("impression", "s2s"),
        ("impression", "page"),
    ]
    table = Table("label", *(f"{kind} {mode}" for kind, mode in kinds), "all", "share", title="Touches")
    counts = Counter((touch.label, touch.hit.kind, touch.hit.mode) for touch in history.touches)
    for label in LABELS:
        row = [counts[label, kind, mode] for kind, mode in kinds]
        table.add_row(label, *map(str, row), str(sum(row)), f"{sum(row) / max(len(history.touches), 1):.2%}")
    return table


def _installs(history: History) -> Table:
    """By what led to them (rows), and by the method that can show it."""
    table = Table("cause", *METHODS, "all", title="Installs, by the strongest method that connects the cause")
    kinds = {touch.hit.id: touch.hit.kind for touch in history.touches}
    counts = Counter((kinds[one.touch] if one.touch else "organic", one.method) for one in history.launches)
    for cause in ("click", "impression", "organic"):
        row = [counts[cause, method] for method in METHODS]
        table.add_row(cause, *map(str, row), str(sum(row)))
    due = Counter(one.due_method for one in history.launches)
    table.add_row("rules owe", *(str(due[method]) for method in METHODS), str(len(history.launches)))
    table.caption = (
        f"{sum(one.reinstall for one in history.launches)} reinstalls, "
        f"{sum(one.injected is not None for one in history.launches)} with an injected click; "
        f"curves: {history.shapes.source}"
    )
    return table


def crowds(touches: Iterable[Touch]) -> dict[str, list[int]]:
    """Kind of place → distinct devices behind each of its IPv4 addresses on each day, sorted."""
    devices: defaultdict[tuple[str, int], set[int]] = defaultdict(set)
    for touch in touches:
        ip = touch.hit.ip
        if ip is not None and touch.device is not None and ":" not in ip and "/" not in ip:
            devices[ip, touch.hit.touched_us // DAY_US].add(touch.device)
    found: defaultdict[str, list[int]] = defaultdict(list)
    for (ip, _), seen in devices.items():
        found[kind_of(ip)].append(len(seen))
    return {kind: sorted(sizes) for kind, sizes in sorted(found.items())}


def _crowds(touches: Iterable[Touch]) -> Table:
    table = Table("place", "addresses × days", *_heads(), title="Devices seen behind one IPv4 address on one day")
    for kind, sizes in crowds(touches).items():
        table.add_row(kind, str(len(sizes)), *(str(quantile(sizes, share)) for share in QUANTILES))
    return table


def _delays(history: History) -> Table:
    table = Table("from → to", "number", *_heads(), title="Delays, minutes")
    by_id = {touch.hit.id: touch for touch in history.touches}
    led = [(one, by_id[one.touch]) for one in history.launches if one.touch]
    rows = {
        "touch → first launch": [one.launched_us - touch.hit.touched_us for one, touch in led],
        "first launch → arrival": [one.arrives_us - one.launched_us for one in history.launches],
        "touch → arrival": [touch.arrives_us - touch.hit.touched_us for touch in history.touches],
        "install → its touch's arrival, if later": [
            touch.arrives_us - one.arrives_us for one, touch in led if touch.arrives_us > one.arrives_us
        ],
    }
    for name, values in rows.items():
        minutes = sorted(value / 60_000_000 for value in values)
        shown = [f"{quantile(minutes, share):.1f}" for share in QUANTILES] if minutes else ["–"] * len(QUANTILES)
        table.add_row(name, str(len(values)), *shown)
    return table


def _heads() -> list[str]:
    return [f"p{share * 100:g}" if share < 1 else "most" for share in QUANTILES]
