"""Tracking links as CSV, one a line: what a file says, every mistake by its line and column, and the same back. Pure.

RFC 4180, UTF-8. Columns in any order; `app` is needed, everything else may be left out or empty.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar, get_args

from console.link_form import STORES
from console.manage.checks import check_app_id, check_host, check_link_id, checked_fallback, checked_text, shown
from console.urls import WEB, checked_url, new_link_id
from schemas.errors import ConfigError
from schemas.links import Link, LinkKind, Store, Target
from schemas.rules import LinkWindow, Method, check_link_windows

T = TypeVar("T")

ROWS_MAX = 100_000
WRONG_MAX = 100
"""So many mistakes are looked for in one go."""
OWN = ("id", "app", "campaign", "partner", "title", "kind", "paused", "host", "windows", "fallback_url")
COLUMNS = (*OWN, *(f"{store}{end}" for store in STORES for end in ("", "_deep_link", "_app")))
"""`google_play`, `google_play_deep_link`, `google_play_app`, and so on for every store."""

_WINDOW = re.compile(r"\s*(\w+)\s+(click|impression)\s+([0-9]{1,4})\s*")


class Wrong(NamedTuple):
    """A mistake; line 1 is the head, and a record of several lines is named by its first."""

    line: int
    column: str
    sentence: str


class Row(NamedTuple):
    """A link of the file, as it is stored."""

    line: int
    link: Link
    title: str = ""
    campaign: str | None = None
    partner: str | None = None
    host: str | None = None
    windows: tuple[LinkWindow, ...] = ()


def parse(text: str) -> tuple[list[Row], list[Wrong]]:
    """The links of a file, or what is wrong with it: never both."""
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    rows: list[Row] = []
    wrong: list[Wrong] = []
    line = 1
    try:
        head = [name.strip() for name in next(reader, [])]
        if wrong := _wrong_head(head):
            return [], wrong
        lines: dict[str, int] = {}
        while len(wrong) < WRONG_MAX:
            line = reader.line_num + 1
            values = next(reader, None)
            if values is None:
                break
            if not any(values):
                continue
            row, mistakes = _row(line, head, values)
            if row is not None and (first := lines.setdefault(row.link.id, line)) != line:
                mistakes.append(Wrong(line, "id", f"{shown(row.link.id)} stands in line {first} too"))
            wrong += mistakes
            if row is not None:
                rows.append(row)
            if len(rows) > ROWS_MAX:
                wrong.append(Wrong(line, "id", f"the file has more than {ROWS_MAX} links: make two of it"))
                break
    except csv.Error as error:
        wrong.append(Wrong(line, "", f"this is no CSV: {error}"))
    return ([], wrong[:WRONG_MAX]) if wrong else (rows, [])


def print_rows(rows: Iterable[Row]) -> str:
    """The file that `parse` reads as these rows."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        values = {
            "id": row.link.id,
            "app": row.link.app,
            "campaign": row.campaign,
            "partner": row.partner,
            "title": row.title,
            "kind": row.link.kind,
            "paused": "yes" if row.link.paused else "",
            "host": row.host,
            "windows": "; ".join(f"{one.method} {one.touch} {one.hours}" for one in row.windows),
            "fallback_url": row.link.fallback_url,
        }
        for target in row.link.targets:
            values[target.store] = target.url
            values[f"{target.store}_deep_link"] = target.deep_link
            values[f"{target.store}_app"] = target.app
        writer.writerow([values.get(column) or "" for column in COLUMNS])
    return out.getvalue()


def _wrong_head(head: Sequence[str]) -> list[Wrong]:
    wrong = [
        Wrong(1, name, f"{shown(name)} is no column; there are {', '.join(COLUMNS)}")
        for name in head
        if name not in COLUMNS
    ]
    wrong += [Wrong(1, name, "stands there twice") for name in dict.fromkeys(head) if head.count(name) > 1]
    if "app" not in head:
        wrong.append(Wrong(1, "app", "is missing: the first line names the columns"))
    return wrong


def _row(line: int, head: Sequence[str], values: Sequence[str]) -> tuple[Row | None, list[Wrong]]:
    if len(values) != len(head):
        return None, [Wrong(line, "", f"has {len(values)} values; the head names {len(head)} columns")]
    cells = {name: value.strip() for name, value in zip(head, values, strict=True)}
    wrong: list[Wrong] = []

    def read(column: str, check: Callable[[str], T], default: T) -> T:
        text = cells.get(column, "")
        try:
            return check(text) if text else default
        except (ConfigError, ValueError) as error:
            wrong.append(Wrong(line, column, str(error)))
            return default

    if not cells.get("app"):
        wrong.append(Wrong(line, "app", "is empty: a link belongs to an app"))
    link = Link(
        id=read("id", _link_id, "") or new_link_id(),
        app=read("app", _app_id, ""),
        kind=read("kind", _kind, "redirect"),
        targets=tuple(one for store in _order(head) if (one := _target(store, cells, read)) is not None),
        fallback_url=read("fallback_url", checked_fallback, None),
        paused=read("paused", _yes, False),
    )
    row = Row(
        line,
        link,
        title=read("title", lambda text: checked_text("title", text) or "", ""),
        campaign=read("campaign", lambda text: checked_text("campaign", text), None),
        partner=read("partner", lambda text: checked_text("partner", text), None),
        host=read("host", _host, None),
        windows=read("windows", _windows, ()),
    )
    if row.partner is not None and row.campaign is None and "campaign" not in {one.column for one in wrong}:
        wrong.append(Wrong(line, "campaign", "is empty: a link belongs to a partner through its campaign"))
    wrong += [
        Wrong(line, f"{store}{end}", f"belongs to no target: {store} is empty")
        for store in STORES
        for end in ("_deep_link", "_app")
        if cells.get(f"{store}{end}") and not cells.get(store)
    ]
    return row, wrong


def _order(head: Sequence[str]) -> list[Store]:
    """The order of the columns is that of the targets."""
    return [store for name in head for store in STORES if name == store]


def _target(store: Store, cells: dict[str, str], read: Callable[..., str | None]) -> Target | None:
    if not cells.get(store):
        return None
    schemes = (*WEB, "market") if store == "google_play" else WEB
    return Target(
        store=store,
        url=read(store, lambda text: _url(text, schemes), None) or "",
        deep_link=read(f"{store}_deep_link", lambda text: _url(text, None), None),
        app=read(f"{store}_app", _app_id, None),
    )


def _url(text: str, schemes: Sequence[str] | None) -> str:
    try:
        return checked_url(text, schemes)
    except ValueError as error:
        raise ConfigError(f"{shown(text)} {error}") from None


def _kind(text: str) -> LinkKind:
    for kind in get_args(LinkKind):
        if text == kind:
            return kind  # type: ignore[no-any-return]
    raise ConfigError(f"{shown(text)} is none of {', '.join(get_args(LinkKind))}")


def _yes(text: str) -> bool:
    if text.lower() not in ("yes", "no"):
        raise ConfigError(f"{shown(text)} is neither yes nor no")
    return text.lower() == "yes"


def _link_id(text: str) -> str:
    check_link_id(text)
    return text


def _app_id(text: str) -> str:
    check_app_id(text)
    return text


def _host(text: str) -> str:
    check_host(text)
    return text


def _windows(text: str) -> tuple[LinkWindow, ...]:
    found: list[LinkWindow] = []
    for part in text.split(";"):
        window = _WINDOW.fullmatch(part)
        if window is None or window[1] not in get_args(Method):
            raise ConfigError(f"{shown(part.strip())} is no window: METHOD click|impression HOURS, with ; between them")
        found.append(
            LinkWindow(
                method=next(one for one in get_args(Method) if one == window[1]),
                touch="click" if window[2] == "click" else "impression",
                hours=int(window[3]),
            )
        )
    check_link_windows(found)
    return tuple(found)
