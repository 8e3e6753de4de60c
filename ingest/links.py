"""The links in memory: packed JSON of every link, decoded on use."""

from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256

import msgspec

from schemas.links import App, AppKey, Link

_link = msgspec.json.Decoder(Link)
_app = msgspec.json.Decoder(App)
_key = msgspec.json.Decoder(AppKey)


@lru_cache(maxsize=8192)
def _decoded(packed: bytes) -> Link:
    return _link.decode(packed)


class Links:
    """All links, apps and app keys up to change number `change`."""

    def __init__(self) -> None:
        self.change = 0
        self._links: dict[str, bytes] = {}
        self._apps: dict[str, App] = {}
        self._keys: dict[str, AppKey] = {}

    def __len__(self) -> int:
        return len(self._links)

    def link(self, link_id: str) -> Link | None:
        """The link, or None when there never was one."""
        packed = self._links.get(link_id)
        return _decoded(packed) if packed is not None else None

    def app(self, app_id: str) -> App | None:
        """The app, or None."""
        return self._apps.get(app_id)

    def key(self, secret: str) -> AppKey | None:
        """The app key whose secret was presented; None when unknown or revoked."""
        key = self._keys.get(sha256(secret.encode("utf-8", "replace")).hexdigest())
        return key if key is not None and not key.revoked else None

    def put(self, kind: str, change: int, body: bytes) -> None:
        """Take one changed row (`link`, `app` or `key`); raises msgspec.ValidationError for a bad one."""
        if kind == "link":
            self._links[_link.decode(body).id] = body
        elif kind == "app":
            app = _app.decode(body)
            self._apps[app.id] = app
        elif kind == "key":
            key = _key.decode(body)
            self._keys[key.hash] = key
        self.change = max(self.change, change)

    def rows(self) -> Iterator[tuple[str, bytes]]:
        """Everything, as `put` takes it."""
        for app in self._apps.values():
            yield "app", msgspec.json.encode(app)
        for key in self._keys.values():
            yield "key", msgspec.json.encode(key)
        for packed in self._links.values():
            yield "link", packed
