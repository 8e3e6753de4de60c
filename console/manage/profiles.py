"""What comes of a partner's profile: the addresses for its ads, and the postbacks it is offered."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from console.manage.common import Refused
from console.profile_rules import (
    CALL_KEY,
    Fault,
    faults,
    in_json,
    in_url,
    parameter_faults,
    with_account,
    with_call,
)
from console.profiles import BYTES_MAX, Profile, parse_profile, shipped
from console.urls import checked_url

GENERIC = "generic"
"""The profile of partners that have none."""

Platform = Literal["android", "ios"]


class TrackingUrls(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses for a network's forms, with its macros in them."""

    platform: Platform | None
    """None: for the ads of every platform."""
    click: str
    impression: str


class OfferedPostback(msgspec.Struct, frozen=True, kw_only=True):
    """A postback template, ready to be created for an app of the partner."""

    event: str
    mode: Literal["off", "attributed", "all"]
    first_only: bool
    method: Literal["GET", "POST"]
    url: str
    body: str | None
    reversal_url: str | None


def profile_named(name: str) -> Profile:
    """Of those that come with the product. Raises Refused."""
    found = shipped().get(name)
    if found is None:
        raise Refused("profile", f"{name!r} is none of {', '.join(shipped())}.")
    return found


def profile_in(file: Path) -> tuple[Profile, list[Fault]]:
    """An operator's own, and what is wrong with it. Raises TouchlineError when it is none, OSError as `open` does."""
    with file.open("rb") as opened:
        profile = parse_profile(opened.read(BYTES_MAX + 1))
    found = faults(profile)
    if profile.name in shipped() and profile != shipped()[profile.name]:
        found.insert(0, Fault("name", f"{profile.name!r} is a profile that comes with the product: take another name."))
    return profile, found


def chosen_profile(name_or_file: str) -> Profile:
    """A profile by its name, or from a file: what has a slash or ends in .json. Raises TouchlineError, OSError."""
    if "/" not in name_or_file and not name_or_file.endswith(".json"):
        return profile_named(name_or_file)
    profile, found = profile_in(Path(name_or_file))
    if found:
        raise Refused("profile", f"{found[0].field}: {found[0].sentence}")
    return profile


def kept_parameters(profile: Profile | None, own: Mapping[str, str]) -> dict[str, str]:
    """What is put into a partner's addresses: its profile's parameters (without one, the generic ones), and beside or
    instead of them the operator's own; an empty value takes one out, of every platform. Raises Refused."""
    kept = _merged(profile if profile is not None else profile_named(GENERIC), own)
    for fault in parameter_faults(kept):
        raise Refused(fault.field, fault.sentence)
    return kept


def partner_urls(profile: str | None, own: Mapping[str, str], base: str, link: str) -> list[TrackingUrls]:
    """`tracking_urls` of a partner as it stands in `partners`. A profile that does not come with the product was an
    operator's file: what it said was kept with the partner's own parameters."""
    known = shipped().get(profile if profile is not None else GENERIC)
    return tracking_urls(_merged(known, own) if known is not None else own, base, link)


def _merged(profile: Profile, own: Mapping[str, str]) -> dict[str, str]:
    base = with_call(profile)
    kept = {name: value for name, value in base.items() if name not in own and name.partition("@")[0] not in own}
    return kept | {name: value for name, value in own.items() if value}


def tracking_urls(parameters: Profile | Mapping[str, str], base: str, link: str) -> list[TrackingUrls]:
    """The addresses of a link with the partner's macros filled in; `base`: where people reach the edge; `parameters`:
    as `kept_parameters` gives them, or a profile.

    One entry, or one a platform when the network has different macros for them; none when it calls no address.
    """
    if isinstance(parameters, Profile):
        parameters = with_call(parameters)
    named = {name: value for name, value in parameters.items() if name != CALL_KEY and value}
    if not named:
        return []
    call = parameters.get(CALL_KEY, "redirect")
    platforms: tuple[Platform | None, ...] = ("android", "ios") if any("@" in name for name in named) else (None,)
    return [_urls(_query(named, platform), call, base.rstrip("/"), link, platform) for platform in platforms]


def _query(named: Mapping[str, str], platform: Platform | None) -> str:
    parts = []
    for name, value in named.items():
        plain, _, only = name.partition("@")
        if only in ("", platform):
            parts.append(f"{plain}={value}")
    return "&".join(parts)


def _urls(query: str, call: str, base: str, link: str, platform: Platform | None) -> TrackingUrls:
    # a person who follows a click is sent on; who calls beside the landing gets 200 and an image; a server's ping 204
    click = ".gif" if call == "pixel" else ""
    impression = "" if call == "s2s" else ".gif"
    ping = "&noredirect" if call == "s2s" else ""
    return TrackingUrls(
        platform=platform,
        click=f"{base}/c/{link}{click}?{query}{ping}",
        impression=f"{base}/i/{link}{impression}?{query}{ping}",
    )


def default_templates(profile: Profile, account: Mapping[str, str]) -> list[OfferedPostback]:
    """The profile's postbacks with the operator's values in them. A draft's are off: nobody has confirmed them.
    Raises Refused when a value is missing, unknown or unfit."""
    _check_account(profile, account)
    return [
        OfferedPostback(
            event=one.event,
            mode=one.mode if profile.kind == "integrated" else "off",
            first_only=one.first_only,
            method=one.method,
            url=_address(one.url, account),
            body=with_account(one.body, account, in_json) if one.body is not None else None,
            reversal_url=_address(one.reversal_url, account) if one.reversal_url is not None else None,
        )
        for one in profile.postbacks
    ]


def _check_account(profile: Profile, account: Mapping[str, str]) -> None:
    for name, value in account.items():
        if name not in profile.account:
            known = ", ".join(profile.account) or "none"
            raise Refused(f"account.{name}", f"The profile {profile.name} knows no such value; it knows {known}.")
        if not value.isprintable():
            raise Refused(f"account.{name}", "It has characters that cannot be printed.")
    for name, where in profile.account.items():
        if not account.get(name):
            raise Refused(f"account.{name}", f"It is missing: {where}.")


def _address(template: str, account: Mapping[str, str]) -> str:
    url = with_account(template, account, in_url)
    try:
        return checked_url(url)
    except ValueError as error:
        raise Refused("account", f"{url!r} {error}.") from None
