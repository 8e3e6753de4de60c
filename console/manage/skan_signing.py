"""Ads of SKAdNetwork and impressions of AdAttributionKit, checked and signed. Nothing is stored."""

from collections.abc import Set
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from console.manage.checks import shown
from console.manage.refusals import Invalid
from console.manage.skan_fields import (
    ID_MAX,
    Number,
    checked_site,
    milliseconds,
    network_of,
    no_key_of,
    number,
    uuid_of,
)
from schemas.events import Framework
from schemas.settings import Settings
from schemas.skan.ads import NETWORK_SUFFIXES, Ad, ad_string, impression_jws, load_signing_key, sign, signing_keys
from schemas.skan.signed import AD_ORDER, VERSIONS, WEB_AD_ORDER, Version
from schemas.skan.web_ads import WEB_FIDELITY

_CHOSEN = frozenset({"version", "ad_network_id", "nonce", "timestamp", "impression_identifier"})
"""What may be left out although it is signed: there is a choice, or a new one is made."""

_IMPRESSION = frozenset(
    {
        *("impression_identifier", "publisher_item_identifier", "ad_network_id", "source_identifier", "timestamp"),
        *("advertised_item_identifier", "eligible_for_re_engagement"),
    }
)


class AdToSign(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An ad to sign: Apple's fields, those that its framework and version sign and no others."""

    framework: Framework = "skadnetwork"
    version: str | None = None
    """Of SKAdNetwork: 1.0 to 4.0."""
    ad_network_id: str | None = None
    """May be left out where one network has a key."""
    campaign_id: Number | None = None
    """1 to 100; up to 3.0."""
    source_identifier: Number | None = None
    """Up to four digits; from 4.0 on, and of AdAttributionKit."""
    itunes_item_id: Number | None = None
    """The advertised app's number in the App Store."""
    nonce: str | None = None
    """A UUID, made when it is left out."""
    source_app_id: Number | None = None
    """The number of the app that shows the ad, 0 of one that is not in the store; from 2.0 on."""
    source_domain: str | None = None
    """Of the website that shows the ad: 4.0, instead of an app."""
    fidelity_type: Number | None = None
    """1: rendered by StoreKit, or on the web; 0: view-through. From 2.2 on."""
    timestamp: Number | None = None
    """Unix milliseconds (13 digits), or seconds (10); now when it is left out."""
    impression_identifier: str | None = None
    """Of AdAttributionKit, as all that follow: a UUID, made when it is left out."""
    publisher_item_identifier: Number | None = None
    """The number of the app that shows the ad, 0 in development."""
    advertised_item_identifier: Number | None = None
    eligible_for_re_engagement: bool | None = None


class SignedAd(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was signed, value by value; fields that are not signed are left out."""

    framework: Framework
    version: Version | None = None
    ad_network_id: str
    campaign_id: int | None = None
    source_identifier: int | None = None
    itunes_item_id: int | None = None
    nonce: str | None = None
    source_app_id: int | None = None
    source_domain: str | None = None
    fidelity_type: int | None = None
    timestamp: int
    """Unix milliseconds."""
    signed_string: str | None = None
    """What the signature covers: values joined by U+2063."""
    signature: str | None = None
    """Base64 (DER)."""
    payload: dict[str, Any] | None = None
    """Of the JWS."""
    jws: str | None = None
    """The impression of AdAttributionKit, compact."""


def sign_ad(settings: Settings, asked: AdToSign, *, key: str | None = None) -> SignedAd:
    """With the key of its network, or with `key`: a PEM file or base64.

    Raises Refused, and ConfigError for a key that is none; neither holds any of a key.
    """
    if asked.framework == "adattributionkit":
        return _signed_impression(settings, asked, key)
    ad = _ad(settings, asked)
    text = ad_string(ad)
    return SignedAd(
        framework=asked.framework,
        version=ad.version,
        ad_network_id=ad.network,
        campaign_id=ad.campaign_id,
        source_identifier=ad.source_identifier,
        itunes_item_id=ad.itunes_item_id,
        nonce=str(ad.nonce),
        source_app_id=ad.source_app_id,
        source_domain=ad.source_domain,
        fidelity_type=ad.fidelity,
        timestamp=ad.timestamp_ms,
        signed_string=text,
        signature=sign(_key(settings, ad.network, key), text),
    )


def _ad(settings: Settings, asked: AdToSign) -> Ad:
    if asked.version not in VERSIONS:
        said = "is missing: it is one" if asked.version is None else f"{shown(asked.version)} is none"
        raise Invalid("version", f"{said} of {', '.join(VERSIONS)}.")
    on_web = asked.source_domain is not None
    if on_web and asked.version != "4.0":
        raise Invalid("source_domain", f"is not of version {asked.version}: ads on websites are signed from 4.0 on.")
    order = WEB_AD_ORDER if on_web else AD_ORDER[asked.version]
    may_miss = _CHOSEN | ({"fidelity_type"} if on_web else frozenset())
    what = "an ad on a website" if on_web else f"an ad of version {asked.version}"
    _check_fields(asked, {name.replace("-", "_") for name in order} | {"version"}, may_miss, what)
    fidelity = _number(asked, "fidelity_type", 0, 1)
    if on_web and fidelity == 0:
        raise Invalid("fidelity_type", "is 1 for an ad on a website.")
    item = _number(asked, "itunes_item_id", 1, ID_MAX)
    assert item is not None  # every version signs it
    return Ad(
        version=asked.version,
        network=network_of(settings, asked.ad_network_id),
        campaign_id=_number(asked, "campaign_id", 1, 100),
        source_identifier=_number(asked, "source_identifier", 0, 9999),
        itunes_item_id=item,
        nonce=uuid_of("nonce", asked.nonce),
        source_app_id=_number(asked, "source_app_id", 0, ID_MAX),
        source_domain=None if asked.source_domain is None else checked_site("source_domain", asked.source_domain),
        fidelity=WEB_FIDELITY if on_web else fidelity,
        timestamp_ms=milliseconds(asked.timestamp),
    )


def _signed_impression(settings: Settings, asked: AdToSign, key: str | None) -> SignedAd:
    _check_fields(asked, _IMPRESSION, _CHOSEN | {"eligible_for_re_engagement"}, "an impression of AdAttributionKit")
    network = network_of(settings, asked.ad_network_id)
    if not network.endswith(NETWORK_SUFFIXES):
        raise Invalid("ad_network_id", f"{shown(network)} ends in none of {', '.join(NETWORK_SUFFIXES)}.")
    source, signed_ms = _number(asked, "source_identifier", 0, 9999), milliseconds(asked.timestamp)
    payload: dict[str, Any] = {
        "impression-identifier": str(uuid_of("impression_identifier", asked.impression_identifier)),
        "publisher-item-identifier": _number(asked, "publisher_item_identifier", 0, ID_MAX),
        "impression-type": "app-impression",
        "ad-network-identifier": network,
        "source-identifier": source,
        "timestamp": signed_ms,
        "advertised-item-identifier": _number(asked, "advertised_item_identifier", 1, ID_MAX),
    }
    if asked.eligible_for_re_engagement is not None:
        payload["eligible-for-re-engagement"] = asked.eligible_for_re_engagement
    return SignedAd(
        framework=asked.framework,
        ad_network_id=network,
        source_identifier=source,
        timestamp=signed_ms,
        payload=payload,
        jws=impression_jws(_key(settings, network, key), network, payload),
    )


def _check_fields(asked: AdToSign, signed: Set[str], may_miss: Set[str], what: str) -> None:
    """Those that are signed are there, and no others. Raises Invalid."""
    for field in asked.__struct_fields__:
        said = getattr(asked, field)
        if field != "framework" and said is not None and field not in signed:
            raise Invalid(field, f"is not of {what}: leave it out.")
        if said is None and field in signed - may_miss:
            raise Invalid(field, f"is missing: {what} has it.")


def _number(asked: AdToSign, field: str, lowest: int, highest: int) -> int | None:
    said: Number | None = getattr(asked, field)
    return None if said is None else number(field, said, lowest, highest)


def _key(settings: Settings, network: str, given: str | None) -> EllipticCurvePrivateKey:
    if given is not None:
        return load_signing_key(given)
    return signing_keys(settings.skan_networks).get(network) or no_key_of(network)
