"""What the macros of a postback stand for: a conversion, the install, and the attribution that stands. Pure.

The names are AppMetrica's, MyTracker's (`mt_…`) and some of Adjust's. A predefined name means what the vendor says,
also when the click has a parameter of that name; every other name is the click's parameter.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

import msgspec

from schemas.addresses import parse_address
from schemas.events import Device
from schemas.forgetting import VENDOR_ID_NAMES
from schemas.identifiers import IdKind, any_limit, device_ids, is_no_id
from schemas.macros import JsonText
from schemas.money import from_micros
from schemas.query import parse_query

PREFIXES = ("mtep_", "mtj_", "mtpc_", "mtpp_", "mtap_")
"""Names that begin so belong to no click: parameters of the event (as text, as JSON), campaign, partner, account."""

SUB_IDS: dict[str, str | None] = {
    "mt_network": "utm_source",
    "mt_campaign": "utm_campaign",
    "mt_adset": "utm_term",
    "mt_creative": "utm_content",
    "mt_medium": "utm_medium",
    **{f"mt_sub{number}": None for number in range(1, 6)},
}
"""SubIDs of a click → the UTM parameter that fills them when they are empty (MyTracker)."""

EVENT_PARAMETERS = (
    *("product_id", "order_id", "inapp_transaction_id", "inapp_validated", "inapp_receipt"),
    *("ecom_revenue", "ecom_quantity", "ecom_product_name", "ecom_promocodes", "ecom_type"),
    *(f"ecom_category_path_{number}" for number in range(1, 11)),
    *("start_datetime", "start_timestamp", "start_timezone", "session_id", "operator_name", "mcc", "mnc"),
    *("click_timezone", "conversion_timezone", "install_timezone", "adwords_link_id", "appmetrica_sdk_version"),
)
"""Macros of AppMetrica that we know only when the event's parameter of that name says them."""

ZERO_ID = "00000000-0000-0000-0000-000000000000"
_OS_NAMES = ("ios", "android", "windows")
_METHODS = ("referrer", "fingerprint", "identifier")
_STORES = {"android": ("google_play", "app_gallery", "get_apps"), "ios": ("app_store",)}
_ACTIVITIES = {"install": "install", "re-install": "reinstall", "re-engagement": "reattribution"}

_ids = msgspec.json.Decoder(dict[str, str])
_device = msgspec.json.Decoder(Device)
_stores = msgspec.json.Decoder(dict[str, object])
_params = msgspec.json.Decoder(dict[str, msgspec.Raw])


def macro_values(row: Mapping[str, Any], name: str, *, attributed: bool) -> dict[str, str]:
    """Macro → value of a row of `telling.sql`, told as `name` (install, re-install, re-engagement, an event's name).

    Not `attributed`: nothing of the click, its campaign and its partner, for those whose conversion it is not.
    """
    params = _params.decode(row["params"]) if row["params"] else {}
    said = {one: _param_text(raw) for one, raw in params.items()}
    found = _of_click(row) if attributed else {}
    found |= {one: said.get(one, "") for one in EVENT_PARAMETERS}
    found |= {f"mtep_{one}": text for one, text in said.items()}
    found |= {f"mtj_{one}": JsonText(bytes(raw).decode()) for one, raw in params.items()}
    found |= _of_attribution(row if attributed else _Nothing(), found)
    found |= _of_conversion(row, name)
    found |= _of_install(row)
    return found | _of_device(row, found)


@cache
def known_macros() -> frozenset[str]:
    """Every predefined name; those of event parameters have no end."""
    return frozenset(macro_values(_Nothing(), "", attributed=True))


class _Nothing(dict[str, Any]):
    """A row without an attribution."""

    def __missing__(self, name: str) -> None:
        return None


def _of_click(row: Mapping[str, Any]) -> dict[str, str]:
    """Its parameters; none that a prefix keeps for others."""
    query = parse_query(row["query"] or "")
    return {name: value for name, value in query.items() if not name.startswith(PREFIXES)}


def _of_attribution(row: Mapping[str, Any], query: Mapping[str, str]) -> dict[str, str]:
    titles = (row["partner_title"], row["campaign_title"], row["link_title"] or row["link"])
    return {
        "click_id": row["click_id"] or "",
        "match_type": row["method"] if row["method"] in _METHODS else "",
        "attributed_touch_type": row["touch_kind"] or "",
        "click_user_agent": row["touch_ua"] or "",
        "click_datetime": _rfc3339(row["touched_at"]),
        "click_timestamp": _seconds(row["touched_at"]),
        "click_ipv6": _ipv6(row["touch_ip"]),
        "touchline_id": _text(row["touch"]),
        "tracking_id": row["link"] or "",
        "tracker": row["link"] or "",
        "tracker_name": "::".join(filter(None, titles)),
        "mt_link_id": row["link"] or "",
        "mt_click_ts": _seconds(row["touched_at"]),
        **{name: query.get(name) or query.get(utm or "") or "" for name, utm in SUB_IDS.items()},
        "mtpc_id": row["campaign"] or "",
        "mtpc_title": row["campaign_title"] or "",
        "mtpc_kind": row["campaign_kind"] or "",
        "mtpc_traffic": row["campaign_traffic"] or "",
        "mtpp_id": row["partner"] or "",
        "mtpp_title": row["partner_title"] or "",
    }


def _of_conversion(row: Mapping[str, Any], name: str) -> dict[str, str]:
    at, micros, currency = row["at"], row["revenue_micros"], row["currency"] or ""
    revenue = from_micros(micros) if micros is not None else ""
    return {
        "transaction_id": _text(row["conversion"]),
        "conversion_datetime": _rfc3339(at),
        "conversion_timestamp": _seconds(at),
        "conversion_event_name": name,
        "conversion_event_json": JsonText(row["params"] or ""),
        "price": revenue,
        "currency": currency,
        "mt_event_ts": _seconds(at),
        "mt_payment_sum_src": revenue,
        "mt_currency_src": currency,
        "activity_kind": _ACTIVITIES.get(name, "event"),
        "created_at": _seconds(at),
    }


def _of_install(row: Mapping[str, Any]) -> dict[str, str]:
    stores = _stores.decode(row["stores"]) if row["stores"] else {}
    store_id = next((str(stores[one]) for one in _STORES.get(row["os"] or "", ()) if stores.get(one)), "")
    return {
        "install_datetime": _rfc3339(row["installed_at"]),
        "install_timestamp": _seconds(row["installed_at"]),
        "install_ipv6": _ipv6(row["install_ip"]),
        "mt_install_ts": _seconds(row["installed_at"]),
        "mt_country": row["country"] or "",
        "profile_id": row["user_id"] or "",
        "appmetrica_device_id": row["install_id"] or "",
        "install_id": row["install_id"] or "",
        "adid": row["install_id"] or "",
        "app_version_name": row["app_version"] or "",
        "app_package_name": store_id or row["app"],
        "store_app_id": store_id,
        "app_id": row["app"],
        "app_name": row["app_title"] or row["app"],
    }


def _of_device(row: Mapping[str, Any], click: Mapping[str, str]) -> dict[str, str]:
    """Identifiers as they were received; where the device did not say one, as the click did."""
    told = (_ids.decode(row["ids"]) if row["ids"] else {}) | (_ids.decode(row["event_ids"]) if row["event_ids"] else {})
    raw: dict[IdKind, str] = {}
    limited = any_limit(told)
    for one in (*device_ids(told), *device_ids({} if limited else click)):
        if one.form == "raw":
            raw.setdefault(one.kind, one.value)
    gaid, idfa = raw.get("google_aid", ""), raw.get("ios_ifa", "")
    idfv = next((told[name] for name in VENDOR_ID_NAMES if not limited and not is_no_id(told.get(name, ""))), "")
    device = _device.decode(row["device"]) if row["device"] else Device(os="")
    os = row["os"] or ""
    return {
        **{"google_aid": gaid, "gps_adid": gaid, "mt_gaid": gaid, "mt_gaid_lc": gaid.lower()},
        **{"ios_ifa": idfa, "idfa": idfa, "mt_idfa": idfa},
        **{"ios_ifv": idfv, "idfv": idfv, "mt_idfv": idfv},
        "mt_idfa_or_gaid": idfa or gaid,
        "mt_idfa_upper_or_gaid_lower": idfa.upper() or gaid.lower(),
        "adwords_rdid": idfa or gaid or ZERO_ID,
        **dict.fromkeys(("oaid", "mt_oaid"), raw.get("oaid", "")),
        **dict.fromkeys(("windows_aid", "mt_waid"), raw.get("windows_aid", "")),
        **dict.fromkeys(("android_id", "mt_android_id"), raw.get("android_id", "")),
        "mt_app_set_id": "" if limited else told.get("app_set_id", ""),
        "limit_ad_tracking": "1" if limited and not raw else "0",
        "device_manufacturer": device.manufacturer,
        "device_model": device.model,
        "device_type": _device_type(os, device.model),
        "device_locale": device.locale,
        "os_name": os if os in _OS_NAMES else "",
        "os_version": device.os_version,
    }


def _device_type(os: str, model: str) -> str:
    """Where the model's name says it; phones and tablets of Android are not told apart."""
    if os == "tvos":
        return "TV"
    return "TABLET" if model.startswith("iPad") else "PHONE" if model.startswith(("iPhone", "iPod")) else ""


def _param_text(raw: msgspec.Raw) -> str:
    """A string as it is, null as nothing, everything else as JSON."""
    text = bytes(raw).decode()
    if text.startswith('"'):
        return str(msgspec.json.decode(raw))
    return "" if text == "null" else text


def _text(value: object) -> str:
    return str(value) if value is not None else ""


def _rfc3339(at: datetime | None) -> str:
    """UTC, whole seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at is not None else ""


def _seconds(at: datetime | None) -> str:
    return str(int(at.timestamp())) if at is not None else ""


def _ipv6(text: str | None) -> str:
    """IPv6 text form, of a network its first address: 5.255.232.147 → ::ffff:5.255.232.147."""
    network = parse_address(text.partition("/")[0]) if text else None
    if network is None:
        return ""
    return f"::ffff:{network.text}" if network.version == 4 else network.text
