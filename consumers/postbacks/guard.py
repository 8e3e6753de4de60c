"""Which targets a postback may reach: the internet's, and what the operator allows. Pure.

A partner's URL, its DNS and its redirects are written by others: none of them may lead a request into the network that
the sender stands in. A name is judged by the addresses that are connected to, at each connection.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import NamedTuple
from urllib.parse import quote

from schemas.addresses import Network, is_public, parse_address
from schemas.errors import TouchlineError

DEFAULT_PORTS = {"http": 80, "https": 443}
_URL = re.compile(r"(?i:(https?))://([^/?#]*)([^#]*)(?:#.*)?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
# What a browser and a resolver read as a number: 2130706433, 127.1, 0x7f.1, 0177.0.0.1 (WHATWG, "ends in a number").
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


class NotAllowed(TouchlineError):
    """A postback must not go there; the sentence says why."""


class Target(NamedTuple):
    """Where a postback goes."""

    url: str
    """ASCII, without a fragment: as it is sent, and signed."""
    origin: str
    """`https://host:port`; without the port that the scheme has by itself."""
    path: str
    """With the query."""
    host: str
    """A name in lower case without a final dot, or an address in its canonical text."""
    literal: bool
    """Whether `host` is an address."""

    @property
    def authority(self) -> str:
        """As the header Host says it."""
        return self.origin.partition("//")[2]


def parse_target(url: str) -> Target:
    """Of a URL with all macros replaced. Raises NotAllowed for whatever two programs could read as two hosts."""
    found = _URL.fullmatch(url)
    if found is None or _CONTROL.search(url):
        raise NotAllowed("The URL is not http:// or https://, or holds control characters.")
    scheme, authority, rest = found[1].lower(), found[2], found[3]
    origin, host, literal = _origin(scheme, authority)
    if not rest.startswith("/"):
        rest = f"/{rest}"
    if not rest.isascii() or " " in rest:
        rest = quote(rest, safe=_PRINTABLE)
    return Target(origin + rest, origin, rest, host, literal)


@lru_cache(maxsize=4096)
def _origin(scheme: str, authority: str) -> tuple[str, str, bool]:
    """(`https://host:port`, host, whether it is an address)."""
    if "@" in authority:
        raise NotAllowed("The URL holds a user name or password before its host.")
    bracket = authority.rfind("]")
    name, colon, digits = authority.rpartition(":") if authority.rfind(":") > bracket else (authority, "", "")
    if colon and digits and not (digits.isascii() and digits.isdigit() and 1 <= int(digits[:6]) <= 65535):
        raise NotAllowed(f"The port {digits[:20]!r} is none.")
    host, literal = _host(name)
    shown = f"[{host}]" if ":" in host else host
    port = f":{int(digits)}" if digits and int(digits) != DEFAULT_PORTS[scheme] else ""
    return f"{scheme}://{shown}{port}", host, literal


def _host(text: str) -> tuple[str, bool]:
    if text.startswith("[") and text.endswith("]"):
        try:
            return inet_ntop(AF_INET6, inet_pton(AF_INET6, text[1:-1])), True
        except (OSError, ValueError):
            raise NotAllowed(f"The host {text[:60]!r} is no IPv6 address.") from None
    if not text.isascii():
        try:  # full-width digits and dots become plain ones here
            text = text.encode("idna").decode()
        except UnicodeError:
            raise NotAllowed(f"The host {text[:60]!r} is no name.") from None
    host = text.lower().removesuffix(".")
    if _NAME.fullmatch(host) is None:
        raise NotAllowed(f"The host {text[:60]!r} is no name.")
    if _NUMBER.fullmatch(host.rpartition(".")[2]) is None:
        return host, False
    try:
        return inet_ntop(AF_INET, inet_pton(AF_INET, host)), True
    except (OSError, ValueError):
        raise NotAllowed(f"The host {text[:60]!r} is an address in an odd spelling.") from None


class Guard:
    """What is allowed although it is not on the internet: networks, and names whatever their address."""

    def __init__(self, targets: Iterable[Network | str] = ()) -> None:
        """The setting TOUCHLINE_POSTBACK_TARGETS."""
        targets = tuple(targets)
        self._networks = tuple(one for one in targets if isinstance(one, Network))
        self._names = frozenset(one for one in targets if isinstance(one, str))
        self._literals = lru_cache(maxsize=4096)(lambda host: self.permits(host, host))

    def permits(self, host: str, address: str) -> bool:
        """Whether a connection to `address`, found for `host`, may be made."""
        network = parse_address(address)
        if network is None:
            return False
        return is_public(network) or host in self._names or any(one.contains(network) for one in self._networks)

    def check_literal(self, target: Target) -> None:
        """Raises NotAllowed for an address in the URL itself; names are judged when their addresses are known."""
        if target.literal and not self._literals(target.host):
            raise NotAllowed(f"{target.host} is not an address on the internet.")

    def check_found(self, host: str, addresses: list[str]) -> list[str]:
        """Of a name's addresses those that may be connected to. Raises NotAllowed when there are none."""
        permitted = [one for one in addresses if self.permits(host, one)]
        if addresses and not permitted:
            raise NotAllowed(f"{host} is at {', '.join(addresses[:3])}: not on the internet.")
        return permitted
