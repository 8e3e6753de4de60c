"""JSON that means the same to every reader: one object, no name twice, no NaN. Pure."""

import json
from hashlib import sha256
from typing import Any, NoReturn


class NotVerified(Exception):
    """The body does not count; the message is a sentence that names the field."""


def read_object(data: bytes, what: str) -> dict[str, Any]:
    """The object. Raises NotVerified."""
    try:
        # bytes would also be read as UTF-16, and surrogates would pass
        value = json.loads(data.decode(), object_pairs_hook=_once_each, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise NotVerified(f"{what} is no JSON.") from None
    if not isinstance(value, dict):
        raise NotVerified(f"{what} is no JSON object.")
    return value


def content_hash(value: dict[str, Any]) -> bytes:
    """SHA-256 of the content: the order of names and the spelling of texts do not count, values do."""
    return sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).digest()


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NotVerified(f"{twice[:100]!r} stands twice.")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
