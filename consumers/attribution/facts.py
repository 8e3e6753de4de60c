"""What a decision looks at, as plain values: the conversion, the touches, and what is known about them. Pure."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import msgspec

from schemas.addresses import Network, parse_address
from schemas.devices import normal_os
from schemas.events import Install, Referrer, TouchKind
from schemas.identifiers import DeviceId, device_ids, is_no_id, query_ids
from schemas.partitions import DAY_US
from schemas.query import decode, parse_query
from schemas.rules import Method, Windows

CLICK_ID_NAMES = ("touchline_click_id", "appmetrica_click_id", "ym_tracking_id", "adjust_external_click_id")
"""Names under which a Google Play referrer carries the ad network's click id."""

Kind = Literal["install", "re-engagement", "web"]
"""What an ad may have led to: an install, the return of a user who was away, or an event of a website."""


class Label(NamedTuple):
    """The tracking link that an app was delivered with on the device."""

    link: str
    campaign: str | None
    partner: str | None


class Play(NamedTuple):
    """Google Play's own times, Unix microseconds; None for what it did not say."""

    clicked_us: int | None = None
    """By the device's clock."""
    begun_us: int | None = None
    """When the download began, by the device's clock."""
    server_begun_us: int | None = None
    """The same by Google's clock."""


class Conversion(NamedTuple):
    """An install, or the event of a return, as decisions see it."""

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
    maker: str = ""
    play: Play = Play()
    label: Label | None = None
    """Of a pre-installed app: it wins over clicks and views."""
    kind: Kind = "install"
    active_us: int | None = None
    """Of a return: the user's last activity before it."""
    test: bool = False
    """Whether it was a test when it was received; of a return, also whether its install was."""


class Candidate(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A touch that a method found by its key."""

    touch_id: str
    method: Method | Literal["visit"]
    touch_kind: TouchKind
    app: str
    link: str
    campaign: str | None
    partner: str | None
    touched_us: int
    click_id: str | None
    external_click_id: str | None
    network: Network | None
    os: str
    os_version: str
    model: str
    language: str
    ua: str
    flags: list[str]
    query: str | None = None
    """As it came, when identifiers are among its parameters."""
    device_key: int | None = None
    """Of its first identifier, in whichever form came."""
    click_key: int | None = None
    print_key: int | None = None

    @property
    def ids(self) -> list[DeviceId]:
        """What the sender said of the device; made when asked for, because most candidates are merely neighbours."""
        return query_ids(self.query) if self.query else []

    @property
    def device(self) -> object:
        """Equal for touches that look like one device's."""
        return self.device_key if self.device_key is not None else (self.ua, self.model)


class LinkDay(NamedTuple):
    """What a link did on a closed day, as it was published."""

    installs: int
    first_hour: int
    """Of these, within an hour of their touch."""
    week_clicks: int
    """Of the seven days up to this one."""
    week_installs: int
    flooding: bool
    delays: bool


class Facts(NamedTuple):
    """What the rest of the record says about the candidates and the device."""

    duplicate_of: Mapping[str, str] = {}
    """Touch → the earlier touch whose click id it repeats."""
    repeat_of: Mapping[str, str] = {}
    """Touch → the touch seconds before it, of the same address and agent on the same link."""
    link_days: Mapping[tuple[str, int], LinkDay] = {}
    """(link, day in days since 1970) → its figures, of closed days only."""
    earlier: tuple[str, int] | None = None
    """The device's last install of the app before this one: its id, and its time in Unix microseconds."""
    test: bool = False
    """Whether it is a test device's, or says that it comes from a sandbox: attributed anew each time."""
    earlier_link: str | None = None
    """Whose the device has been since that install, when it is long ago and nothing can change it any more."""
    own_windows: Mapping[str, Windows] = {}
    """Link → its own windows, where it has some."""


NOTHING = Facts()


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
        maker=install.device.manufacturer,
        play=_play(install.referrer) if install.referrer else Play(),
    )


INSTALLED_BEFORE_US = DAY_US
"""The device's own time of install counts when it is up to this long before the receipt."""


def conversion_time(installed_us: int, received_us: int) -> int:
    """The device's word when it is up to 24 h before the receipt; never a time after it."""
    earliest = received_us - INSTALLED_BEFORE_US
    return installed_us if earliest <= installed_us <= received_us else received_us


def _play(referrer: Referrer) -> Play:
    """Play says 0 where it knows nothing."""
    clicked, begun = referrer.referrer_click_timestamp_seconds, referrer.install_begin_timestamp_seconds
    server_begun = referrer.install_begin_timestamp_server_seconds
    return Play(*(seconds * 1_000_000 if seconds else None for seconds in (clicked, begun, server_begun)))


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
