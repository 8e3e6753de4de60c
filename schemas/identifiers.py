"""Device identifiers as ad networks and SDKs send them: names, what is none, and their digests."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from schemas.query import decode, split_query

IdKind = Literal["google_aid", "ios_ifa", "oaid", "windows_aid", "android_id", "ios_ifv"]
Form = Literal["raw", "sha1", "md5"]

ALIASES: dict[str, IdKind] = {
    "google_aid": "google_aid",
    "google-aid": "google_aid",
    "gaid": "google_aid",
    "gps_adid": "google_aid",
    "mt_gaid": "google_aid",
    "ios_ifa": "ios_ifa",
    "ios-ifa": "ios_ifa",
    "idfa": "ios_ifa",
    "mt_idfa": "ios_ifa",
    "oaid": "oaid",
    "mt_oaid": "oaid",
    "windows_aid": "windows_aid",
    "mt_waid": "windows_aid",
    "android_id": "android_id",
    "mt_android_id": "android_id",
}
"""Names of the vendors → ours. `ios_ifv` is missing on purpose: it never matches across apps."""

_SUFFIXES: dict[Form, str] = {"raw": "", "sha1": "_sha1", "md5": "_md5"}
_NAMES = {alias + suffix: (kind, form) for alias, kind in ALIASES.items() for form, suffix in _SUFFIXES.items()}

KINDS: tuple[IdKind, ...] = ("google_aid", "ios_ifa", "oaid", "windows_aid", "android_id")
"""The kinds that match, the most telling first: the first one found fills a touch's own columns."""

UPPER_CASE: frozenset[IdKind] = frozenset({"ios_ifa", "windows_aid"})
"""Kinds whose vendor writes upper case; the others are written in lower case."""

_MACRO = re.compile(
    r"\{.*\}|\$\{.*\}|__\w+__|\[.*\]|%.*%%|%7B.*%7D|<.*>|(null|undefined|none|unknown|n/?a|nan)",
    re.IGNORECASE | re.DOTALL,
)
"""`%.*%%`: of `%%ADID%%` decoding takes `%AD` for an escape, and one percent sign is left before it."""

_MACRO_STARTS = frozenset("{$_[%<nuNU")
_HEX = {"sha1": re.compile(r"[0-9a-f]{40}\Z"), "md5": re.compile(r"[0-9a-f]{32}\Z")}


LIMITS = frozenset({"lmt", "limit_ad_tracking", "coppa"})
"""Parameters by which a sender says that the device's identifiers are not to be used (`1`; OpenRTB's names)."""


class DeviceId(NamedTuple):
    """One identifier of a device: a raw value as it came, or a digest in lower-case hex."""

    kind: IdKind
    form: Form
    value: str


def is_no_id(value: str) -> bool:
    """Empty, all zero (opted out), a macro nobody substituted, or a placeholder."""
    if not value.strip("0-"):
        return True
    return value[0] in _MACRO_STARTS and _MACRO.fullmatch(value) is not None


def any_limit(parameters: Mapping[str, str | None]) -> bool:
    """Whether the sender says `1` under one of LIMITS."""
    return not LIMITS.isdisjoint(parameters) and any(parameters.get(name) in ("1", "true") for name in LIMITS)


def device_ids(parameters: Mapping[str, str | None]) -> list[DeviceId]:
    """The identifiers among the parameters, one of each (kind, form), in the order of KINDS.

    `google_aid=…` is raw, `google_aid_sha1=…` and `google_aid_md5=…` are digests (also of the aliases).
    None at all when the device's owner has limited ad tracking, or is a child.
    """
    if any_limit(parameters):
        return []
    found: dict[tuple[IdKind, Form], DeviceId] = {}
    for name in [name for name in parameters if name in _NAMES]:
        named = kind, form = _NAMES[name]
        value = (parameters[name] or "").strip()
        if named in found or is_no_id(value):
            continue
        if form != "raw":
            value = value.lower()
            if not _HEX[form].match(value):
                continue
        found[named] = DeviceId(kind, form, value)
    ids = list(found.values())
    return sorted(ids, key=lambda one: KINDS.index(one.kind)) if len(ids) > 1 else ids


_TELLING = LIMITS | _NAMES.keys()


def query_ids(raw: str) -> list[DeviceId]:
    """As `device_ids` of the parsed query; no other value is decoded."""
    told = {name: value for name, value in split_query(raw).items() if name in _TELLING}
    return device_ids({name: decode(value) if "%" in value or "+" in value else value for name, value in told.items()})


def vendor_case(kind: IdKind, value: str) -> str:
    """The value in the case its vendor writes it, which is what networks hash."""
    return value.upper() if kind in UPPER_CASE else value.lower()


def sha1(text: str) -> str:
    """Lower-case hex: what networks send as `…_sha1`; no secret is protected by it."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def md5(text: str) -> str:
    """Lower-case hex: what networks send as `…_md5`; no secret is protected by it."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def stored_digests(one: DeviceId) -> tuple[str | None, str | None]:
    """(SHA-1, MD5) under which a touch with this identifier is found; None where it cannot be known."""
    if one.form == "sha1":
        return one.value, None
    if one.form == "md5":
        return None, one.value
    plain = vendor_case(one.kind, one.value)
    return sha1(plain), md5(plain)


def probed_digests(one: DeviceId) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(SHA-1s, MD5s) that a conversion with this identifier looks for: both cases of a raw value,
    because a network may have hashed either."""
    if one.form == "sha1":
        return (one.value,), ()
    if one.form == "md5":
        return (), (one.value,)
    cases = tuple(dict.fromkeys((vendor_case(one.kind, one.value), one.value.lower(), one.value.upper())))
    return tuple(sha1(case) for case in cases), tuple(md5(case) for case in cases)


def same_device(left: DeviceId, right: DeviceId) -> bool:
    """Whether two identifiers are one device's, as far as their forms can tell."""
    if left.kind != right.kind:
        return False
    if left.form == right.form == "raw":
        return left.value.lower() == right.value.lower()
    ours, theirs = probed_digests(left), probed_digests(right)
    return any(set(a) & set(b) for a, b in zip(ours, theirs, strict=True))


def contradict(ours: Iterable[DeviceId], theirs: Iterable[DeviceId]) -> bool:
    """Whether two sides name the same kind of identifier in forms that can be compared, and none of them is one."""
    compared = False
    for left in ours:
        for right in theirs:
            if left.kind == right.kind and (left.form == right.form or "raw" in (left.form, right.form)):
                if same_device(left, right):
                    return False
                compared = True
    return compared
