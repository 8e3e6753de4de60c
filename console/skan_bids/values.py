"""Values as exchanges send them: numbers as strings, strings as numbers, capitals. None: there is no value. Pure."""

import re
from typing import Any
from uuid import UUID

from schemas.skan.lists import network_id
from schemas.skan.signed import VERSIONS, Version

DIGITS_MAX = 19
STORE_NUMBER_MAX = 2**63 - 1
BID_VERSIONS = VERSIONS[1:]
"""OpenRTB knows SKAdNetwork from 2.0 on."""

_STORE_NUMBER = re.compile(rf"(?:id)?([0-9]{{1,{DIGITS_MAX}}})", re.IGNORECASE)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def mapping(value: Any) -> dict[str, Any]:
    """Empty for what is no object."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """Empty for what is no array."""
    return value if isinstance(value, list) else []


def is_said(value: Any) -> bool:
    """Whether a field has a value at all, right or wrong."""
    return value is not None and value != ""


def is_text_or_number(value: Any) -> bool:
    """Whether it says something; another type, an empty text, null do not."""
    return is_said(value) and isinstance(value, (str, int, float)) and not isinstance(value, bool)


def whole(value: Any) -> int | None:
    """A whole number, not below zero: 7, 7.0 and "7"."""
    if isinstance(value, str):
        text = value.strip()
        return int(text) if text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX else None
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if 0 <= value <= STORE_NUMBER_MAX else None
    if isinstance(value, float) and value.is_integer() and 0 <= value <= 2**53:
        return int(value)
    return None


def flag(value: Any) -> bool:
    """1, "1" and true."""
    return value is True or whole(value) == 1


def store_number(value: Any) -> int | None:
    """An app's number in the App Store, also as "id880047117"; never 0."""
    if isinstance(value, str):
        found = _STORE_NUMBER.fullmatch(value.strip())
        value = found[1] if found else None
    number = whole(value)
    return number if number is not None and 0 < number <= STORE_NUMBER_MAX else None


def network(value: Any) -> str | None:
    """An ad network's id, in lower case."""
    return network_id(value) if isinstance(value, str) else None


def version(value: Any) -> Version | None:
    """A version from 2.0 on: "2.0", 2.0, 2 and "2"."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    text = value.strip() if isinstance(value, str) else format(value, ".1f") if is_short(value) else ""
    full = text if "." in text else f"{text}.0"
    return next((one for one in BID_VERSIONS if one == full), None)


def is_short(value: float) -> bool:
    """Whether it has at most one decimal."""
    return abs(value) < 100 and float(value) == round(float(value), 1)


def uuid(value: Any) -> UUID | None:
    """With its dashes, in any case of letters."""
    return UUID(value) if isinstance(value, str) and _UUID.fullmatch(value) else None


def shown(value: Any) -> str:
    """A value as a sentence names it."""
    text = repr(value) if isinstance(value, (str, int, float)) else f"a value of type {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:77]}…"
