"""What an impression of a bid request says of SKAdNetwork: `imp.ext.skadn`. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from console.skan_bids import values
from console.skan_bids.reasons import InvalidObject
from schemas.skan.lists import IdList
from schemas.skan.signed import Version

Numbers = Mapping[str, tuple[int, ...]]
"""Network → its numbers in IAB Tech Lab's list."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """An impression's own words; what is absent or cannot be read is None, or empty."""

    versions: tuple[Version, ...]
    """From 2.0 on, the oldest first."""
    sourceapp: Any
    """As it came."""
    bundle: Any
    """The app that shows the ad, `app.bundle`, as it came."""
    named: frozenset[str]
    """Networks that are named: `skadnetids` and `skadnetlist.addl`."""
    list_max: int
    """The networks from 1 to this one of IAB's list; 0: none."""
    excluded: frozenset[int]
    """Numbers of that list."""
    has_product_page: bool
    has_overlay: bool


def imps_of(request: Mapping[str, Any]) -> list[Any]:
    """The impressions, whatever they are."""
    return values.items(request.get("imp"))


def imp_id(imp: Any) -> str | None:
    """What an impression is called."""
    found = values.mapping(imp).get("id")
    if isinstance(found, str):
        return found
    number = values.whole(found)
    return None if number is None else str(number)


def asked_of(request: Mapping[str, Any], imp: Any) -> Asked | None:
    """None: it has no such object."""
    skadn = values.mapping(values.mapping(imp).get("ext")).get("skadn")
    if not isinstance(skadn, dict):
        return None
    said = {values.version(one) for one in (skadn.get("version"), *values.items(skadn.get("versions")))}
    of_list = values.mapping(skadn.get("skadnetlist"))
    named = [*values.items(skadn.get("skadnetids")), *values.items(of_list.get("addl"))]
    excluded = map(values.whole, values.items(of_list.get("excl")))
    return Asked(
        versions=tuple(one for one in values.BID_VERSIONS if one in said),
        sourceapp=skadn.get("sourceapp"),
        bundle=values.mapping(request.get("app")).get("bundle"),
        named=frozenset(one for one in map(values.network, named) if one is not None),
        list_max=values.whole(of_list.get("max")) or 0,
        excluded=frozenset(one for one in excluded if one is not None),
        has_product_page=values.flag(skadn.get("productpage")),
        has_overlay=values.flag(skadn.get("skoverlay")),
    )


def numbers_of(found: IdList) -> Numbers:
    """Of IAB's list. Another has no numbers."""
    made: dict[str, tuple[int, ...]] = {}
    for entry in found.entries:
        if entry.id is not None and entry.id > 0:
            made[entry.skadnetwork_id] = (*made.get(entry.skadnetwork_id, ()), entry.id)
    return made


def is_listed(asked: Asked, network: str, numbers: Numbers) -> bool:
    """Whether the app that shows the ad knows the network: (1 to `max` of IAB's list, and those named) less `excl`."""
    its = numbers.get(network, ())
    return (network in asked.named or any(one <= asked.list_max for one in its)) and asked.excluded.isdisjoint(its)


def not_listed(asked: Asked, networks: tuple[str, ...], numbers: Numbers) -> InvalidObject:
    """The refusal."""
    said = f"network {' and '.join(networks)}: not in skadnetids, skadnetlist.addl or skadnetlist.max of imp.ext.skadn"
    excluded = [one for one in networks if not asked.excluded.isdisjoint(numbers.get(one, ()))]
    if excluded:
        said = f"network {' and '.join(excluded)}: left out by skadnetlist.excl of imp.ext.skadn"
    elif asked.list_max and not numbers:
        said += ", whose numbers TOUCHLINE_SKAN_LIST does not tell"
    return InvalidObject("network_not_listed", f"{said}.")


def source_app(asked: Asked) -> int:
    """The app that shows the ad. Raises InvalidObject."""
    found = values.store_number(asked.sourceapp)
    if found is None:
        what = f"{values.shown(asked.sourceapp)} is no" if values.is_said(asked.sourceapp) else "it is missing: the"
        raise InvalidObject("bad_sourceapp", f"imp.ext.skadn.sourceapp: {what} number of an app in the App Store.")
    if values.is_text_or_number(asked.bundle) and values.store_number(asked.bundle) != found:
        said = f"imp.ext.skadn.sourceapp: {found} is not app.bundle, {values.shown(asked.bundle)}."
        raise InvalidObject("sourceapp_mismatch", said)
    return found
