"""Every key under which a touch of a device could stand. Pure."""

from collections.abc import Callable, Iterator, Sequence
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

Column = str
"""Where a key is looked for: a key column of `touches`, or `more` (touch_more_keys)."""


class Probe(NamedTuple):
    """One key to look for."""

    method: Method
    column: Column
    key: int
    touch_kind: TouchKind


def probes(facts: Conversion, rules: Sequence[Rule] | None = None) -> list[Probe]:
    """Every key under which a touch of this device could stand, without repetition; only those these rules look at."""
    wanted = None if rules is None else {(rule.method, rule.touch_kind) for rule in rules}
    found: list[Probe] = []
    for touch in TOUCH_KINDS:
        for method, make in _PROBES.items():
            if wanted is None or (method, touch) in wanted:
                found += make(facts, touch)
    return list(dict.fromkeys(found))


def looked_for(facts: Conversion, rules: Sequence[Rule] | None = None) -> set[int]:
    """By these keys a touch that arrives later finds the conversion, one that it names by its id too."""
    return {probe.key for probe in probes(facts, rules)} | {keys.touch_id_key(one) for one in facts.touch_ids}


def device_keys(facts: Conversion) -> set[int]:
    """Keys that another install of the same device shares."""
    return {probe.key for probe in _by_identifier(facts, "click")}


_digests = lru_cache(maxsize=1000)(probed_digests)
"""The same for clicks, for views, and when the decision is kept."""


def _by_identifier(facts: Conversion, touch: TouchKind) -> Iterator[Probe]:
    for one in facts.ids:
        for column, digests in zip(("device_sha1_key", "device_md5_key"), _digests(one), strict=True):
            for digest in digests:
                key = keys.device_key(facts.app, touch, one.kind, digest)
                yield Probe("identifier", column, key, touch)
                yield Probe("identifier", "more", key, touch)


def _by_referrer(facts: Conversion, touch: TouchKind) -> Iterator[Probe]:
    if touch == "impression":
        return  # no store tells which view led to an install
    for click_id in sorted(facts.click_ids):
        key = keys.click_id_key(facts.app, touch, click_id)
        yield Probe("referrer", "click_key", key, touch)
        yield Probe("referrer", "external_click_key", key, touch)


def _by_print(facts: Conversion, touch: TouchKind) -> Iterator[Probe]:
    if facts.network is not None and facts.os != OTHER:
        for network in probe_networks(facts.network):
            yield Probe("fingerprint", "print_key", keys.print_key(facts.app, touch, facts.os, network), touch)


_PROBES: dict[Method, Callable[[Conversion, TouchKind], Iterator[Probe]]] = {
    "identifier": _by_identifier,
    "referrer": _by_referrer,
    "fingerprint": _by_print,
}
