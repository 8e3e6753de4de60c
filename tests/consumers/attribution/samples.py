"""An install and its candidates, for the tests of decisions."""

from typing import Any
from urllib.parse import urlencode

from consumers.attribution.facts import Candidate, Conversion
from schemas.addresses import parse_address
from schemas.events import TouchKind
from schemas.identifiers import DeviceId
from schemas.rules import Method

AT_US = 1_767_225_600_000_000
SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
GAID = DeviceId("google_aid", "raw", "38400000-8cf0-11bd-b23e-10b96e40000d")


def install(**changes: Any) -> Conversion:
    """A Pixel 8 that says who it is; `ip` as text."""
    ip = changes.pop("ip", "203.0.113.7")
    values: dict[str, Any] = {
        "id": "019b7711-9680-7000-8005-000000000005",
        "app": "demo",
        "received_us": AT_US,
        "at_us": AT_US,
        "ids": [GAID],
        "touch_ids": frozenset[str](),
        "click_ids": frozenset({"c1"}),
        "os": "android",
        "os_version": "14",
        "model": "Pixel 8",
        "language": "en-us",
        "network": parse_address(ip) if ip else None,
    }
    return Conversion(**values | changes)


def touch(
    method: Method = "identifier",
    kind: TouchKind = "click",
    *,
    age_us: int = MINUTE_US,
    number: int = 1,
    **changes: Any,
) -> Candidate:
    """A touch of the same device, `age_us` before the install; `ip` as text, `ids` as its sender says them."""
    ip = changes.pop("ip", "203.0.113.7")
    values: dict[str, Any] = {
        "touch_id": f"019b76da-a87b-774b-8001-{number:012x}",
        "method": method,
        "touch_kind": kind,
        "app": "demo",
        "link": "1",
        "campaign": None,
        "partner": None,
        "touched_us": AT_US - age_us,
        "click_id": "c1",
        "external_click_id": None,
        "network": parse_address(ip) if ip else None,
        "os": "android",
        "os_version": "14",
        "model": "Pixel 8",
        "language": "en-US",
        "query": query_of(changes.pop("ids", [GAID])),
        "ua": "phone",
        "flags": [],
    }
    return Candidate(**values | changes)


def query_of(ids: list[DeviceId]) -> str:
    """The query of a touch that says these identifiers."""
    forms = {"raw": "", "sha1": "_sha1", "md5": "_md5"}
    return urlencode({f"{one.kind}{forms[one.form]}": one.value for one in ids})
