"""What no signature covers: conversion values, and in AdAttributionKit the interaction and the country. Pure.

Whoever carries a postback can change them, so they never decide whether it verifies. What no device sends is not
believed: the reason says what was left out.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

FINE_MAX = 63
COARSE = ("low", "medium", "high")
VALUES = ("conversion-value", "coarse-conversion-value")
"""All that SKAdNetwork has of these."""
_COUNTRY = re.compile(r"[A-Z]{2}")


class Unsigned(NamedTuple):
    """The values that can be, and a sentence for each that was left out."""

    fine: int | None
    coarse: str | None
    interaction: str | None
    country: str | None
    left_out: tuple[str, ...]


def read_unsigned(
    body: Mapping[str, Any], *, fine: bool, coarse: bool, sequence: int | None, did_win: bool | None
) -> Unsigned:
    """`fine`, `coarse`: whether the version has such values. Index 1 and 2 have coarse ones only, losers none."""
    left_out: list[str] = []

    def value(name: str, fits: bool, why: str) -> Any:
        if name not in body or body[name] is None:
            return None
        if not fits:
            left_out.append(f"{name} is left out: {why}.")
            return None
        return body[name]

    found_fine = body.get("conversion-value")
    found_coarse = body.get("coarse-conversion-value")
    lost = did_win is False
    return Unsigned(
        value(
            "conversion-value",
            fine and not lost and not sequence and type(found_fine) is int and 0 <= found_fine <= FINE_MAX,
            _why(lost, "a number from 0 to 63, of a first postback"),
        ),
        value(
            "coarse-conversion-value", coarse and not lost and found_coarse in COARSE, _why(lost, "low, medium or high")
        ),
        value("ad-interaction-type", body.get("ad-interaction-type") in ("click", "view"), "it is not click or view"),
        value("country-code", _is_country(body.get("country-code")), "it is no country's two letters"),
        tuple(left_out),
    )


def _why(lost: bool, kind: str) -> str:
    return "who did not win is told no value" if lost else f"it is not {kind}"


def _is_country(value: Any) -> bool:
    return isinstance(value, str) and _COUNTRY.fullmatch(value) is not None
