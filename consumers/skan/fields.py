"""Fields of Apple's postbacks and their types: as strict as the devices that write them. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from consumers.skan.strict_json import NotVerified
from schemas.skan.signed import SOMETIMES

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NETWORK = re.compile(r"[A-Za-z0-9._-]{1,100}")
_DOMAIN = re.compile(r"[!-~]{1,253}")
_SOURCE = re.compile(r"[0-9]{2,4}")
_STORE_ID_MAX = 2**63 - 1


def _text(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _number(least: int, most: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and least <= value <= most


def _truth(value: Any) -> bool:
    return isinstance(value, bool)


_IS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "version": (lambda value: isinstance(value, str), "text"),
    "ad-network-id": (_text(_NETWORK), "the id of an ad network"),
    "campaign-id": (_number(1, 100), "a number from 1 to 100"),
    "source-identifier": (_text(_SOURCE), "a text of two to four digits"),
    "app-id": (_number(0, _STORE_ID_MAX), "a number"),
    "transaction-id": (_text(_UUID), "a UUID"),
    "redownload": (_truth, "true or false"),
    "source-app-id": (_number(0, _STORE_ID_MAX), "a number"),
    "source-domain": (_text(_DOMAIN), "a domain"),
    "fidelity-type": (_number(0, 1), "0 or 1"),
    "did-win": (_truth, "true or false"),
    "postback-sequence-index": (_number(0, 2), "0, 1 or 2"),
    # AdAttributionKit
    "postback-identifier": (_text(_UUID), "a UUID"),
    "ad-network-identifier": (_text(_NETWORK), "the id of an ad network"),
    "advertised-item-identifier": (_number(0, _STORE_ID_MAX), "a number"),
    "publisher-item-identifier": (_number(0, _STORE_ID_MAX), "a number"),
    "conversion-type": (
        lambda value: value in ("download", "redownload", "re-engagement"),
        "download, redownload or re-engagement",
    ),
}


def check(values: Mapping[str, Any], names: Iterable[str], *, optional: frozenset[str] = SOMETIMES) -> None:
    """That each of the names is there, unless `optional`, and of its type. Raises NotVerified."""
    for name in names:
        if name not in values:
            if name not in optional:
                raise NotVerified(f"{name} is missing.")
            continue
        fits, kind = _IS[name]
        if not fits(values[name]):
            raise NotVerified(f"{name} is not {kind}.")
