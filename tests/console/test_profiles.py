"""The profiles that come with the product, and what is told about a wrong one."""

import json
from typing import Any

import msgspec
import pytest

from console.manage.profiles import default_templates
from console.profile_rules import Fault, faults
from console.profiles import Postback, Profile, Style, macros_in, parse_profile, shipped
from schemas.errors import TouchlineError
from schemas.identifiers import is_no_id
from schemas.macros import expand_json, expand_url

NAMES = ["adcolony", "applovin", "generic", "google_ads", "ironsource", "meta", "mintegral", "tiktok", "unity_ads"]
NAMES += ["vk_ads", "yandex_direct"]
INTEGRATED = {"adcolony", "applovin", "generic", "mintegral", "unity_ads"}
GOLDEN = [(one, postback) for one in shipped().values() for postback in one.postbacks]


def sent(profile: Profile, postback: Postback) -> tuple[str, str | None]:
    """(URL, body) of a postback with its golden values: the offered template, its macros expanded."""
    assert postback.golden is not None
    offered = default_templates(profile, postback.golden.account)[profile.postbacks.index(postback)]
    values = postback.golden.values
    return expand_url(offered.url, values), expand_json(offered.body, values) if offered.body is not None else None


def test_the_networks_are_there() -> None:
    assert list(shipped()) == NAMES
    assert {one.name for one in shipped().values() if one.kind == "integrated"} == INTEGRATED


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_wrong_with_a_shipped_profile(name: str) -> None:
    profile = shipped()[name]
    assert faults(profile) == []
    assert all(source.by and source.gives and source.read.year >= 2026 for source in profile.sources)
    assert all(means.strip() for means in profile.macros.values())


@pytest.mark.parametrize(("profile", "postback"), GOLDEN, ids=lambda one: getattr(one, "name", None) or one.event)
def test_the_golden_postback_is_produced_exactly(profile: Profile, postback: Postback) -> None:
    assert postback.golden is not None, "each shipped postback has one"
    assert sent(profile, postback) == (postback.golden.url, postback.golden.body)


@pytest.mark.parametrize("name", NAMES)
def test_a_macro_that_the_network_forgot_is_no_identifier(name: str) -> None:
    profile = shipped()[name]
    assert [macro for macro in profile.macros if not is_no_id(macro)] == []
    assert [value for value in profile.parameters.values() if not is_no_id(value)] == []


@pytest.mark.parametrize(
    ("style", "text", "found"),
    [
        ("{x}", "a={IDFA}&b={DeviceIds[IFA]}&c=x", ["{IDFA}", "{DeviceIds[IFA]}"]),
        ("{{x}}", "a={{campaign_id}}", ["{{campaign_id}}"]),
        ("${x}", "a=${AUCTION_ID}", ["${AUCTION_ID}"]),
        ("[x]", "a=[IP_ADDRESS]&b=[]", ["[IP_ADDRESS]"]),
        ("__x__", "a=__CALLBACK_PARAM__&b=__&c=__X", ["__CALLBACK_PARAM__"]),
        ("%%x%%", "a=%%CLICK_ID%%&b=%20", ["%%CLICK_ID%%"]),
    ],
)
def test_each_network_writes_macros_in_its_own_style(style: Style, text: str, found: list[str]) -> None:
    assert macros_in(text, (style,)) == found
    assert macros_in(text) == found, "whichever styles are looked for"
    assert all(is_no_id(macro) for macro in found)


def good(**changes: Any) -> Profile:
    profile = {
        "name": "adnet",
        "title": "Ad Network",
        "kind": "integrated",
        "sources": [{"url": "https://adnet.example/docs", "by": "Ad Network", "gives": "all", "read": "2026-11-22"}],
        "call": "redirect",
        "style": ["{x}"],
        "macros": {"{cid}": "click"},
        "macro_urls": {"click": "{base}?c={cid}"},
        "parameters": {"click_id": "{cid}"},
        "account": {"key": "in the dashboard"},
        "postbacks": [postback()],
    }
    return parse_profile(json.dumps(profile | changes).encode())


def postback(**changes: Any) -> dict[str, Any]:
    url = "https://adnet.example/p?k={account:key}&c={click_id}"
    golden = {
        "values": {"click_id": "a/1"},
        "account": {"key": "k&1"},
        "url": "https://adnet.example/p?k=k%261&c=a%2F1",
    }
    return {"event": "install", "url": url, "success": "2xx", "golden": golden} | changes


POST = {"method": "POST", "body": '{"k": "{account:key}", "c": "{click_id}"}'}
POST_GOLDEN = postback()["golden"] | {"values": {"click_id": '"\n'}, "url": "https://adnet.example/p?k=k%261&c=%22%0A"}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"kind": "draft", "missing": ["its postback"], "postbacks": [], "account": {}},
        {"parameters": {"click_id": "{cid}", "mt_cost_model": "CPI", "both": "{cid}_{cid}", "ios_ifa@ios": "{cid}"}},
        {"postbacks": [postback(**POST, golden=POST_GOLDEN | {"body": '{"k": "k&1", "c": "\\"\\n"}'})]},
        {"postbacks": [postback(), postback(event="level_up", golden=None)]},
    ],
)
def test_a_good_profile_has_no_faults(changes: dict[str, Any]) -> None:
    assert faults(good(**changes)) == []


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"name": "Ad Net"}, "name", "no name"),
        ({"title": " "}, "title", "empty"),
        ({"missing": ["something"]}, "missing", "misses nothing"),
        ({"kind": "draft"}, "missing", "says what is missing"),
        ({"sources": []}, "sources", "none"),
        ({"sources": [{"url": "ftp://x", "by": "", "gives": "", "read": "2026-11-22"}]}, "sources[0].url", "https"),
        ({"macro_urls": {}}, "macro_urls", "the network prints"),
        ({"call": None}, "parameters", "how it calls"),
        ({"macro_urls": {"click": "https://x.example/?c={cid}"}}, "macro_urls.click", "{base}"),
        ({"macro_urls": {"click": "{base}?c={other}"}}, "macro_urls.click", "{other} is not among"),
        ({"macro_urls": {"click": "{base}?c=[cid]"}}, "macro_urls.click", "[cid] is not among"),
        ({"parameters": {"click_id": "{other}"}}, "parameters.click_id", "{other} is not among"),
        ({"style": ["[x]"]}, "macros", "not written as"),
        ({"parameters": {"click_id": "{cid}&x=1"}}, "parameters.click_id", "neither a macro nor"),
        ({"parameters": {"click id": "{cid}"}}, "parameters.click id", "A name has"),
        ({"parameters": {"click_id@web": "{cid}"}}, "parameters.click_id@web", "A name has"),
        ({"parameters": {"noredirect": "1"}}, "parameters.noredirect", "no parameter"),
        ({"call": "s2s"}, "parameters.device_ip", "must say this"),
        ({"account": {}}, "account.key", "needs it"),
        ({"account": {"key": "", "other": ""}}, "account.other", "No postback"),
        ({"postbacks": [postback(golden=None)]}, "postbacks", "golden"),
        ({"postbacks": [postback(event="")]}, "postbacks[0].event", "empty"),
        ({"postbacks": [postback(url="https://{click_id}/")]}, "postbacks[0].url", "macro in its host"),
        ({"postbacks": [postback(url="/p?k={account:key}")]}, "postbacks[0].url", "does not start"),
        ({"postbacks": [postback(reversal_url="javascript:1")]}, "postbacks[0].reversal_url", "does not start"),
        ({"postbacks": [postback(body="{}")]}, "postbacks[0].body", "GET has none"),
        ({"postbacks": [postback(method="POST")]}, "postbacks[0].body", "POST has a body"),
        ({"postbacks": [postback(method="POST", body="{click_id}")]}, "postbacks[0].body", "no JSON"),
        (
            {"postbacks": [postback(url="https://adnet.example/?k={account:key}")]},
            "postbacks[0].golden.url",
            "comes of it",
        ),
        ({"postbacks": [postback(**POST)]}, "postbacks[0].golden.body", "comes of it"),
        ({"postbacks": [postback(golden={"values": {}, "url": ""})]}, "postbacks[0].golden.account", "lacks key"),
    ],
)
def test_a_wrong_profile_is_told_where(changes: dict[str, Any], field: str, said: str) -> None:
    found = faults(good(**changes))
    assert [one for one in found if one.field == field and said in one.sentence], found


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "truncated"),
        (b'{"name": "\xff"}', "no profile"),
        (msgspec.json.encode(msgspec.to_builtins(good()) | {"colour": "red"}), "colour"),
        (msgspec.json.encode(msgspec.to_builtins(good()) | {"style": ["<x>"]}), "style"),
        (b'"' + b"x" * 300_000 + b'"', "at most 262144 bytes"),
    ],
)
def test_what_is_no_profile_is_refused_with_the_place(content: bytes, said: str) -> None:
    with pytest.raises(TouchlineError, match=said):
        parse_profile(content)


def test_a_fault_has_a_field_and_a_sentence() -> None:
    assert faults(good(title="")) == [Fault("title", "It is empty.")]
