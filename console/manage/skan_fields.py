"""What the fields of signed ads may hold, as exchanges and people write them. Pure but for the clock."""

import re
import time
from typing import NoReturn
from uuid import UUID, uuid4

from console.manage.checks import shown
from console.manage.refusals import Invalid, Refused
from schemas.settings import Settings
from schemas.skan.lists import network_id
from schemas.skan.web_ads import site

Number = int | str
"""Exchanges write numbers as digits in a string."""

ID_MAX = 2**63 - 1

_DIGITS = re.compile(r"[0-9]{1,19}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def network_of(settings: Settings, said: str | None) -> str:
    """The network that is meant, in lower case. Raises Invalid."""
    if said is None:
        known = {signer.network for signer in settings.skan_networks}
        if len(known) != 1:
            raise Invalid("ad_network_id", "is missing: there is not exactly one network in TOUCHLINE_SKAN_NETWORKS.")
        return known.pop()
    network = network_id(said)
    if network is None:
        raise Invalid("ad_network_id", f"{shown(said)} is no network's id, such as example123.skadnetwork.")
    return network


def no_key_of(network: str) -> NoReturn:
    """Raises Refused."""
    raise Refused("ad_network_id", f"of {network} no key is configured: TOUCHLINE_SKAN_NETWORKS.")


def number(field: str, said: Number, lowest: int, highest: int) -> int:
    """A number, or its digits. Raises Invalid."""
    digits = str(said).strip()
    value = int(digits) if _DIGITS.fullmatch(digits) else -1  # none is below 0
    if not lowest <= value <= highest:
        raise Invalid(field, f"{shown(str(said))} is no number from {lowest} to {highest}.")
    return value


def checked_site(field: str, said: str) -> str:
    """The domain in lower case. Raises Invalid."""
    domain = site(said)
    if domain is None:
        raise Invalid(field, f"{shown(said)} is no domain, such as example.com.")
    return domain


def uuid_of(field: str, said: str | None) -> UUID:
    """The UUID, a new one when none is said. Raises Invalid."""
    if said is None:
        return uuid4()
    text = said.strip().lower()
    if not _UUID.fullmatch(text):
        raise Invalid(field, f"{shown(said)} is no UUID, such as 68483ef6-0678-40df-b4bc-6e9f1a7a3d52.")
    return UUID(text)


def milliseconds(said: Number | None) -> int:
    """Unix milliseconds, now when nothing is said. Raises Invalid."""
    if said is None:
        return time.time_ns() // 1_000_000
    value = number("timestamp", said, 0, ID_MAX)
    if len(str(value)) not in (10, 13):
        raise Invalid("timestamp", f"{value} is neither Unix milliseconds (13 digits) nor seconds (10).")
    return value * 1000 if value < 10**12 else value
