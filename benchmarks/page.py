"""One HTML page that needs nothing else: facts, table, charts, and the JSON it was made of."""

from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

import orjson

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #1c2430; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; } th, td { padding: .25rem .7rem; border-bottom: 1px solid #d8dee6; }
th { text-align: left; } table.rows td:not(:first-child), table.rows th:not(:first-child) { text-align: right; }
table.rows { font-variant-numeric: tabular-nums; } .failed { color: #b42318; font-weight: 600; }
svg { max-width: 100%; height: auto; } pre { background: #f4f6f9; padding: 1rem; overflow: auto; }
"""


class Shown(NamedTuple):
    """A table as it is read: everything is text."""

    name: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    remark: str = ""


def page(facts: dict[str, Any], tables: Sequence[Shown], charts: Sequence[str]) -> str:
    """The whole document."""
    name = escape(str(facts["benchmark"]))
    parts = [
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>touchline bench {name}</title>',
        f"<style>{STYLE}</style></head><body><h1>touchline bench {name}</h1>",
        '<p class="failed">What was promised did not hold.</p>' if facts["failed"] else "",
        _circumstances(facts),
        *(part for table in tables for part in (f"<h2>{escape(table.name)}</h2>", _table(table))),
        _list("Skipped", [f"{one['row']}: {one['why']}" for one in facts["skipped"]]),
        _list("Remarks", facts["remarks"]),
        *(f"<figure>{chart}</figure>" for chart in charts),
        "<h2>As JSON</h2><details><summary>everything above, for programs</summary><pre>",
        escape(orjson.dumps(facts, option=orjson.OPT_INDENT_2).decode()),
        "</pre></details></body></html>\n",
    ]
    return "\n".join(part for part in parts if part)


def _circumstances(facts: dict[str, Any]) -> str:
    shown = {
        "command": facts["command"],
        "date": facts["date"],
        "commit": facts["commit"] or "unknown",
        "python": facts["python"],
        "machine": _words(facts["machine"]),
        "settings": _words(facts["settings"]),
        "packages": _words(facts["packages"]),
    }
    lines = (f"<tr><th>{escape(key)}</th><td>{escape(str(value))}</td></tr>" for key, value in shown.items())
    return f"<table>{''.join(lines)}</table>"


def _words(facts: dict[str, Any]) -> str:
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in facts.items() if value is not None)


def _table(table: Shown) -> str:
    if not table.rows:
        return "<p>No row could run here.</p>"
    head = "".join(f"<th>{escape(heading)}</th>" for heading in table.headings)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in table.rows)
    remark = f"<p>{escape(table.remark)}</p>" if table.remark else ""
    return f'<table class="rows"><tr>{head}</tr>{body}</table>{remark}'


def _list(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    return f"<h2>{title}</h2><ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"
