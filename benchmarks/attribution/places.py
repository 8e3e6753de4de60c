"""Where a device is and which addresses it has there: homes, offices, carriers; all from hashes, nothing is stored.

The same device at the same time always has the same address, and a place changes its address when its lease ends.
"""

import math
from ipaddress import ip_network
from socket import AF_INET6, inet_ntoa, inet_ntop
from typing import Literal, NamedTuple

from benchmarks.attribution.parameters import World

PlaceKind = Literal["home", "office", "mobile"]

HOUR_US = 3_600_000_000
ALL = 1 << 64
_MASK = ALL - 1

# Blocks of European access providers, apart for each use, so that no home stands where a carrier or a server is.
_HOMES = tuple(
    (int(network.network_address), network.num_addresses)
    for network in map(
        ip_network,
        ("79.192.0.0/10", "80.128.0.0/11", "81.128.0.0/11", "83.32.0.0/11", "84.128.0.0/10", "86.192.0.0/10",
         "87.128.0.0/10", "88.0.0.0/11", "90.0.0.0/9", "91.0.0.0/10", "93.192.0.0/10"),
    )
)  # fmt: skip
_HOME_OCTETS = frozenset(first >> 24 for first, _ in _HOMES)
_SHARED_HOMES = 77
_OFFICES = 193
_CARRIERS = 31
_HOMES_V6, _OFFICES_V6, _CARRIERS_V6 = 0x2A02_8000 << 96, 0x2A00_1000 << 96, 0x2A01_4C00 << 96


class Seat(NamedTuple):
    """A device's addresses at a time."""

    kind: PlaceKind
    v4: str
    v6: str | None

    def seen(self, ipv6: bool) -> str:
        """The address a server sees; a device that has IPv6 takes it (RFC 8305)."""
        return self.v6 if ipv6 and self.v6 else self.v4


class Resident(NamedTuple):
    """What places need to know of a device."""

    number: int
    house: int
    office: int | None
    carrier: int


def kind_of(address: str) -> str:
    """What an address of this world is: home, shared home, office, mobile, `other` (data centres, spam, IPv6)."""
    first = address.partition(".")[0]
    named = {str(_SHARED_HOMES): "shared home", str(_OFFICES): "office", str(_CARRIERS): "mobile"}
    return named.get(first) or ("home" if first.isdigit() and int(first) in _HOME_OCTETS else "other")


def mix(*parts: int) -> int:
    """64 well-mixed bits of whole numbers: a step of MurmurHash3's finish for each, and one more."""
    state = 0x9E37_79B9_7F4A_7C15
    for part in parts:
        state = (state ^ part) * 0xFF51_AFD7_ED55_8CCD & _MASK
        state ^= state >> 33
    state = state * 0xC4CE_B9FE_1A85_EC53 & _MASK
    return state ^ state >> 33


def share_of(*parts: int) -> float:
    """`mix` as a number from 0 to 1."""
    return mix(*parts) / ALL


class Places:
    """The addresses of a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        subscribers = world.people / world.carriers
        low, high = math.log(world.nat_devices_min), math.log(world.nat_devices_max)
        sizes = [
            math.exp(low + (high - low) * carrier / max(world.carriers - 1, 1)) for carrier in range(world.carriers)
        ]
        self._egresses = [max(1, min(round(subscribers / size), 1 << 16)) for size in sizes]
        houses = world.people // 12 * 5
        self._shared = max(1, round(houses * world.home_nat_share / world.home_nat_households))
        networks = [ip_network(text) for text in world.data_centres]
        self._centres = [(int(network.network_address), network.num_addresses) for network in networks]

    def seat(self, who: Resident, at_us: int) -> Seat:
        """Where the device is at that time."""
        world = self._world
        stay = (at_us // HOUR_US + mix(world.seed, 1, who.number) % world.stay_hours) // world.stay_hours
        chance = share_of(world.seed, 2, who.number, stay)
        hours = at_us // HOUR_US
        working = (hours // 24 + 3) % 7 < 5 and 7 <= hours % 24 < 17  # 1970 began on a Thursday
        if who.office is not None and working and chance < world.office_share:
            return self._office(who, at_us)
        # not the same chance: who was drawn out of the office is not thereby at home
        at_home = share_of(world.seed, 3, who.number, stay) < world.home_share
        return self._home(who, at_us) if at_home else self._mobile(who, at_us)

    def centre(self, number: int) -> str:
        """An address of a data centre."""
        first, count = self._centres[number % len(self._centres)]
        return _text(first + mix(self._world.seed, 4, number) % (count - 2) + 1)

    def _home(self, who: Resident, at_us: int) -> Seat:
        world, house = self._world, who.house
        hours = world.home_lease_hours[mix(world.seed, 5, house) % len(world.home_lease_hours)]
        lease = (at_us // HOUR_US + mix(world.seed, 6, house) % hours) // hours
        if share_of(world.seed, 7, house) < world.home_nat_share:
            v4 = (_SHARED_HOMES << 24) + mix(world.seed, 8, house, lease) % self._shared
        else:
            drawn = mix(world.seed, 9, house, lease)
            first, count = _HOMES[drawn % len(_HOMES)]
            v4 = first + (drawn >> 8) % count
        prefix = None
        if share_of(world.seed, 10, house) < world.home_ipv6_share:
            prefix = _HOMES_V6 + (mix(world.seed, 11, house, lease) % (1 << 40) << 64)
        return Seat("home", _text(v4), self._v6(prefix, who, at_us))

    def _office(self, who: Resident, at_us: int) -> Seat:
        world, office = self._world, who.office or 0
        v4 = (_OFFICES << 24) + (248 << 16) + mix(world.seed, 12, office) % (1 << 19)  # 193.248.0.0/13
        prefix = None
        if share_of(world.seed, 13, office) < world.home_ipv6_share / 2:
            prefix = _OFFICES_V6 + (mix(world.seed, 14, office) % (1 << 40) << 64)
        return Seat("office", _text(v4), self._v6(prefix, who, at_us))

    def _mobile(self, who: Resident, at_us: int) -> Seat:
        world, carrier = self._world, who.carrier
        hours = world.nat_stay_hours
        session = (at_us // HOUR_US + mix(world.seed, 15, who.number) % hours) // hours
        egress = mix(world.seed, 16, who.number, session) % self._egresses[carrier]
        v4 = (_CARRIERS << 24) + (carrier << 16) + egress
        prefix = None
        if share_of(world.seed, 17, carrier) < world.mobile_ipv6_share:  # a phone has a /64 of its own (RFC 7278)
            prefix = _CARRIERS_V6 + (mix(world.seed, 18, who.number, session) % (1 << 40) << 64)
        return Seat("mobile", _text(v4), self._v6(prefix, who, at_us))

    def _v6(self, prefix: int | None, who: Resident, at_us: int) -> str | None:
        if prefix is None:
            return None
        period = at_us // HOUR_US // self._world.interface_hours
        return inet_ntop(AF_INET6, (prefix + mix(self._world.seed, 19, who.number, period)).to_bytes(16))


def _text(v4: int) -> str:
    return inet_ntoa(v4.to_bytes(4))
