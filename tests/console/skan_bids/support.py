"""Bid requests of the tests, and keys that sign what is asked for in them."""

from itertools import count
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import ec

from console.skan_bids.asked import Asked, asked_of
from console.skan_bids.making import Tools, Wanted
from schemas.skan.signed import VERSIONS

OURS = "cdkw7geqsh.skadnetwork"
SECOND = "4fzdc2evr5.skadnetwork"
THEIRS = "v72qych5uu.skadnetwork"
NOW_MS = 1_767_225_600_123
KEYS = {network: ec.generate_private_key(ec.SECP256R1()) for network in (OURS, SECOND)}
WANTED = Wanted(campaign_id=45, source_identifier="4321", items=("123456789",))


def tools(**changes: Any) -> Tools:
    numbers = count(1)
    made: dict[str, Any] = {"keys": KEYS, "numbers": {}, "now_ms": NOW_MS, "new_nonce": lambda: UUID(int=next(numbers))}
    return Tools(**made | changes)


def skadn(**changes: Any) -> dict[str, Any]:
    """`imp.ext.skadn` that lists our first network and every version; None takes a field out."""
    made = {"versions": list(VERSIONS[1:]), "sourceapp": "880047117", "skadnetids": [OURS]} | changes
    return {name: value for name, value in made.items() if value is not None}


def request(*of: Any, bundle: Any = "880047117") -> dict[str, Any]:
    imps = [{"id": str(number), "ext": {"skadn": one}} for number, one in enumerate(of, 1)]
    return {"id": "r", "imp": imps, "app": {"bundle": bundle}}


def asked(*, bundle: Any = "880047117", **changes: Any) -> Asked:
    whole = request(skadn(**changes), bundle=bundle)
    found = asked_of(whole, whole["imp"][0])
    assert found is not None
    return found
