"""The one place that makes HTTP answers of outcomes, for both lanes."""

import msgspec
import orjson
from aiohttp import web

from ingest.touch import Outcome
from schemas.errors import Refuse

GIF = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
"""A transparent pixel, 43 bytes with its end."""

EVERYWHERE = {"Cache-Control": "no-store", "Server": "Touchline"}
"""Headers of every answer: none may be kept, and none tells what we are made of."""
RETRY_AFTER_S = 1
TITLES = {
    400: "The request is wrong",
    401: "The key is missing or unknown",
    403: "Not allowed",
    404: "Not found",
    405: "The method is not allowed",
    413: "The body is too large",
    417: "The expectation cannot be met",
    422: "A field is wrong",
    500: "An error of ours",
    503: "Not possible at the moment",
}
PHRASES = {200: b"OK", 204: b"No Content", 302: b"Found", 400: b"Bad Request", 403: b"Forbidden", 404: b"Not Found"}
PHRASES |= {500: b"Internal Server Error", 503: b"Service Unavailable"}
PAGE = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Not available</title>
<p>This link is not available at the moment.</p></html>
"""
_SHARED = b"\r\nCache-Control: no-store\r\nServer: Touchline\r\n"


class Answer(msgspec.Struct, frozen=True, gc=False):
    """An answer as values; `headers` come on top of EVERYWHERE."""

    status: int
    headers: dict[str, str] = {}
    location: str = ""
    """Where a person is sent."""
    body: bytes = b""
    reason: str = ""
    """Short code of a 4xx or 5xx: header, document and metric label alike."""

    def response(self) -> web.Response:
        """For aiohttp."""
        location = {"Location": self.location} if self.location else {}
        return web.Response(status=self.status, body=self.body or None, headers=EVERYWHERE | location | self.headers)

    def wire(self, date: bytes, *, head: bool, close: bool) -> bytes:
        """The bytes of the answer; `date` is the header's value."""
        lines = b"".join(b"%s: %s\r\n" % (name.encode(), value.encode()) for name, value in self.headers.items())
        if self.location:
            lines += b"Location: %s\r\n" % self.location.encode()
        if self.status != 204:
            lines += b"Content-Length: %d\r\n" % len(self.body)
        if close:
            lines += b"Connection: close\r\n"
        start = b"HTTP/1.1 %d %s\r\nDate: %s" % (self.status, PHRASES[self.status], date)
        return start + _SHARED + lines + b"\r\n" + (b"" if head else self.body)


NO_CONTENT = Answer(204)
PIXEL = Answer(200, {"Content-Type": "image/gif"}, body=GIF)
NOT_AVAILABLE = Answer(200, {"Content-Type": "text/html; charset=utf-8"}, body=PAGE)


def of_outcome(outcome: Outcome) -> Answer:
    """The answer to a click or an impression."""
    if outcome.location is not None:
        return Answer(302, location=outcome.location)
    if outcome.reason is not None:
        return problem(outcome.status, outcome.reason, outcome.detail, parameter=outcome.parameter)
    if outcome.gif:
        return PIXEL
    return NOT_AVAILABLE if outcome.page else NO_CONTENT


def not_durable() -> Answer:
    """503: send it again."""
    return problem(503, "not_durable", "The record could not be stored safely; send it again.")


def of_refusal(status: int, refusal: Refuse, index: int | None = None) -> Answer:
    """The answer to a body that is refused; `index` names the element of an array."""
    extra = {} if index is None else {"index": index}
    return problem(status, refusal.code, refusal.detail, parameter=refusal.parameter, **extra)


def problem(status: int, reason: str, detail: str, *, parameter: str | None = None, **extra: object) -> Answer:
    """RFC 9457 problem details."""
    document: dict[str, object] = {
        "type": f"urn:touchline:problem:{reason}",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        "reason": reason,
    }
    if parameter is not None:
        document["parameter"] = parameter
    headers = {"Content-Type": "application/problem+json", "X-Touchline-Reason": reason}
    if status == 503:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Answer(status, headers, body=orjson.dumps(document | extra), reason=reason)
