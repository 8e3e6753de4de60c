"""What the edge writes and the consumers read: JSON values of the log, version 1.

Every struct is published as JSON Schema under `schemas/json/` and shown by an example under
`schemas/examples/`. Changes only add fields with a default.
"""

from typing import Literal

import msgspec

TouchKind = Literal["click", "impression"]
Mode = Literal["redirect", "s2s", "page"]


class Hit(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One touch of an ad, as the edge saw it; the consumer parses the rest."""

    v: Literal[1]
    id: str
    """UUIDv7: carries the time of receipt."""
    kind: TouchKind
    link: str
    app: str
    """The app of the chosen target, as the link said when the hit came."""
    mode: Mode
    touched_us: int
    """When the touch happened, Unix microseconds: the sender's time for S2S, else the receipt."""
    ip: str | None = None
    """Address or network of the device, canonical text; None when it is not known."""
    ua: str = ""
    """Empty for `s2s`: the device's agent stands in the query, as `device_ua`."""
    query: str = ""
    """Byte for byte as it came."""
    headers: dict[str, str] = {}
    """Lower-case names; only those that later rules need (language, referer, client hints)."""
    flags: list[str] = []


class Reject(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A request for a known link that the edge refused, whole, with the reason it gave."""

    v: Literal[1]
    id: str
    link: str
    kind: TouchKind
    reason: str
    parameter: str | None = None
    detail: str = ""
    ip: str | None = None
    """The peer: the device's own address may be what was wrong."""
    ua: str = ""
    query: str = ""
    headers: dict[str, str] = {}
    flags: list[str] = []


class Device(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the SDK says about the phone."""

    os: str
    os_version: str = ""
    model: str = ""
    manufacturer: str = ""
    locale: str = ""


class Referrer(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The answer of Google Play's Install Referrer API."""

    install_referrer: str = ""
    referrer_click_timestamp_seconds: int | None = None
    install_begin_timestamp_seconds: int | None = None
    referrer_click_timestamp_server_seconds: int | None = None
    install_begin_timestamp_server_seconds: int | None = None


class Install(msgspec.Struct, kw_only=True, omit_defaults=True, tag_field="kind", tag="install"):
    """The first launch of an app on a device, as its SDK or its server tells it."""

    v: Literal[1]
    id: str
    app: str
    install_id: str
    installed_us: int
    user_id: str | None = None
    preinstall_link: str | None = None
    ids: dict[str, str] = {}
    device: Device
    app_version: str = ""
    referrer: Referrer | None = None
    ip: str | None = None
    """Address of the device; None when only a server spoke and did not say it."""
    ua: str = ""
    flags: list[str] = []


class Revenue(msgspec.Struct, kw_only=True):
    """Money exactly: `micros` of one unit of `currency` (ISO 4217)."""

    micros: int
    currency: str


class Event(msgspec.Struct, kw_only=True, omit_defaults=True, tag_field="kind", tag="event"):
    """Something that happened in an app after its installation."""

    v: Literal[1]
    id: str
    app: str
    event_id: str
    name: str
    occurred_us: int
    install_id: str | None = None
    ids: dict[str, str] = {}
    user_id: str | None = None
    revenue: Revenue | None = None
    params: dict[str, msgspec.Raw] = {}
    ip: str | None = None
    ua: str = ""
    flags: list[str] = []


Framework = Literal["skadnetwork", "adattributionkit"]


class ApplePostback(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What came to one of the addresses that Apple's devices report installs to, before anybody has read it.

    Without the device's address and agent: the frameworks exist so that nobody learns whose install it was.
    """

    v: Literal[1]
    id: str
    framework: Framework
    """By the address it came to."""
    body: bytes
    """Byte for byte; base64 in JSON."""


SANDBOX = "sandbox"
"""Flag of installs and events that their sender calls tests."""


class Visit(msgspec.Struct, kw_only=True, omit_defaults=True, tag_field="kind", tag="visit"):
    """A page of a website, seen by a person's browser."""

    v: Literal[1]
    id: str
    app: str
    visit_id: str
    visitor_id: str
    """First-party: the same for the same browser on the same site."""
    url: str
    """At most 2048 characters."""
    referer: str = ""
    touch_id: str | None = None
    """The hit whose landing this is: `touchline_id` of its query."""
    link: str | None = None
    """The tracking link that the landing itself names, as `mt_link_id`, without a hit on record."""
    occurred_us: int
    ip: str | None = None
    ua: str = ""
    language: str = ""
    flags: list[str] = []


RESERVED_EVENTS = ("launch", "first_visit", "registration", "login", "payment", "subscription", "ad_revenue")
"""Names with a meaning of their own; any other name is a custom event."""


class Tally(msgspec.Struct, kw_only=True):
    """The last record of every batch: what the batch held, counted before anything could be lost."""

    kind: Literal["tally"]
    v: Literal[1]
    topic: str
    journal: str
    """UUID of the journal that the batch was written to first."""
    boot: int
    number: int
    """Counts the batches of a journal, over all its boots, without a hole."""
    counts: list[tuple[str, int, int]]
    """(link, app or Apple's framework, hour of receipt in hours since 1970, records)."""


Conversion = Install | Event | Visit
