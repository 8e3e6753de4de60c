"""Where a person lands: the smart link's target for the device, macros filled in. Pure.

Targets come from the link's own configuration only, never from the request: no open redirect.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal, NamedTuple

from ingest.templates import fill, fill_intent, package_of
from schemas.links import Link, Store, Target

Os = Literal["android", "huawei", "xiaomi", "ios", "other"]
"""A device's system; of Android the maker, when its phones come with a store of their own."""

AGENTS_MAX = 4096
"""The agents of a moment are few: the last ones are remembered."""
ANDROIDS = frozenset({"android", "huawei", "xiaomi"})
_ANYBODYS: tuple[Store, ...] = ("google_play", "other_store")
_STORES: dict[Os, tuple[tuple[Store, ...], ...]] = {
    "android": (_ANYBODYS, ("app_gallery", "get_apps"), ("web",)),
    "huawei": (("app_gallery",), _ANYBODYS, ("get_apps",), ("web",)),
    "xiaomi": (("get_apps",), _ANYBODYS, ("app_gallery",), ("web",)),
    "ios": (("app_store",), ("web",)),
    "other": (("desktop",), ("web",)),
}
"""Which targets a device takes, the best first (AppMetrica): its maker's own store wins, installed or not, because its
address is a web page too; without one it goes where any other phone goes."""

_HUAWEI_SAYS = ("HUAWEI", "Huawei", "huawei", "HarmonyOS", "HMSCore")
_XIAOMI_SAYS = ("Xiaomi", "XiaoMi", "XIAOMI", "Redmi", "REDMI", "POCO")
_HUAWEI_MODEL = re.compile(  # ANA-AN00, MAR-LX1A
    r"[;(] ?[A-Z]{3}-(?:[ACTLU][LN]?(?:00|10|20|30)[A-Za-z]?|[LW](?:\d\d|X\d)[A-Za-z]?|BD\d\d|N\d\d)\b", re.ASCII
)
_XIAOMI_MODEL = re.compile(  # 2201117TG, M2101K6G, MI 9, Mi A1
    r"[;(] ?(?:(?:2\d{3}|M[12]\d{3})[0-9A-Z]{3,8}(?: Build|[;)])|M[Ii][ -](?:[0-9A]|N[Oo]|MAX|M[Ii]|P))", re.ASCII
)


class Landing(NamedTuple):
    """The address to send a person to (None: nowhere), the app it sells, and what was odd."""

    url: str | None
    app: str
    flags: list[str]


def landing(
    link: Link,
    app_fallback: str | None,
    os: Os,
    values: Mapping[str, str],
    hit_id: str,
    *,
    is_web: bool = False,
    packages: Mapping[str, str] | None = None,
) -> Landing:
    """The landing of a device with this system, with the hit's id in a Google Play referrer or, `is_web`, in the
    query of a website's page.

    `values` are the query's, as they stand in it. `packages`: of Android apps by app, when the browser opens intents;
    then a target's deep link opens the app where it is installed.
    """
    if link.paused or link.kind == "preinstall":
        template = link.fallback_url or app_fallback
        flag = "paused" if link.paused else "preinstall"
        return Landing(fill(template, values, hit_id) if template else None, link.app, [flag])
    target = choose(link, os)
    if target is not None:
        app = target.app or link.app
        if packages is not None and target.deep_link is not None and os in ANDROIDS:
            package = package_of(target.url) or packages.get(app)
            return Landing(fill_intent(target.deep_link, target.url, package, values, hit_id), app, [])
        return Landing(fill(target.url, values, hit_id, is_web=is_web), app, [])
    template = link.fallback_url or app_fallback
    # a link with a fallback alone leads everybody there: nothing odd about that
    flags = ["no_target"] if link.targets or template is None else []
    return Landing(fill(template, values, hit_id, is_web=is_web) if template else None, link.app, flags)


def apps(link: Link) -> list[str]:
    """Every app that a touch of the link may belong to."""
    return [link.app, *(target.app for target in link.targets if target.app is not None)]


def has_one_app(link: Link) -> bool:
    """Whether a touch belongs to the link's app, whatever the device."""
    for target in link.targets:  # noqa: SIM110 - a generator costs more than what it looks at
        if target.app is not None:
            return False
    return True


def app_for(link: Link, os: Os) -> str:
    """The app that a touch of a device with this system belongs to."""
    target = choose(link, os)
    return (target.app if target else None) or link.app


def choose(link: Link, os: Os) -> Target | None:
    """The target for the device; the first in the link's order when several stores are as good."""
    for stores in _STORES[os]:
        for target in link.targets:
            if target.store in stores:
                return target
    return None


@lru_cache(maxsize=AGENTS_MAX)
def device_os(ua: str) -> Os:
    """As coarse as choosing a store needs, the consumer parses properly."""
    if "Windows Phone" in ua:  # its agents also say Android and iPhone
        return "other"
    android = ua.find("Android")
    if android >= 0:
        return _maker(ua, android)
    if "iPhone" in ua or "iPad" in ua or "iPod" in ua:
        return "ios"
    return "other"


def _maker(ua: str, android: int) -> Os:
    """The model stands behind the system, in the same brackets."""
    end = ua.find(")", android) + 1 or len(ua)
    if any(word in ua for word in _HUAWEI_SAYS) or _HUAWEI_MODEL.search(ua, android, end):
        return "huawei"
    if any(word in ua for word in _XIAOMI_SAYS) or _XIAOMI_MODEL.search(ua, android, end):
        return "xiaomi"
    return "android"


def opens_intents(ua: str) -> bool:
    """Whether the agent's browser is known to open `intent:` addresses: Chrome and what is made of it. A page that an
    app shows within itself (a WebView: `; wv`, of old ones `Version/`) is an error there."""
    return "Android" in ua and "Chrome/" in ua and "; wv)" not in ua and "Version/" not in ua
