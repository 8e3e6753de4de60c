"""The third-party cases, which lie beside the repository and are never copied into it."""

import os
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


def data_folder() -> Path:
    """The folder of the cases; without it the calling test skips, in CI it fails."""
    folder = PROJECT / os.environ.get("TOUCHLINE_TEST_DATA", "../shared/data")
    if folder.is_dir():
        return folder.resolve()
    sentence = f"The third-party cases are not at {folder}: set TOUCHLINE_TEST_DATA to their folder."
    if os.environ.get("CI") == "true":
        pytest.fail(sentence)
    pytest.skip(sentence)
