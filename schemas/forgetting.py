"""What is left of a device that was forgotten: keys to know it by again, and pseudonyms that keep counts exact. Pure.

The table `forgotten` is no new personal data about a device: it holds 64-bit numbers and times. A device's
key is its match key, a hash cut short of app, kind and digest; identifiers are random, so none can be found by
trying, and after erasure no row of any other table carries that number. What people could guess (user ids,
install ids, visitor ids) is hashed with a salt that never leaves the database. Whoever holds an identifier can
ask whether it was forgotten: that is what the table is for.
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Literal

from schemas import keys
from schemas.events import Conversion, Event, Install, TouchKind, Visit
from schemas.identifiers import LIMITS, DeviceId, device_ids, stored_digests
from schemas.query import parse_query

FLAG = "forgotten"
STUB = b'{"forgotten":true}'
"""Stands in place of a rejected record."""

OtherKind = Literal["user_id", "install_id", "visitor_id", "ios_ifv"]
"""What names a device, or its owner, and matches no touch."""

VISITOR = "visitor_id"
"""Name of the visitor's id among the ids of an event."""
VENDOR_ID_NAMES = ("ios_ifv", "ios-ifv", "idfv")
TOUCH_KINDS: tuple[TouchKind, ...] = ("click", "impression")


def named_ids(parameters: Mapping[str, str]) -> list[DeviceId]:
    """The identifiers among the parameters, also of a device that limits their use: it may be forgotten too."""
    return device_ids({name: value for name, value in parameters.items() if name not in LIMITS})


def vendor_ids(ids: Mapping[str, str]) -> list[str]:
    """Identifiers for vendors (iOS) among the ids of a conversion."""
    return [ids[name].lower() for name in VENDOR_ID_NAMES if ids.get(name)]


def device_keys(app: str, kind: TouchKind, ids: Iterable[DeviceId]) -> set[int]:
    """The match keys under which a touch with these identifiers is found."""
    return {
        keys.device_key(app, kind, one.kind, digest)
        for one in ids
        for digest in stored_digests(one)
        if digest is not None
    }


def other_key(salt: bytes, app: str, kind: OtherKind, value: str) -> int:
    """Key of what is no device identifier."""
    return int.from_bytes(_salted(salt, (app, kind, value), size=8), "big", signed=True)


def pseudonym(salt: bytes, app: str, kind: str, value: str) -> str:
    """In place of an id that rows need: the same for the same one, so that a retry stays one row."""
    return f"forgotten-{_salted(salt, (app, 'pseudonym', kind, value), size=16).hex()}"


def conversion_keys(salt: bytes, record: Conversion) -> set[int]:
    """Every key by which an install, event or visit may be a forgotten device's."""
    if isinstance(record, Visit):
        visitor_id: str | None = record.visitor_id
        found = device_keys(record.app, "click", address_ids(record.url) + address_ids(record.referer))
    else:
        visitor_id = visitor_of(record)
        found = _of_app(salt, record)
    if visitor_id:
        found.add(other_key(salt, record.app, "visitor_id", visitor_id))
    return found


def visitor_of(record: Install | Event) -> str | None:
    """The visitor of a website whom an event names."""
    return record.ids.get(VISITOR) if isinstance(record, Event) else None


def address_ids(url: str) -> list[DeviceId]:
    """Identifiers in a page's address: a link may write them into the one of its landing."""
    return named_ids(parse_query(url.partition("#")[0].partition("?")[2]))


def page_of(url: str) -> str:
    """What stays of the address of a visit: the page, without query and fragment."""
    return url.partition("#")[0].partition("?")[0]


def _of_app(salt: bytes, record: Install | Event) -> set[int]:
    found = device_keys(record.app, "click", named_ids(record.ids))
    found |= {other_key(salt, record.app, "ios_ifv", value) for value in vendor_ids(record.ids)}
    if record.user_id:
        found.add(other_key(salt, record.app, "user_id", record.user_id))
    if record.install_id:
        found.add(other_key(salt, record.app, "install_id", record.install_id))
    return found


def _salted(salt: bytes, parts: Iterable[str], *, size: int) -> bytes:
    text = "".join(f"{part}\x1f" for part in parts)
    return blake2b(text.encode("utf-8", "replace"), key=salt, digest_size=size).digest()
