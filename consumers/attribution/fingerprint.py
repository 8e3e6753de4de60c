"""How well a touch and an install look like one device: address, system, model, language, delay. Pure.

The key already says: same operating system family, same network. A stated difference ends it. What is left is a
scorecard: every agreement and doubt has its points (natural logarithms of how much likelier it is for the same device
than for another behind the same address), and the candidates share certainty with each other and with "none of them",
which weighs more the more devices were seen there. The points are the likeliest for two simulated
worlds (seeds 901 and 902); `python -m benchmarks.attribution.fit` looks for those of one world and comes near them, and
`touchline bench attribution` measures them on other worlds.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from consumers.attribution.facts import Candidate, Conversion
from schemas.addresses import Network
from schemas.identifiers import contradict

DOUBTS = frozenset({"other_minor_version", "other_language", "install_unnamed"})
"""Entries of the scorecard that a device rarely has with itself, and never within seconds."""

CROWD_US = 24 * 3_600_000_000
CROWD_MAX = 32
SUREST = 0.99
"""A fingerprint is never certain."""


POINTS: Mapping[str, float] = {
    "same_model": 1.4,
    "same_family": -1.6,  # "iPhone", and no more is known
    "same_version": 2.4,
    "other_minor_version": -2.5,
    "same_language": 0.6,
    "other_language": -3.0,
    "touch_unnamed": -0.3,  # the install has an identifier and the touch has none
    "install_unnamed": -3.0,  # the other way round: its owner did not let the app read one
    "minute": -1.0,  # for every doubling of the delay's minutes, plus one
    "none": -8.2,  # "none of them" at an IPv4 address where one device was seen
    "none_household": -10.7,  # … in an IPv6 /64
    "none_truncated": 3.0,  # … more, when the sender said only a network
    "crowd": 1.3,  # … more, for every doubling of the devices seen
}
"""Differences of language and version are held at -3: a world in which nobody ever changes them would say more."""


def differs(conversion: Conversion, one: Candidate) -> str | None:
    """The reason why the two cannot be one device; None when nothing says so."""
    if conversion.network is None or one.network is None:
        return "other_network"
    if not _one_network(one.network, conversion.network):
        return "other_network"
    ours, theirs = _major(conversion.os_version), _major(one.os_version)
    if ours and theirs and ours != theirs:
        return "other_os_version"
    if conversion.model and one.model and not same_model(conversion.model, one.model, conversion.maker):
        return "other_model"
    if one.device_key is not None and contradict(conversion.ids, one.ids):
        return "other_identifier"
    return None


def well_known(conversion: Conversion, one: Candidate) -> bool:
    """Whether both name one model, not merely its family, and nothing stated makes it doubtful: enough to say of the
    touch what would be a wrong word about a neighbour's."""
    found = evidence(conversion, one)
    return "same_model" in found and not DOUBTS & found.keys()


def crowd(conversion: Conversion, candidates: Iterable[Candidate]) -> int:
    """Distinct devices among touches of the install's print key in the 24 h before it, counted to 32."""
    since_us = conversion.at_us - CROWD_US
    seen = {one.device for one in candidates if since_us <= one.touched_us <= conversion.at_us}
    return min(len(seen), CROWD_MAX)


def confidences(
    conversion: Conversion, standing: Sequence[Candidate], crowd: int, points: Mapping[str, float] = POINTS
) -> dict[str, float]:
    """Touch → 0 to 1, two decimals: how sure we are that it was this device's."""
    weights: dict[object, float] = {}
    for one in standing:
        weight = math.exp(score(conversion, one, points))
        weights[one.device] = max(weight, weights.get(one.device, 0.0))
    whole = math.fsum(weights.values())  # the same in whichever order they came
    return {
        one.touch_id: min(round(weights[one.device] / (whole + math.exp(nobody(one, crowd, points))), 2), SUREST)
        for one in standing
    }


def score(conversion: Conversion, one: Candidate, points: Mapping[str, float] = POINTS) -> float:
    """The sum of the candidate's points."""
    return math.fsum(points[name] * count for name, count in evidence(conversion, one).items())


def nobody(one: Candidate, crowd: int, points: Mapping[str, float] = POINTS) -> float:
    """The points of "none of them", where this candidate was seen."""
    return math.fsum(points[name] * count for name, count in doubts(one, crowd).items())


def evidence(conversion: Conversion, one: Candidate) -> Mapping[str, float]:
    """Entries of the scorecard that hold for the two, and how often."""
    found: dict[str, float] = {}
    if conversion.model and one.model:
        found["same_family" if _is_family(one.model) or _is_family(conversion.model) else "same_model"] = 1
    if conversion.os_version and one.os_version:
        found["same_version" if _one_is_prefix(conversion.os_version, one.os_version) else "other_minor_version"] = 1
    ours, theirs = conversion.language[:2], one.language[:2].lower()
    if ours and theirs:
        found["same_language" if ours == theirs else "other_language"] = 1
    if bool(conversion.ids) != (one.device_key is not None):
        found["touch_unnamed" if conversion.ids else "install_unnamed"] = 1
    found["minute"] = math.log2(1 + max(conversion.at_us - one.touched_us, 0) / 60_000_000)
    return found


def doubts(one: Candidate, crowd: int) -> Mapping[str, float]:
    """Likewise for "none of them"."""
    network = one.network
    assert network is not None, "a fingerprint stands by its network"
    found = {"none_household" if network.version == 6 else "none": 1.0, "crowd": math.log2(max(crowd, 1))}
    if network.prefix < (64 if network.version == 6 else 32):
        found["none_truncated"] = 1
    return found


_BUILD = re.compile(r"\s*build/.*", re.DOTALL)
SERIES_CHARS_MIN = 3
_FAMILIES = ("iphone", "ipad", "ipod")


def same_model(left: str, right: str, maker: str = "") -> bool:
    """Models as agents and SDKs write them: case, blanks, the maker's name, a series' name and a build aside;
    "iPhone" covers "iPhone14,2"."""
    short, long = sorted((_plain(left, maker), _plain(right, maker)), key=len)
    if short.replace(" ", "") == long.replace(" ", ""):
        return True
    if short in _FAMILIES:
        return long.startswith(short)
    # uap-core calls a "moto g13" of Motorola a "g13"
    return len(short) >= SERIES_CHARS_MIN and long.endswith(f" {short}") and long[: -len(short) - 1].isalpha()


@lru_cache(maxsize=20_000)
def _plain(model: str, maker: str) -> str:
    text = " ".join(_BUILD.sub("", model.lower()).split())
    return text.removeprefix(maker.lower()).strip() or text


def _is_family(model: str) -> bool:
    return _plain(model, "") in _FAMILIES


def _major(version: str) -> str:
    return version.partition(".")[0]


def _one_is_prefix(left: str, right: str) -> bool:
    a, b = left.split("."), right.split(".")
    shorter = min(len(a), len(b))
    return a[:shorter] == b[:shorter]


def _one_network(touch: Network, install: Network) -> bool:
    """The install's address lies in the touch's; an IPv6 household is its /64, in it addresses change."""
    if touch.version == 6 == install.version and touch.prefix >= 64 <= install.prefix:
        return touch.value >> 64 == install.value >> 64
    return touch.contains(install)
