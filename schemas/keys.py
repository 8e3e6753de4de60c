"""Match keys: 64-bit hashes under which a touch is stored and a conversion looks for it.

A key is only an index, decisions compare the values themselves. App and touch kind are part
of every key, so that two apps never meet and views do not push clicks out of a look-up.
"""

from functools import lru_cache
from hashlib import blake2b

from schemas.addresses import Network
from schemas.events import TouchKind
from schemas.identifiers import IdKind


@lru_cache(maxsize=1024)
def _begun(*parts: str) -> blake2b:
    """The hash of what many keys begin with: a copy of it costs less than half of a new one."""
    return blake2b("".join(f"{part}\x1f" for part in parts).encode("utf-8", "replace"), digest_size=8)


def _key(begun: blake2b, last: str) -> int:
    """Signed 64 bits of BLAKE2b over all parts, separated so that no two lists of parts meet."""
    hashed = begun.copy()
    hashed.update(last.encode("utf-8", "replace"))
    return int.from_bytes(hashed.digest(), "big", signed=True)


def device_key(app: str, touch: TouchKind, kind: IdKind, digest: str) -> int:
    """Key of a device identifier; `digest` is lower-case hex, SHA-1 and MD5 cannot be confused by length."""
    return _key(_begun(app, touch, "device", kind), digest)


def click_id_key(app: str, touch: TouchKind, click_id: str) -> int:
    """Key of a click id of the ad network, `click_id` and `external_click_id` alike."""
    return _key(_begun(app, touch, "click_id"), click_id)


def touch_id_key(touch_id: str) -> int:
    """Key of a touch by its own id, which a store's referrer or a visit may name: 60 of its random bits."""
    return int(touch_id.replace("-", "")[17:], 16)


def visitor_key(app: str, visitor_id: str) -> int:
    """Key of a website's visitor: by it a visit that is stored later finds the events that it may have brought."""
    return _key(_begun(app, "visitor"), visitor_id)


def print_key(app: str, touch: TouchKind, os: str, network: Network | str) -> int:
    """Key of a fingerprint: operating system family and a network of `print_networks`' precisions, or its text."""
    return _key(_begun(app, touch, "print", os), network if isinstance(network, str) else network.text)
