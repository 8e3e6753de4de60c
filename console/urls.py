"""The addresses of tracking links: which ones a link may lead to, and which ones people are given. Pure."""

import re
import secrets
from collections.abc import Collection
from urllib.parse import quote, urlsplit

URL_CHARS_MAX = 2000
WEB = ("http", "https")
NEVER = ("javascript", "data", "vbscript", "blob", "about")
"""Schemes that run or show what the link itself says, instead of opening an app."""

S2S_QUERY = (
    "click_id={click_id}&google_aid={google_aid}&device_ip={device_ip}&device_ua={device_ua}"
    "&click_timestamp={click_timestamp}&noredirect"
)
"""For ad servers, which replace the macros by their own."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.+)", re.DOTALL)
_MACRO = re.compile(r"\{[A-Za-z0-9_.-]{1,64}\}")
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\]")
_ASCII = "".join(map(chr, range(0x21, 0x7F))).translate({ord(c): None for c in '"<>^`|'})


def checked_url(text: str, schemes: Collection[str] | None = WEB) -> str:
    """The address as it is stored: ASCII, at most 2000 characters. `schemes` None: any that is harmless.

    Raises ValueError with the end of a sentence that begins with the address.
    """
    if any(not c.isprintable() or c.isspace() for c in text):
        raise ValueError("holds a space, a control character or a byte that is no UTF-8: percent-encode it")
    found = _SCHEME.fullmatch(text)
    scheme = found[1].lower() if found else ""
    if found is None or not _allowed(scheme, schemes):
        starts = " or ".join(f"{one}://" for one in schemes) if schemes else "an app's own scheme, such as shop://"
        raise ValueError(f"does not start with {starts}")
    if "\\" in text:
        raise ValueError("holds a backslash, which browsers read as a slash: write / or %5C")
    if re.search(r"[{}]", _MACRO.sub("", text)):
        raise ValueError("has a brace that belongs to no {macro}; a macro's name has letters, digits and _ . -")
    rest = _checked_host(found[2]) if scheme in WEB else found[2]
    url = f"{scheme}:{quote(rest, safe=_ASCII)}"
    if len(url) > URL_CHARS_MAX:
        raise ValueError(f"has {len(url)} characters, percent-encoded; at most {URL_CHARS_MAX} are allowed")
    return url


def _allowed(scheme: str, schemes: Collection[str] | None) -> bool:
    return scheme not in NEVER if schemes is None else scheme in schemes


def _checked_host(rest: str) -> str:
    """`//host…` with its host in ASCII. A macro in the host would let whoever fills it choose where people land."""
    if not rest.startswith("//"):
        raise ValueError("lacks the // before its host")
    authority = re.split(r"[/?#]", rest[2:], maxsplit=1)[0]
    if "{" in authority:
        raise ValueError("has a macro in its host: anybody could choose where people land")
    if "@" in authority:
        raise ValueError("names a user before its host, which browsers warn of")
    try:
        parts = urlsplit(f"http:{rest}")
        host, port = parts.hostname or "", parts.port
        ascii_host = host if host.isascii() else host.encode("idna").decode()
    except ValueError:
        raise ValueError("has a host or port that cannot exist") from None
    ascii_host = f"[{ascii_host}]" if ":" in ascii_host else ascii_host
    if not _HOST.fullmatch(ascii_host):
        raise ValueError("has no host that can exist")
    return f"//{ascii_host}{f':{port}' if port is not None else ''}{rest[2 + len(authority) :]}"


def new_link_id() -> str:
    """A random decimal number of 19 digits, as the vendors' ids look."""
    return str(10**18 + secrets.randbelow(9 * 10**18))


def edge_of(public_url: str, host: str | None) -> str:
    """Where people reach a link: its own host, by the scheme of the others."""
    return f"{public_url.partition('://')[0]}://{host}" if host else public_url


def printed_urls(edge: str, link: str) -> dict[str, str]:
    """The addresses of a link, ready to copy; `edge` is where people reach the edge."""
    return {
        "serve": f"{edge}/serve/{link}",
        "click": f"{edge}/c/{link}",
        "impression": f"{edge}/i/{link}",
        "s2s_click": f"{edge}/c/{link}?{S2S_QUERY}",
        "s2s_impression": f"{edge}/i/{link}?{S2S_QUERY}",
    }
