"""Installs and events as SDKs and servers send them: checked and made records. Pure rules."""

from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, TypeVar

import msgspec

from ingest.bodies import EVENT, INSTALL, BadElement, RevenueBody, decode, split, without_path
from ingest.links import Links
from ingest.privacy import Care
from ingest.privacy_bodies import care_for, protected
from schemas.addresses import parse_address
from schemas.errors import Refuse
from schemas.events import SANDBOX, Conversion, Device, Event, Install, Referrer, Revenue, Visit
from schemas.ids import new_id
from schemas.links import AppKey
from schemas.money import is_currency, to_micros
from schemas.query import storable

FUTURE_US = 5 * 60_000_000
PLAY_TIMES = (
    "referrer_click_timestamp_seconds",
    "install_begin_timestamp_seconds",
    "referrer_click_timestamp_server_seconds",
    "install_begin_timestamp_server_seconds",
)

R = TypeVar("R", Install, Event, Visit)

_any = msgspec.json.Decoder()


class Sender(msgspec.Struct, frozen=True):
    """Who posted: the key, and what the connection tells about the peer."""

    key: AppKey
    peer: str
    ua: str
    now_us: int
    care: Care | None = None
    """What the app wants nobody to keep."""


def read_installs(body: bytes, sender: Sender, links: Links) -> tuple[list[Install], bool]:
    """The installs of a body, and whether it was an array. Raises Refuse or BadElement; then none counts."""
    return over_each(body, lambda element: kept(_install(element, sender, links), sender))


def read_events(body: bytes, sender: Sender) -> tuple[list[Event], bool]:
    """The events of a body, and whether it was an array. Raises Refuse or BadElement; then none counts."""
    return over_each(body, lambda element: kept(_event(element, sender), sender))


def kept(record: R, sender: Sender) -> R:
    """The record as its app wants it kept."""
    care = sender.care if isinstance(record, Visit) else care_for(sender.care, record.ids)
    return record if care is None else protected(record, care)


def over_each(body: bytes, make: Callable[[msgspec.Raw], R]) -> tuple[list[R], bool]:
    """What is made of the elements of a body, and whether it was an array. Raises Refuse or BadElement."""
    elements, is_array = split(body)
    made: list[R] = []
    for index, element in enumerate(elements):
        try:
            made.append(make(element))
        except RecursionError:
            refusal = Refuse("bad_json", "The body is nested too deeply.")
            raise BadElement(refusal, index if is_array else None) from None
        except Refuse as refusal:
            raise BadElement(refusal, index if is_array else None) from None
    return made, is_array


def _install(element: msgspec.Raw, sender: Sender, links: Links) -> Install:
    body = decode(INSTALL, element)
    flags = [SANDBOX] if body.sandbox else []
    if body.preinstall_link is not None and links.link(body.preinstall_link) is None:
        flags.append("unknown_preinstall_link")
    installed_us = time_us(body.installed_at, "installed_at")
    if installed_us > sender.now_us + FUTURE_US:
        flags.append("installed_in_future")
    if not body.device.os.strip():
        raise Refuse("bad_field", "The operating system is empty.", "device.os")
    ip, ua = device_address(body.ip, body.ua, sender)
    return Install(
        v=1,
        id=new_id(sender.now_us),
        app=sender.key.app,
        install_id=given_id(body.install_id, "install_id") or derived_id(sender.key.app, element),
        installed_us=installed_us,
        user_id=text(body.user_id, "user_id") or None,
        preinstall_link=text(body.preinstall_link, "preinstall_link") or None,
        ids=_ids(body.ids),
        device=Device(
            os=text(body.device.os, "device.os"),
            os_version=text(body.device.os_version, "device.os_version"),
            model=text(body.device.model, "device.model"),
            manufacturer=text(body.device.manufacturer, "device.manufacturer"),
            locale=text(body.device.locale, "device.locale"),
        ),
        app_version=text(body.app_version, "app_version"),
        referrer=_referrer(body.referrer),
        ip=ip,
        ua=ua,
        flags=flags,
    )


def _event(element: msgspec.Raw, sender: Sender) -> Event:
    body = decode(EVENT, element)
    if not body.install_id and not body.ids:
        raise Refuse("missing_field", "An event needs install_id or ids.", "install_id")
    if not body.name.strip() or len(body.name) > 255:
        raise Refuse("bad_field", "The name has 1 to 255 characters.", "name")
    occurred_us = time_us(body.occurred_at, "occurred_at")
    flags = [SANDBOX] if body.sandbox else []
    if occurred_us > sender.now_us + FUTURE_US:
        flags.append("occurred_in_future")
    params = _params(body.params or {})
    ip, ua = device_address(body.ip, body.ua, sender)
    return Event(
        v=1,
        id=new_id(sender.now_us),
        app=sender.key.app,
        event_id=given_id(body.event_id, "event_id") or derived_id(sender.key.app, element),
        name=text(body.name, "name"),
        occurred_us=occurred_us,
        install_id=given_id(body.install_id, "install_id"),
        ids=_ids(body.ids or {}),
        user_id=text(body.user_id, "user_id") or None,
        revenue=_revenue(body.revenue),
        params=params,
        ip=ip,
        ua=ua,
        flags=flags,
    )


def _revenue(body: RevenueBody | None) -> Revenue | None:
    if body is None:
        return None
    try:
        micros = to_micros(body.amount)
    except ValueError as error:
        raise Refuse("bad_field", f"The amount {error}.", "revenue.amount") from None
    if not is_currency(body.currency):
        raise Refuse("bad_field", "The currency is three capital letters (ISO 4217).", "revenue.currency")
    return Revenue(micros=micros, currency=body.currency)


def _referrer(referrer: Referrer | None) -> Referrer | None:
    if referrer is None:
        return None
    for name in PLAY_TIMES:
        seconds = getattr(referrer, name)
        if seconds is not None and not 0 <= seconds < 10**11:
            raise Refuse("bad_field", "A time in UTC seconds was expected.", f"referrer.{name}")
    plain = text(referrer.install_referrer, "referrer.install_referrer", chars_max=4096)
    return msgspec.structs.replace(referrer, install_referrer=plain)


def device_address(ip: str | None, ua: str | None, sender: Sender) -> tuple[str | None, str]:
    """A server says where the device is, or nobody does; an SDK or a page is the device."""
    if sender.key.kind != "server":
        return sender.peer or None, storable(sender.ua)
    if ip is None or ip == "":
        return None, text(ua, "ua", chars_max=4096)
    network = parse_address(ip)
    if network is None:
        raise Refuse("bad_field", f"{ip[:60]!r} is no IPv4 or IPv6 address.", "ip")
    return network.text, text(ua, "ua", chars_max=4096)


def _ids(ids: dict[str, str | None]) -> dict[str, str]:
    if len(ids) > 50:
        raise Refuse("bad_field", "At most 50 identifiers.", "ids")
    return {text(name, "ids"): text(value, f"ids.{name[:60]}") for name, value in ids.items() if value}


def _params(params: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    for name, value in params.items():
        try:
            _any.decode(value)
        except msgspec.ValidationError as error:
            raise Refuse("bad_field", without_path(str(error)), f"params.{name[:60]}") from None
    return params


def text(value: str | None, field: str, *, chars_max: int = 1024) -> str:
    """A text as it may be stored; "" for none. Raises Refuse when it is too long."""
    if value is None:
        return ""
    if len(value) > chars_max:
        raise Refuse("bad_field", f"At most {chars_max} characters.", field)
    return storable(value)


def given_id(value: str | None, field: str) -> str | None:
    """An id of the sender's. Raises Refuse."""
    if value is None:
        return None
    if not 1 <= len(value) <= 128 or not value.isprintable():
        raise Refuse("bad_field", "An id has 1 to 128 printable characters.", field)
    return value


def derived_id(app: str, element: msgspec.Raw) -> str:
    """The same for the same body: what makes a retry without an id harmless. 128 bits of SHA-256 in hex."""
    try:
        canonical = msgspec.json.encode(_any.decode(element), order="sorted")
    except msgspec.ValidationError as error:  # a number beyond any double, in a field that nobody reads
        raise Refuse("bad_field", without_path(str(error))) from None
    return sha256(app.encode() + b"\n" + canonical).hexdigest()[:32]


def time_us(value: Any, field: str) -> int:
    """Unix microseconds of RFC 3339 text (without an offset: UTC) or of UTC seconds."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise Refuse("bad_field", f"{value[:60]!r} is no RFC 3339 time.", field) from None
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
        micros = (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
    else:
        if value >= 10**12:
            raise Refuse("bad_field", f"{value} looks like milliseconds; use UTC seconds or RFC 3339.", field)
        micros = int(value * 1_000_000)
    if not 0 <= micros < 10**17:
        raise Refuse("bad_field", f"{value!r} lies outside 1970 to 5138.", field)
    return micros


def conversion_id(record: Conversion) -> str:
    """What the sender gets back: its own id or the derived one."""
    if isinstance(record, Install):
        return record.install_id
    return record.event_id if isinstance(record, Event) else record.visit_id
