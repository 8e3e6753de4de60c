"""The commands, beside the consumers."""

from tests.console.conftest import console as console
