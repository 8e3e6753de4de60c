"""The devices of the population: systems, models, languages, identifiers and the agents they send."""

import random
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from benchmarks.attribution.parameters import World
from benchmarks.attribution.places import Resident, mix, share_of
from benchmarks.attribution.shapes import Shapes

# (maker, model as the system says it, its newest version, weight): common phones, weights after no source but rank.
_ANDROIDS = (
    ("samsung", "SM-A146P", 15, 20), ("samsung", "SM-A556B", 15, 16), ("samsung", "SM-S918B", 15, 14),
    ("samsung", "SM-A127F", 13, 13), ("samsung", "SM-S928B", 15, 11), ("samsung", "SM-G991B", 15, 10),
    ("Xiaomi", "23053RN02A", 15, 9), ("Xiaomi", "2201117TY", 13, 9), ("Xiaomi", "M2101K6G", 13, 8),
    ("Google", "Pixel 8", 16, 6), ("Google", "Pixel 7a", 16, 6), ("Google", "Pixel 9", 16, 5),
    ("OPPO", "CPH2387", 14, 7), ("OPPO", "CPH2579", 15, 6), ("vivo", "V2207", 14, 6), ("realme", "RMX3624", 14, 6),
    ("motorola", "moto g54 5G", 14, 5), ("motorola", "moto g13", 13, 4), ("OnePlus", "CPH2449", 15, 4),
    ("HUAWEI", "ELE-L29", 10, 3), ("samsung", "SM-T500", 12, 3), ("TECNO", "TECNO KI5k", 12, 3),
)  # fmt: skip
# (model as the system says it, weight)
_IPHONES = (
    ("iPhone14,5", 18), ("iPhone15,2", 12), ("iPhone15,4", 14), ("iPhone16,1", 12), ("iPhone16,2", 12),
    ("iPhone17,3", 12), ("iPhone17,1", 10), ("iPhone12,1", 14), ("iPhone13,2", 10), ("iPhone12,8", 6), ("iPad13,18", 5),
)  # fmt: skip
_ANDROID_SUMS = tuple(accumulate(row[3] for row in _ANDROIDS))
_IPHONE_SUMS = tuple(accumulate(row[1] for row in _IPHONES))
_IOS_VERSIONS = ("26.0.1", "18.6.2", "26.0", "18.5", "17.6.1", "16.7.11", "18.3.2", "15.8.4", "18.1.1", "17.4.1")
_ANDROID_VERSIONS = ("14", "15", "13", "12", "16", "11", "10", "9", "8.1.0", "7.0")
_COUNTRIES = ("de-DE", "en-GB", "fr-FR", "es-ES")
_FOREIGN = ("en-US", "tr-TR", "pl-PL", "ru-RU", "pt-PT", "ar-SA", "uk-UA", "it-IT")
_CHROMES = ("141", "140", "139", "138", "131")
_CHROME_SUMS = (55, 80, 90, 96, 100)
DEVICES_REMEMBERED = 200_000


class Device(NamedTuple):
    """A phone or tablet."""

    resident: Resident
    os: str
    os_version: str
    maker: str
    model: str
    locale: str
    ad_id: str | None
    """None: opted out, or on iOS not allowed."""
    vendor_id: str
    """iOS's identifier for the app's vendor; of no use across apps."""
    browser: str
    """Agent of the browser."""
    frozen: bool
    """The browser says `Android 10; K`."""
    in_app: str
    """Agent of an app's web view."""

    @property
    def number(self) -> int:
        return self.resident.number


class People:
    """The population, made when asked for."""

    def __init__(self, world: World, shapes: Shapes) -> None:
        self._world = world
        self._version_sums = list(accumulate((shapes.versions + (0.0,) * 10)[:10]))  # ten versions of each system
        self.device = lru_cache(maxsize=DEVICES_REMEMBERED)(self._device)

    def _device(self, number: int) -> Device:
        """The device with this number; above the population's are those that only a flooder knows."""
        world = self._world
        dice = random.Random(mix(world.seed, 30, number))
        resident = _resident(world, dice, number)
        chrome = dice.choices(_CHROMES, cum_weights=_CHROME_SUMS)[0]
        ad_id, vendor_id = drawn_uuid(dice), drawn_uuid(dice)
        locale = _COUNTRIES[resident.carrier % len(_COUNTRIES)]
        if dice.random() < world.foreign_language_share:
            locale = dice.choice(_FOREIGN)
        if dice.random() < world.android_share:
            maker, model, newest, _ = dice.choices(_ANDROIDS, cum_weights=_ANDROID_SUMS)[0]
            version = self._version(dice, _ANDROID_VERSIONS)
            version = version if int(version.partition(".")[0]) <= newest else str(newest)
            frozen = dice.random() < world.frozen_share
            opted_out = dice.random() < world.opted_out_share
            return Device(
                resident, "Android", version, maker, model, locale, None if opted_out else ad_id, vendor_id,
                _chrome(version, model, chrome, frozen), frozen, _web_view(version, model, chrome),
            )  # fmt: skip
        model = dice.choices(_IPHONES, cum_weights=_IPHONE_SUMS)[0][0]
        version = self._version(dice, _IOS_VERSIONS)
        allowed = dice.random() < world.tracking_allowed_share
        return Device(
            resident, "iOS", version, "Apple", model, locale, ad_id.upper() if allowed else None, vendor_id.upper(),
            _safari(version, model), False, _ios_in_app(version, model, locale),
        )  # fmt: skip

    def _version(self, dice: random.Random, versions: tuple[str, ...]) -> str:
        return dice.choices(versions, cum_weights=self._version_sums)[0]


def drawn_uuid(dice: random.Random) -> str:
    """A random UUID (version 4) in lower case."""
    digits = f"{dice.getrandbits(128):032x}"
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def _resident(world: World, dice: random.Random, number: int) -> Resident:
    """Twelve numbers in a row share homes; a home's phones have carriers of one country."""
    block, within = divmod(number, 12)
    houses = world.household_blocks[mix(world.seed, 31, block) % len(world.household_blocks)]
    house = 0
    while within >= houses[house]:
        within -= houses[house]
        house += 1
    home = block * 12 + house
    country = mix(world.seed, 32, home) % len(_COUNTRIES)
    in_country = range(country, world.carriers, len(_COUNTRIES)) or range(world.carriers)
    office = None
    if share_of(world.seed, 33, number) < world.with_office_share:
        offices = max(1, round(world.people * world.with_office_share / world.office_devices))
        office = int(offices * dice.random() ** 2)  # the first offices are the largest
    return Resident(number, home, office, dice.choice(in_country))


def updated(device: Device) -> Device:
    """The device after a system update of one minor step."""
    major, _, minor = device.os_version.partition(".")
    version = f"{major}.{int(minor.partition('.')[0] or 0) + 1}" if device.os == "iOS" else str(int(major) + 1)
    return device._replace(os_version=version)


def _chrome(version: str, model: str, chrome: str, frozen: bool) -> str:
    system = "Android 10; K" if frozen else f"Android {version}; {model}"
    browser = f"Chrome/{chrome}.0.0.0 Mobile Safari/537.36"
    return f"Mozilla/5.0 (Linux; {system}) AppleWebKit/537.36 (KHTML, like Gecko) {browser}"


def _web_view(version: str, model: str, chrome: str) -> str:
    return (
        f"Mozilla/5.0 (Linux; Android {version}; {model} Build/UP1A.231005.007; wv) AppleWebKit/537.36"
        f" (KHTML, like Gecko) Version/4.0 Chrome/{chrome}.0.7390.43 Mobile Safari/537.36"
    )


def _ios(version: str, model: str) -> str:
    kind = "iPad; CPU OS" if model.startswith("iPad") else "iPhone; CPU iPhone OS"
    return f"Mozilla/5.0 ({kind} {version.replace('.', '_')} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"


def _safari(version: str, model: str) -> str:
    """Safari 26 states the system it was frozen at, 18.6."""
    major = version.partition(".")[0]
    system = "18.6" if int(major) >= 26 else version
    return f"{_ios(system, model)} Version/{'.'.join(version.split('.')[:2])} Mobile/15E148 Safari/604.1"


def _ios_in_app(version: str, model: str, locale: str) -> str:
    family = model.rstrip("0123456789,")
    return (
        f"{_ios(version, model)} Mobile/15E148 [FBAN/FBIOS;FBAV/530.0.0.47.73;FBDV/{model};FBMD/{family};"
        f"FBSN/iOS;FBSV/{version};FBSS/3;FBLC/{locale.replace('-', '_')};FBOP/5]"
    )
