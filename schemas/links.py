"""A tracking link, an app and its keys, as management writes them and the edge reads them."""

from typing import Literal

import msgspec

Store = Literal["google_play", "app_store", "app_gallery", "get_apps", "other_store", "web", "desktop"]
"""`other_store`: any other of Android. `desktop`: devices that are no phones. `web`: every device without its own."""
LinkKind = Literal["redirect", "tracking", "s2s", "preinstall"]
KeyKind = Literal["sdk", "server", "web"]
AppKind = Literal["mobile", "web"]


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
    """`tracking`: beside the landing, never redirects. `s2s`: pings of ad servers only. `preinstall`: names the phones
    that an app came with; it has no clicks."""
    targets: tuple[Target, ...] = ()
    fallback_url: str | None = None
    paused: bool = False
    """Paused or deleted: leads to the fallback, its hits are flagged."""
    partner: str | None = None
    """Whose pings it takes: its campaign's."""


class Stores(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an app is called in the stores, and by what phones know that links on a host are its own."""

    google_play: str | None = None
    """Its package, `com.example.shop`."""
    app_store: str | None = None
    """Its number, without `id`."""
    app_gallery: str | None = None
    """Its number, with the C."""
    get_apps: str | None = None
    """Its package, likewise."""
    bundle_id: str | None = None
    """Of iOS, with … """
    apple_team: str | None = None
    """… the ten characters of the team or app id prefix: then its links open it on an iPhone."""
    android_sha256: tuple[str, ...] = ()
    """Fingerprints of the certificates it is signed with, `AB:CD:…`: then its links open it on Android."""
    hosts: tuple[str, ...] = ()
    """Whose links are its own; none: of every host that is no other app's."""


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
    stores: Stores = Stores()


class Protection(msgspec.Struct, frozen=True, omit_defaults=True):
    """What S2S pings of a partner must prove; each of these that is given."""

    secrets: tuple[str, ...] = ()
    """One of them signs the parameters: `schemas.protection`. Two hold while one takes the other's place."""
    addresses: tuple[str, ...] = ()
    """Addresses and networks (`192.0.2.0/24`) that pings come from."""

    def __repr__(self) -> str:
        return f"Protection({len(self.secrets)} secrets, {len(self.addresses)} addresses)"  # none of them in a log


class Partner(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who shows ads, as the edge needs to know."""

    id: str
    protection: Protection | None = None


class AppKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """A key of an app's SDK, server or web pages, known by its SHA-256."""

    hash: str
    app: str
    kind: KeyKind
    revoked: bool = False
