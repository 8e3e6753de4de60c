"""What macros say of a conversion: identifiers, SubIDs, addresses, money."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from schemas.macro_values import PREFIXES, SUB_IDS, ZERO_ID, known_macros, macro_values
from schemas.templates import is_of_event, is_payment

GAID = "38400000-8CF0-11bd-b23e-10b96e40000d"
IDFA = "6d92078a-8246-4ba4-ae5b-76104861e7dC"


class Row(dict[str, Any]):
    """Nothing else is known."""

    def __missing__(self, name: str) -> None:
        return None


def values(*, attributed: bool = True, ids: dict[str, str] | None = None, **known: Any) -> dict[str, str]:
    row = Row(app="shop", ids=msgspec.json.encode(ids or {}).decode(), **known)
    return macro_values(row, "install", attributed=attributed)


@pytest.mark.parametrize(
    ("ids", "query", "wanted"),
    [
        ({"gps_adid": GAID}, "", {"google_aid": GAID, "mt_gaid": GAID, "mt_gaid_lc": GAID.lower()}),
        ({"gaid": GAID}, "", {"gps_adid": GAID, "adwords_rdid": GAID}),
        ({"idfa": IDFA}, "", {"ios_ifa": IDFA, "mt_idfa_or_gaid": IDFA, "mt_idfa_upper_or_gaid_lower": IDFA.upper()}),
        ({"google_aid": GAID}, "", {"mt_idfa_or_gaid": GAID, "mt_idfa_upper_or_gaid_lower": GAID.lower()}),
        ({"google_aid": ZERO_ID}, "", {"google_aid": "", "adwords_rdid": ZERO_ID, "limit_ad_tracking": "0"}),
        ({"google_aid": GAID, "lmt": "1"}, f"mt_gaid={GAID}", {"mt_gaid": "", "limit_ad_tracking": "1"}),
        ({"idfv": "V", "app_set_id": "s", "lmt": "1"}, "", {"ios_ifv": "", "mt_idfv": "", "mt_app_set_id": ""}),
        ({"ios_ifv": "V", "oaid": "o", "mt_waid": "w", "android_id": "a", "app_set_id": "s"}, "",
         {"mt_idfv": "V", "mt_oaid": "o", "windows_aid": "w", "mt_android_id": "a", "mt_app_set_id": "s"}),
        ({}, f"mt_gaid={GAID}&idfa={ZERO_ID}", {"google_aid": GAID, "ios_ifa": "", "idfa": ""}),
        ({"google_aid": GAID}, "google_aid=other", {"google_aid": GAID}),
    ],
)  # fmt: skip
def test_identifiers_come_as_received_and_none_is_made_up(
    ids: dict[str, str], query: str, wanted: dict[str, str]
) -> None:
    found = values(ids=ids, query=query)
    assert {name: found[name] for name in wanted} == wanted


def test_sub_ids_are_filled_by_utm_parameters_and_any_parameter_is_a_macro() -> None:
    query = "utm_source=s&utm_campaign=c&mt_campaign=own&utm_term=t&utm_content=co&utm_medium=m&mt_sub5=5&x=%7b&price=9"
    found = values(query=query)
    assert [found[name] for name in SUB_IDS] == ["s", "own", "t", "co", "m", "", "", "", "", "5"]
    assert (found["utm_source"], found["x"], found["price"]) == ("s", "{", ""), "a predefined name is not the click's"
    assert "mtep_x" not in values(query="mtep_x=1"), "no click speaks for the event"


def test_of_a_conversion_that_is_not_theirs_nothing_of_the_click_is_told() -> None:
    names = ("method touch touch_kind link campaign partner click_id touch_ua link_title campaign_title campaign_kind"
             " campaign_traffic partner_title")  # fmt: skip
    known: dict[str, Any] = dict.fromkeys(names.split(), "hers")
    query = f"a=hers&mt_sub1=hers&utm_source=hers&google_aid={GAID}"
    found = values(attributed=False, query=query, touch_ip="192.0.2.1", touched_at=datetime.now(UTC), **known)
    told = {name for name, value in found.items() if value}
    assert told == {"app_id", "app_name", "app_package_name", "activity_kind", "conversion_event_name", "adwords_rdid",
                    "limit_ad_tracking"}  # fmt: skip
    assert found["adwords_rdid"] == ZERO_ID


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("5.255.232.147", "::ffff:5.255.232.147"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
        ("192.0.2.0/24", "::ffff:192.0.2.0"),
        (None, ""),
    ],
)
def test_addresses_are_in_ipv6_text_form(text: str | None, wanted: str) -> None:
    assert values(touch_ip=text)["click_ipv6"] == wanted


def test_times_are_utc_with_whole_seconds() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 999_999, tzinfo=timezone(timedelta(hours=2)))
    found = values(at=at, touched_at=at, installed_at=at)
    assert {found[name] for name in found if name.endswith("_datetime") and found[name]} == {"2026-01-02T01:04:05Z"}
    assert found["mt_event_ts"] == found["mt_click_ts"] == found["mt_install_ts"] == "1767315845"


def test_money_and_parameters_are_exact_texts() -> None:
    params = '{"s": "x\\u0000", "n": 1.10, "b": true, "z": null, "o": {"a": [1]}, "order_id": 7}'
    found = values(params=params, revenue_micros=5_999_900, currency="EUR")
    assert (found["price"], found["mt_payment_sum_src"], found["currency"]) == ("5.9999", "5.9999", "EUR")
    said = {name: found[f"mtep_{name}"] for name in "snbzo"}
    assert said == {"s": "x\0", "n": "1.10", "b": "true", "z": "", "o": '{"a": [1]}'}
    assert (found["mtj_s"], found["mtj_z"], found["order_id"]) == ('"x\\u0000"', "null", "7")


@pytest.mark.parametrize(
    ("os", "model", "wanted"),
    [
        ("ios", "iPhone15,2", ("PHONE", "ios", "1234")),
        ("ios", "iPad14,1", ("TABLET", "ios", "1234")),
        ("tvos", "AppleTV11,1", ("TV", "", "")),
        ("android", "Pixel 8", ("", "android", "com.example")),
        ("other", "", ("", "", "")),
    ],
)
def test_a_device_is_what_its_model_says(os: str, model: str, wanted: tuple[str, str, str]) -> None:
    device = msgspec.json.encode({"os": os, "model": model}).decode()
    found = values(os=os, device=device, stores='{"google_play": "com.example", "app_store": "1234", "web": null}')
    assert (found["device_type"], found["os_name"], found["store_app_id"]) == wanted
    assert found["app_package_name"] == (wanted[2] or "shop")


APPMETRICA = """
click_id match_type attributed_touch_type transaction_id click_user_agent click_datetime click_timestamp click_timezone
click_ipv6 conversion_datetime conversion_timestamp conversion_timezone conversion_event_name conversion_event_json
install_datetime install_timestamp install_timezone install_ipv6 start_datetime start_timestamp start_timezone
session_id adwords_link_id adwords_rdid appmetrica_device_id profile_id limit_ad_tracking google_aid ios_ifa ios_ifv
oaid windows_aid device_manufacturer device_model device_type device_locale os_name os_version operator_name mcc mnc
app_version_name app_package_name appmetrica_sdk_version store_app_id price currency product_id order_id
inapp_transaction_id inapp_validated inapp_receipt ecom_revenue ecom_quantity ecom_product_name ecom_promocodes
ecom_type ecom_category_path_1 ecom_category_path_10
"""
MYTRACKER = """
mt_idfa mt_waid mt_gaid mt_gaid_lc mt_idfa_or_gaid mt_idfa_upper_or_gaid_lower mt_android_id mt_idfv mt_oaid
mt_app_set_id mt_event_ts mt_payment_sum_src mt_country mt_currency_src mt_click_ts mt_install_ts mt_network mt_campaign
mt_adset mt_creative mt_medium mt_sub1 mt_sub2 mt_sub3 mt_sub4 mt_sub5
"""


@pytest.mark.parametrize("vendor", [APPMETRICA, MYTRACKER])
def test_the_vendors_lists_are_whole(vendor: str) -> None:
    assert set(vendor.split()) - known_macros() == set()


def test_no_predefined_name_begins_like_one_of_somebody_elses() -> None:
    assert {name for name in known_macros() if name.startswith(PREFIXES)} == {
        "mtpc_id", "mtpc_title", "mtpc_kind", "mtpc_traffic", "mtpp_id", "mtpp_title"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "kind", "name", "micros", "told"),
    [
        ("install", "install", None, None, True),
        ("install", "re-install", None, None, False),
        ("install", "event", "install", None, False),
        ("re-engagement", "event", "re-engagement", None, False),
        ("re-engagement", "re-engagement", "launch", None, True),
        ("launch", "re-engagement", "launch", None, False),
        ("payment", "re-engagement", "payment", 1, False),
        ("payment", "event", "launch", 1, True),
        ("payment", "event", "ad_revenue", 1, False),
        ("ad_revenue", "event", "ad_revenue", 1, True),
    ],
)
def test_a_template_is_for_one_event(wanted: str, kind: str, name: str | None, micros: int | None, told: bool) -> None:
    assert is_of_event(wanted, kind, name, micros) is told


@pytest.mark.parametrize(
    ("name", "micros", "paid"),
    [("payment", None, True), ("payment", 0, True), ("payment", -1, False), ("x", 1, True), ("x", 0, False)],
)
def test_a_payment_is_what_somebody_paid(name: str, micros: int | None, paid: bool) -> None:
    assert is_payment(name, micros) is paid
