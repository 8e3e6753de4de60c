"""The one place that makes HTTP answers of outcomes."""

import orjson
from aiohttp import web

from ingest.accept import Outcome
from schemas.errors import Refuse

GIF = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
"""A transparent pixel, 43 bytes with its end."""

EVERYWHERE = {"Cache-Control": "no-store", "Server": "Touchline"}
"""Headers of every answer: none may be kept, and none tells what we are made of."""
RETRY_AFTER_S = 1
TITLES = {
    400: "The request is wrong",
    401: "The key is missing or unknown",
    404: "Not found",
    405: "The method is not allowed",
    413: "The body is too large",
    422: "A field is wrong",
    417: "The expectation cannot be met",
    500: "An error of ours",
    503: "Not possible at the moment",
}
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Not available</title>
<p>This link is not available at the moment.</p></html>
"""


def of_outcome(outcome: Outcome) -> web.Response:
    """The answer to a click or an impression."""
    if outcome.location is not None:
        return web.Response(status=302, headers={"Location": outcome.location, **EVERYWHERE})
    if outcome.gif:
        return web.Response(body=GIF, content_type="image/gif", headers=EVERYWHERE)
    if outcome.page:
        return web.Response(text=PAGE, content_type="text/html", headers=EVERYWHERE)
    if outcome.reason is not None:
        return problem(outcome.status, outcome.reason, outcome.detail, parameter=outcome.parameter)
    return web.Response(status=outcome.status, headers=EVERYWHERE)


def not_durable() -> web.Response:
    """503: send it again."""
    return problem(503, "not_durable", "The record could not be stored safely; send it again.")


def of_refusal(status: int, refusal: Refuse, index: int | None = None) -> web.Response:
    """The answer to a body that is refused; `index` names the element of an array."""
    extra = {} if index is None else {"index": index}
    return problem(status, refusal.code, refusal.detail, parameter=refusal.parameter, **extra)


def problem(status: int, reason: str, detail: str, *, parameter: str | None = None, **extra: object) -> web.Response:
    """RFC 9457 problem details; the reason is also the header and the metric label."""
    document: dict[str, object] = {
        "type": f"urn:touchline:problem:{reason}",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        "reason": reason,
    }
    if parameter is not None:
        document["parameter"] = parameter
    headers = {"X-Touchline-Reason": reason, **EVERYWHERE}
    if status == 503:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return web.Response(
        status=status,
        body=orjson.dumps(document | extra),
        content_type="application/problem+json",
        headers=headers,
    )
