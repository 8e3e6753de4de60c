"""Whom `touchline forget` is asked to forget: identifiers in all their forms, and what they stand in. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, get_args

import msgspec

from schemas import keys
from schemas.codec import decode_conversion, decode_hit, decode_reject
from schemas.errors import ConfigError, DeadLetter
from schemas.events import Conversion, Visit
from schemas.forgetting import TOUCH_KINDS, OtherKind, address_ids, named_ids, other_key, vendor_ids, visitor_of
from schemas.identifiers import ALIASES, KINDS, DeviceId, IdKind, device_ids, is_no_id, probed_digests, same_device
from schemas.query import decode, parse_query

ADVERTISING: tuple[IdKind, ...] = ("google_aid", "ios_ifa", "oaid", "windows_aid")
"""What a bare UUID may be."""

OTHER_KINDS: tuple[OtherKind, ...] = get_args(OtherKind)
ID_CHARS_MAX = 1024

_UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_SHAPES: dict[str, tuple[str, str]] = {
    "google_aid": (_UUID, "a UUID"),
    "ios_ifa": (_UUID, "a UUID"),
    "ios_ifv": (_UUID, "a UUID"),
    "windows_aid": (rf"{_UUID}|[0-9a-fA-F]{{32}}", "a UUID, with or without dashes"),
    "oaid": (r"[0-9a-zA-Z-]{12,64}", "12 to 64 letters, digits and dashes"),
    "android_id": (r"[0-9a-fA-F]{12,16}", "up to 16 hex digits"),
}
"""An identifier is searched for as text: a short one would stand in other people's records too."""


class Names(NamedTuple):
    """What a device is called."""

    devices: frozenset[DeviceId] = frozenset()
    vendor_ids: frozenset[str] = frozenset()
    user_ids: frozenset[str] = frozenset()
    installs: frozenset[tuple[str, str]] = frozenset()
    """(app, install id)"""
    visitors: frozenset[tuple[str, str]] = frozenset()
    """(website, visitor id)"""

    def with_those(self, other: "Names") -> "Names":
        """Both."""
        return Names(
            self.devices | other.devices,
            self.vendor_ids | other.vendor_ids,
            self.user_ids | other.user_ids,
            self.installs | other.installs,
            self.visitors | other.visitors,
        )

    def total(self) -> int:
        """How many names there are."""
        return sum(map(len, self))

    def forms(self) -> list[str]:
        """Texts in lower case of which one in a record tells that it is the device's: ids and their digests."""
        return _forms(self)

    def device_keys(self, apps: Iterable[str]) -> set[int]:
        """Every match key that a touch of the device can have."""
        return {
            keys.device_key(app, kind, one.kind, digest)
            for app in apps
            for kind in TOUCH_KINDS
            for one in self.devices
            for digests in probed_digests(one)
            for digest in digests
        }

    def all_keys(self, apps: Sequence[str], salt: bytes) -> set[int]:
        """Every key of `forgotten` by which consumers know the device again."""
        named: list[tuple[str, OtherKind, str]] = [(app, "install_id", value) for app, value in self.installs]
        named += [(app, "visitor_id", value) for app, value in self.visitors]
        named += [(app, "ios_ifv", value) for app in apps for value in self.vendor_ids]
        named += [(app, "user_id", value) for app in apps for value in self.user_ids]
        return self.device_keys(apps) | {other_key(salt, *one) for one in named}

    def is_touch(self, query: str) -> bool:
        """Whether a touch that was found by its hash, or by text, truly names the device."""
        lower = decode(query).lower()
        return any(form in lower for form in self.forms()) or self._same(named_ids(parse_query(query)))

    def is_record(self, record: bytes) -> bool:
        """Whether a rejected record, of which nothing is certain, is the device's."""
        lower = record.decode("utf-8", "replace").lower()
        if any(form in lower for form in self.forms()):
            return True
        try:
            return self._is_conversion(decode_conversion(record))
        except DeadLetter:
            return False

    def _is_conversion(self, one: Conversion) -> bool:
        if isinstance(one, Visit):
            ids = address_ids(one.url) + address_ids(one.referer)
            return (one.app, one.visitor_id) in self.visitors or self._same(ids)
        return (
            (one.user_id is not None and one.user_id in self.user_ids)
            or (one.app, one.install_id) in self.installs
            or (one.app, visitor_of(one)) in self.visitors
            or self._same(named_ids(one.ids))
        )

    def _same(self, ids: Iterable[DeviceId]) -> bool:
        return any(same_device(one, mine) for one in ids for mine in self.devices)

    def needles(self) -> list[str]:
        """Texts to look for in records of the log as Postgres' `encode(…, 'escape')` shows them, in lower case."""
        values = {*self.forms(), *self.user_ids, *(value for _, value in self.installs | self.visitors)}
        return sorted(_escaped(value) for value in values)


@lru_cache(maxsize=4)
def _forms(names: Names) -> list[str]:
    found = {one.value.lower() for one in names.devices} | set(names.vendor_ids)
    for one in names.devices:
        found.update(*probed_digests(one))
    return sorted(found)


def read_names(texts: Sequence[str], apps: Sequence[str]) -> Names:
    """The names of `--id KIND:VALUE` and `--id UUID`. Raises ConfigError that names the argument."""
    names = Names()
    for text in texts:
        names = names.with_those(_read(text, apps))
    return names


def _read(text: str, apps: Sequence[str]) -> Names:
    kind, separator, value = text.partition(":")
    if not separator:
        return Names(devices=frozenset(DeviceId(one, "raw", text) for one in _advertising(text)))
    if not value.strip() or len(value) > ID_CHARS_MAX or "\0" in value or not _is_unicode(value):
        raise ConfigError(f"--id {text!r}: the value has 1 to {ID_CHARS_MAX} characters")
    if kind == "user_id":
        return Names(user_ids=frozenset({value}))
    if kind == "install_id":
        return Names(installs=frozenset((app, value) for app in apps))
    if kind == "visitor_id":
        return Names(visitors=frozenset((app, value) for app in apps))
    value = value.strip()
    if is_no_id(value):
        raise ConfigError(f"--id {text!r}: devices that limit tracking share this value, it names none")
    if kind == "ios_ifv":
        _check_shape(text, kind, value)
        return Names(vendor_ids=frozenset({value.lower()}))
    found = device_ids({kind: value})
    if not found:
        raise ConfigError(f"--id {text!r}: {_wrong_kind(kind)}")
    if found[0].form == "raw":
        _check_shape(text, found[0].kind, value)
    return Names(devices=frozenset(found))


def _advertising(text: str) -> Sequence[IdKind]:
    if not re.fullmatch(_UUID, text):
        raise ConfigError(f"--id {text!r}: without a KIND: before it, it must be a UUID, which is any advertising id")
    if is_no_id(text):
        raise ConfigError(f"--id {text!r}: devices that limit tracking share this value, it names none")
    return ADVERTISING


def _check_shape(text: str, kind: str, value: str) -> None:
    shape, words = _SHAPES[kind]
    if not re.fullmatch(shape, value):
        hint = f"; a digest is given as {kind}_sha1: or {kind}_md5:" if kind in ALIASES else ""
        raise ConfigError(f"--id {text!r}: {kind} is {words}{hint}")


def _wrong_kind(kind: str) -> str:
    if kind.endswith(("_sha1", "_md5")):
        return "a SHA-1 has 40 hex digits, an MD5 32"
    return f"KIND is one of {', '.join((*KINDS, *OTHER_KINDS))}; the first five also with _sha1 or _md5 behind"


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def names_of_install(app: str, install_id: str, ids: Mapping[str, str]) -> Names:
    """What an install calls its device. Not its user, who may have other devices."""
    devices = frozenset(one for one in named_ids(ids) if one.form != "raw" or len(one.value) >= 12)
    vendors = frozenset(one for one in vendor_ids(ids) if len(one) >= 12 and not is_no_id(one))
    return Names(devices, vendors, frozenset(), frozenset({(app, install_id)}))


def subject_of(record: bytes) -> tuple[str | None, str | None]:
    """(app, link) that a record of the log names, as far as it can be read."""
    try:
        conversion = decode_conversion(record)
        return conversion.app, None
    except DeadLetter:
        pass
    try:
        hit = decode_hit(record)
        return hit.app, hit.link
    except DeadLetter:
        pass
    try:
        return None, decode_reject(record).link
    except DeadLetter:
        return None, None


def _escaped(value: str) -> str:
    """As it stands in JSON, then as Postgres' escape format writes bytes; lower case of ASCII only."""
    data = msgspec.json.encode(value)[1:-1].lower()
    return "".join("\\\\" if b == 92 else chr(b) if 0 < b < 128 else f"\\{b:03o}" for b in data)
