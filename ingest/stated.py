"""Which device a touch is of, and when it happened: the sender's words for S2S, the caller's own otherwise. Pure."""

from collections.abc import Mapping
from functools import lru_cache

import msgspec

from ingest import privacy, targets
from ingest.caller import UA_CHARS_MAX
from ingest.touch import Request
from schemas.addresses import canonical_address
from schemas.errors import Refuse
from schemas.events import Mode
from schemas.query import decode, storable

LATE_US = 12 * 3_600_000_000
FUTURE_US = 5 * 60_000_000
S2S_PARAMETERS = ("device_ip", "device_ua", "click_timestamp")
NEEDED = frozenset(S2S_PARAMETERS)


class Facts(msgspec.Struct, gc=False):
    """What is known about the device, and what was odd about it."""

    ip: str | None
    ua: str
    os: targets.Os
    touched_us: int
    flags: list[str]


def facts_of(request: Request, mode: Mode, values: Mapping[str, str], doubt: Refuse | None) -> Facts:
    """The sender's words for S2S, the peer otherwise. Raises Refuse only for S2S:
    a person is redirected whatever the link says, and the hit is flagged. What is in doubt is not taken."""
    caller, now_us = request.caller, request.now_us
    flags = ["head"] if request.is_head else []
    if request.care == "coppa":
        flags.append(privacy.FLAG)
    if mode == "s2s":
        ip, ua, touched = values.get("device_ip"), values.get("device_ua"), values.get("click_timestamp")
        if not (ip and ua and touched):
            name = next(name for name in S2S_PARAMETERS if not values.get(name))
            raise Refuse(f"missing_{name}", f"The parameter {name} is required for S2S requests.", name)
        # the agent stands in the query, where the consumer reads it
        facts = Facts(_device_ip(decode(ip)), "", caller.os, _touch_time(decode(touched), now_us), flags)
    else:
        facts = Facts(request.peer or None, caller.ua, caller.os, now_us, flags)
        if states_a_device(request, mode, values):
            if doubt is not None:
                flags.append(doubt.code)
            else:
                _take_stated_facts(facts, values, now_us)
    if facts.touched_us < now_us - LATE_US:
        flags.append("late")
    return facts


def states_a_device(request: Request, mode: Mode, values: Mapping[str, str]) -> bool:
    """Whether somebody speaks of a device that is not the caller: `noredirect=0`, or a server that asks for the pixel,
    as networks without a macro for the time do."""
    if mode == "redirect":
        return "noredirect" in values
    return mode == "page" and "device_ip" in values and not request.caller.browses


def _take_stated_facts(facts: Facts, values: Mapping[str, str], now_us: int) -> None:
    stated = {name: decode(values[name]) for name in S2S_PARAMETERS if name in values}
    if stated.get("device_ua"):
        facts.ua = storable(stated["device_ua"][:UA_CHARS_MAX])
        facts.os = targets.device_os(facts.ua)
    try:
        if "device_ip" in stated:
            facts.ip = _device_ip(stated["device_ip"])
    except Refuse as refusal:
        facts.flags.append(refusal.code)
    try:
        if "click_timestamp" in stated:
            facts.touched_us = _touch_time(stated["click_timestamp"], now_us)
    except Refuse as refusal:
        facts.flags.append(refusal.code)


def _device_ip(text: str) -> str:
    canonical = canonical_address(text)
    if canonical is None:
        raise Refuse(
            "bad_device_ip",
            f"device_ip {text[:60]!r} is no IPv4 or IPv6 address, nor address/prefix.",
            "device_ip",
        )
    return canonical


def _touch_time(text: str, now_us: int) -> int:
    """Unix microseconds of `click_timestamp` (UTC seconds)."""
    touched_us = _unix_us(text)
    if touched_us > now_us + FUTURE_US:
        raise Refuse(
            "click_timestamp_in_future",
            f"click_timestamp {text} lies more than 5 minutes in the future.",
            "click_timestamp",
        )
    return touched_us


@lru_cache(maxsize=4096)
def _unix_us(text: str) -> int:
    """The pings of a moment carry the same few times."""
    if not (text.isascii() and text.isdigit()) or len(text) > 20:
        raise Refuse(
            "bad_click_timestamp",
            f"click_timestamp {text[:60]!r} is no time in UTC seconds.",
            "click_timestamp",
        )
    if len(text.lstrip("0")) >= 13:
        raise Refuse(
            "click_timestamp_in_milliseconds",
            f"click_timestamp {text} looks like milliseconds; it must be UTC seconds.",
            "click_timestamp",
        )
    return int(text) * 1_000_000
