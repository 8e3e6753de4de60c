from typing import Any

import pytest

from consumers.attribution.facts import Candidate
from consumers.attribution.fingerprint import (
    CROWD_MAX,
    POINTS,
    SUREST,
    confidences,
    crowd,
    differs,
    doubts,
    evidence,
    nobody,
    same_model,
    score,
    well_known,
)
from schemas.identifiers import DeviceId, md5, sha1
from tests.consumers.attribution.samples import GAID, HOUR_US, MINUTE_US, install, touch


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


def test_the_makers_name_and_a_build_are_no_part_of_a_model() -> None:
    assert same_model("SM-G991B", "Samsung SM-G991B Build/TP1A.220624.014", "samsung")
    assert same_model("Redmi Note 8", "xiaomi redmi note 8", "Xiaomi")
    assert same_model("SM-G991B", "Samsung SM-G991B", "")
    assert differs(install(model="Google Pixel 8", maker="Google"), touch("fingerprint")) is None


def test_a_series_name_may_be_left_out() -> None:
    assert same_model("moto g13", "g13 Build/TPA33.1; wv", "motorola")  # as uap-core reads Motorola's agents
    assert not same_model("Pixel 8", "8")
    assert not same_model("Pixel 8 Pro", "Pro")


def test_a_model_that_is_only_its_maker_stays_one() -> None:
    assert same_model("Honor", "HONOR", "Honor")
    assert not same_model("Honor", "Honor 9X", "Honor")


@pytest.mark.parametrize(
    ("theirs", "why"),
    [
        (GAID, None),
        (GAID._replace(value="other"), "other_identifier"),
        (DeviceId("google_aid", "md5", md5("other")), "other_identifier"),
        (DeviceId("oaid", "raw", "other"), None),  # of another kind: nothing to compare
    ],
)
def test_a_touch_that_names_another_device_is_not_this_one(theirs: DeviceId, why: str | None) -> None:
    assert differs(install(), touch("fingerprint", ids=[theirs], device_key=1)) == why


def test_two_digests_that_cannot_be_compared_contradict_nothing() -> None:
    ours, theirs = DeviceId("google_aid", "sha1", sha1("x")), DeviceId("google_aid", "md5", md5("y"))
    assert differs(install(ids=[ours]), touch("fingerprint", ids=[theirs], device_key=1)) is None


# How sure it is: its direction, because the points themselves are fitted


def points_of(of_touch: dict[str, Any], of_install: dict[str, Any] | None = None) -> float:
    return score(install(**of_install or {}), touch("fingerprint", **of_touch))


def sure(one: Candidate, *others: Candidate, among: int = 1, **changed: float) -> float:
    """How sure the first of the candidates is, by points of which some are changed."""
    return confidences(install(), [one, *others], among, {**POINTS, **changed})[one.touch_id]


@pytest.mark.parametrize("unknown", ["model", "os_version", "language"])
def test_each_agreement_raises_it(unknown: str) -> None:
    assert points_of({}) > points_of({unknown: ""})
    assert points_of({unknown: ""}) == points_of({unknown: ""}, {unknown: ""}) == points_of({}, {unknown: ""})


def test_each_doubt_lowers_it() -> None:
    assert points_of({"language": "fr"}) < points_of({"language": ""})
    assert points_of({"os_version": "14.2"}, {"os_version": "14.1"}) < points_of({"os_version": "14.1"})
    assert points_of({"model": "iPhone"}, {"model": "iPhone14,2"}) < points_of({})
    assert points_of({"age_us": HOUR_US}) < points_of({})


def test_a_region_and_a_shorter_version_are_no_doubt() -> None:
    assert points_of({"language": "EN"}) == points_of({"language": "en-GB"}) == points_of({})
    assert points_of({"os_version": "14.1"}) == points_of({}, {"os_version": "14.1"}) == points_of({})


def test_a_family_is_less_telling_than_a_model_whoever_says_no_more() -> None:
    assert "same_family" in evidence(install(model="iPhone"), touch("fingerprint", model="iPhone14,2"))
    assert "same_family" in evidence(install(model="iPhone14,2"), touch("fingerprint", model="iPhone"))
    assert "same_model" in evidence(install(model="iPhone14,2"), touch("fingerprint", model="iPhone14,2"))


@pytest.mark.parametrize(
    ("of_touch", "of_install", "known"),
    [
        ({}, {}, True),
        ({"os_version": "", "language": ""}, {}, True),
        ({"device_key": 7}, {}, True),
        ({}, {"ids": []}, True),
        ({"model": ""}, {}, False),
        ({}, {"model": ""}, False),
        ({"model": "iPhone"}, {"model": "iPhone"}, False),
        ({"language": "fr"}, {}, False),
        ({"os_version": "14.1"}, {"os_version": "14.2"}, False),
        ({"device_key": 7}, {"ids": []}, False),
    ],
)
def test_a_device_is_well_known_by_its_model_when_nothing_stated_makes_it_doubtful(
    of_touch: dict[str, Any], of_install: dict[str, Any], known: bool
) -> None:
    assert well_known(install(**of_install), touch("fingerprint", **of_touch)) is known


@pytest.mark.parametrize(
    ("ours", "theirs", "entry"),
    [
        ([GAID], 7, None),
        ([], None, None),
        ([GAID], None, "touch_unnamed"),
        ([], 7, "install_unnamed"),
    ],
)
def test_a_device_that_only_one_of_them_names_has_an_entry(
    ours: list[DeviceId], theirs: int | None, entry: str | None
) -> None:
    found = evidence(install(ids=ours), touch("fingerprint", device_key=theirs))
    assert set(found) & {"touch_unnamed", "install_unnamed"} == ({entry} if entry else set())


def test_it_falls_with_the_delay() -> None:
    values = [points_of({"age_us": hours * HOUR_US}) for hours in (0, 1, 6, 12, 24)]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) == len(values)


def test_a_touch_a_little_after_the_install_is_no_surer_than_one_at_once() -> None:
    assert evidence(install(), touch("fingerprint", age_us=-MINUTE_US))["minute"] == 0
    assert points_of({"age_us": -MINUTE_US}) <= points_of({"age_us": 0})


def test_it_falls_with_the_crowd_behind_the_address() -> None:
    values = [nobody(touch("fingerprint"), among) for among in (0, 1, 2, 8, CROWD_MAX)]
    assert values == sorted(values)
    assert values[0] == values[1] < values[2] < values[-1]
    stated = [sure(touch("fingerprint"), among=among, none=2) for among in (1, 4, CROWD_MAX)]
    assert stated == sorted(stated, reverse=True)
    assert stated[0] > stated[-1]


def test_a_network_that_was_cut_short_is_less_telling_than_an_address() -> None:
    for whole, cut in (("203.0.113.7", "203.0.113.0/24"), ("2001:db8::7", "2001:db8::/48")):
        assert nobody(touch("fingerprint", ip=cut), 1) > nobody(touch("fingerprint", ip=whole), 1)
    household = doubts(touch("fingerprint", ip="2001:db8:1:2::/64"), 1)
    assert household.keys() == doubts(touch("fingerprint", ip="2001:db8:1:2::7"), 1).keys()
    assert "none_household" in household


def test_a_rival_that_matches_as_well_takes_half() -> None:
    one, rival = touch("fingerprint"), touch("fingerprint", number=2, ua="other phone")
    assert sure(one, rival) == sure(rival, one) < sure(one)
    assert sure(one, rival, none=-50) == 0.5


def test_it_is_never_certain() -> None:
    assert sure(touch("fingerprint"), none=-50) == SUREST < 1


def test_a_rival_that_matches_less_well_takes_less() -> None:
    one = touch("fingerprint")
    rival = touch("fingerprint", number=2, ua="other phone", language="fr", age_us=6 * HOUR_US)
    assert sure(rival, one) < sure(one, rival) <= sure(one)


def test_one_phone_that_clicked_often_is_as_sure_as_its_best_click() -> None:
    one = touch("fingerprint")
    again = [touch("fingerprint", number=number, age_us=number * HOUR_US) for number in range(2, 6)]
    assert confidences(install(), [one, *again], 1) == dict.fromkeys(
        [each.touch_id for each in (one, *again)], sure(one)
    )


def test_it_stays_between_0_and_1() -> None:
    poor = touch("fingerprint", model="", os_version="", language="fr", age_us=24 * HOUR_US)
    for among in (0, 1, CROWD_MAX):
        assert 0 <= sure(poor, touch("fingerprint", number=2), among=among) <= 1
        assert 0 <= sure(touch("fingerprint"), among=among) <= 1


# The crowd


def test_the_crowd_is_every_device_seen_there_in_the_day_before_the_install() -> None:
    phones = [touch("fingerprint", number=n, ua=f"phone {n}") for n in range(1, 6)]
    assert crowd(install(), phones) == 5
    assert crowd(install(), [*phones, *phones]) == 5
    assert crowd(install(), [touch("fingerprint", number=n) for n in range(1, 6)]) == 1
    late = [touch("fingerprint", age_us=age, ua="x") for age in (-1, 24 * HOUR_US + 1)]
    assert crowd(install(), late) == 0
    assert crowd(install(), [touch("fingerprint", age_us=age) for age in (0, 24 * HOUR_US)]) == 1


def test_the_crowd_is_counted_to_a_bound() -> None:
    many = [touch("fingerprint", number=n, ua=str(n)) for n in range(CROWD_MAX + 9)]
    assert crowd(install(), many) == CROWD_MAX


def test_every_entry_of_the_scorecard_can_be_met() -> None:
    pairs = [
        (install(), touch("fingerprint", language="fr", age_us=-MINUTE_US)),
        (install(model="iPhone"), touch("fingerprint", model="iPhone")),
        (install(), touch("fingerprint", device_key=1)),
        (install(ids=[]), touch("fingerprint", device_key=1)),
        (install(os_version="14.1"), touch("fingerprint", os_version="14.2", ip="203.0.113.0/24")),
        (install(), touch("fingerprint", ip="2001:db8::1")),
    ]
    met = {name for ours, theirs in pairs for name in (*evidence(ours, theirs), *doubts(theirs, 2))}
    assert met == set(POINTS)
