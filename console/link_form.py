"""What `touchline link create` was told, as a link: checked, and with remarks on what it will not do. Pure."""

import re
from collections.abc import Sequence
from typing import get_args

import msgspec

from console.urls import WEB, checked_url
from schemas.errors import ConfigError
from schemas.links import Link, Store, Target

STORES: tuple[Store, ...] = get_args(Store)
TEXT_CHARS_MAX = 200

_LINK_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_APP_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_ORIGIN = re.compile(r"https://[a-z0-9_.-]+(:[0-9]{1,5})?|http://(localhost|127\.0\.0\.1)(:[0-9]{1,5})?")
"""Plain http for trying things out on one machine only."""
_PLAY = ("https://play.google.com/", "http://play.google.com/", "market://")


def checked_link_id(text: str) -> str:
    """Raises ConfigError."""
    if not _LINK_ID.fullmatch(text):
        raise ConfigError(f"id {shown(text)} is no link id: 1 to 64 letters, digits, _ and -.")
    return text


def checked_app_id(text: str) -> str:
    """Raises ConfigError."""
    if not _APP_ID.fullmatch(text):
        raise ConfigError(f"id {shown(text)} is no app id: 1 to 128 letters, digits, . _ and -.")
    return text


def checked_text(argument: str, text: str | None) -> str | None:
    """A title or a name: something printable on one line. Raises ConfigError."""
    if text is not None and not (text.strip() and text.isprintable() and len(text) <= TEXT_CHARS_MAX):
        raise ConfigError(f"{argument} {shown(text)} is not 1 to {TEXT_CHARS_MAX} printable characters.")
    return text


def checked_fallback(text: str | None) -> str | None:
    """Raises ConfigError."""
    if text is None:
        return None
    try:
        return checked_url(text)
    except ValueError as error:
        raise ConfigError(f"fallback-url {shown(text)} {error}.") from None


def checked_origins(texts: Sequence[str] | None) -> list[str] | None:
    """Origins as browsers write them: `https://host` or `https://host:port`. Raises ConfigError."""
    if not texts:
        return None
    for text in texts:
        if not _ORIGIN.fullmatch(text):
            raise ConfigError(f"origin {shown(text)} is none: scheme and host in lower case, as https://shop.example.")
    return list(dict.fromkeys(texts))


def check_website(link: Link) -> None:
    """A website's link leads everybody to one page. Raises ConfigError."""
    for target in link.targets:
        if target.store != "web":
            raise ConfigError(f"target {target.store} is a store's: a website's link has --target web=https://… only.")
        if not target.url.startswith("https://"):
            raise ConfigError(f"target {shown(target.url)} of a website does not start with https://.")
        if target.deep_link is not None:
            raise ConfigError("deep-link opens an app: a website's link has none.")


def targets(urls: Sequence[str], deep_links: Sequence[str]) -> tuple[Target, ...]:
    """The targets of `STORE=URL` texts, in their order. Raises ConfigError."""
    found: dict[Store, Target] = {}
    for text in urls:
        store, url = _store_and_url("target", text)
        if store in found:
            raise ConfigError(f"target {shown(text)} names {store} a second time; a store has one address.")
        schemes = (*WEB, "market") if store == "google_play" else WEB
        found[store] = Target(store=store, url=_checked("target", text, url, schemes))
    for text in deep_links:
        store, url = _store_and_url("deep-link", text)
        if store not in found or found[store].deep_link is not None:
            why = "has no --target of that store" if store not in found else "names its store a second time"
            raise ConfigError(f"deep-link {shown(text)} {why}.")
        deep_link = _checked("deep-link", text, url, None)
        found[store] = msgspec.structs.replace(found[store], deep_link=deep_link)
    return tuple(found.values())


def _store_and_url(argument: str, text: str) -> tuple[Store, str]:
    name, equals, url = text.partition("=")
    for store in STORES:
        if equals and store == name:
            return store, url
    raise ConfigError(f"{argument} {shown(text)} is not STORE=URL; STORE is one of {', '.join(STORES)}.")


def _checked(argument: str, text: str, url: str, schemes: Sequence[str] | None) -> str:
    try:
        return checked_url(url, schemes)
    except ValueError as error:
        raise ConfigError(f"{argument} {shown(text)} {error}.") from None


def shown(text: str) -> str:
    """The text as an error names it."""
    return repr(text if len(text) <= 80 else f"{text[:77]}…")


def remarks(link: Link, *, app_fallback: str | None, public_url: bool) -> list[str]:
    """What a person may not expect of the link, a sentence each."""
    found: list[str] = []
    stores = [target.store for target in link.targets]
    if link.kind == "redirect" and "web" not in stores and not (link.fallback_url or app_fallback):
        who = f"Whoever is on a device that {' and '.join(stores)} do not serve" if stores else "Everybody"
        found.append(
            f"{who} gets a plain page, because there is no fallback: give --fallback-url, to the link or its app,"
            " or --target web=URL."
        )
    if any(one.store == "google_play" and not one.url.startswith(_PLAY) for one in link.targets):
        found.append(
            "The google_play target carries no install referrer: only https://play.google.com/… and market://… do."
        )
    if not public_url:
        found.append("TOUCHLINE_PUBLIC_URL is empty: these addresses work on this machine only.")
    return found
