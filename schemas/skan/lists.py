"""Lists of ad networks' ids, as IAB Tech Lab's `/skadnetworkids.json` has them. Pure.

Source: IAB Tech Lab's SKAdNetwork extension of OpenRTB, "Device … SKAdNetwork ID lists": `company_name`,
`company_address`, `company_domain`*, `skadnetwork_ids`*, each with `entity_name`, `entity_domain`, `skadnetwork_id`*,
`creation_date` and, in IAB's own list, `id`; a star marks what must be there.
"""

import re
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

ENTRIES_MAX = 50_000

Text = Annotated[str, Meta(max_length=1000)]

_NETWORK = re.compile(r"(?=.{3,100}\Z)[a-z0-9-]+(\.[a-z0-9-]+)+")
_AT = re.compile(r" - at `\$\.?(.*)`$")
_MISSING = re.compile(r"Object missing required field `(\w+)`")


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One network of a list."""

    id: Annotated[int, Meta(ge=0)] | None = None
    """Its number in IAB's list, which an exchange's `max` counts."""
    entity_name: Text | None = None
    entity_domain: Text | None = None
    skadnetwork_id: str
    """In lower case."""
    creation_date: Text | None = None
    """As the list has it."""


class IdList(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A list; encoded it has IAB's form again."""

    company_name: Text | None = None
    company_address: Text | None = None
    company_domain: Annotated[str, Meta(min_length=1, max_length=253)]
    entries: tuple[Entry, ...] = msgspec.field(name="skadnetwork_ids")


class _Unread(msgspec.Struct, kw_only=True):
    """The list before its entries are looked at, one by one."""

    company_name: Text | None = None
    company_address: Text | None = None
    company_domain: Annotated[str, Meta(min_length=1, max_length=253)]
    skadnetwork_ids: list[msgspec.Raw]


T = TypeVar("T")


def parse_list(content: bytes) -> IdList:
    """Numbers may be digits in a string, ids may have capitals, unknown fields may be there.

    Raises ValueError, which names the field.
    """
    found = _decoded(content.removeprefix(b"\xef\xbb\xbf"), _Unread, "")
    if len(found.skadnetwork_ids) > ENTRIES_MAX:
        raise ValueError(f"skadnetwork_ids: {len(found.skadnetwork_ids)} entries; at most {ENTRIES_MAX}")
    return IdList(
        company_name=found.company_name,
        company_address=found.company_address,
        company_domain=found.company_domain,
        entries=tuple(_entry(raw, f"skadnetwork_ids[{number}]") for number, raw in enumerate(found.skadnetwork_ids)),
    )


def network_id(text: str) -> str | None:
    """A network's id as it is compared and signed, in lower case; None for what is none."""
    name = text.strip().lower()
    return name if _NETWORK.fullmatch(name) else None


def _entry(raw: msgspec.Raw, where: str) -> Entry:
    entry = _decoded(raw, Entry, where)
    name = network_id(entry.skadnetwork_id)
    if name is None:
        raise ValueError(f"{where}.skadnetwork_id: {entry.skadnetwork_id[:60]!r} is no network's id")
    return msgspec.structs.replace(entry, skadnetwork_id=name)


def _decoded(content: bytes | msgspec.Raw, kind: type[T], where: str) -> T:
    try:
        return msgspec.json.decode(content, type=kind, strict=False)
    except msgspec.ValidationError as error:
        words = str(error)
        at = _AT.search(words)
        missing = _MISSING.match(words)
        names = (where, at[1] if at else "", missing[1] if missing else "")
        field = ".".join(name for name in names if name) or "the list"
        said = "is missing" if missing else _AT.sub("", words)
        raise ValueError(f"{field}: {said}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"it is no JSON: {error}") from None
