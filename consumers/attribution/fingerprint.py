"""How well a touch and an install look like one device: address, system, model, language, delay. Pure.

The key already says: same operating system family, same network. A stated difference ends it, an
unknown value only costs confidence. The weights are a first estimate, not calibrated yet.
"""

import math
from collections.abc import Sequence

from consumers.attribution.facts import Candidate, Conversion
from consumers.attribution.rules import HOUR_MS
from schemas.addresses import Network

SAME_MODEL = 0.95
UNKNOWN_MODEL = 0.75
UNKNOWN_VERSION = 0.9
OTHER_MINOR_VERSION = 0.9
OTHER_LANGUAGE = 0.7
HALVES_AFTER_MS = 12 * HOUR_MS
"""A delay of this length halves what the delay can take away."""
DELAY_SHARE = 0.4


def differs(conversion: Conversion, one: Candidate) -> str | None:
    """The reason why the two cannot be one device; None when nothing says so."""
    if conversion.network is None or one.network is None:
        return "other_network"
    if not _one_network(one.network, conversion.network):
        return "other_network"
    ours, theirs = _major(conversion.os_version), _major(one.os_version)
    if ours and theirs and ours != theirs:
        return "other_os_version"
    if conversion.model and one.model and not same_model(conversion.model, one.model):
        return "other_model"
    return None


def confidence(conversion: Conversion, one: Candidate, standing: Sequence[Candidate]) -> float:
    """0 to 1, two decimals: how sure we are that the touch was this device's."""
    sure = SAME_MODEL if conversion.model and one.model else UNKNOWN_MODEL
    if not (conversion.os_version and one.os_version):
        sure *= UNKNOWN_VERSION
    elif not _one_is_prefix(conversion.os_version, one.os_version):
        sure *= OTHER_MINOR_VERSION
    ours, theirs = conversion.language[:2], one.language[:2].lower()
    if ours and theirs and ours != theirs:
        sure *= OTHER_LANGUAGE
    delay_ms = max(conversion.at_us - one.touched_us, 0) / 1000
    halvings: float = delay_ms / HALVES_AFTER_MS
    sure *= 1 - DELAY_SHARE * (1 - math.pow(0.5, halvings))
    crowd = len({(other.ua, other.model) for other in standing})
    return round(sure / max(crowd, 1), 2)


def same_model(left: str, right: str) -> bool:
    """Models as agents and SDKs write them: case and blanks aside; "iPhone" covers "iPhone14,2"."""
    a, b = _plain(left), _plain(right)
    if a == b:
        return True
    short, long = sorted((a, b), key=len)
    return short in ("iphone", "ipad", "ipod") and long.startswith(short)


def _plain(model: str) -> str:
    return "".join(model.lower().split())


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
