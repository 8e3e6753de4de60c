"""The bytes that a signature of SKAdNetwork covers: values joined by U+2063 in the order of the version.

Sources, Apple's. Ads: "Generating the signature to validate StoreKit-rendered ads", "Combining parameters to generate a
signature for SKAdNetwork 1/2", "Generating a signature for attributable web ads". Postbacks: "Verifying an
install-validation postback", "Combining parameters for SKAdNetwork 3 postbacks", "… for previous versions". Pure.
"""

from collections.abc import Mapping
from typing import Literal, get_args

Version = Literal["1.0", "2.0", "2.1", "2.2", "3.0", "4.0"]

VERSIONS: tuple[Version, ...] = get_args(Version)
"""The oldest first."""

SEPARATOR = "\u2063"

_AD_2 = ("version", "ad-network-id", "campaign-id", "itunes-item-id", "nonce", "source-app-id", "timestamp")
_AD_3 = (*_AD_2[:-1], "fidelity-type", "timestamp")
_AD_4 = ("version", "ad-network-id", "source-identifier", *_AD_3[3:])

AD_ORDER: Mapping[Version, tuple[str, ...]] = {
    "1.0": ("ad-network-id", "campaign-id", "itunes-item-id", "nonce", "timestamp"),
    "2.0": _AD_2,
    "2.1": _AD_2,
    "2.2": _AD_3,
    "3.0": _AD_3,
    "4.0": _AD_4,
}
"""Ads in apps."""

WEB_AD_ORDER = tuple("source-domain" if name == "source-app-id" else name for name in _AD_4)
"""Ads on websites: 4.0 only, fidelity 1."""

_POSTBACK_1 = ("ad-network-id", "campaign-id", "app-id", "transaction-id")
_POSTBACK_2 = ("version", *_POSTBACK_1, "redownload", "source-app-id")
_POSTBACK_2_2 = (*_POSTBACK_2, "fidelity-type")
_POSTBACK_3 = (*_POSTBACK_2_2, "did-win")

POSTBACK_ORDER: Mapping[Version, tuple[str, ...]] = {
    "1.0": _POSTBACK_1,
    "2.0": _POSTBACK_2,
    "2.1": _POSTBACK_2,
    "2.2": _POSTBACK_2_2,
    "3.0": _POSTBACK_3,
    "4.0": (
        *("version", "ad-network-id", "source-identifier", "app-id", "transaction-id", "redownload"),
        *("source-app-id", "source-domain", "fidelity-type", "did-win", "postback-sequence-index"),
    ),
}
"""Postbacks; of `SOMETIMES` those that the postback has."""

SOMETIMES = frozenset({"source-app-id", "source-domain"})


def signed_string(order: tuple[str, ...], values: Mapping[str, object]) -> str:
    """The values of `order` that there are; booleans as `true` and `false`, integers in decimal.

    Raises KeyError for one that is missing and not one of `SOMETIMES`.
    """
    return SEPARATOR.join(_text(values[name]) for name in order if name in values or name not in SOMETIMES)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
