"""The object that a bid carries: `seatbid.bid.ext.skadn`. Pure."""

from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from schemas.skan.ads import Ad
from schemas.skan.signed import Version

FLAT: frozenset[Version] = frozenset({"2.0", "2.1"})
"""Versions whose object has one signature, not one a fidelity."""

DELAY_MAX_S = 86_400
SOURCE_DIGITS = 4

Seconds = Annotated[int, Meta(ge=0, le=DELAY_MAX_S)]
FidelityType = Literal[0, 1]
"""1: rendered by StoreKit; 0: view-through."""


class Fidelity(msgspec.Struct, frozen=True, kw_only=True):
    """The signature of one type of ad, from 2.2 on."""

    fidelity: FidelityType
    nonce: str
    timestamp: str
    """Milliseconds."""
    signature: str


class Overlay(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """How StoreKit's overlay is shown; a delay that is not set: it is not shown then."""

    delay: Seconds | None = None
    endcarddelay: Seconds | None = None
    dismissible: Literal[0, 1] | None = None
    pos: Literal[0, 1] | None = None
    """0: at the bottom, 1: raised."""


class Skadn(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`bid.ext.skadn`: numbers are texts, but for `fidelity` and those of `skoverlay`."""

    version: Version
    network: str
    campaign: str | None = None
    """Up to 3.0."""
    sourceidentifier: str | None = None
    """From 4.0 on."""
    itunesitem: str | tuple[str, ...]
    """An array only where the bid's own object had one."""
    sourceapp: str
    productpageid: str | None = None
    fidelities: tuple[Fidelity, ...] | None = None
    """From 2.2 on; before it the three that follow."""
    nonce: str | None = None
    timestamp: str | None = None
    signature: str | None = None
    skoverlay: Overlay | None = None


class Signed(NamedTuple):
    """An ad and its signature, base64."""

    ad: Ad
    signature: str


def object_of(
    ad: Ad,
    signed: Sequence[Signed],
    *,
    items: tuple[str, ...] | None = None,
    productpageid: str | None,
    skoverlay: Overlay | None,
) -> Skadn:
    """What the ads have in common, and what each has of its own; `items`: in place of the ad's one."""
    made = Skadn(
        version=ad.version,
        network=ad.network,
        campaign=None if ad.campaign_id is None else str(ad.campaign_id),
        sourceidentifier=None if ad.source_identifier is None else f"{ad.source_identifier:0{SOURCE_DIGITS}}",
        itunesitem=items or str(ad.itunes_item_id),
        sourceapp=str(ad.source_app_id),
        productpageid=productpageid,
        skoverlay=skoverlay,
    )
    each = tuple(
        Fidelity(
            fidelity=0 if one.fidelity == 0 else 1,
            nonce=str(one.nonce),
            timestamp=str(one.timestamp_ms),
            signature=signature,
        )
        for one, signature in signed
    )
    if ad.version not in FLAT:
        return msgspec.structs.replace(made, fidelities=each)
    only = each[0]
    return msgspec.structs.replace(made, nonce=only.nonce, timestamp=only.timestamp, signature=only.signature)
