from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consumers.attribution.facts import (
    CLICK_ID_NAMES,
    Conversion,
    Probe,
    conversion,
    conversion_time,
    is_touch_id,
    probes,
    referrer_ids,
)
from schemas import keys
from schemas.addresses import parse_address
from schemas.events import Device, Install, Referrer
from schemas.identifiers import DeviceId, md5, sha1
from schemas.rules import DEFAULT

RECEIVED_US = 1_767_225_600_123_456
DAY_US = 86_400_000_000
TOUCH = "019b76da-a87b-774b-8001-000000000001"
GAID = "38400000-8cf0-11bd-b23e-10b96e40000d"


def install(**changes: Any) -> Install:
    values: dict[str, Any] = {
        "v": 1,
        "id": "019b7711-9680-7000-8005-000000000005",
        "app": "demo",
        "install_id": "i-1",
        "installed_us": RECEIVED_US - 1_000_000,
        "device": Device(os="Android", os_version="14", model="Pixel 8", locale="en_US"),
        "ip": "203.0.113.7",
    }
    return Install(**values | changes)


def facts(**changes: Any) -> Conversion:
    return conversion(install(**changes), RECEIVED_US)


def found(one: Conversion, method: str) -> set[tuple[str, int]]:
    return {(probe.column, probe.key) for probe in probes(one, DEFAULT.rules) if probe.method == method}


def test_an_install_becomes_what_decisions_look_at() -> None:
    one = facts(ids={"google_aid": GAID}, referrer=Referrer(install_referrer=f"touchline_id={TOUCH}"))
    assert (one.app, one.received_us, one.at_us) == ("demo", RECEIVED_US, RECEIVED_US - 1_000_000)
    assert one.ids == [DeviceId("google_aid", "raw", GAID)]
    assert (one.touch_ids, one.click_ids) == (frozenset({TOUCH}), frozenset())
    assert (one.os, one.os_version, one.model, one.language) == ("android", "14", "Pixel 8", "en-us")
    assert one.network == parse_address("203.0.113.7")


def test_an_install_without_address_and_ids_is_nobodys() -> None:
    one = facts(ip=None, device=Device(os="?"))
    assert (one.network, one.os, one.ids) == (None, "other", [])
    assert probes(one, DEFAULT.rules) == []


# The time of the windows


@pytest.mark.parametrize(
    ("before_us", "counts"),
    [(0, True), (1, True), (DAY_US - 1, True), (DAY_US, True), (DAY_US + 1, False), (-1, False), (-DAY_US, False)],
)
def test_the_devices_time_counts_up_to_a_day_before_the_receipt_and_never_after(before_us: int, counts: bool) -> None:
    installed_us = RECEIVED_US - before_us
    assert conversion_time(installed_us, RECEIVED_US) == (installed_us if counts else RECEIVED_US)


# The referrer


@pytest.mark.parametrize("times", [0, 1, 2])
def test_our_own_id_is_found_however_often_the_referrer_is_encoded(times: int) -> None:
    referrer = f"utm_source=net&touchline_id={TOUCH.upper()}&x=y"
    for _ in range(times):
        referrer = quote(referrer, safe="")
    assert referrer_ids(referrer) == ([TOUCH], [])


@pytest.mark.parametrize("times", [0, 1, 2])
@pytest.mark.parametrize("name", CLICK_ID_NAMES)
def test_a_networks_click_id_is_found_under_each_name(name: str, times: int) -> None:
    referrer = f"{name}=a%26b"
    for _ in range(times):
        referrer = quote(referrer, safe="")
    assert referrer_ids(referrer) == ([], ["a&b"])


def test_the_names_are_those_that_networks_use() -> None:
    known = {"touchline_click_id", "appmetrica_click_id", "ym_tracking_id", "adjust_external_click_id"}
    assert set(CLICK_ID_NAMES) == known


def test_all_names_together_count() -> None:
    referrer = "&".join(f"{name}={number}1" for number, name in enumerate(CLICK_ID_NAMES))
    assert referrer_ids(f"{referrer}&touchline_id={TOUCH}") == (
        [TOUCH],
        [f"{number}1" for number in range(len(CLICK_ID_NAMES))],
    )


@pytest.mark.parametrize(
    "referrer",
    [
        "",
        "utm_source=google-play&utm_medium=organic",
        "touchline_id=",
        "touchline_id=17",
        f"touchline_id={TOUCH}0",
        f"touchline_id={TOUCH[:-1]}g",
        "touchline_id={touchline_id}",
        "appmetrica_click_id=",
        "appmetrica_click_id={click_id}",
        "appmetrica_click_id=%7Bclick_id%7D",
        "appmetrica_click_id=0",
        "click_id=17",
        "%",
        "%00",
    ],
)
def test_a_referrer_that_names_no_touch_says_nothing(referrer: str) -> None:
    assert referrer_ids(referrer) == ([], [])


@given(st.text())
@example("%25%25%253D=%")
def test_any_referrer_is_read(referrer: str) -> None:
    touch_ids, click_ids = referrer_ids(referrer)
    assert all(is_touch_id(one) for one in touch_ids)
    assert all("\0" not in one for one in click_ids) or "\0" in referrer


def test_a_nul_in_a_referrer_becomes_what_postgres_takes() -> None:
    assert referrer_ids("appmetrica_click_id=a%00b") == ([], ["a\ufffdb"])


# The keys that are looked for


def test_a_raw_identifier_is_looked_for_in_both_digests_cases_and_kinds_of_touch() -> None:
    one = facts(ids={"google_aid": GAID}, ip=None)
    expected = {
        (column, keys.device_key("demo", touch, "google_aid", digest(case)))
        for touch in ("click", "impression")
        for own, digest in (("device_sha1_key", sha1), ("device_md5_key", md5))
        for case in (GAID, GAID.upper())
        for column in (own, "more")
    }
    assert found(one, "identifier") == expected
    assert {probe.method for probe in probes(one, DEFAULT.rules)} == {"identifier"}


def test_a_click_id_is_looked_for_in_both_columns_of_clicks_only() -> None:
    one = facts(referrer=Referrer(install_referrer="appmetrica_click_id=c1"), ip=None)
    key = keys.click_id_key("demo", "click", "c1")
    assert found(one, "referrer") == {("click_key", key), ("external_click_key", key)}
    assert len(probes(one, DEFAULT.rules)) == 2


@pytest.mark.parametrize(
    ("ip", "networks"),
    [
        ("203.0.113.7", ["203.0.113.7", "203.0.113.0/24"]),
        ("::ffff:203.0.113.7", ["203.0.113.7", "203.0.113.0/24"]),
        ("203.0.113.0/24", ["203.0.113.0/24"]),
        ("2001:db8:1:2::7", ["2001:db8:1:2::/64", "2001:db8:1::/48"]),
        ("2001:db8:1:200::/56", ["2001:db8:1::/48"]),
        ("203.0.0.0/16", []),
    ],
)
def test_a_print_is_looked_for_at_every_precision_that_touches_stand_under(ip: str, networks: list[str]) -> None:
    expected: list[Probe] = []
    for text in networks:
        network = parse_address(text)
        assert network is not None
        expected.append(Probe("fingerprint", "print_key", keys.print_key("demo", "click", "android", network)))
    assert probes(facts(ip=ip), DEFAULT.rules) == expected


def test_no_key_is_looked_for_twice() -> None:
    one = facts(
        ids={"google_aid": GAID, "google_aid_sha1": sha1(GAID), "oaid": GAID},
        referrer=Referrer(install_referrer="appmetrica_click_id=c1&ym_tracking_id=c1"),
    )
    asked = probes(one, DEFAULT.rules)
    assert len(asked) == len(set(asked))


def test_another_app_looks_for_other_keys() -> None:
    changes = {"ids": {"google_aid": GAID}, "referrer": Referrer(install_referrer="appmetrica_click_id=c1")}
    ours, theirs = probes(facts(**changes)), probes(facts(app="other", **changes))
    assert len(ours) == len(theirs)
    assert not {probe.key for probe in ours} & {probe.key for probe in theirs}
