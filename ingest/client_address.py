"""Whose request it is: the peer's, or that of the hop for which trusted proxies speak.

A proxy appends the address it was called from at the right of `X-Forwarded-For`, or of `Forwarded` (RFC 7239);
whatever stands left of that may have been written by the client. So a header is read from the right, hop by hop:
only a trusted hop is believed about the hop left of it, and nothing left of the answer can change the answer.

- A hop that names no address ends the way: garbage, `unknown`, `_hidden`, a network, a `Forwarded` element without
  `for` or with two, an empty element. The answer is the hop right of it. RFC 9110 would skip empty elements, but one
  on the way is a proxy that wrote an empty variable, and left of it stands what the client wrote.
- When every hop is trusted the answer is the leftmost: a trusted host was the first to call.
- When both headers are there, one may be the client's, passed through by a proxy that writes only the other; which
  one, nobody here knows. If both lead to one address, that is it; if not, the peer. So a client can hide behind its
  proxy, but not choose an address. Proxies that remove the header they do not write make this exact.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Final, Protocol

from schemas.addresses import Network, parse_address

# Hops and characters of one header that are read, from its right end.
HOPS_MAX: Final = 50
HEADER_CHARS_MAX: Final = 8192
# A longer Forwarded element names no address: a client's header must not cost more than its request.
ELEMENT_CHARS_MAX: Final = 512

# `name=value;` of a Forwarded element. Colons and brackets belong in quotes, which some proxies leave out.
_PAIR: Final = re.compile(
    r"""[ \t]* (?: ([\w!#$%&'*+.^`|~-]+) = (?: "((?:[^"\\]|\\.)*)" | ([^ \t",;\\]+) ) )? [ \t]* (?: ; | \Z )""",
    re.ASCII | re.VERBOSE,
)
_ESCAPED: Final = re.compile(r"\\(.)")
_PORT: Final = re.compile(r":(?:[0-9]{1,5}|_[A-Za-z0-9._-]+)")


class Headers(Protocol):
    """As aiohttp has them: names in any case, one value a line."""

    def getall(self, key: str, default: tuple[()], /) -> Sequence[str]: ...


class TrustedProxies:
    """The networks whose word about their own caller is taken."""

    def __init__(self, networks: Sequence[Network]) -> None:
        apart: list[Network] = []
        for network in sorted(networks):
            if not apart or not apart[-1].contains(network):
                apart.append(network)
        self._networks = apart

    def trusts(self, peer: str) -> bool:
        """Whether the peer is a trusted proxy: only then the headers say who calls."""
        address = parse_address(peer) if self._networks else None
        return address is not None and self._trusts(address)

    def client(self, peer: str, headers: Headers) -> str:
        """Canonical text of the client's address; "" when the peer has none, as at a Unix socket.

        Takes 0.2 µs for an IPv4 peer when no proxy is trusted, 0.5 µs for an IPv6 peer.
        """
        if not self._networks:
            return _canonical(peer)
        address = parse_address(peer)
        if address is None:
            return ""
        if self._trusts(address):
            address = self._client_of(address, headers)
        return address.text

    def _client_of(self, peer: Network, headers: Headers) -> Network:
        x_forwarded_for = headers.getall("X-Forwarded-For", ())
        forwarded = headers.getall("Forwarded", ())
        if not forwarded:
            return self._follow(peer, _x_forwarded_for_hops(_end(x_forwarded_for)))
        client = self._follow(peer, _forwarded_hops(_end(forwarded)))
        if x_forwarded_for and client != self._follow(peer, _x_forwarded_for_hops(_end(x_forwarded_for))):
            return peer
        return client

    def _follow(self, peer: Network, hops: Iterable[str]) -> Network:
        """The first hop that is not trusted; the last that names an address before the way ends."""
        client = peer
        for hop in islice(hops, HOPS_MAX):
            address = _address(hop)
            if address is None:
                break
            client = address
            if not self._trusts(address):
                break
        return client

    def _trusts(self, address: Network) -> bool:
        # the networks lie apart, so only the nearest that starts at or below the address can hold it
        nearest = bisect_right(self._networks, address) - 1
        return nearest >= 0 and self._networks[nearest].contains(address)


def _canonical(peer: str) -> str:
    """As Network.text, without making one of the addresses that nearly all peers have."""
    try:
        if ":" not in peer:
            inet_pton(AF_INET, peer)
            return peer  # inet_pton takes an IPv4 in its canonical form only
        packed = inet_pton(AF_INET6, peer)
        if packed[0] >> 5 == 1:  # 2000::/3, where none stands for an IPv4
            return inet_ntop(AF_INET6, packed)
    except (OSError, ValueError):
        pass
    address = parse_address(peer)
    return address.text if address else ""


def _end(lines: Sequence[str]) -> str:
    """The lines joined in order, a comma before every element: what has none was cut off at the left."""
    return ",".join(("", *lines))[-HEADER_CHARS_MAX:]


def _x_forwarded_for_hops(text: str) -> Iterator[str]:
    """Every hop from the right."""
    return (hop.strip(" \t") for hop in reversed(text.rsplit(",", HOPS_MAX)[1:]))


def _forwarded_hops(text: str) -> Iterator[str]:
    """What every element says its hop is, from the right; "" when it does not say."""
    end = len(text)
    while (comma := _comma_before(text, end)) >= 0:
        yield _for(text[comma + 1 : end])
        end = comma


def _comma_before(text: str, end: int) -> int:
    """The last comma outside of quotes; -1 when there is none.

    From the left, an open quote of the client would swallow what a proxy appended. From the right, a quoted string
    starts at the nearest `="`: inside it, a backslash stands before every quote.
    """
    start = max(0, end - ELEMENT_CHARS_MAX - 1)
    comma = text.rfind(",", start, end)
    while comma >= 0 and (quote := text.rfind('"', comma, end)) >= 0:
        end = text.rfind('="', start, quote)
        if end < 0:
            return -1
        if end < comma:
            comma = text.rfind(",", start, end)
    return comma


def _for(element: str) -> str:
    """The value of the element's `for`, unquoted; "" when it has none, two, or is malformed."""
    found: str | None = None
    at = 0
    while at < len(element):
        pair = _PAIR.match(element, at)
        if pair is None:
            return ""
        name, quoted, plain = pair.groups()
        if name is not None and name.lower() == "for":
            if found is not None:
                return ""
            found = _ESCAPED.sub(r"\1", quoted) if plain is None else plain
        at = pair.end()
    return found or ""


def _address(hop: str) -> Network | None:
    """The address of a hop without its port; None for `unknown`, `_hidden`, a network and garbage."""
    port = ""
    if hop.startswith("["):
        host, bracket, port = hop.partition("]")
        hop = host + bracket
    elif hop.count(":") == 1:
        hop, colon, number = hop.partition(":")
        port = colon + number
    if "/" in hop or (port and not _PORT.fullmatch(port)):
        return None
    return parse_address(hop)
