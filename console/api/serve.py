"""A request of the API, from its bytes to its answer: token, role, body, limits, function."""

import logging
from typing import Any

import asyncpg
import msgspec
from aiohttp import web

from console.api.access import check_limits, check_role, holder_of
from console.api.errors import Answer, answer_of
from console.api.openapi import document
from console.api.route import Call, Route
from console.api.table import ROUTES
from console.manage.checks import shown
from console.manage.refusals import Invalid
from process.metrics import Meters
from schemas import metrics
from schemas.settings import Settings

log = logging.getLogger(__name__)

BODY_BYTES_MAX = 2**20
ACQUIRE_S = 5.0
VERSION = "1"


class Api:
    """The application below /api/v1."""

    def __init__(self, settings: Settings, pool: asyncpg.Pool, meters: Meters) -> None:
        self._settings = settings
        self._pool = pool
        self._answers = meters.counter(metrics.API_ANSWERS)
        self._document = msgspec.json.encode(document(ROUTES, version=VERSION))
        self.app = web.Application(middlewares=[self._errors])
        self.app.router.add_route("GET", "/openapi.json", self._openapi)
        for route in ROUTES:
            self.app.router.add_route(route.method, route.path, self._handler(route))

    async def _openapi(self, _: web.Request) -> web.Response:
        return web.Response(body=self._document, content_type="application/json")

    def _connection(self) -> Any:
        return self._pool.acquire(timeout=ACQUIRE_S)

    def _handler(self, route: Route) -> Any:
        decoder = msgspec.json.Decoder(route.body) if route.body else None

        async def handle(request: web.Request) -> web.Response:
            async with self._connection() as connection:
                holder = await holder_of(connection, request)
            check_role(holder, route)
            # without a connection: a body may come as slowly as its sender likes
            body = _decoded(decoder, await request.read() or b"{}") if decoder else None
            query = said_query(request, route.query) if route.query else None
            path = dict(request.match_info)
            async with self._connection() as connection:
                await check_limits(connection, holder.within, route, path, body, query)
                call = Call(connection, holder.token, holder.within, path, body, query, self._settings)
                answer = await route.call(call)
            return web.Response(
                status=route.status,
                body=msgspec.json.encode(answer),
                content_type="application/json",
                headers={"Cache-Control": "no-store"},
            )

        return handle

    @web.middleware
    async def _errors(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Every refusal in one form."""
        try:
            response: web.StreamResponse = await handler(request)
        except Exception as error:
            answer = answer_of(error)
            if answer is None:
                log.exception("%s %s", request.method, request.path[:200])
                answer = Answer(500, "internal_error", "The request could not be handled.")
            response = answer.response()
            if isinstance(error, web.HTTPMethodNotAllowed):
                response.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
        self._answers.labels(request.method, response.status).inc()
        return response


def _decoded(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    """Raises DecodeError, also for what is nested so deeply that nobody could read it."""
    try:
        return decoder.decode(body)
    except RecursionError:
        raise msgspec.DecodeError("it is nested too deeply") from None


def said_query(request: web.Request, kind: type[msgspec.Struct]) -> msgspec.Struct:
    """The query as its struct. Raises Invalid when a name is said twice (which one would count?) or with `null`, which
    is no value here."""
    for name in request.query:
        if len(request.query.getall(name)) > 1:
            raise Invalid(name, "is said more than once.")
    asked = msgspec.convert(dict(request.query), kind, strict=False)
    for name, text in request.query.items():
        if getattr(asked, name) is None:
            raise Invalid(name, f"{shown(text)} is no value: leave it out.")
    return asked
