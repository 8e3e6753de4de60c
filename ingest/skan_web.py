"""`/.well-known/skadnetwork/get-signed-payload`: a device asks for the ad on a website that was just tapped.

Source: Apple's "Generating a signature for attributable web ads" (SKAdNetwork 4.0).
"""

import asyncio
import logging
import re
import time
from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

import asyncpg
import msgspec
import orjson
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from ingest import answer
from ingest.answer import Answer
from ingest.bodies import without_path
from ingest.hits import Hits
from ingest.short_bodies import read_short
from process.postgres import AWAY
from schemas.errors import ConfigError, Refuse
from schemas.skan.ads import Ad, ad_string, sign
from schemas.skan.signed import Version
from schemas.skan.web_ads import KEPT_DAYS, WEB_FIDELITY, nonce_of, site
from schemas.sql import load

log = logging.getLogger(__name__)

BODY_BYTES_MAX = 4096
LOOKUP_TIMEOUT_S = 3.0
VERSION: Version = "4.0"

_VERSION = re.compile(r"([0-9]{1,3})(\.[0-9]{1,3}){0,2}")
_FIELD = re.compile(r"(?:at `\$\.|required field `)(\w+)`")


class TapBody(msgspec.Struct, kw_only=True):
    """What the device says; further fields may be there."""

    source_domain: str
    """Of the website that showed the ad."""
    source_nonce: str
    version: str | int | float
    source_engagement_type: str = ""


class Tap(NamedTuple):
    """The body once it is understood."""

    nonce: UUID
    source_domain: str


class SkanWeb:
    """Signs the ads of nonces that were issued; `keys`: network → its key."""

    def __init__(self, keys: Mapping[str, EllipticCurvePrivateKey], pool: asyncpg.Pool, hits: Hits) -> None:
        self._keys = keys
        self._pool = pool
        self._hits = hits

    async def signed_payload(self, http: web.Request) -> web.Response:
        """POST /.well-known/skadnetwork/get-signed-payload"""
        return self._hits.say(await self._answer(http)).response()

    async def _answer(self, http: web.Request) -> Answer:
        try:
            body = await read_short(http, BODY_BYTES_MAX)
            if body is None:
                return answer.problem(413, "body_too_large", f"At most {BODY_BYTES_MAX} bytes a request.")
            tap = read_tap(body)
        except web.RequestPayloadError as error:
            return answer.problem(400, "bad_body", f"The body cannot be read: {error}")
        except Refuse as refusal:
            return answer.of_refusal(400, refusal)
        try:
            async with asyncio.timeout(LOOKUP_TIMEOUT_S):
                row = await self._pool.fetchrow(load("skan_web")["web_ad"], tap.nonce, KEPT_DAYS)
        except (*AWAY, ConfigError) as error:
            log.warning("a web ad was asked for while Postgres is away: %s", error)
            return answer.problem(503, "database_away", "The ad cannot be read at the moment.")
        if row is None:
            return answer.problem(404, "unknown_nonce", "No ad of this nonce was issued within 30 days.")
        if row["source_domain"] not in (None, tap.source_domain):
            return answer.problem(404, "other_domain", "The nonce was issued for another website.")
        key = self._keys.get(row["network"])
        if key is None:
            log.warning("web ads of %s are asked for, which is not in TOUCHLINE_SKAN_NETWORKS", row["network"])
            return answer.problem(404, "no_network_key", "The network of this nonce signs no ads here any more.")
        ad = signed_ad(row, tap, key, time.time_ns() // 1_000_000)
        return Answer(200, {"Content-Type": "application/json"}, body=orjson.dumps(ad))


def read_tap(body: bytes) -> Tap:
    """Raises Refuse that names the field."""
    try:
        said = msgspec.json.decode(body, type=TapBody)
    except msgspec.ValidationError as error:
        found = _FIELD.search(str(error))
        raise Refuse("bad_field", without_path(str(error)), found[1] if found else None) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refuse("bad_json", f"The body is not JSON: {error}") from None
    version = _VERSION.fullmatch(str(said.version))
    if version is None or int(version[1]) < 4:
        raise Refuse("bad_field", "Ads on websites are signed from version 4.0 on.", "version")
    nonce, domain = nonce_of(said.source_nonce), site(said.source_domain)
    if nonce is None:
        raise Refuse("bad_field", "This is not base64url of the 16 bytes of a UUID.", "source_nonce")
    if domain is None:
        raise Refuse("bad_field", "This is no domain, such as example.com.", "source_domain")
    return Tap(nonce, domain)


def signed_ad(row: asyncpg.Record, tap: Tap, key: EllipticCurvePrivateKey, now_ms: int) -> dict[str, object]:
    """The answer, in Apple's names."""
    ad = Ad(
        version=VERSION,
        network=row["network"],
        source_identifier=row["source_identifier"],
        itunes_item_id=row["store_app"],
        nonce=tap.nonce,
        source_domain=tap.source_domain,
        fidelity=WEB_FIDELITY,
        timestamp_ms=now_ms,
    )
    return {
        "version": ad.version,
        "ad_network_id": ad.network,
        "source_identifier": ad.source_identifier,
        "itunes_item_id": ad.itunes_item_id,
        "nonce": str(ad.nonce),
        "source_domain": ad.source_domain,
        "timestamp": ad.timestamp_ms,
        "signature": sign(key, ad_string(ad)),
    }
