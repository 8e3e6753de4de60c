"""Whether a ping may come from whom it says: the protection that its partner asked for. Pure.

People in browsers are never asked: they hold no secret, and come from everywhere.
"""

from typing import NamedTuple

from schemas.addresses import Network, parse_address
from schemas.errors import Refuse
from schemas.events import TouchKind
from schemas.links import Protection
from schemas.protection import EXPIRES, SIGNATURE, is_signed
from schemas.query import parse_query


class Guard(NamedTuple):
    """A partner's protection, made ready."""

    secrets: tuple[str, ...]
    networks: tuple[Network, ...]

    def __repr__(self) -> str:
        return "Guard(…)"  # secrets have no place in a log


def guard_of(protection: Protection) -> Guard | None:
    """None when there is nothing to hold to. An address that is none lets nobody in."""
    if not protection.secrets and not protection.addresses:
        return None
    networks = tuple(network for text in protection.addresses if (network := parse_address(text)) is not None)
    return Guard(protection.secrets, networks or ((NOWHERE,) if protection.addresses else ()))


NOWHERE = Network(6, 0, 128)
"""The unspecified address: no peer has it."""


def doubt(guard: Guard, peer: str, kind: TouchKind, link: str, query: str, now_us: int) -> Refuse | None:
    """Why a sender's words are not believed: `bad_sender`, `bad_signature` or `expired`.

    `query` is as it came, `peer` the client's address.
    """
    if guard.networks:
        address = parse_address(peer)
        if address is None or not any(network.contains(address) for network in guard.networks):
            return Refuse("bad_sender", "Pings of this partner do not come from this address.")
    if not guard.secrets:
        return None
    if not is_signed(guard.secrets, kind, link, query):
        return Refuse("bad_signature", f"The query does not end with a valid {SIGNATURE}.", SIGNATURE)
    expires = parse_query(query).get(EXPIRES, "")
    if not (expires.isascii() and expires.isdigit() and len(expires) <= 12):
        return Refuse("bad_signature", f"What is signed has no {EXPIRES} in UTC seconds.", EXPIRES)
    if int(expires) * 1_000_000 < now_us:
        return Refuse("expired", f"The ping was to be taken until {EXPIRES}={expires}.", EXPIRES)
    return None
