import re
from collections import Counter
from pathlib import Path

import pytest

from schemas.sql import FOLDER, load, migrations

PROJECT = FOLDER.parents[1]
FILES = sorted(path.stem for path in FOLDER.glob("*.sql"))
FOLDERS = ("process", "ingest", "consumers", "console", "deploy", "benchmarks")
LOADED = re.compile(r"load\(\"(\w+)\"\)")
QUOTED = re.compile(r"\"(\w+)\"")


def uses() -> set[tuple[str, str]]:
    """(file, statement) of every module that loads the file and names the statement."""
    found: set[tuple[str, str]] = set()
    for folder in FOLDERS:
        for path in (PROJECT / folder).rglob("*.py"):
            text = path.read_text()
            found |= {(file, name) for file in LOADED.findall(text) for name in QUOTED.findall(text)}
    return found


@pytest.mark.parametrize("file", FILES)
def test_every_statement_has_a_name_and_a_purpose(file: str) -> None:
    text = (FOLDER / f"{file}.sql").read_text()
    assert text.startswith("-- name: ")
    assert load(file)
    for name, statement in load(file).items():
        purpose, _, sql = statement.partition("\n")
        assert purpose.startswith("-- "), name
        assert len(purpose) > 10, name
        assert re.match(r"(-- |[A-Z]+ )", sql), name


@pytest.mark.parametrize("file", FILES)
def test_names_are_unique(file: str) -> None:
    names = Counter(re.findall(r"^-- name:.*$", (FOLDER / f"{file}.sql").read_text(), re.MULTILINE))
    assert max(names.values()) == 1
    assert len(names) == len(load(file))


@pytest.mark.parametrize("file", FILES)
def test_every_statement_is_used(file: str) -> None:
    used = uses()
    assert [name for name in load(file) if (file, name) not in used] == []


@pytest.mark.parametrize("file", FILES)
def test_a_statement_is_one_statement(file: str) -> None:
    for name, statement in load(file).items():
        code = re.sub(r"--.*|'[^']*'", "", statement).strip()
        assert code.count(";") <= 1, name
        assert ";" not in code or code.endswith(";"), name


def test_migrations_come_in_the_order_of_their_numbers() -> None:
    names = [name for name, _ in migrations()]
    assert names == sorted(names)
    assert [name[:5] for name in names] == [f"{number:04d}_" for number in range(1, len(names) + 1)]
    assert all(Path(FOLDER / "migrations" / f"{name}.sql").read_text() == sql for name, sql in migrations())
