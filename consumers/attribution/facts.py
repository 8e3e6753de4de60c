"""What a decision looks at: the conversion's side and the touch's side, as plain values. Pure."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from consumers.attribution.rules import INSTALLED_BEFORE_MS
from schemas import keys
from schemas.addresses import Network, parse_address, probe_networks
from schemas.devices import OTHER, normal_os
from schemas.events import Install, TouchKind
from schemas.identifiers import DeviceId, device_ids, is_no_id, probed_digests
from schemas.query import decode, parse_query
from schemas.rules import Method, Rule

CLICK_ID_NAMES = ("touchline_click_id", "appmetrica_click_id", "ym_tracking_id", "adjust_external_click_id")
"""Names under which a Google Play referrer carries the ad network's click id."""

TOUCH_KINDS: tuple[TouchKind, ...] = ("click", "impression")

Column = str
"""Where a key is looked for: a key column of `touches`, or `more` (touch_more_keys)."""


class Label(NamedTuple):
    """The tracking link that an app was delivered with on the device."""

    link: str
    campaign: str | None
    partner: str | None


class Conversion(NamedTuple):
    """An install as decisions see it."""

    id: str
    app: str
    received_us: int
    at_us: int
    """T of the windows: the receipt, or the device's time when it is a little earlier."""
    ids: list[DeviceId]
    touch_ids: frozenset[str]
    click_ids: frozenset[str]
    os: str
    os_version: str
    model: str
    language: str
    network: Network | None
    label: Label | None = None
    """Of a pre-installed app: it wins over clicks and views."""


class Candidate(NamedTuple):
    """A touch that a method found by its key."""

    touch_id: str
    method: Method
    touch_kind: TouchKind
    app: str
    link: str
    campaign: str | None
    partner: str | None
    touched_us: int
    click_id: str | None
    external_click_id: str | None
    ids: list[DeviceId]
    network: Network | None
    os_version: str
    model: str
    language: str
    ua: str
    flags: list[str]


class Probe(NamedTuple):
    """One key to look for."""

    method: Method
    column: Column
    key: int


def conversion(install: Install, received_us: int) -> Conversion:
    """The facts of an install."""
    touch_ids, click_ids = referrer_ids(install.referrer.install_referrer if install.referrer else "")
    return Conversion(
        id=install.id,
        app=install.app,
        received_us=received_us,
        at_us=conversion_time(install.installed_us, received_us),
        ids=device_ids(install.ids),
        touch_ids=frozenset(touch_ids),
        click_ids=frozenset(click_ids),
        os=normal_os(install.device.os),
        os_version=install.device.os_version,
        model=install.device.model,
        language=install.device.locale.replace("_", "-").lower(),
        network=parse_address(install.ip) if install.ip else None,
    )


def conversion_time(installed_us: int, received_us: int) -> int:
    """The device's word when it is up to 24 h before the receipt; never a time after it."""
    earliest = received_us - INSTALLED_BEFORE_MS * 1000
    return installed_us if earliest <= installed_us <= received_us else received_us


def referrer_ids(referrer: str) -> tuple[list[str], list[str]]:
    """(touch ids, click ids) of an install referrer: a query string, encoded once, sometimes twice."""
    for _ in range(2):
        if "=" in referrer or "%" not in referrer:
            break
        referrer = decode(referrer)
    values = parse_query(referrer)
    touch_id = values.get("touchline_id", "")
    clicks = [values[name] for name in CLICK_ID_NAMES if name in values and not is_no_id(values[name])]
    return ([touch_id.lower()] if is_touch_id(touch_id) else []), clicks


def is_touch_id(text: str) -> bool:
    """Whether the text is a UUID as the edge writes them."""
    return len(text) == 36 and text.count("-") == 4 and all(c in "0123456789abcdefABCDEF-" for c in text)


def probes(facts: Conversion, rules: Sequence[Rule] | None = None) -> list[Probe]:
    """Every key under which a touch of this device could stand, without repetition; only those these rules look at."""
    wanted = None if rules is None else {(rule.method, rule.touch_kind) for rule in rules}
    found: list[Probe] = []
    for touch in TOUCH_KINDS:
        for method, make in _PROBES.items():
            if wanted is None or (method, touch) in wanted:
                found += make(facts, touch)
    return list(dict.fromkeys(found))


def _by_identifier(facts: Conversion, touch: TouchKind) -> Iterator[Probe]:
    for one in facts.ids:
        for column, digests in zip(("device_sha1_key", "device_md5_key"), probed_digests(one), strict=True):
            for digest in digests:
                key = keys.device_key(facts.app, touch, one.kind, digest)
                yield Probe("identifier", column, key)
                yield Probe("identifier", "more", key)


def _by_referrer(facts: Conversion, touch: TouchKind) -> Iterator[Probe]:
    if touch == "impression":
        return  # no store tells which view led to an install
    for click_id in sorted(facts.click_ids):
        key = keys.click_id_key(facts.app, touch, click_id)
        yield Probe("referrer", "click_key", key)
        yield Probe("referrer", "external_click_key", key)


def _by_print(facts: Conversion, touch: TouchKind) -> Iterator[Probe]:
    if facts.network is not None and facts.os != OTHER:
        for network in probe_networks(facts.network):
            yield Probe("fingerprint", "print_key", keys.print_key(facts.app, touch, facts.os, network))


_PROBES: dict[Method, Callable[[Conversion, TouchKind], Iterator[Probe]]] = {
    "identifier": _by_identifier,
    "referrer": _by_referrer,
    "fingerprint": _by_print,
}
