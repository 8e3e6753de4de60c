"""A tracking link, an app and its keys, as management writes them and the edge reads them."""

from typing import Literal

import msgspec

Store = Literal["google_play", "app_store", "app_gallery", "get_apps", "web"]
LinkKind = Literal["redirect", "tracking", "s2s"]
KeyKind = Literal["sdk", "server", "web"]
AppKind = Literal["mobile", "web"]

STORE_OS: dict[Store, str] = {
    "google_play": "android",
    "app_store": "ios",
    "app_gallery": "android",
    "get_apps": "android",
}
"""Which phones a store serves; `web` is for every other device."""


class Target(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a smart link leads on one kind of device; `{name}` in the URLs is a macro."""

    store: Store
    url: str
    deep_link: str | None = None
    app: str | None = None
    """App of this target, when it is another than the link's."""


class Link(msgspec.Struct, frozen=True, omit_defaults=True):
    """A tracking link."""

    id: str
    app: str
    kind: LinkKind = "redirect"
    """`tracking`: beside the landing, never redirects. `s2s`: pings of ad servers only."""
    targets: tuple[Target, ...] = ()
    fallback_url: str | None = None
    paused: bool = False
    """Paused or deleted: leads to the fallback, its hits are flagged."""


class App(msgspec.Struct, frozen=True, omit_defaults=True):
    """An advertised app, or website."""

    id: str
    fallback_url: str | None = None
    coppa: bool = False
    """Its users are children: nothing that names a device or a person is kept."""
    truncate_addresses: bool = False
    """Addresses are kept as their networks, IPv4 /24 and IPv6 /64."""
    kind: AppKind = "mobile"
    origins: tuple[str, ...] = ()
    """Whose pages may report with a key of kind `web`, such as `https://shop.example`."""


class AppKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """A key of an app's SDK, server or web pages, known by its SHA-256."""

    hash: str
    app: str
    kind: KeyKind
    revoked: bool = False
