"""Protection of a partner's S2S pings: signed parameters with an expiry, or the addresses that they come from.

The text that is signed, lines ended by LF but the last: `click` or `impression`; the link's id; the raw query as far as
`&signature=`, byte for byte. The signature is its HMAC-SHA256 in hexadecimal, and stands last in the query.
"""

import hmac
import re
from collections.abc import Sequence

from schemas.addresses import parse_address
from schemas.errors import ConfigError
from schemas.events import TouchKind
from schemas.links import Protection

SIGNATURE = "signature"
EXPIRES = "expires"
"""UTC seconds, until when the ping is taken; it is among what is signed."""
SECRETS_MAX = 4
SECRET_CHARS = (16, 200)
ADDRESSES_MAX = 500

_SECRET = re.compile(r"[!-~]+")
_BEFORE = f"&{SIGNATURE}="


def signature(secret: str, kind: TouchKind, link: str, query: str) -> str:
    """The signature of a query that carries none yet."""
    text = f"{kind}\n{link}\n{query}"
    return hmac.new(secret.encode(), text.encode("utf-8", "surrogateescape"), "sha256").hexdigest()


def signed(secret: str, kind: TouchKind, link: str, query: str) -> str:
    """The query with its signature."""
    return f"{query}{_BEFORE}{signature(secret, kind, link, query)}"


def is_signed(secrets: Sequence[str], kind: TouchKind, link: str, query: str) -> bool:
    """Whether the query ends with its signature by one of the secrets; compared in constant time."""
    before, found, given = query.rpartition(_BEFORE)
    if not found or not given.isascii():
        return False
    given = given.lower()
    return any(hmac.compare_digest(signature(secret, kind, link, before), given) for secret in secrets)


def check(protection: Protection) -> None:
    """Raises ConfigError, which names the field: nothing to hold to, a weak secret, what is no address."""
    if not protection.secrets and not protection.addresses:
        raise ConfigError("protection has neither secrets nor addresses: every ping would pass")
    if len(protection.secrets) > SECRETS_MAX:
        raise ConfigError(f"protection.secrets has {len(protection.secrets)}; at most {SECRETS_MAX} hold at a time")
    low, high = SECRET_CHARS
    for number, secret in enumerate(protection.secrets):
        if not (low <= len(secret) <= high and _SECRET.fullmatch(secret)):
            raise ConfigError(f"protection.secrets[{number}] is not {low} to {high} printable ASCII characters")
    if len(protection.addresses) > ADDRESSES_MAX:
        raise ConfigError(f"protection.addresses has {len(protection.addresses)}; it takes at most {ADDRESSES_MAX}")
    for number, text in enumerate(protection.addresses):
        if parse_address(text) is None:
            raise ConfigError(f"protection.addresses[{number}] {text[:60]!r} is no address, nor address/prefix")
