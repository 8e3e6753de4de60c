"""`/v1/installs`, `/v1/events`, `/v1/visits`: what apps, pages and servers send and ask, over aiohttp."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import asyncpg
import orjson
from aiohttp import web

from ingest import answer, targets
from ingest.bodies import BODY_BYTES_MAX, BadElement
from ingest.conversions import Sender, conversion_id, read_events, read_installs
from ingest.hits import Hits, peer_text
from ingest.links import Links
from ingest.recorder import Recorder
from ingest.templates import expand
from ingest.visits import read_visits
from ingest.website import NOT_AN_ORIGIN, Website
from process.metrics import Meters
from process.postgres import AWAY
from schemas import metrics
from schemas.codec import encode
from schemas.errors import ConfigError, Refuse
from schemas.events import Conversion
from schemas.ids import received_us
from schemas.links import AppKey, KeyKind
from schemas.query import split_query
from schemas.sql import load
from schemas.topics import CONVERSIONS

log = logging.getLogger(__name__)

LOOKUP_TIMEOUT_S = 3.0


class Sort(NamedTuple):
    """A sort of conversions: who may post it, and how its bodies are read."""

    kind: str
    id_name: str
    keys: frozenset[KeyKind]
    read: Callable[[bytes, Sender, Links], tuple[Sequence[Conversion], bool]]


INSTALLS = Sort("install", "install_id", frozenset({"sdk", "server"}), read_installs)
EVENTS = Sort(
    "event", "event_id", frozenset({"sdk", "server", "web"}), lambda body, sender, _: read_events(body, sender)
)
VISITS = Sort("visit", "visit_id", frozenset({"server", "web"}), read_visits)


class SdkHandler:
    """Takes conversions durably and tells an app its own attribution."""

    def __init__(self, links: Links, recorder: Recorder, pool: asyncpg.Pool, hits: Hits, meters: Meters) -> None:
        self.website = Website(links)
        self._links = links
        self._recorder = recorder
        self._pool = pool
        self._hits = hits
        self._taken = meters.counter(metrics.CONVERSIONS)

    async def installs(self, http: web.Request) -> web.Response:
        """POST /v1/installs"""
        return self._counted(await self._post(http, INSTALLS))

    async def events(self, http: web.Request) -> web.Response:
        """POST /v1/events"""
        return self._counted(await self._post(http, EVENTS), self.website.leave(http))

    async def visits(self, http: web.Request) -> web.Response:
        """POST /v1/visits"""
        return self._counted(await self._post(http, VISITS), self.website.leave(http))

    async def attribution(self, http: web.Request) -> web.Response:
        """GET /v1/installs/{id}"""
        return self._counted(await self._attribution(http))

    def _counted(self, response: web.Response, headers: dict[str, str] | None = None) -> web.Response:
        response.headers.update(headers or {})
        self._hits.count(response.status, response.headers.get("X-Touchline-Reason", ""))
        return response

    async def _post(self, http: web.Request, sort: Sort) -> web.Response:
        key = self._key(http)
        if key is None:
            return _no_key()
        if key.kind not in sort.keys:
            return _wrong_key(key)
        if key.kind == "web" and not self.website.may_report(http, key):
            return answer.problem(403, "origin_not_allowed", NOT_AN_ORIGIN).response()
        try:
            body = await http.read()
        except web.HTTPRequestEntityTooLarge:
            return answer.problem(413, "body_too_large", f"At most {BODY_BYTES_MAX} bytes a request.").response()
        except web.RequestPayloadError as error:
            return answer.problem(400, "bad_body", f"The body cannot be read: {error}").response()
        sender = Sender(
            key,
            self._hits.proxies.client(peer_text(http.remote), http.headers),
            http.headers.get("User-Agent", ""),
            time.time_ns() // 1000,
            self._links.careful.get(key.app),
        )
        try:
            records, is_array = sort.read(body, sender, self._links)
        except BadElement as refusal:
            return answer.of_refusal(400 if refusal.code == "bad_json" else 422, refusal, refusal.index).response()
        except Refuse as refusal:
            return answer.of_refusal(400 if refusal.code == "bad_json" else 422, refusal).response()
        if not await self._store(records, sort):
            return answer.not_durable().response()
        ids = [conversion_id(record) for record in records]
        return web.json_response(
            ids if is_array else {sort.id_name: ids[0]}, status=202, dumps=_dumps, headers=answer.EVERYWHERE
        )

    async def _store(self, records: Sequence[Conversion], sort: Sort) -> bool:
        if not records:
            return True
        batches = [
            self._recorder.batcher(CONVERSIONS).add(encode(record), record.app, received_us(record.id))
            for record in records
        ]
        self._taken.labels(sort.kind).inc(len(records))
        return await self._recorder.durable_for_machine(*dict.fromkeys(batches))

    async def _attribution(self, http: web.Request) -> web.Response:
        key = self._key(http)
        if key is None:
            return _no_key()
        if key.kind == "web":
            return _wrong_key(key)
        install_id = http.match_info["install_id"].replace("\0", "")
        try:
            async with asyncio.timeout(LOOKUP_TIMEOUT_S):
                row = await self._pool.fetchrow(load("decisions")["of_install"], key.app, install_id)
        except (*AWAY, ConfigError) as error:
            log.warning("an install's attribution was asked while Postgres is away: %s", error)
            return answer.problem(503, "database_away", "The attribution cannot be read at the moment.").response()
        if row is None or row["method"] is None:
            return web.json_response(
                {"install_id": install_id, "decided": False}, status=202, dumps=_dumps, headers=answer.EVERYWHERE
            )
        attribution = {
            name: row[name]
            for name in ("method", "touch_kind", "link", "campaign", "partner", "click_id", "confidence")
        }
        found = {
            "install_id": install_id,
            "decided": True,
            "attribution": attribution,
            "deep_link": self._deep_link(row),
        }
        return web.json_response(found, dumps=_dumps, headers=answer.EVERYWHERE)

    def _deep_link(self, row: asyncpg.Record) -> str | None:
        link = self._links.link(row["link"]) if row["link"] and row["method"] != "preinstall" else None
        target = targets.choose(link, targets.device_os(row["ua"] or "")) if link else None
        if target is None or target.deep_link is None:
            return None
        return expand(target.deep_link, split_query(row["query"] or ""))

    def _key(self, http: web.Request) -> AppKey | None:
        scheme, _, secret = http.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._links.key(secret.strip())
        # a beacon has no headers; a secret has no place in an address
        key = self._links.key(http.query.get("key", ""))
        return key if key is not None and key.kind == "web" else None


def _no_key() -> web.Response:
    return answer.problem(401, "unknown_key", "Send `Authorization: Bearer {SDK key}` of the app.").response()


def _wrong_key(key: AppKey) -> web.Response:
    return answer.problem(403, "wrong_key", f"A key of kind {key.kind} may not do this.").response()


def _dumps(value: object) -> str:
    return orjson.dumps(value).decode()
