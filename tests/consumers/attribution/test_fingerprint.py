from typing import Any

import pytest

from consumers.attribution.fingerprint import confidence, differs, same_model
from tests.consumers.attribution.samples import HOUR_US, install, touch


@pytest.mark.parametrize(
    ("of_touch", "of_install"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.0/24", "203.0.113.7"),
        ("203.0.113.0/29", "203.0.113.7"),
        ("203.0.113.6/31", "203.0.113.7"),
        ("203.0.113.0/24", "203.0.113.0/25"),
        ("2001:db8:1:2::7", "2001:db8:1:2::7"),
        ("2001:db8:1:2::7", "2001:db8:1:2:ffff::1"),  # one household, another address of the hour
        ("2001:db8:1:2::/64", "2001:db8:1:2::7"),
        ("2001:db8:1:2::7", "2001:db8:1:2::/64"),
        ("2001:db8:1:200::/56", "2001:db8:1:2ff::7"),
        ("2001:db8:1::/48", "2001:db8:1:2::7"),
        ("2001:db8:1::/48", "2001:db8:1:200::/56"),
    ],
)
def test_an_install_inside_the_touchs_network_may_be_its_device(of_touch: str, of_install: str) -> None:
    assert differs(install(ip=of_install), touch("fingerprint", ip=of_touch)) is None


@pytest.mark.parametrize(
    ("of_touch", "of_install"),
    [
        ("203.0.113.8", "203.0.113.7"),
        ("203.0.113.8/29", "203.0.113.7"),  # its key is that of the /24: exact containment is checked behind it
        ("203.0.113.128/25", "203.0.113.7"),
        ("203.0.113.7", "203.0.113.0/24"),
        ("2001:db8:1:3::7", "2001:db8:1:2::7"),
        ("2001:db8:1:300::/56", "2001:db8:1:2ff::7"),
        ("2001:db8:1:200::/56", "2001:db8:1::/48"),
        ("2001:db8:1:2::7", "203.0.113.7"),
        ("203.0.113.7", None),
        (None, "203.0.113.7"),
    ],
)
def test_an_install_outside_is_another(of_touch: str | None, of_install: str | None) -> None:
    assert differs(install(ip=of_install), touch("fingerprint", ip=of_touch)) == "other_network"


@pytest.mark.parametrize(
    ("ours", "theirs", "why"),
    [
        ("14", "14", None),
        ("14", "14.1", None),
        ("17.4.1", "17.2", None),
        ("", "14", None),
        ("14", "", None),
        ("14", "13", "other_os_version"),
        ("1", "14", "other_os_version"),
    ],
)
def test_another_major_version_is_another_device(ours: str, theirs: str, why: str | None) -> None:
    assert differs(install(os_version=ours), touch("fingerprint", os_version=theirs)) == why


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        ("Pixel 8", "Pixel 8", True),
        ("pixel8", "Pixel 8", True),
        ("iPhone14,2", "iPhone", True),
        ("iPhone", "iPhone14,2", True),
        ("iPad13,4", "iPad", True),
        ("iPod9,1", "iPod", True),
        ("iPad", "iPhone", False),
        ("iPad13,4", "iPhone", False),
        ("Pixel 8", "Pixel 8 Pro", False),
        ("SM-G991B", "SM-G991U", False),
    ],
)
def test_models_are_compared_as_agents_and_sdks_write_them(ours: str, theirs: str, same: bool) -> None:
    assert same_model(ours, theirs) is same
    assert same_model(theirs, ours) is same
    assert differs(install(model=ours), touch("fingerprint", model=theirs)) == (None if same else "other_model")


def test_an_unknown_model_ends_nothing() -> None:
    assert differs(install(model=""), touch("fingerprint")) is None
    assert differs(install(), touch("fingerprint", model="")) is None


def sure(**changes: Any) -> float:
    one = touch("fingerprint", age_us=0, **changes)
    return confidence(install(), one, [one])


def test_the_same_phone_at_once_is_nearly_certain() -> None:
    assert sure() == 0.95


def test_each_doubt_costs_confidence() -> None:
    assert max(sure(model=""), sure(os_version=""), sure(language="fr")) < sure()
    assert sure(os_version="14.1") == sure()  # the install says 14 only: nothing contradicts
    one = touch("fingerprint", age_us=0, os_version="17.2")
    assert confidence(install(os_version="17.4.1"), one, [one]) < 0.95


def test_an_unknown_language_costs_nothing() -> None:
    assert sure(language="") == sure() == sure(language="en-GB")


def test_confidence_falls_with_the_delay() -> None:
    ages = [touch("fingerprint", age_us=hours * HOUR_US) for hours in (0, 1, 6, 12, 24)]
    values = [confidence(install(), one, [one]) for one in ages]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) == len(values)
    assert values[-1] > 0.5


def test_a_touch_a_little_after_the_install_is_no_surer_than_one_at_once() -> None:
    one = touch("fingerprint", age_us=-HOUR_US // 12)
    assert confidence(install(), one, [one]) == 0.95


def test_confidence_falls_with_the_crowd_behind_the_address() -> None:
    one = touch("fingerprint", age_us=0)
    crowd = [one, *(touch("fingerprint", number=n, ua=f"phone {n}") for n in range(2, 6))]
    assert confidence(install(), one, crowd) == pytest.approx(0.95 / 5)
    again = [one, *(touch("fingerprint", number=n) for n in range(2, 6))]
    assert confidence(install(), one, again) == 0.95  # one phone that clicked five times


def test_confidence_stays_between_0_and_1() -> None:
    one = touch("fingerprint", model="", os_version="", language="fr", age_us=24 * HOUR_US)
    crowd = [touch("fingerprint", number=n, ua=str(n)) for n in range(40)]
    assert 0 <= confidence(install(), one, crowd) <= 1
    assert 0 <= confidence(install(), one, []) <= 1
