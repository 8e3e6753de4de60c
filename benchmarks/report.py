"""What a run found: as JSON, as one HTML page, and as a table in the terminal."""

import platform
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import orjson
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.machine import commit, fdatasync_ms, file_system, machine_facts, packages
from benchmarks.page import Shown, page

Step = Callable[[str, float], None]
"""Says what is being done, and which share of the whole is behind."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table: key of the row, heading, form of its values."""

    key: str
    heading: str
    form: str = "{}"

    def text(self, row: dict[str, Any]) -> str:
        value = row.get(self.key)
        if value is None:
            return "–"
        if isinstance(value, bool):
            return "yes" if value else "no"
        return self.form.format(value)


@dataclass(frozen=True, slots=True)
class Section:
    """A further table under its own heading; a remark is for its reader."""

    name: str
    columns: tuple[Column, ...]
    rows: list[dict[str, Any]]
    remark: str = ""

    def texts(self) -> list[list[str]]:
        return [[column.text(row) for column in self.columns] for row in self.rows]


class Asked(Protocol):
    """What a report needs to know of a plan."""

    @property
    def results(self) -> Path: ...

    def settings(self) -> dict[str, object]: ...


@dataclass(slots=True)
class Report:
    """Rows, what was skipped and why, and the circumstances."""

    name: str
    plan: Asked
    columns: tuple[Column, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    further: dict[str, Any] = field(default_factory=dict)
    """What only programs read: it stands in the JSON alone."""
    skipped: list[dict[str, str]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    charts: list[str] = field(default_factory=list)
    failed: bool = False
    """What was promised did not hold: the command exits 1."""
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    machine: dict[str, Any] = field(default_factory=machine_facts)

    def skip(self, row: str, why: str) -> None:
        if not self.skips(row):
            self.skipped.append({"row": row, "why": why})

    def skips(self, row: str) -> bool:
        return any(one["row"] == row for one in self.skipped)

    def measure_disk(self, folder: Path) -> None:
        """The disk decides what durable costs: its file system and how long an fdatasync takes."""
        self.machine |= {"file_system": file_system(folder), "fdatasync_ms": fdatasync_ms(folder)}

    def facts(self) -> dict[str, Any]:
        return {
            "benchmark": self.name,
            "date": self.started_at.isoformat(timespec="seconds"),
            "command": shlex.join(["touchline", *sys.argv[1:]]),
            "commit": commit(),
            "python": platform.python_version(),
            "packages": packages(),
            "machine": self.machine,
            "settings": {**self.plan.settings(), **self.settings},
            "rows": self.rows,
            "sections": {one.name: one.rows for one in self.sections},
            **self.further,
            "skipped": self.skipped,
            "remarks": self.remarks,
            "failed": self.failed,
        }

    def write(self) -> list[Path]:
        """JSON and HTML into the results' folder."""
        folder = self.plan.results
        folder.mkdir(parents=True, exist_ok=True)
        stem = folder / f"{self.name}-{self.started_at:%Y-%m-%d-%H%M%S}"
        facts = self.facts()
        tables = [Section("Figures", self.columns, self.rows), *self.sections]
        written = [stem.with_suffix(".json"), stem.with_suffix(".html")]
        written[0].write_bytes(orjson.dumps(facts, option=orjson.OPT_INDENT_2))
        written[1].write_text(page(facts, [_shown(one) for one in tables], self.charts))
        return written

    def print(self, console: Console) -> None:
        """The table, what was skipped, and what to know about it."""
        for section in (Section(f"touchline bench {self.name}", self.columns, self.rows), *self.sections):
            if section.rows:
                console.print(_table(section))
        for one in self.skipped:
            console.print(f"skipped: {one['row']}: {one['why']}", style="yellow", markup=False)
        for remark in self.remarks:
            console.print(remark, markup=False)


def _table(section: Section) -> Table:
    table = Table(title=section.name, title_justify="left", box=SIMPLE_HEAD, caption=section.remark or None)
    table.caption_justify = "left"
    for number, column in enumerate(section.columns):
        table.add_column(column.heading, justify="right" if number else "left", no_wrap=True)
    for row, texts in zip(section.rows, section.texts(), strict=True):
        table.add_row(*texts, style="red" if row.get("errors") or row.get("void") else None)
    return table


def _shown(section: Section) -> Shown:
    return Shown(section.name, [column.heading for column in section.columns], section.texts(), section.remark)
