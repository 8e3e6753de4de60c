from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consumers.attribution.facts import (
    CLICK_ID_NAMES,
    Conversion,
    Play,
    conversion,
    conversion_time,
    is_touch_id,
    referrer_ids,
)
from schemas.addresses import parse_address
from schemas.events import Device, Install, Referrer
from schemas.identifiers import DeviceId, sha1
from tests.consumers.attribution.samples import touch

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


def test_an_install_becomes_what_decisions_look_at() -> None:
    one = facts(ids={"google_aid": GAID}, referrer=Referrer(install_referrer=f"touchline_id={TOUCH}"))
    assert (one.app, one.received_us, one.at_us) == ("demo", RECEIVED_US, RECEIVED_US - 1_000_000)
    assert one.ids == [DeviceId("google_aid", "raw", GAID)]
    assert (one.touch_ids, one.click_ids) == (frozenset({TOUCH}), frozenset())
    assert (one.os, one.os_version, one.model, one.language) == ("android", "14", "Pixel 8", "en-us")
    assert one.network == parse_address("203.0.113.7")


# What a store says of its own times


def test_plays_times_are_microseconds_and_0_says_nothing() -> None:
    referrer = Referrer(
        referrer_click_timestamp_seconds=7,
        install_begin_timestamp_seconds=0,
        referrer_click_timestamp_server_seconds=8,
        install_begin_timestamp_server_seconds=9,
    )
    assert facts(referrer=referrer).play == Play(clicked_us=7_000_000, begun_us=None, server_begun_us=9_000_000)
    assert facts(referrer=Referrer()).play == facts().play == Play()


# What a touch says of its device


def test_a_touch_without_identifiers_looks_like_its_agent_and_model() -> None:
    assert touch("fingerprint").device == touch("fingerprint", number=2, language="fr").device
    assert touch("fingerprint").device != touch("fingerprint", ua="other").device
    assert touch("fingerprint").device != touch("fingerprint", model="other").device
    named = touch("fingerprint", device_key=7, ua="other")
    assert named.device == touch("fingerprint", device_key=7).device
    assert named.device != touch("fingerprint", device_key=0).device


def test_the_identifiers_of_a_touch_are_read_from_its_parameters() -> None:
    digest = DeviceId("google_aid", "sha1", sha1(GAID))
    assert touch(ids=[digest]).ids == [digest]
    assert touch(query=None).ids == []


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
