"""Rows of `touches` as COPY takes them: PostgreSQL's binary format, made by hand because it is made for every hit.

What many rows share, as the words of one agent, is made once and remembered.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from socket import inet_aton
from struct import Struct
from typing import Any

from schemas.addresses import parse_address

COLUMNS = (
    *("id", "touched_at"),
    *("device_sha1_key", "device_md5_key", "click_key", "external_click_key", "print_key"),
    *("ip", "click_id", "query", "external_click_id", "headers", "flags"),
    *("kind", "mode", "link", "app", "language", "country"),
    *("ua", "os", "os_version", "brand", "model", "browser"),
    *("partner", "campaign"),
)
"""The owners come last: they are the link's when the row is stored, not when it is made."""

SHARED_ENTRIES_MAX = 20_000
SHARED_CHARS_MAX = 1000
PIECE_ROWS = 128

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
_EPOCH_2000_US = 946_684_800_000_000
_TIMES = range(-(2**62), 2**62)
"""Far beyond what Postgres takes, and short of what it reads as infinity."""
_start = Struct(">hi16siq").pack
_start_and_usual_keys = Struct(">hi16siqiqiqiqiiq").pack
_length = Struct(">i").pack
_bigint = Struct(">iq").pack
_json_start = Struct(">ib").pack
_inet = Struct(">i4B").pack
_ONE_IPV4 = _inet(8, 2, 32, 0, 4)
_TEXT_OID = 25
_JSON_VERSION = 1
_NO_FLAGS = Struct(">iiii").pack(12, 0, 0, _TEXT_OID)


def row(values: tuple[Any, ...]) -> bytes:
    """The values of `consumers.touches.row.COLUMNS` without the owners. Raises ValueError for what does not fit."""
    # fmt: off
    (
        id, kind, mode, link, app, touched_us, click_id, external_click_id, ip, ua, os, os_version, brand, model,
        browser, language, country, query, headers, flags, sha1_key, md5_key, click_key, external_click_key,
        print_key,
    ) = values
    # fmt: on
    if touched_us not in _TIMES:
        raise ValueError(f"touched_us {touched_us} is no time")
    query = query.encode()
    return b"".join(
        (
            _numbers(
                bytes.fromhex(id.replace("-", "")),
                touched_us - _EPOCH_2000_US,
                (sha1_key, md5_key, click_key, external_click_key, print_key),
            ),
            _address(ip),
            _text(click_id),
            _length(len(query)),
            query,
            _text(external_click_id),
            _NO_HEADERS if headers == "{}" else _json(headers),
            _texts(flags) if flags else _NO_FLAGS,
            _shared(kind, mode, link, app, language, country),
            (_shared if len(ua) <= SHARED_CHARS_MAX else _joined)(ua, os, os_version, brand, model, browser),
        )
    )


def owners(partner: str | None, campaign: str | None) -> bytes:
    """The end of every row of a link."""
    return _text(partner) + _text(campaign)


def pieces(rows: Sequence[tuple[bytes, bytes]]) -> Iterator[bytes]:
    """A whole COPY of (row, its owners), some rows at a time."""
    yield _HEADER
    for at in range(0, len(rows), PIECE_ROWS):
        yield b"".join([half for one in rows[at : at + PIECE_ROWS] for half in one])
    yield _TRAILER


def _numbers(id: bytes, touched_2000_us: int, keys: tuple[int | None, ...]) -> bytes:
    if keys[3] is None and keys.count(None) == 1:  # all but the second click id's: nearly every ping
        sha1, md5, click, _, network = keys
        return _start_and_usual_keys(
            *(len(COLUMNS), 16, id, 8, touched_2000_us, 8, sha1, 8, md5, 8, click, -1, 8, network)
        )
    packed = [_NULL if key is None else _bigint(8, key) for key in keys]
    return b"".join((_start(len(COLUMNS), 16, id, 8, touched_2000_us), *packed))


def _text(value: str | None) -> bytes:
    if value is None:
        return _NULL
    data = value.encode()
    return _length(len(data)) + data


def _json(value: str) -> bytes:
    data = value.encode()
    return _json_start(len(data) + 1, _JSON_VERSION) + data


_NO_HEADERS = _json("{}")


def _joined(*values: str | None) -> bytes:
    return b"".join(map(_text, values))


_shared = lru_cache(maxsize=SHARED_ENTRIES_MAX)(_joined)


def _address(text: str | None) -> bytes:
    """Canonical text as inet: family 2 or 3, prefix, 0 for `no cidr`, bytes."""
    if text is None:
        return _NULL
    if ":" not in text and "/" not in text:
        return _ONE_IPV4 + inet_aton(text)
    network = parse_address(text)
    assert network is not None
    size = 4 if network.version == 4 else 16
    return _inet(4 + size, 2 if size == 4 else 3, network.prefix, 0, size) + network.value.to_bytes(size)


def _texts(values: Sequence[str]) -> bytes:
    """One dimension, no NULL, elements from 1 on."""
    body = Struct(">5i").pack(1, 0, _TEXT_OID, len(values), 1) + b"".join(map(_text, values))
    return _length(len(body)) + body
