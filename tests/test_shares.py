"""Tests that run beside each other: what is named is there, and whoever starts brokers is among the servers."""

from pathlib import Path

import pytest

from tests.support.shares import LIGHT, SERVERS, share

HERE = Path(__file__).parent
WITH_KAFKA = [path for path in sorted(HERE.rglob("test_*.py")) if "pytest.mark.kafka" in path.read_text()]


@pytest.mark.parametrize("name", [*SERVERS, *LIGHT])
def test_what_is_named_is_there(name: str) -> None:
    assert (HERE / name).exists()


@pytest.mark.parametrize("path", [path for path in WITH_KAFKA if path != Path(__file__)], ids=lambda path: path.name)
def test_no_second_process_of_tests_starts_brokers(path: Path) -> None:
    assert share(f"tests/{path.relative_to(HERE)}::test_it") == "servers"
