"""What an app's privacy leaves out of a request before anything is written down. Pure.

`addresses`: every address becomes its network, IPv4 /24 and IPv6 /64. `coppa` (a child's device): besides,
whatever names the device or its owner is removed. What was found once is removed wherever else it stands.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Literal, NamedTuple
from urllib.parse import quote

from schemas.addresses import TEXT_CHARS_MAX, Network, coarse_network, parse_address
from schemas.identifiers import ALIASES, is_no_id
from schemas.links import App
from schemas.query import decode

Care = Literal["addresses", "coppa"]

FLAG = "coppa"
"""Name of the parameter by which a sender says it of one touch, and of the flag on the record."""

SECRETS_MAX = 50
"""Texts that are looked for in everything else: more than any honest request has."""
SECRET_CHARS_MIN = 6
"""Shorter ones would be found in words by chance."""
NAME_CHARS_MAX = 100
_DECODINGS = 3
"""So many times a value may be encoded and is still read."""

_OTHERS = (
    "ios_ifv", "idfv", "mt_idfv", "app_set_id", "mt_app_set_id", "advertising_id", "adid", "ifa", "waid", "did",
    "device_id", "deviceid", "imei", "meid", "mac", "serial", "fire_aid", "vida", "appmetrica_device_id", "instance_id",
    "user_id", "userid", "uid", "mt_user_id", "custom_user_id", "customuserid", "profile_id", "email", "phone",
)  # fmt: skip
"""Names of a device or a person besides those that installs are matched by."""

_READ = frozenset({"device_ip", "device_ua", "click_timestamp", "noredirect", FLAG})
"""Names that stay, whatever an identifier happens to be."""

_DIGESTS = ("_sha1", "_md5", "_sha256")
_ADDRESS_NAME = re.compile(r"(.*_)?(ip|ipv[46]|ip_?addr(ess)?|remote_addr|forwarded_for|xff)")
_VERSION_NAME = re.compile(r"(.*_)?v(er)?|.*version")
"""What looks like an IPv4 address under such a name is none."""
_ADDRESS = re.compile(
    r"(?<![0-9A-Fa-f:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:\.\d{1,3}){0,3}"
    r"|(?<!\d)\d{1,3}(?:\.\d{1,3}){3}(?!\d)"
)
_NESTED = re.compile(r"""(?<![\w.-])([\w.-]{1,64})["']?\s*[=:]\s*["']?(?=([^&;\s#),"'}]{0,256}))""")
"""A name and its value within a value: of an address in an address, of JSON."""


def _plain(name: str) -> str:
    return name.strip().lower().replace("-", "_")


_NAMES = {_plain(name) for name in (*ALIASES, *_OTHERS)}


class Secrets(NamedTuple):
    """What must not be kept of one request, wherever in it it stands."""

    texts: list[str]
    """Lower case."""
    networks: dict[Network, str]
    """Address → the network that stands for it."""

    def add_text(self, text: str) -> None:
        """The value of an identifier, or an address that cannot be read."""
        text = text.strip().lower()
        if len(text) >= SECRET_CHARS_MIN and not is_no_id(text) and len(self.texts) < SECRETS_MAX:
            self.texts.append(text)

    def add_address(self, text: str) -> None:
        """An address, if it is one and finer than what may be kept."""
        network = parse_address(text) if text else None
        if network is not None and len(self.networks) < SECRETS_MAX:
            coarse = coarse_network(network)
            if coarse != network:
                self.networks[network] = coarse.text

    def without(self, text: str) -> str:
        """The text with networks for addresses and nothing for identifiers."""
        if self.networks and ("." in text or ":" in text):
            text = _ADDRESS.sub(self._network, text)
        for secret in self.texts:
            if secret in text.lower():
                text = re.sub(re.escape(secret), "", text, flags=re.IGNORECASE)
        return text

    def in_encoded(self, text: str) -> bool:
        """Whether something of it stands in the text, encoded or not."""
        plain = decoded(text)
        return self.without(plain) != plain

    def _network(self, found: re.Match[str]) -> str:
        text = found[0] if found[0].endswith("::") else found[0].rstrip(":")
        network = parse_address(text)
        return found[0] if network is None else self.networks.get(network, text) + found[0][len(text) :]


def care_of(app: App) -> Care | None:
    """What an app asks for; None: nothing."""
    if app.coppa:
        return "coppa"
    return "addresses" if app.truncate_addresses else None


def most_careful(apps: Iterable[str], careful: Mapping[str, Care], query: str) -> Care | None:
    """The most careful of what the apps and the touch itself ask for."""
    asked = {careful.get(app) for app in apps}
    if "coppa" in asked or _says_coppa(query):
        return "coppa"
    return "addresses" if "addresses" in asked else None


def _says_coppa(query: str) -> bool:
    for pair in query.split("&") if FLAG in decode(query) else ():
        name, _, value = pair.partition("=")
        if decode(name) == FLAG and decode(value).strip().lower() in ("1", "true"):
            return True
    return False


def is_identifier(name: str) -> bool:
    """Whether a decoded parameter of this name says which device it is, or whose."""
    return len(name) <= NAME_CHARS_MAX and _is_identifier(name)


@lru_cache(maxsize=4096)
def _is_identifier(name: str) -> bool:
    plain = _plain(name)
    for digest in _DIGESTS:
        plain = plain.removesuffix(digest)
    return plain in _NAMES


def is_address_name(name: str) -> bool:
    """Whether a decoded parameter of this name holds an address."""
    return len(name) <= NAME_CHARS_MAX and _is_address_name(name)


@lru_cache(maxsize=4096)
def _is_address_name(name: str) -> bool:
    return _ADDRESS_NAME.fullmatch(_plain(name)) is not None


def truncated(text: str | None) -> str | None:
    """The network that stands for an address."""
    network = parse_address(text) if text else None
    return coarse_network(network).text if network is not None else None


def network_text(name: str, value: str) -> str | None:
    """What stands for a value of this name that is an address; None: it is none."""
    address = parse_address(value.strip()) if len(value) <= TEXT_CHARS_MAX else None
    if address is None or (address.version == 4 and _VERSION_NAME.fullmatch(_plain(name))):
        return None
    return coarse_network(address).text


def nested_identifiers(value: str) -> Iterator[str]:
    """The values of identifiers that stand by name within a value."""
    return (found for name, found in _NESTED.findall(value) if is_identifier(name))


def clean_query(query: str, care: Care, secrets: Secrets) -> str:
    """The raw query without what must not be kept, which `secrets` know afterwards.

    Whole pairs go; those that hold nothing of it stay byte for byte. An address becomes its network's text.
    """
    pairs = [(pair, *(decoded(part) for part in pair.partition("=")[::2])) for pair in query.split("&")]
    for _, name, value in pairs:
        if is_address_name(name):
            secrets.add_address(value.strip().partition("/")[0])
            if parse_address(value.strip()) is None:
                secrets.add_text(value)
        elif care == "coppa":
            for text in (value,) if is_identifier(name) else nested_identifiers(value):
                secrets.add_text(text)
    kept = (_clean_pair(pair, name, value, care, secrets) for pair, name, value in pairs)
    return "&".join(pair for pair in kept if pair is not None)


def _clean_pair(pair: str, name: str, value: str, care: Care, secrets: Secrets) -> str | None:
    """The pair as it may be kept; None: not at all. Name and value are the decoded ones."""
    if care == "coppa" and (is_identifier(name) or (name != "device_ua" and any(nested_identifiers(value)))):
        return None
    if name not in _READ and (secrets.without(name) != name or parse_address(name.strip()) is not None):
        return None
    raw_name, text = pair.partition("=")[0], network_text(name, value)
    if text is not None:
        return pair if value == text else f"{raw_name}={text}"
    if is_address_name(name) and not is_no_id(value):
        return f"{raw_name}=-"  # an address that cannot be read is one all the same
    clean = secrets.without(value)
    return pair if clean == value else f"{raw_name}={quote(clean, safe='')}"


def clean_headers(headers: Mapping[str, str], care: Care, secrets: Secrets) -> dict[str, str]:
    """The headers a record keeps; a child's referer says the site alone, for the rest may say anything."""
    clean = {name: text for name, text in headers.items() if not secrets.in_encoded(text)}
    if care == "coppa" and "referer" in headers:
        site = "/".join(headers["referer"].split("/", 3)[:3])
        clean["referer"] = "" if secrets.in_encoded(site) else site
    return clean


def decoded(text: str) -> str:
    """The text without its percent escapes, however often it was encoded."""
    for _ in range(_DECODINGS):
        if "%" not in text and "+" not in text:
            break
        text = decode(text)
    return text
