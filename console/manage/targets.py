"""Where a tracking link may lead, and what it will not do. Pure."""

from collections.abc import Sequence

import msgspec

from console.manage.checks import shown
from console.manage.refusals import Invalid
from console.urls import WEB, checked_url
from schemas.errors import ConfigError
from schemas.links import AppKind, Link, Target
from schemas.rules import LinkWindow, check_link_windows

_PLAY = ("https://play.google.com/", "http://play.google.com/", "market://")


def checked_targets(targets: Sequence[Target], app: AppKind) -> tuple[Target, ...]:
    """The targets with their addresses as they are stored. Raises Invalid."""
    found: dict[str, Target] = {}
    for target in targets:
        if target.store in found:
            raise Invalid("targets", f"{_said(target)} names {target.store} a second time; a store has one address.")
        schemes = (*WEB, "market") if target.store == "google_play" else WEB
        try:
            made = msgspec.structs.replace(target, url=checked_url(target.url, schemes))
        except ValueError as error:
            raise Invalid("targets", f"{_said(target)} {error}.") from None
        if target.deep_link is not None:
            try:
                made = msgspec.structs.replace(made, deep_link=checked_url(target.deep_link, None))
            except ValueError as error:
                raise Invalid("targets", f"with the deep-link {shown(target.deep_link)}: it {error}.") from None
        if app == "web":
            _check_website(made)
        found[target.store] = made
    return tuple(found.values())


def _check_website(target: Target) -> None:
    """A website's link leads everybody to one page."""
    if target.store != "web":
        raise Invalid("targets", f"of {target.store} are a store's: a website's link has web=https://… only.")
    if not target.url.startswith("https://"):
        raise Invalid("targets", f"{_said(target)} of a website does not start with https://.")
    if target.deep_link is not None:
        raise Invalid("targets", "with a deep-link open an app: a website's link has none.")


def check_windows(windows: Sequence[LinkWindow]) -> None:
    """By the ranges of the rules. Raises Invalid."""
    try:
        check_link_windows(windows)
    except ConfigError as error:
        raise Invalid("windows", f"{error}.") from None


def remarks(link: Link, *, app_fallback: str | None, public_url: bool) -> tuple[str, ...]:
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
    return tuple(found)


def _said(target: Target) -> str:
    return shown(f"{target.store}={target.url}")
