"""What comes of a profile: addresses, and postbacks to create."""

import json
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.manage.common import Refused
from console.manage.profiles import (
    TrackingUrls,
    chosen_profile,
    default_templates,
    kept_parameters,
    partner_urls,
    tracking_urls,
)
from console.profile_rules import with_call
from console.profiles import macros_in, shipped
from schemas.query import split_query
from tests.console.conftest import Console

EDGE = "https://go.example"
ACCOUNTS = {
    "adcolony": {"api_key": "k"},
    "applovin": {"sdk_key": "k"},
    "generic": {"host": "adnet.example"},
    "ironsource": {"src": "s", "advertiser_id": "1", "password": "p"},
    "unity_ads": {"game_id": "1"},
}


@pytest.fixture
def shell(tmp_path: Path) -> Console:
    """The commands, without Postgres: profiles are files."""
    return Console("postgresql://nobody@127.0.0.1:1/none", tmp_path)


def test_a_network_with_one_macro_for_both_platforms_gets_an_address_for_each() -> None:
    android, ios = tracking_urls(shipped()["unity_ads"], EDGE, "77")
    assert (android.platform, ios.platform) == ("android", "ios")
    assert android.click.startswith("https://go.example/c/77.gif?google_aid={ifa}&device_ip={ip}&")
    assert ios.click.startswith("https://go.example/c/77.gif?ios_ifa={ifa}&device_ip={ip}&")
    assert ios.impression == ios.click.replace("/c/", "/i/")


def test_a_person_is_sent_on_and_a_server_pings() -> None:
    (direct,) = tracking_urls(shipped()["yandex_direct"], EDGE + "/", "77")
    assert direct.click == (
        "https://go.example/c/77?click_id={logid}&site_id={source}&mt_campaign={campaign_id}&campaign_name={campaign_name}"
    )
    assert urlsplit(direct.impression).path == "/i/77.gif"
    (generic,) = tracking_urls(shipped()["generic"], EDGE, "77")
    assert generic.click.startswith("https://go.example/c/77?click_id={click_id}&")
    assert generic.click.endswith("&noredirect")
    assert generic.impression == generic.click.replace("/c/", "/i/")


def test_a_network_that_calls_nobody_has_no_addresses() -> None:
    assert tracking_urls(shipped()["google_ads"], EDGE, "77") == []


@pytest.mark.parametrize("profile", shipped().values(), ids=lambda one: one.name)
def test_addresses_hold_documented_macros_only(profile: object) -> None:
    one = shipped()[profile.name]  # type: ignore[attr-defined]
    for urls in tracking_urls(one, EDGE, "77"):
        for url in (urls.click, urls.impression):
            assert set(macros_in(url)) <= one.macros.keys()
            names = list(split_query(urlsplit(url).query))
            assert len(names) == url.count("&") + 1, "each name stands once"


def test_a_partner_with_a_name_only_gets_our_own_macros() -> None:
    assert kept_parameters(None, {}) == with_call(shipped()["generic"])


def test_own_parameters_stand_beside_or_instead_of_the_profiles() -> None:
    own = {"google_aid": "%%GAID%%", "mt_sub1": "fixed-1", "device_ua": "", "@call": "redirect"}
    kept = kept_parameters(shipped()["unity_ads"], own)
    assert kept["google_aid"] == "%%GAID%%"
    assert "google_aid@android" not in kept
    assert kept["ios_ifa@ios"] == "{ifa}"
    assert "device_ua" not in kept
    android, ios = tracking_urls(kept, EDGE, "77")
    assert "google_aid=%%GAID%%" in android.click
    assert "google_aid=%%GAID%%" in ios.click
    assert "mt_sub1=fixed-1" in ios.click
    assert urlsplit(ios.click).path == "/c/77"


def test_a_partner_is_shown_its_addresses_by_the_name_of_its_profile() -> None:
    assert partner_urls(None, {}, EDGE, "77") == tracking_urls(shipped()["generic"], EDGE, "77")
    assert partner_urls("unity_ads", {}, EDGE, "77") == tracking_urls(shipped()["unity_ads"], EDGE, "77")
    (own,) = partner_urls("google_ads", {"click_id": "{gclid}"}, EDGE, "77")
    assert own.click == "https://go.example/c/77?click_id={gclid}"
    (own,) = partner_urls("of a file", {"click_id": "[CID]", "@call": "pixel"}, EDGE, "77")
    assert own.click == "https://go.example/c/77.gif?click_id=[CID]"


@pytest.mark.parametrize(
    ("own", "field"),
    [
        ({"click_id": "a&b=c"}, "parameters.click_id"),
        ({"click_id": "{x}#"}, "parameters.click_id"),
        ({"click_id": "{x}" * 100}, "parameters.click_id"),
        ({"a b": "{x}"}, "parameters.a b"),
        ({"@call": "carrier pigeon"}, "parameters.@call"),
        ({"click_timestamp": ""}, "parameters.click_timestamp"),
    ],
)
def test_wrong_parameters_are_refused_by_name(own: dict[str, str], field: str) -> None:
    with pytest.raises(Refused) as refused:
        kept_parameters(None, own)
    assert refused.value.field == field


@pytest.mark.parametrize("profile", shipped().values(), ids=lambda one: one.name)
def test_a_profile_offers_its_postbacks_and_a_draft_offers_them_off(profile: object) -> None:
    one = shipped()[profile.name]  # type: ignore[attr-defined]
    offered = default_templates(one, ACCOUNTS.get(one.name, {}))
    assert [postback.event for postback in offered] == [postback.event for postback in one.postbacks]
    assert {postback.mode for postback in offered} <= {"attributed" if one.kind == "integrated" else "off"}
    assert not [postback for postback in offered if "{account:" in postback.url]


def test_a_value_that_postbacks_need_is_asked_for() -> None:
    with pytest.raises(Refused, match="Game ID of the advertised app") as refused:
        default_templates(shipped()["unity_ads"], {})
    assert refused.value.field == "account.game_id"
    with pytest.raises(Refused, match="it knows game_id") as refused:
        default_templates(shipped()["unity_ads"], {"game_id": "1", "key": "x"})
    assert refused.value.field == "account.key"
    with pytest.raises(Refused, match="cannot be printed"):
        default_templates(shipped()["unity_ads"], {"game_id": "1\x00"})
    with pytest.raises(Refused, match="no host that can exist"):
        default_templates(shipped()["generic"], {"host": "a b/c@d"})


@settings(deadline=None)
@given(st.text(min_size=1, max_size=40).filter(str.isprintable))
def test_a_value_of_the_operator_stays_in_its_place(key: str) -> None:
    (install, *_) = default_templates(shipped()["applovin"], {"sdk_key": key})
    assert install.url.isascii()
    assert urlsplit(install.url).hostname == "rt.applovin.com"
    stated = dict(parse_qsl(urlsplit(install.url).query, keep_blank_values=True))
    plain = dict(parse_qsl(urlsplit(default_templates(shipped()["applovin"], {"sdk_key": "k"})[0].url).query))
    assert stated == plain | {"sdk_key": key}


def test_a_file_is_a_profile_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    draft = msgspec.to_builtins(shipped()["vk_ads"])
    file.write_text(json.dumps(draft | {"name": "mine"}))
    assert chosen_profile(str(file)).name == "mine"
    assert chosen_profile("vk_ads") is shipped()["vk_ads"]
    file.write_text(json.dumps(draft | {"title": ""}))
    with pytest.raises(Refused, match="comes with the product"):
        chosen_profile(str(file))
    with pytest.raises(Refused, match="'nope' is none of adcolony, "):
        chosen_profile("nope")
    with pytest.raises(FileNotFoundError):
        chosen_profile(str(tmp_path / "absent.json"))


def test_the_profiles_are_listed_and_shown(shell: Console) -> None:
    listed = shell.facts("partner-profile", "list")
    assert [one["name"] for one in listed] == list(shipped())
    shown = shell.facts("partner-profile", "show", "unity_ads", "--link", "77")
    assert shown["sources"][0]["read"] == "2026-11-22"
    assert [TrackingUrls(**one) for one in shown["urls"]] == tracking_urls(shipped()["unity_ads"], EDGE, "77")
    page = shell.run("partner-profile", "show", "yandex_direct").stdout
    assert "Missing: The postback in Yandex's own words" in page
    assert "https://go.example/c/LINK?click_id={logid}" in page
    assert shell.refusal("partner-profile", "show", "nope", code=1).startswith(
        "touchline partner-profile show: profile: 'nope' is none of adcolony, "
    )


def test_a_file_is_checked_before_it_is_used(tmp_path: Path, shell: Console) -> None:
    file = tmp_path / "mine.json"
    draft = msgspec.to_builtins(shipped()["vk_ads"])
    file.write_text(json.dumps(draft | {"name": "mine"}))
    assert "is good: the draft profile mine." in shell.run("partner-profile", "check", str(file)).stdout
    file.write_text(json.dumps(draft | {"name": "mine", "missing": [], "call": "s2s"}))
    told = shell.facts("partner-profile", "check", str(file), code=1)["faults"]
    assert [one["field"] for one in told] == [
        "missing",
        "parameters.device_ip",
        "parameters.device_ua",
        "parameters.click_timestamp",
    ]
    file.write_text(json.dumps(draft | {"colour": "red"}))
    assert "unknown field `colour`" in shell.refusal("partner-profile", "check", str(file), code=1)
