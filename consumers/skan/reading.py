"""What a postback of Apple's says, and whether Apple says it. Pure.

The signature covers text, so types are strict: an app id that comes as `"1"` instead of `1` would verify all the same,
and nobody but Apple's devices writes these bodies.

Sources: Apple's "Identifying the parameters in install-validation postbacks", "Verifying an install-validation
postback" (SKAdNetwork); "Identifying the parameters in a postback", "Verifying a postback" (AdAttributionKit).
"""

import base64
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from consumers.skan.fields import check
from consumers.skan.jws import PAYLOAD, claimed_payload, verified_payload
from consumers.skan.strict_json import NotVerified, content_hash, read_object
from consumers.skan.unsigned import VALUES, Unsigned, read_unsigned
from schemas.events import Framework
from schemas.skan.keys import AppleKeys, Key
from schemas.skan.signed import POSTBACK_ORDER, VERSIONS, Version, signed_string

_ECDSA = ec.ECDSA(SHA256())
_SHOWN = re.compile(r"[!-~]{1,100}")
_VIEW_OR_CLICK = ("view", "click")


class Said(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a postback says that verifies."""

    key: str
    network: str
    """Lower case."""
    store_app: int
    source_kind: str
    """campaign_id or source_identifier"""
    source: str
    sequence: int | None = None
    did_win: bool | None = None
    conversion: str | None = None
    """download, redownload or re-engagement; None: 1.0 does not say."""
    interaction: str | None = None
    """click or view"""
    source_app: int | None = None
    source_domain: str | None = None
    fine: int | None = None
    coarse: str | None = None
    country: str | None = None


class Reading(msgspec.Struct, frozen=True, gc=False):
    """One body, read."""

    transaction: str | None
    """Lower case; of a body that does not verify what it claims to be."""
    version: str | None
    hash: bytes
    reason: str
    """A sentence: under which key it verifies and what was left out, or why it does not."""
    said: Said | None
    """None when it does not verify."""


def read(framework: Framework, body: bytes, keys: AppleKeys) -> Reading:
    """Never raises: whatever it is, it is on record."""
    try:
        content = read_object(body, "The body")
    except NotVerified as why:
        return Reading(None, None, sha256(body).digest(), str(why), None)
    hash = content_hash(content)
    of_skan = framework == "skadnetwork"
    version = _shown(content.get("version", "1.0")) if of_skan else None
    try:
        id, said, left_out = (_skadnetwork if of_skan else _adattributionkit)(content, keys)
    except NotVerified as why:
        claimed = content.get("transaction-id") if of_skan else claimed_payload(content).get("postback-identifier")
        return Reading(_shown(claimed), version, hash, str(why), None)
    return Reading(id.lower(), version, hash, " ".join((f"It verifies under {said.key}.", *left_out)), said)


_Found = tuple[str, Said, tuple[str, ...]]
"""The id, and the sentences of what was left out."""


def _skadnetwork(body: Mapping[str, Any], keys: AppleKeys) -> _Found:
    named = body.get("version", "1.0")  # 1.0 does not say it
    if named not in VERSIONS:
        raise NotVerified(f"version is none of {', '.join(VERSIONS)}.")
    version: Version = named
    order = POSTBACK_ORDER[version]
    check(body, order)
    if "source-app-id" in body and "source-domain" in body and version == "4.0":
        raise NotVerified("source-app-id and source-domain exclude each other.")
    key = _key_of(body, signed_string(order, body), keys.of_version(version))
    signed = {name: body.get(name) for name in order}
    sequence, did_win = signed.get("postback-sequence-index"), signed.get("did-win")
    own = {name: body[name] for name in VALUES if name in body}
    values = read_unsigned(own, fine=version != "1.0", coarse=version == "4.0", sequence=sequence, did_win=did_win)
    redownload, fidelity = signed.get("redownload"), signed.get("fidelity-type")
    by_campaign = "campaign-id" in order
    said = Said(
        key=key.name,
        network=body["ad-network-id"].lower(),
        store_app=body["app-id"],
        source_kind="campaign_id" if by_campaign else "source_identifier",
        source=str(body["campaign-id"]) if by_campaign else body["source-identifier"],
        sequence=sequence,
        did_win=did_win,
        conversion=None if redownload is None else "redownload" if redownload else "download",
        interaction=None if fidelity is None else _VIEW_OR_CLICK[fidelity],
        source_app=signed.get("source-app-id"),
        source_domain=signed.get("source-domain"),
        fine=values.fine,
        coarse=values.coarse,
    )
    return body["transaction-id"], said, values.left_out


def _key_of(body: Mapping[str, Any], text: str, keys: list[Key]) -> Key:
    """The key that signed the text. Raises NotVerified."""
    try:
        signature = base64.b64decode(body["attribution-signature"], validate=True)
    except KeyError:
        raise NotVerified("attribution-signature is missing.") from None
    except (ValueError, TypeError):
        raise NotVerified("attribution-signature is not base64.") from None
    for key in keys:
        try:
            key.key.verify(signature, text.encode(), _ECDSA)
        except InvalidSignature:
            continue
        return key
    version = body.get("version", "1.0")
    raise NotVerified(f"attribution-signature does not verify under Apple's key for version {version}.")


def _adattributionkit(body: Mapping[str, Any], keys: AppleKeys) -> _Found:
    payload, key = verified_payload(body, keys)
    check(payload, PAYLOAD, optional=frozenset({"publisher-item-identifier"}))
    sequence, did_win = payload["postback-sequence-index"], payload["did-win"]
    values: Unsigned = read_unsigned(body, fine=True, coarse=True, sequence=sequence, did_win=did_win)
    said = Said(
        key=key.name,
        network=payload["ad-network-identifier"].lower(),
        store_app=payload["advertised-item-identifier"],
        source_kind="source_identifier",
        source=payload["source-identifier"],
        sequence=sequence,
        did_win=did_win,
        conversion=payload["conversion-type"],
        interaction=values.interaction,
        source_app=payload.get("publisher-item-identifier"),
        fine=values.fine,
        coarse=values.coarse,
        country=values.country,
    )
    return payload["postback-identifier"], said, values.left_out


def _shown(value: Any) -> str | None:
    """Something that names itself like an id or a version, lower case."""
    return value.lower() if isinstance(value, str) and _SHOWN.fullmatch(value) else None
