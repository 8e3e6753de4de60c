"""The links in memory: every link's JSON, compressed, decoded on use.

A million links must fit beside everything else a worker holds. Most of a link's JSON is the same in
every link (field names, the stores' addresses, macros), so each is compressed on its own against a
dictionary of such words; to decode one takes 2 µs, and those in use stay decoded.
"""

import zlib
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256

import msgspec

from ingest.privacy import Care, care_of
from ingest.protection import Guard, guard_of
from schemas.links import App, AppKey, Link, Partner

DICTIONARY = (
    b"{click_id}{external_click_id}{campaign}{creative_id}{site_id}{sub_id}{gaid}{idfa}{country}{language}{device_ip}"
    b"&utm_source=&utm_medium=&utm_content=&utm_term=&pid=&c=&af_siteid=&clickid=&click_id=&campaign=&creative="
    b', "kind": "tracking", "kind": "s2s", "kind": "preinstall", "paused": true, "deep_link": "://open?'
    b'"store": "other_store"}"store": "desktop"}'
    b'{"url": "https://appgallery.huawei.com/app/C", "store": "app_gallery"}'
    b'{"url": "https://global.app.mi.com/details?id=", "store": "get_apps"}'
    b'{"id": "1", "app": "com.example.", "kind": "redirect", "paused": false, "partner": "", "targets": '
    b'[{"url": "https://play.google.com/store/apps/details?id=com.&referrer=utm_source%3D%26utm_campaign%3D{campaign}'
    b'%26click%3D{click_id}", "store": "google_play"}, '
    b'{"url": "https://apps.apple.com/app/id1?pt=&ct={campaign}&mt=8", "store": "app_store"}, '
    b'{"url": "https://www.example.com/?click={click_id}&site={site_id}&creative=", "store": "web"}], '
    b'"fallback_url": "https://www.example.com/"}'
)
"""Words of a link as Postgres spells it, the most frequent last. Whoever changes it needs to change
nothing else: a snapshot says which one it was packed with."""

WINDOW_BITS = -12
"""4 kB hold the dictionary and a link; below zero: neither header nor checksum."""
LEVEL = 3

Row = tuple[str, str, bytes]
"""Kind, id (a key's: its hash), and the JSON; that of a link packed."""

_link = msgspec.json.Decoder(Link)
_app = msgspec.json.Decoder(App)
_key = msgspec.json.Decoder(AppKey)
_partner = msgspec.json.Decoder(Partner)
_packer = zlib.compressobj(LEVEL, zlib.DEFLATED, WINDOW_BITS, 1, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)


def pack(body: bytes) -> bytes:
    """The JSON of a link, small."""
    packer = _packer.copy()
    return packer.compress(body) + packer.flush()


def unpack(packed: bytes, dictionary: bytes = DICTIONARY) -> bytes:
    """What `pack` was given. Raises zlib.error."""
    return zlib.decompressobj(WINDOW_BITS, dictionary).decompress(packed)


@lru_cache(maxsize=8192)
def _decoded(packed: bytes) -> Link:
    return _link.decode(unpack(packed))


class Links:
    """All links, apps, app keys and protected partners up to change number `change`."""

    def __init__(self) -> None:
        self.change = 0
        self._links: dict[str, bytes] = {}
        self._apps: dict[str, App] = {}
        self._keys: dict[str, AppKey] = {}
        self._partners: dict[str, Partner] = {}
        """Those with a protection, and …"""
        self.guards: dict[str, Guard] = {}
        """… what their pings must prove; with none of them a ping has nothing to look up."""
        self.careful: dict[str, Care] = {}
        """Apps that ask for privacy; with none of them a hit has nothing to look up."""
        self.packages: dict[str, str] = {}
        """App → its package on Android."""
        self.origins: Counter[str] = Counter()
        """Of all websites: how many of them have it."""

    def __len__(self) -> int:
        return len(self._links)

    def link(self, link_id: str) -> Link | None:
        """The link, or None when there never was one."""
        packed = self._links.get(link_id)
        return _decoded(packed) if packed is not None else None

    def app(self, app_id: str) -> App | None:
        """The app, or None."""
        return self._apps.get(app_id)

    def apps(self) -> list[App]:
        """All of them."""
        return list(self._apps.values())

    def key(self, secret: str) -> AppKey | None:
        """The app key whose secret was presented; None when unknown or revoked."""
        key = self._keys.get(sha256(secret.encode("utf-8", "replace")).hexdigest())
        return key if key is not None and not key.revoked else None

    def put(self, kind: str, change: int, body: bytes) -> None:
        """Take one changed row (`link`, `app`, `key` or `partner`); raises msgspec.ValidationError for a bad one."""
        if kind == "link":
            self._links[_link.decode(body).id] = pack(body)
        elif kind == "app":
            self._put_app(_app.decode(body))
        elif kind == "key":
            key = _key.decode(body)
            self._keys[key.hash] = key
        elif kind == "partner":
            self._put_partner(_partner.decode(body))
        self.change = max(self.change, change)

    def _put_partner(self, partner: Partner) -> None:
        guard = guard_of(partner.protection) if partner.protection is not None else None
        if guard is not None:
            self._partners[partner.id], self.guards[partner.id] = partner, guard
        else:
            self._partners.pop(partner.id, None)
            self.guards.pop(partner.id, None)

    def _put_app(self, app: App) -> None:
        before = self._apps.get(app.id)
        self._apps[app.id] = app
        care = care_of(app)
        if care is not None:
            self.careful[app.id] = care
        else:
            self.careful.pop(app.id, None)
        if app.stores.google_play is not None:
            self.packages[app.id] = app.stores.google_play
        else:
            self.packages.pop(app.id, None)
        self.origins.update(app.origins)
        for origin in before.origins if before is not None else ():
            self.origins[origin] -= 1
            if not self.origins[origin]:
                del self.origins[origin]

    def rows(self) -> Iterator[Row]:
        """Everything, as `take` takes it. Another thread may go through it while rows are put."""
        for app in list(self._apps.values()):
            yield "app", app.id, msgspec.json.encode(app)
        for key in list(self._keys.values()):
            yield "key", key.hash, msgspec.json.encode(key)
        for partner in list(self._partners.values()):
            yield "partner", partner.id, msgspec.json.encode(partner)
        for link_id in list(self._links):
            yield "link", link_id, self._links[link_id]

    def take(self, row: Row, dictionary: bytes = DICTIONARY) -> None:
        """Take back one of `rows`; a link packed with this dictionary is not looked at before it is used."""
        kind, key, body = row
        if kind != "link":
            self.put(kind, 0, body)
        elif dictionary == DICTIONARY:
            self._links[key] = body
        else:
            self.put(kind, 0, unpack(body, dictionary))
