"""What may stand in the fields of managed things. Pure."""

import re
from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from console.manage.refusals import Invalid
from console.urls import checked_url
from schemas.links import Stores

TEXT_CHARS_MAX = 200
LIST_MAX = 1000
"""Things in one answer."""

_LINK_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_APP_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_ORIGIN = re.compile(r"https://[a-z0-9_.-]+(:[0-9]{1,5})?|http://(localhost|127\.0\.0\.1)(:[0-9]{1,5})?")
"""Plain http for trying things out on one machine only."""
_HOST = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])")
_STORE_IDS = {
    "google_play": (re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)+"), "a package, such as com.example.shop"),
    "app_store": (re.compile(r"[0-9]{1,20}"), "a number, such as 123456789"),
    "app_gallery": (re.compile(r"C?[0-9]{1,20}"), "a number, such as C101234567"),
    "get_apps": (re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)+"), "a package, such as com.example.shop"),
    "bundle_id": (re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+"), "a bundle id, such as com.example.shop"),
    "apple_team": (re.compile(r"[A-Z0-9]{10}"), "ten capital letters and digits, such as A1B2C3D4E5"),
}
_CERTIFICATE = re.compile(r"([0-9A-F]{2}:){31}[0-9A-F]{2}")

Text = Annotated[str, Meta(min_length=1, max_length=TEXT_CHARS_MAX)]
AppIdText = Annotated[str, Meta(pattern=f"^{_APP_ID.pattern}$")]
LinkIdText = Annotated[str, Meta(pattern=f"^{_LINK_ID.pattern}$")]
Hours = Annotated[int, Meta(ge=1, le=2160)]


def shown(text: str) -> str:
    """The text as an error names it."""
    return repr(text if len(text) <= 80 else f"{text[:77]}…")


def check_link_id(text: str) -> None:
    """Raises Invalid."""
    if not _LINK_ID.fullmatch(text):
        raise Invalid("id", f"{shown(text)} is no link id: 1 to 64 letters, digits, _ and -.")


def check_app_id(text: str) -> None:
    """Raises Invalid."""
    if not _APP_ID.fullmatch(text):
        raise Invalid("id", f"{shown(text)} is no app id: 1 to 128 letters, digits, . _ and -.")


def checked_text(field: str, text: str | None) -> str | None:
    """A title or a name: something printable on one line. Raises Invalid."""
    if text is not None and not (text.strip() and text.isprintable() and len(text) <= TEXT_CHARS_MAX):
        raise Invalid(field, f"{shown(text)} is not 1 to {TEXT_CHARS_MAX} printable characters.")
    return text


def checked_fallback(text: str | None) -> str | None:
    """The address as it is stored. Raises Invalid."""
    if text is None:
        return None
    try:
        return checked_url(text)
    except ValueError as error:
        raise Invalid("fallback_url", f"{shown(text)} {error}.") from None


def checked_origins(texts: Sequence[str]) -> tuple[str, ...]:
    """Origins as browsers write them: `https://host` or `https://host:port`. Raises Invalid."""
    for text in texts:
        if not _ORIGIN.fullmatch(text):
            raise Invalid("origins", f"{shown(text)} is none: scheme and host in lower case, as https://shop.example.")
    return tuple(dict.fromkeys(texts))


def check_host(text: str | None, field: str = "host") -> None:
    """A host name of the operator's own, without scheme and port. Raises Invalid."""
    if text is not None and not _HOST.fullmatch(text):
        raise Invalid(field, f"{shown(text)} is no host name in lower case, such as go.shop.example.")


def check_stores(stores: Stores) -> None:
    """The app's ids in the stores, its certificates and its hosts. Raises Invalid."""
    for store, (pattern, example) in _STORE_IDS.items():
        text = getattr(stores, store)
        if text is not None and not (len(text) <= TEXT_CHARS_MAX and pattern.fullmatch(text)):
            raise Invalid(f"stores.{store}", f"{shown(text)} is not {example}.")
    for name, most in (("android_sha256", 20), ("hosts", 50)):
        if len(getattr(stores, name)) > most:
            raise Invalid(f"stores.{name}", f"has more than {most}.")
    for text in stores.android_sha256:
        if not _CERTIFICATE.fullmatch(text):
            raise Invalid("stores.android_sha256", f"{shown(text)} is no SHA-256 as AB:CD:…, 32 bytes.")
    for text in stores.hosts:
        check_host(text, "stores.hosts")
