"""Secrets inside settings that are stored as given: kept, and never shown. Pure."""

from collections.abc import Mapping
from typing import Any

NAMES = frozenset({"secret", "secrets", "key", "token", "password"})
SHOWN = "…"
"""Stands in place of a secret; given back it means: as it is."""


def concealed(value: Any) -> Any:
    """The value as it is shown."""
    if isinstance(value, Mapping):
        return {name: SHOWN if name in NAMES and one else concealed(one) for name, one in value.items()}
    return [concealed(one) for one in value] if isinstance(value, list) else value


def restored(asked: Any, stored: Any) -> Any:
    """What was asked, with the secrets that stand where it says that they shall stay."""
    if not isinstance(asked, Mapping):
        return asked
    before = stored if isinstance(stored, Mapping) else {}
    return {
        name: before.get(name) if name in NAMES and one == SHOWN else restored(one, before.get(name))
        for name, one in asked.items()
    }
