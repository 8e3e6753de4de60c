"""What must hold for a partner's profile and for the parameters of its addresses. Pure."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, get_args
from urllib.parse import quote

from console.profiles import Call, Golden, Postback, Profile, macros_in, without_macros
from console.urls import checked_url
from schemas.macros import expand_json, expand_url
from schemas.query import storable

PLATFORMS = ("android", "ios")
CALL_KEY = "@call"
"""Beside the parameters, where only those are kept: how the network calls."""

S2S_NEEDED = ("device_ip", "device_ua", "click_timestamp")

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_PARAMETER = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_PLAIN = re.compile(r"[A-Za-z0-9._~-]*")
_ACCOUNT = re.compile(r"\{account:([a-z0-9_]{1,64})\}")
_VALUE_CHARS_MAX = 200


class Fault(NamedTuple):
    """Something wrong: `field` says where."""

    field: str
    sentence: str


def faults(profile: Profile) -> list[Fault]:
    """Everything that is wrong with a profile, none when it may be used."""
    return [
        *_identity(profile),
        *_sources(profile),
        *_macros(profile),
        *parameter_faults(with_call(profile)),
        *(fault for place, one in enumerate(profile.postbacks) for fault in _postback(f"postbacks[{place}]", one)),
        *_account(profile),
    ]


def with_call(profile: Profile) -> dict[str, str]:
    """The parameters as they are kept with a partner."""
    return dict(profile.parameters) | ({CALL_KEY: profile.call} if profile.call is not None else {})


def parameter_faults(parameters: Mapping[str, str]) -> Iterator[Fault]:
    """Of parameters, be they a profile's or an operator's own: our name → the network's macro, or a plain value."""
    call = parameters.get(CALL_KEY)
    if call is not None and call not in get_args(Call):
        yield Fault(f"parameters.{CALL_KEY}", f"{call!r} is none of {', '.join(get_args(Call))}.")
    names = [name for name in parameters if name != CALL_KEY]
    for name in names:
        plain, _, platform = name.partition("@")
        if not _PARAMETER.fullmatch(plain) or (platform or "android") not in PLATFORMS or name.endswith("@"):
            where = f"parameters.{name}" if name.isprintable() else "parameters"
            yield Fault(where, "A name has 1 to 64 letters, digits, _ . -, then perhaps @android or @ios.")
        elif plain == "noredirect":
            yield Fault(f"parameters.{name}", "How the network calls says this, it is no parameter.")
        elif len(parameters[name]) > _VALUE_CHARS_MAX or not _PLAIN.fullmatch(without_macros(parameters[name])):
            yield Fault(
                f"parameters.{name}",
                f"{parameters[name]!r} is neither a macro nor letters, digits and - . _ ~ around one.",
            )
    if call == "s2s":
        for needed in S2S_NEEDED:
            if not parameters.get(needed):
                yield Fault(f"parameters.{needed}", "A server that calls must say this; without it the call is pixel.")


def with_account(text: str, account: Mapping[str, str], encode: Callable[[str], str]) -> str:
    """The text with each `{account:name}` replaced by the operator's value. Raises KeyError with the name."""
    return _ACCOUNT.sub(lambda found: encode(account[found[1]]), text)


def in_url(value: str) -> str:
    """Encoded for a URL: nothing in it can end the value."""
    return quote(storable(value), safe="")


def in_json(value: str) -> str:
    """Encoded for the inside of a JSON string."""
    return json.dumps(storable(value))[1:-1]


def _identity(profile: Profile) -> Iterator[Fault]:
    if not _NAME.fullmatch(profile.name):
        yield Fault("name", f"{profile.name!r} is no name: 1 to 64 lower-case letters, digits, _ and -.")
    if not profile.title.strip():
        yield Fault("title", "It is empty.")
    if profile.kind == "integrated":
        if profile.missing:
            yield Fault("missing", "An integrated profile misses nothing: say draft.")
        if not any(name.startswith("click") for name in profile.macro_urls):
            yield Fault("macro_urls", "An integrated profile has the address that the network prints.")
        if not profile.parameters or profile.call is None:
            yield Fault(
                "parameters", "An integrated profile says what the network puts into our addresses, and how it calls."
            )
        if not any(one.golden for one in profile.postbacks):
            yield Fault("postbacks", "An integrated profile has a golden postback.")
    elif not profile.missing:
        yield Fault("missing", "A draft says what is missing.")


def _sources(profile: Profile) -> Iterator[Fault]:
    if not profile.sources:
        yield Fault("sources", "There is none: where was it read?")
    for place, source in enumerate(profile.sources):
        try:
            checked_url(source.url)
        except ValueError as error:
            yield Fault(f"sources[{place}].url", f"{source.url!r} {error}.")


def _macros(profile: Profile) -> Iterator[Fault]:
    for macro in profile.macros:
        if macros_in(macro, profile.style) != [macro]:
            yield Fault("macros", f"{macro!r} is not written as style says: {', '.join(profile.style) or 'none'}.")
    for name, url in profile.macro_urls.items():
        if not url.startswith("{base}"):
            yield Fault(f"macro_urls.{name}", "It does not begin with {base}.")
    texts = {f"macro_urls.{name}": url.removeprefix("{base}") for name, url in profile.macro_urls.items()}
    texts |= {f"parameters.{name}": value for name, value in profile.parameters.items()}
    for field, text in texts.items():
        for macro in macros_in(text):
            if macro not in profile.macros:
                yield Fault(field, f"{macro} is not among the macros that the sources name.")


def _postback(field: str, postback: Postback) -> Iterator[Fault]:
    if not postback.event.strip():
        yield Fault(f"{field}.event", "It is empty.")
    for name, url in (("url", postback.url), ("reversal_url", postback.reversal_url)):
        try:
            checked_url(_ACCOUNT.sub("x", url)) if url is not None else None
        except ValueError as error:
            yield Fault(f"{field}.{name}", f"{url!r} {error}.")
    if (postback.body is not None) != (postback.method == "POST"):
        yield Fault(f"{field}.body", "POST has a body, GET has none.")
    elif postback.body is not None and not _is_json(postback.body):
        yield Fault(f"{field}.body", "It is no JSON text; macros stand inside its strings.")
    if postback.golden is not None:
        yield from _golden(f"{field}.golden", postback, postback.golden)


def _golden(field: str, postback: Postback, golden: Golden) -> Iterator[Fault]:
    try:
        url = expand_url(with_account(postback.url, golden.account, in_url), golden.values)
        body = postback.body
        if body is not None:
            body = expand_json(with_account(body, golden.account, in_json), golden.values)
    except KeyError as error:
        yield Fault(f"{field}.account", f"It lacks {error.args[0]}.")
        return
    if url != golden.url:
        yield Fault(f"{field}.url", f"What comes of it is {url}")
    if body != golden.body:
        yield Fault(f"{field}.body", f"What comes of it is {body}")


def _account(profile: Profile) -> Iterator[Fault]:
    texts = [text for one in profile.postbacks for text in (one.url, one.body, one.reversal_url) if text is not None]
    used = {name for text in texts for name in _ACCOUNT.findall(text)}
    for name in sorted(used - profile.account.keys()):
        yield Fault(f"account.{name}", "A postback needs it: say where the operator finds it.")
    for name in sorted(profile.account.keys() - used):
        yield Fault(f"account.{name}", "No postback needs it.")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
