"""What `touchline link create` was told, as targets. Pure."""

from collections.abc import Sequence
from typing import get_args

import msgspec

from console.manage.checks import shown
from schemas.errors import ConfigError
from schemas.links import Store, Target

STORES: tuple[Store, ...] = get_args(Store)


def targets(urls: Sequence[str], deep_links: Sequence[str]) -> tuple[Target, ...]:
    """The targets of `STORE=URL` texts, in their order. Raises ConfigError."""
    found = [Target(*_store_and_url("target", text)) for text in urls]
    for text in deep_links:
        store, url = _store_and_url("deep-link", text)
        its = next((number for number, target in enumerate(found) if target.store == store), None)
        if its is None or found[its].deep_link is not None:
            why = "has no --target of that store" if its is None else "names its store a second time"
            raise ConfigError(f"deep-link {shown(text)} {why}.")
        found[its] = msgspec.structs.replace(found[its], deep_link=url)
    return tuple(found)


def _store_and_url(argument: str, text: str) -> tuple[Store, str]:
    name, equals, url = text.partition("=")
    for store in STORES:
        if equals and store == name:
            return store, url
    raise ConfigError(f"{argument} {shown(text)} is not STORE=URL; STORE is one of {', '.join(STORES)}.")
