"""What the world knows of its touches and installs, and what could be matched in principle. No scoring.

`matchable` asks only what a perfect reader of the records could know: it uses the schemas, never the scorer.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

from benchmarks.attribution.parameters import World
from schemas.addresses import Network, parse_address
from schemas.events import Hit, Install, TouchKind
from schemas.identifiers import device_ids, same_device
from schemas.ids import received_us
from schemas.query import parse_query

Method = Literal["identifier", "referrer", "fingerprint", "none"]
METHODS: tuple[Method, ...] = ("identifier", "referrer", "fingerprint", "none")

Label = Literal["clean", "retry", "repeat", "flooding", "injection", "bot", "spam"]
"""`retry`: a sender's second copy, same click id. `repeat`: another click of the same person within seconds."""
LABELS: tuple[Label, ...] = ("clean", "retry", "repeat", "flooding", "injection", "bot", "spam")

RULES: tuple[tuple[TouchKind, Method], ...] = (
    ("click", "identifier"),
    ("click", "referrer"),
    ("click", "fingerprint"),
    ("impression", "identifier"),
)

HOUR_US = 3_600_000_000


class Touch(msgspec.Struct, frozen=True, gc=False):
    """A touch as it is recorded, and the truth about it."""

    hit: Hit
    device: int | None
    """Number of the device; None when there is none (spam, a bot's machine)."""
    label: Label
    arrives_us: int
    """When it reaches the consumers; the id holds when the edge received it."""


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """An install as it is recorded, and the truth about it."""

    install: Install
    device: int
    launched_us: int
    """The true first launch."""
    arrives_us: int
    touch: str | None
    """Id of the touch that led to it; None is organic."""
    same: tuple[str, ...] = ()
    """Retries and repeats of that touch: naming one of them is as right."""
    methods: tuple[Method, ...] = ()
    """All methods that can match that touch, by strength; empty: nothing in the records connects the two."""
    earlier: tuple[str, ...] = ()
    """Earlier touches of the same device for the same app; honest, but others led to the install."""
    due: str | None = None
    """The touch that the default rules owe to one who knows every device, among `touch`, `same` and `earlier`, but
    never a retry. It differs from `touch` where only an earlier one can be matched, or by a stronger method."""
    due_method: Method = "none"
    """The method of `due`."""
    reinstall: bool = False
    injected: str | None = None
    """Id of a touch injected to claim this install; the truth is still `touch`."""

    @property
    def method(self) -> Method:
        """The strongest; `none`: organic, or caused by a touch that nothing in the records connects."""
        return self.methods[0] if self.methods else "none"


def matchable(world: World, hit: Hit, install: Install) -> tuple[Method, ...]:
    """The methods by which the records connect the two, within the default windows."""
    received = received_us(install.id)
    at_us = install.installed_us if received - 24 * HOUR_US <= install.installed_us <= received else received
    since_us = at_us - hit.touched_us
    if since_us < 0 or received_us(hit.id) - hit.touched_us > world.late_hours * HOUR_US:
        return ()
    is_click = hit.kind == "click"
    parameters = parse_query(hit.query)
    found: list[Method] = []
    days_us = world.click_days * 24 * HOUR_US if is_click else world.view_hours * HOUR_US
    if since_us <= days_us and _same_ids(parameters, install):
        found.append("identifier")
    if is_click and since_us <= days_us and _names(install, hit.id, parameters.get("click_id", "")):
        found.append("referrer")
    if is_click and since_us <= world.fingerprint_hours * HOUR_US and same_place(hit.ip, install.ip):
        found.append("fingerprint")
    return tuple(found)


def owed(world: World, hits: Iterable[Hit], install: Install) -> tuple[str | None, Method]:
    """(touch, method) in the order of design §5: clicks by identifier, referrer, fingerprint; views by identifier."""
    found = [(hit, matchable(world, hit, install)) for hit in hits]
    for kind, method in RULES:
        times = [(hit.touched_us, hit.id) for hit, methods in found if hit.kind == kind and method in methods]
        if times:
            return max(times)[1], method
    return None, "none"


def same_place(touch: str | None, install: str | None) -> bool:
    """Whether the touch's address or network covers the install's; an IPv6 stands for its /64."""
    ours, theirs = parse_address(touch or ""), parse_address(install or "")
    if ours is None or theirs is None:
        return False
    if ours.version == 6 and ours.prefix > 64:
        ours = Network(6, ours.value >> 64 << 64, 64)
    return ours.contains(theirs)


def _same_ids(parameters: dict[str, str], install: Install) -> bool:
    theirs = device_ids(install.ids)
    return any(same_device(one, other) for one in device_ids(parameters) for other in theirs)


def _names(install: Install, touch_id: str, click_id: str) -> bool:
    """Whether Play's referrer names the touch or its click id, encoded once or twice."""
    text = install.referrer.install_referrer if install.referrer else ""
    values = parse_query(text if "=" in text else next(iter(parse_query(text)), ""))
    return values.get("touchline_id") == touch_id or bool(click_id and values.get("touchline_click_id") == click_id)
