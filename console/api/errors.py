"""What went wrong → the answer: a status, a short code, a sentence, and the field that it is about."""

import json
import re
from typing import NamedTuple

import asyncpg
import msgspec
from aiohttp import web

from console.manage.refusals import Conflict, Missing, Refused
from process.postgres import AWAY, LOST_RACE
from schemas.errors import ConfigError

RETRY_AFTER_S = 2
_WHERE = re.compile(r" - at `(?:key in `)?\$\.?([^`]*)`+$")
_NAMED = re.compile(r"(?:unknown|required) field `([^`]*)`")


class Denied(Exception):
    """The token is none, or may not."""

    def __init__(self, status: int, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code


class Detail(msgspec.Struct, frozen=True):
    """What is wrong."""

    code: str
    message: str
    field: str | None


class Error(msgspec.Struct, frozen=True):
    """Every answer that is not the one asked for."""

    error: Detail


class Answer(NamedTuple):
    """An answer that refuses."""

    status: int
    code: str
    message: str
    field: str | None = None

    def response(self) -> web.Response:
        """As HTTP."""
        headers = {"Cache-Control": "no-store"}
        if self.status == 503:
            headers["Retry-After"] = str(RETRY_AFTER_S)
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        # ASCII: what somebody sent may hold half a surrogate pair
        text = json.dumps({"error": {"code": self.code, "message": self.message, "field": self.field}})
        return web.Response(status=self.status, text=text, content_type="application/json", headers=headers)


def answer_of(error: BaseException) -> Answer | None:
    """None for what nobody expected."""
    match error:
        case Denied():
            return Answer(error.status, error.code, str(error))
        case Missing(field=None):
            return Answer(404, "missing", error.sentence)
        case Conflict():
            return Answer(409, "conflict", error.sentence, error.field)
        case Refused():
            return Answer(422, "invalid", error.sentence, error.field)
        case ConfigError():
            return Answer(422, "invalid", str(error))
        case msgspec.ValidationError():
            return Answer(422, "invalid", _WHERE.sub("", str(error)), _field(str(error)))
        case msgspec.DecodeError():
            return Answer(400, "bad_json", f"The body is no JSON: {error}")
        case UnicodeDecodeError():
            return Answer(400, "bad_json", "The body is no UTF-8.")
    return _of_postgres(error) or _of_http(error)


def _of_postgres(error: BaseException) -> Answer | None:
    match error:
        case asyncpg.DataError():
            return Answer(422, "invalid", "A value is nothing that Postgres could hold.")
        case asyncpg.IntegrityConstraintViolationError():
            return Answer(409, "conflict", "It does not fit what stands, or what was changed meanwhile.")
        case asyncpg.UndefinedTableError() | asyncpg.UndefinedColumnError():
            return Answer(503, "no_tables", "The tables are missing or old: run `touchline migrate`.")
    if isinstance(error, LOST_RACE):
        return Answer(503, "busy", "Somebody changed the same at the same time: ask again.")
    if isinstance(error, AWAY):
        return Answer(
            503, "no_postgres", "Postgres does not answer: nothing was changed, or it is not known; ask again."
        )
    return None


def _of_http(error: BaseException) -> Answer | None:
    match error:
        case web.HTTPNotFound():
            return Answer(404, "unknown_path", "There is nothing at this path.")
        case web.HTTPRequestEntityTooLarge():
            return Answer(413, "too_large", "The body is larger than 1 MiB.")
        case web.HTTPMethodNotAllowed():
            return Answer(405, "method_not_allowed", f"Allowed: {', '.join(sorted(error.allowed_methods))}.")
        case web.HTTPException():
            return Answer(error.status, "bad_request", error.reason)
    return None


def _field(said: str) -> str | None:
    """`targets[0].url` of what msgspec says."""
    where, named = _WHERE.search(said), _NAMED.search(said)
    parts = [found[1] for found in (where, named) if found and found[1]]
    return ".".join(parts) or None
