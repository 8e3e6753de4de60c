import pytest

from consumers.attribution.facts import Conversion
from consumers.attribution.probes import TOUCH_KINDS, Search, device_keys, looked_for, searches
from schemas import keys
from schemas.addresses import parse_address
from schemas.events import Device, Referrer
from schemas.identifiers import md5, sha1
from schemas.rules import DEFAULT
from tests.consumers.attribution.test_facts import GAID, facts

RULES = DEFAULT.rules.rules


def every_key(one: Conversion) -> list[int]:
    return [key for search in searches(one, RULES) for key in search.keys]


def test_an_install_without_address_and_ids_is_nobodys() -> None:
    one = facts(ip=None, device=Device(os="?"))
    assert device_keys(one) == set()
    assert (one.network, one.os, one.ids) == (None, "other", [])
    assert searches(one, RULES) == []


def test_a_raw_identifier_is_looked_for_in_both_digests_cases_and_kinds_of_touch() -> None:
    one = facts(ids={"google_aid": GAID}, ip=None)
    both = (GAID, GAID.upper())
    assert searches(one, RULES) == [
        Search(
            "identifier",
            touch,
            sha1=[keys.device_key("demo", touch, "google_aid", sha1(case)) for case in both],
            md5=[keys.device_key("demo", touch, "google_aid", md5(case)) for case in both],
        )
        for touch in TOUCH_KINDS
    ]


def test_a_click_id_is_looked_for_among_clicks_only() -> None:
    one = facts(referrer=Referrer(install_referrer="appmetrica_click_id=c1"), ip=None)
    key = keys.click_id_key("demo", "click", "c1")
    assert searches(one, RULES) == [Search("referrer", "click", clicks=[key])]


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
    expected: list[int] = []
    for text in networks:
        network = parse_address(text)
        assert network is not None
        expected.append(keys.print_key("demo", "click", "android", network))
    assert searches(facts(ip=ip), RULES) == ([Search("fingerprint", "click", prints=expected)] if expected else [])


def test_no_key_is_looked_for_twice() -> None:
    one = facts(
        ids={"google_aid": GAID, "google_aid_sha1": sha1(GAID), "oaid": GAID},
        referrer=Referrer(install_referrer="appmetrica_click_id=c1&ym_tracking_id=c1"),
    )
    asked = every_key(one)
    assert len(asked) == len(set(asked))


def test_another_app_looks_for_other_keys() -> None:
    changes = {"ids": {"google_aid": GAID}, "referrer": Referrer(install_referrer="appmetrica_click_id=c1")}
    ours, theirs = every_key(facts(**changes)), every_key(facts(app="other", **changes))
    assert len(ours) == len(theirs)
    assert not set(ours) & set(theirs)


def test_without_rules_every_key_is_looked_for() -> None:
    one = facts(ids={"google_aid": GAID}, referrer=Referrer(install_referrer="appmetrica_click_id=c1"))
    every = {key for search in searches(one) for key in search.keys}
    assert every > set(every_key(one))
    views = {keys.print_key("demo", "impression", "android", network) for network in ("203.0.113.7", "203.0.113.0/24")}
    assert views <= every


def test_two_installs_of_a_device_share_its_keys_whichever_form_its_identifier_came_in() -> None:
    raw, digest = facts(ids={"google_aid": GAID}), facts(ids={"google_aid_md5": md5(GAID)})
    assert device_keys(raw) & device_keys(digest)
    assert not device_keys(digest) & device_keys(facts(ids={"google_aid_sha1": sha1(GAID)}))
    assert not device_keys(raw) & device_keys(facts(ids={"google_aid": GAID}, app="other"))


def test_a_touch_that_the_referrer_names_is_looked_for_by_its_id_as_well() -> None:
    touch_id = "019b76da-a87b-774b-8001-000000000001"
    one = facts(ids={"google_aid": GAID}, referrer=Referrer(install_referrer=f"touchline_id={touch_id}"))
    every = {key for search in searches(one) for key in search.keys}
    assert looked_for(one) == every | {keys.touch_id_key(touch_id)}
    assert looked_for(one, RULES) == set(every_key(one)) | {keys.touch_id_key(touch_id)}
