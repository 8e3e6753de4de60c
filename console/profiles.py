"""A partner's profile: how an ad network is told of our addresses, and how it is told of installs. Pure but for the
reading of the files that come with the product."""

import re
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec

from console import partner_profiles
from schemas.errors import TouchlineError

Style = Literal["{x}", "{{x}}", "${x}", "[x]", "__x__", "%%x%%"]
"""How a network writes its macros."""

Call = Literal["redirect", "pixel", "s2s"]
"""`redirect`: a person follows the address. `pixel`: it is asked for beside the landing, by a device or by a server
that does not say when. `s2s`: the network's server says of which device, and when it happened."""

BYTES_MAX = 256 * 1024

_STYLES: dict[Style, str] = {
    "{{x}}": r"\{\{[^{}]+\}\}",
    "${x}": r"\$\{[^{}]+\}",
    "{x}": r"\{[^{}]+\}",
    "[x]": r"\[[A-Za-z0-9_.-]+\]",
    "__x__": r"__[A-Za-z0-9]+(?:_[A-Za-z0-9]+)*__",
    "%%x%%": r"%%[A-Za-z0-9_]+%%",
}
"""The longer form of two that begin alike comes first."""


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A public page that says what the profile says."""

    url: str
    by: str
    """Who publishes it: the network itself, or somebody who works with it."""
    gives: str
    read: date


class Golden(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A postback with its values: the exact request that must come of them."""

    values: dict[str, str]
    """Our macro → its value."""
    account: dict[str, str] = {}
    url: str
    body: str | None = None


class Postback(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the network is told of one kind of event. `{name}` is a macro of ours, `{account:name}` a value that the
    operator gives once."""

    event: str
    mode: Literal["attributed", "all"] = "attributed"
    first_only: bool = False
    method: Literal["GET", "POST"] = "GET"
    url: str
    body: str | None = None
    reversal_url: str | None = None
    success: str
    """What the network answers when it has taken it."""
    golden: Golden | None = None


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ad network."""

    name: str
    title: str
    kind: Literal["integrated", "draft"]
    missing: tuple[str, ...] = ()
    """Of a draft: what the public documentation does not give."""
    sources: tuple[Source, ...]
    call: Call | None = None
    """None: the network calls no address of ours."""
    style: tuple[Style, ...] = ()
    macros: dict[str, str] = {}
    """Every macro that the sources name and we use → what they say it is."""
    macro_urls: dict[Literal["click", "impression", "click@android", "click@ios"], str] = {}
    """Tracking addresses as the network prints them, `{base}` in place of the host and path of its example."""
    parameters: dict[str, str] = {}
    """Our parameter → the network's macro. `name@android`, `name@ios`: in the addresses of one platform only."""
    account: dict[str, str] = {}
    """Value that the postbacks need → where the operator finds it."""
    postbacks: tuple[Postback, ...] = ()
    remarks: tuple[str, ...] = ()


def parse_profile(content: bytes) -> Profile:
    """Raises TouchlineError that says where; `console.profile_rules` checks what the fields say together."""
    if len(content) > BYTES_MAX:
        raise TouchlineError(f"A profile has at most {BYTES_MAX} bytes, this one has {len(content)}.")
    try:
        return msgspec.json.decode(content, type=Profile)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TouchlineError(f"This is no profile: {error}.") from None


@cache
def shipped() -> Mapping[str, Profile]:
    """Name → profile that comes with the product, by name."""
    found = [parse_profile(one.read_bytes()) for one in files(partner_profiles).iterdir() if one.name.endswith(".json")]
    return {one.name: one for one in sorted(found, key=lambda one: one.name)}


def macros_in(text: str, style: tuple[Style, ...] = tuple(_STYLES)) -> list[str]:
    """The macros of a text, in their order, as the network writes them."""
    patterns = [pattern for one, pattern in _STYLES.items() if one in style]
    return re.findall("|".join(patterns), text) if patterns else []


def without_macros(text: str, style: tuple[Style, ...] = tuple(_STYLES)) -> str:
    """What stands between the macros."""
    for macro in macros_in(text, style):
        text = text.replace(macro, "", 1)
    return text
