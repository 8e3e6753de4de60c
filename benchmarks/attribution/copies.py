"""One world many times over: rows of touches re-keyed as another country's, so that a table of millions fills fast.

Making a touch and its row costs 80 µs, re-keying a row 10. The first copy is a world's background, made and parsed in
full. A further copy is the same traffic of other people elsewhere: other ids, click ids and identifiers, and all
addresses moved as a whole. So each address has the crowd it had, each key the touches it had, and indexes have as many
keys as with that many real touches. What stays is text that nobody looks for: queries, parameters and agents; and the
times, so that every second of the history has as many touches more. Stories of installs are never copied: every copy
has its own, told anew, by the same people's kind in the same places, moved likewise.
"""

import random
from collections.abc import Iterator
from socket import AF_INET6, inet_aton, inet_ntop, inet_pton
from struct import Struct
from typing import NamedTuple

import msgspec

from benchmarks.attribution.installs import Installs, plans
from benchmarks.attribution.parameters import World
from benchmarks.attribution.people import People
from benchmarks.attribution.places import Places, mix
from benchmarks.attribution.shapes import Clock, Shapes
from benchmarks.attribution.traffic import Traffic
from benchmarks.attribution.truth import Touch
from consumers.touches import copying
from consumers.touches.country import Countries
from consumers.touches.data_centres import open_data_centres
from consumers.touches.row import COLUMNS, touch_row
from schemas import keys
from schemas.addresses import parse_address, touch_network
from schemas.devices import OTHER
from schemas.events import Hit, Install, TouchKind

_NULL = b"\xff\xff\xff\xff"
_length = Struct(">i").pack
_bigint = Struct(">iq").pack
_id = Struct(">iQQ").pack
_inet = Struct(">i4B").pack
_start = Struct(">h").pack(len(copying.COLUMNS))
_IDS_UPTO = 1 << 60


class Kept(NamedTuple):
    """A row as COPY takes it, in pieces: what a copy changes, and the rest as bytes."""

    arrives_us: int
    link: str
    app: str
    kind: TouchKind
    id_time: int
    id_random: int
    touched: bytes
    device_keys: tuple[int | None, int | None]
    os: str
    ip: str
    click_id: str
    rest: bytes


def keep(touch: Touch, countries: Countries) -> Kept:
    """The row of a touch of the background: with an address, a click id of 16 hex digits, one identifier at most."""
    hit = touch.hit
    made = touch_row(hit, countries, open_data_centres())
    values = made.values
    copied = copying.row(values)
    named = dict(zip(COLUMNS, values, strict=True))
    click_id, ip = named["click_id"], named["ip"]
    assert not made.more_keys and len(click_id) == 16 and ip is not None and named["external_click_key"] is None
    before = 2 + 20 + 12 + sum(4 if key is None else 12 for key in values[-5:]) + len(_address(ip)) + 4 + 16
    number = int(hit.id.replace("-", ""), 16)
    return Kept(
        touch.arrives_us, hit.link, hit.app, hit.kind, number >> 64, number & (1 << 64) - 1, copied[22:34],
        (named["device_sha1_key"], named["device_md5_key"]), named["os"], ip, click_id, copied[before:],
    )  # fmt: skip


def row(kept: Kept, copy: int) -> bytes:
    """The row in a copy; copy 0 is the row as it was."""
    other = mix(copy, 50) if copy else 0
    ip = moved(kept.ip, copy)
    click_id = f"{int(kept.click_id, 16) ^ other:016x}"
    click_key = keys.click_id_key(kept.app, kept.kind, click_id)
    return b"".join(
        (
            _start,
            _id(16, kept.id_time, kept.id_random ^ other % _IDS_UPTO),
            kept.touched,
            *(_NULL if key is None else _bigint(8, key ^ other >> 1) for key in kept.device_keys),
            _bigint(8, click_key),
            _NULL,
            _print(kept, ip),
            _address(ip),
            _length(16),
            click_id.encode(),
            kept.rest,
        )
    )


def _print(kept: Kept, ip: str) -> bytes:
    """The key under which the touch's network stands, as `touch_row` makes it."""
    if kept.os == OTHER:
        return _NULL
    if ":" not in ip and "/" not in ip:
        return _bigint(8, keys.print_key(kept.app, kept.kind, kept.os, ip))
    network = parse_address(ip)
    wider = touch_network(network) if network else None
    return _bigint(8, keys.print_key(kept.app, kept.kind, kept.os, wider)) if wider else _NULL


def _address(text: str) -> bytes:
    if ":" not in text and "/" not in text:
        return _inet(8, 2, 32, 0, 4) + inet_aton(text)
    network = parse_address(text)
    assert network is not None
    size = 4 if network.version == 4 else 16
    return _inet(4 + size, 2 if size == 4 else 3, network.prefix, 0, size) + network.value.to_bytes(size)


def moved(address: str, copy: int) -> str:
    """The same place in a copy: the carriers' networks, one /16 each, follow those of the copies before."""
    if not copy:
        return address
    if ":" not in address:
        first, second, rest = address.split(".", 2)
        return f"{first}.{(int(second) + copy * CARRIERS) % 256}.{rest}"
    text, slash, prefix = address.partition("/")
    value = int.from_bytes(inet_pton(AF_INET6, text)) + (copy << 104)
    return inet_ntop(AF_INET6, value.to_bytes(16)) + slash + prefix


LAST_DAYS = 2
"""Installs that wait are new: theirs are the last days of the history."""
DAY_S = 86_400
CARRIERS = 12
COPIES_MAX = 256 // CARRIERS


def stories(world: World, shapes: Shapes, copy: int, count: int) -> tuple[list[Touch], list[Install]]:
    """Installs of a copy in its last days, with all their touches, each list by arrival: other people at the copy's
    places."""
    others = msgspec.structs.replace(world, seed=mix(world.seed, 51, copy), installs=count)
    dice = random.Random(f"{world.seed} stories {copy}")
    traffic = Traffic(world, shapes, Places(world), dice)
    days = min(LAST_DAYS, world.days)
    clock = Clock(shapes, world.begins_s + (world.days - days) * DAY_S, days)
    tell = Installs(world, shapes, People(others, shapes), traffic, dice).tell
    told = [tell(plan) for plan in plans(others, clock, traffic, dice)]
    touches = [_moved_touch(touch, copy) for one in told for touch in one.touches]
    touches.sort(key=lambda touch: (touch.arrives_us, touch.hit.id))
    installs = [one.launch.install for one in told]
    return touches, [msgspec.structs.replace(one, ip=moved(one.ip, copy) if one.ip else None) for one in installs]


def _moved_touch(touch: Touch, copy: int) -> Touch:
    hit: Hit = touch.hit
    ip = moved(hit.ip, copy) if hit.ip else None
    return msgspec.structs.replace(touch, hit=msgspec.structs.replace(hit, ip=ip))


def story_rows(touches: list[Touch], countries: Countries) -> Iterator[tuple[int, str, bytes]]:
    """(arrival, link, row) of each."""
    for touch in touches:
        made = touch_row(touch.hit, countries, open_data_centres())
        assert not made.more_keys
        yield touch.arrives_us, touch.hit.link, copying.row(made.values)
