"""The README says what is true: settings, metrics, commands, folders, the way of a click."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.metrics import METRICS
from schemas.settings import declared

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_it_is_short_enough_to_be_read() -> None:
    assert len(README.splitlines()) < 250


@pytest.mark.parametrize(("key", "default", "sentence"), declared())
def test_every_setting_is_in_the_table(key: str, default: str, sentence: str) -> None:
    shown = f"`{default}` " if default else ""
    assert f"| `{key}` | {shown}| {sentence} |" in README


def test_no_setting_is_in_the_readme_that_does_not_exist() -> None:
    known = {key for key, _, _ in declared()}
    named = set(re.findall(r"TOUCHLINE_[A-Z_]+", README))
    assert named - known == {"TOUCHLINE_TEST_KAFKA", "TOUCHLINE_TEST_DATA"}


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_every_metric_is_in_the_table(metric: object) -> None:
    assert f"| `{metric.name}` | {metric.kind} | {metric.help}" in README  # type: ignore[attr-defined]


def test_no_metric_is_in_the_readme_that_does_not_exist() -> None:
    assert set(re.findall(r"`(touchline_\w+)`", README)) == {metric.name for metric in METRICS}


def test_every_command_is_named() -> None:
    help_text = subprocess.run(
        [sys.executable, "-m", "deploy", "--help"], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    commands = re.findall(r"^│ (\w+) ", help_text.split("Commands")[1], re.MULTILINE)
    assert len(commands) >= 12
    assert [one for one in commands if f"`{one}`" not in README] == []


def test_the_way_of_a_click_names_six_files_that_are_there() -> None:
    way = README.split("### The way of a click, in six files")[1].split("\n\n")[1]
    steps = re.findall(r"^\d\. `([\w/.]+)`", way, re.MULTILINE)
    assert steps == [
        "ingest/app.py",
        "ingest/lane.py",
        "ingest/accept.py",
        "ingest/batch.py",
        "ingest/journal.py",
        "ingest/answer.py",
    ]
    assert all((ROOT / step).is_file() for step in re.findall(r"`(\w+/[\w/]+\.py)`", README))


def test_the_folders_are_those_of_the_project() -> None:
    named = re.findall(r"^\| `(\w+)/` \|", README, re.MULTILINE)
    there = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    assert set(named) == there
