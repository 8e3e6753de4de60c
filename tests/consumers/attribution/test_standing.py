from typing import Any

import pytest

from consumers.attribution.facts import Candidate, Play
from consumers.attribution.standing import why_it_falls
from schemas.identifiers import DeviceId, md5, sha1
from schemas.rules import DEFAULT, Method
from tests.consumers.attribution.samples import AT_US, GAID, MINUTE_US, SECOND_US, install, touch


def falls(one: Candidate, **of_install: Any) -> str | None:
    """By the default rules."""
    return why_it_falls(install(**of_install), one, DEFAULT.rules.windows_us)


@pytest.mark.parametrize("method", ["identifier", "referrer", "fingerprint"])
def test_a_late_touch_is_never_matched(method: Method) -> None:
    assert falls(touch(method, flags=["head", "late"])) == "delivered_late"
    assert falls(touch(method, flags=["head"])) is None


def test_a_preinstall_link_has_no_clicks() -> None:
    assert falls(touch(flags=["preinstall"])) == "no_clicks"


@pytest.mark.parametrize("method", ["identifier", "referrer", "fingerprint"])
def test_a_touch_of_another_app_falls(method: Method) -> None:
    assert falls(touch(method, app="other")) == "other_app"


# The key is only a hash: what it stands for is compared.


@pytest.mark.parametrize(
    ("theirs", "reason"),
    [
        (GAID, None),
        (DeviceId("google_aid", "raw", GAID.value.upper()), None),
        (DeviceId("google_aid", "sha1", sha1(GAID.value)), None),
        (DeviceId("google_aid", "sha1", sha1(GAID.value.upper())), None),
        (DeviceId("google_aid", "md5", md5(GAID.value.upper())), None),
        (DeviceId("oaid", "raw", GAID.value), "other_value"),
        (DeviceId("google_aid", "raw", GAID.value[:-1] + "e"), "other_value"),
        (DeviceId("google_aid", "md5", md5("x")), "other_value"),
    ],
)
def test_an_identifier_is_compared_whatever_its_form(theirs: DeviceId, reason: str | None) -> None:
    assert falls(touch(ids=[theirs])) == reason
    assert falls(touch(ids=[DeviceId("oaid", "raw", "x"), theirs])) == reason


def test_an_install_without_identifiers_has_no_device() -> None:
    assert falls(touch(), ids=[]) == "other_value"


@pytest.mark.parametrize(
    ("of_touch", "of_install", "reason"),
    [
        ({"click_id": "c1"}, {}, None),
        ({"click_id": None, "external_click_id": "c1"}, {}, None),
        ({"click_id": "c2", "external_click_id": "c1"}, {}, None),
        ({"click_id": "C1"}, {}, "other_value"),
        ({"click_id": None}, {}, "other_value"),
        ({"click_id": None}, {"click_ids": frozenset[str]()}, "other_value"),
        ({"click_id": None}, {"touch_ids": frozenset({touch().touch_id})}, None),
        ({"click_id": None}, {"touch_ids": frozenset({touch(number=2).touch_id})}, "other_value"),
    ],
)
def test_a_referrer_names_the_touch_or_its_click(
    of_touch: dict[str, Any], of_install: dict[str, Any], reason: str | None
) -> None:
    assert falls(touch("referrer", **of_touch), **of_install) == reason


@pytest.mark.parametrize(
    ("of_touch", "of_install", "reason"),
    [
        ({"ip": "203.0.113.0/24"}, {}, None),
        ({"ip": "203.0.113.128/25"}, {}, "other_network"),
        ({"ip": "2001:db8:1:2::1"}, {"ip": "2001:db8:1:2:9::9"}, None),
        ({"ip": "2001:db8:1:2::1"}, {"ip": "2001:db8:1:3::1"}, "other_network"),
        ({"os_version": "13"}, {}, "other_os_version"),
        ({"model": "Pixel 7"}, {}, "other_model"),
    ],
)
def test_a_print_must_not_contradict_the_install(
    of_touch: dict[str, Any], of_install: dict[str, Any], reason: str | None
) -> None:
    assert falls(touch("fingerprint", **of_touch), **of_install) == reason


@pytest.mark.parametrize(
    ("of_touch", "of_install"),
    [
        ({"model": ""}, {}),
        ({}, {"model": ""}),
        ({"model": "iPhone"}, {"model": "iPhone14,2"}),
        ({"language": "fr"}, {}),
        ({"os_version": "14.1"}, {"os_version": "14.2"}),
        ({"device_key": 1}, {"ids": []}),
    ],
)
def test_a_print_seconds_before_the_install_that_may_be_a_neighbours_is_only_too_soon(
    of_touch: dict[str, Any], of_install: dict[str, Any]
) -> None:
    assert falls(touch("fingerprint", age_us=9 * SECOND_US, **of_touch), **of_install) == "too_soon"
    assert falls(touch("fingerprint", age_us=10 * SECOND_US, **of_touch), **of_install) is None


def test_a_print_after_the_download_had_begun_that_may_be_a_neighbours_is_too_soon() -> None:
    begun = Play(server_begun_us=AT_US - 2 * MINUTE_US)
    assert falls(touch("fingerprint", model=""), play=begun) == "too_soon"
    assert falls(touch("fingerprint"), play=begun) is None


def test_what_is_known_to_be_this_device_stands_however_soon_for_the_verdict_to_judge() -> None:
    assert falls(touch("fingerprint", age_us=9 * SECOND_US)) is None
    assert falls(touch("identifier", age_us=9 * SECOND_US, model="", language="fr")) is None
    assert falls(touch("referrer", age_us=9 * SECOND_US, model="", language="fr")) is None


def test_another_device_falls_for_what_shows_it_and_not_for_its_haste() -> None:
    assert falls(touch("fingerprint", age_us=9 * SECOND_US, model="Pixel 7")) == "other_model"


def test_only_prints_are_compared_by_what_they_look_like() -> None:
    for method in ("identifier", "referrer"):
        assert falls(touch(method, ip="192.0.2.1", model="other", os_version="1")) is None


def test_a_click_seconds_before_a_return_is_no_haste() -> None:
    one = touch("fingerprint", model="", age_us=3 * SECOND_US)
    assert (falls(one), falls(one, kind="re-engagement")) == ("too_soon", None)
