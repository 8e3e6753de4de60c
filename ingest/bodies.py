"""Bodies of `/v1/installs`, `/v1/events` and `/v1/visits`: one JSON object or an array of them, typed. Pure."""

import re
from typing import TypeVar

import msgspec

from schemas.errors import Refuse
from schemas.events import Referrer

ELEMENTS_MAX = 1000
BODY_BYTES_MAX = 4 * 2**20
ELEMENT_BYTES_MAX = 65_536


class InstallBody(msgspec.Struct, kw_only=True):
    """One element of `POST /v1/installs`."""

    installed_at: str | int | float
    device: "DeviceBody"
    ids: dict[str, str | None] = {}
    install_id: str | None = None
    user_id: str | None = None
    preinstall_link: str | None = None
    sandbox: bool | None = None
    app_version: str | None = None
    referrer: Referrer | None = None
    ip: str | None = None
    ua: str | None = None


class DeviceBody(msgspec.Struct, kw_only=True):
    """`device` of an install."""

    os: str
    os_version: str | None = None
    model: str | None = None
    manufacturer: str | None = None
    locale: str | None = None


class RevenueBody(msgspec.Struct, kw_only=True):
    """`revenue` of an event."""

    amount: str
    currency: str


class EventBody(msgspec.Struct, kw_only=True):
    """One element of `POST /v1/events`."""

    name: str
    occurred_at: str | int | float
    event_id: str | None = None
    install_id: str | None = None
    ids: dict[str, str | None] | None = None
    user_id: str | None = None
    revenue: RevenueBody | None = None
    sandbox: bool | None = None
    params: dict[str, msgspec.Raw] | None = None
    ip: str | None = None
    ua: str | None = None


class VisitBody(msgspec.Struct, kw_only=True):
    """One element of `POST /v1/visits`."""

    visitor_id: str
    url: str
    visit_id: str | None = None
    occurred_at: str | int | float | None = None
    referer: str | None = None
    touchline_id: str | None = None
    mt_link_id: str | None = None
    language: str | None = None
    ip: str | None = None
    ua: str | None = None


T = TypeVar("T", InstallBody, EventBody, VisitBody)

INSTALL = msgspec.json.Decoder(InstallBody)
EVENT = msgspec.json.Decoder(EventBody)
VISIT = msgspec.json.Decoder(VisitBody)

_PATH = re.compile(r" - at `(?:key in )?\$(\[\.\.\.\])?\.?(.*)`$")
_elements = msgspec.json.Decoder(list[msgspec.Raw])


class BadElement(Refuse):
    """A field of one element is wrong; `index` is None when the body was a single object."""

    def __init__(self, refusal: Refuse, index: int | None) -> None:
        super().__init__(refusal.code, refusal.detail, refusal.parameter)
        self.index = index


def split(body: bytes) -> tuple[list[msgspec.Raw], bool]:
    """The elements of a body, and whether it was an array. Raises Refuse or BadElement."""
    try:
        body.decode()  # msgspec copies raw values unread, and the log holds UTF-8 only
        body = msgspec.json.format(body, indent=-1)  # no line ends within a line of the log
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refuse("bad_json", f"The body is not JSON: {error}") from None
    if not body.startswith(b"["):
        if len(body) > ELEMENT_BYTES_MAX:
            raise Refuse("element_too_large", f"At most {ELEMENT_BYTES_MAX} bytes for one element.")
        return [msgspec.Raw(body)], False
    elements = _elements.decode(body)
    if len(elements) > ELEMENTS_MAX:
        raise Refuse("too_many_elements", f"{len(elements)} elements; at most {ELEMENTS_MAX} a request.")
    for index, element in enumerate(elements):
        if len(bytes(element)) > ELEMENT_BYTES_MAX:
            refusal = Refuse("element_too_large", f"At most {ELEMENT_BYTES_MAX} bytes for one element.")
            raise BadElement(refusal, index)
    return elements, True


def decode(decoder: "msgspec.json.Decoder[T]", element: msgspec.Raw) -> T:
    """One element, typed. Raises Refuse that names the field."""
    try:
        return decoder.decode(element)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None


def _invalid(words: str) -> Refuse:
    found = _PATH.search(words)
    field = found[2] if found else ""
    missing = re.search(r"missing required field `(\w+)`", words)
    if missing:
        field = f"{field}.{missing[1]}".lstrip(".")
    return Refuse("bad_field", without_path(words), field or None)


def without_path(words: str) -> str:
    """msgspec's words without the path, which the answer gives as `parameter`."""
    return _PATH.sub("", words)
