"""Every key under which a touch of a device could stand, as plain values. Pure."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from consumers.attribution.facts import Conversion
from schemas import keys
from schemas.addresses import probe_networks
from schemas.devices import OTHER
from schemas.events import TouchKind
from schemas.identifiers import probed_digests
from schemas.rules import Method, Rule

TOUCH_KINDS: tuple[TouchKind, ...] = ("click", "impression")


class Search(NamedTuple):
    """The keys that one method looks for among touches of one kind, none twice, by what they are made of."""

    method: Method
    touch_kind: TouchKind
    sha1: Sequence[int] = ()
    md5: Sequence[int] = ()
    clicks: Sequence[int] = ()
    """Of click ids, the network's and external ones."""
    prints: Sequence[int] = ()

    @property
    def keys(self) -> list[int]:
        """All of them."""
        return [*self.sha1, *self.md5, *self.clicks, *self.prints]


def searches(facts: Conversion, rules: Sequence[Rule] | None = None) -> list[Search]:
    """What is looked for, by these rules or by any; nothing that has no key."""
    wanted = None if rules is None else {(rule.method, rule.touch_kind) for rule in rules}
    found: list[Search] = []
    for touch in TOUCH_KINDS:
        for method, make in _MAKE.items():
            if wanted is None or (method, touch) in wanted:
                one = make(facts, touch)
                if one is not None:
                    found.append(one)
    return found


def looked_for(facts: Conversion, rules: Sequence[Rule] | None = None) -> set[int]:
    """By these keys a touch that arrives later finds the conversion, one that it names by its id too."""
    found = {key for search in searches(facts, rules) for key in search.keys}
    return found | {keys.touch_id_key(one) for one in facts.touch_ids}


def device_keys(facts: Conversion) -> set[int]:
    """Keys that another install of the same device shares."""
    found = _by_identifier(facts, "click")
    return set(found.keys) if found else set()


_digests = lru_cache(maxsize=1000)(probed_digests)
"""The same for clicks, for views, and when the decision is kept."""


def _by_identifier(facts: Conversion, touch: TouchKind) -> Search | None:
    if not facts.ids:
        return None
    sha1: dict[int, None] = {}
    md5: dict[int, None] = {}
    for one in facts.ids:
        for found, digests in zip((sha1, md5), _digests(one), strict=True):
            for digest in digests:
                found[keys.device_key(facts.app, touch, one.kind, digest)] = None
    return Search("identifier", touch, sha1=list(sha1), md5=list(md5))


def _by_referrer(facts: Conversion, touch: TouchKind) -> Search | None:
    if touch == "impression" or not facts.click_ids:
        return None  # no store tells which view led to an install
    found = [keys.click_id_key(facts.app, touch, click_id) for click_id in sorted(facts.click_ids)]
    return Search("referrer", touch, clicks=found)


def _by_print(facts: Conversion, touch: TouchKind) -> Search | None:
    if facts.network is None or facts.os == OTHER:
        return None
    found = [keys.print_key(facts.app, touch, facts.os, network) for network in probe_networks(facts.network)]
    return Search("fingerprint", touch, prints=found) if found else None


_MAKE: dict[Method, Callable[[Conversion, TouchKind], Search | None]] = {
    "identifier": _by_identifier,
    "referrer": _by_referrer,
    "fingerprint": _by_print,
}
