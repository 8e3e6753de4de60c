"""SQL in readable files: `load("touches")` gives the named statements of `touches.sql`.

A statement starts at a line `-- name: some_name` and has a purpose in the comment below it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def load(file: str) -> Mapping[str, str]:
    """Name → statement of one file."""
    parts = _NAME.split((FOLDER / f"{file}.sql").read_text())
    return dict(zip(parts[1::2], (text.strip() for text in parts[2::2]), strict=True))


def migrations() -> list[tuple[str, str]]:
    """(name, SQL) of every migration, in order."""
    return [(path.stem, path.read_text()) for path in sorted((FOLDER / "migrations").glob("*.sql"))]


def joined(rows: Iterable[Sequence[object]], separator: str = ",") -> list[str]:
    """Rows as one text a column: of an array the driver would look at every value.

    For values without the separator and without NULL.
    """
    return [separator.join(map(str, column)) for column in zip(*rows, strict=True)]
