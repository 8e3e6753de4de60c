from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.accept import accept
from ingest.caller import caller
from ingest.hits import form_and_link, split_target
from ingest.stated import FUTURE_US, LATE_US, S2S_PARAMETERS
from ingest.touch import Form, Outcome, Request
from schemas.codec import decode_hit, decode_reject, encode
from schemas.events import Hit, Mode, Reject, TouchKind
from schemas.ids import received_us
from schemas.links import App, Stores, Target
from tests.ingest.samples import (
    ANDROID,
    ANDROID_FIREFOX,
    APP,
    APP_FALLBACK_URL,
    BARE_APP,
    DESKTOP,
    FALLBACK_URL,
    IPHONE,
    LINK,
    PAUSED,
    PAUSED_NOWHERE,
    PLAY_URL,
    TRACKING,
    VENDOR_SAMPLE,
    link,
    put,
    some_links,
)

NOW_US = 1_767_225_600_123_456
NOW_S = NOW_US // 10**6
LINKS = some_links()

NO_HEADERS: Mapping[str, str] = MappingProxyType({})
NAVIGATION = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
OLD_NAVIGATION = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
IMAGE = {"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}


def ask(
    query: str = "",
    *,
    form: Form = "serve",
    to: str = LINK,
    host: str = "redirect.localhost",
    ua: str = ANDROID,
    peer: str = "198.51.100.9",
    head: bool = False,
    headers: Mapping[str, str] = NO_HEADERS,
) -> Outcome:
    return accept(
        Request(form, to, host, query, caller({"user-agent": ua, **headers}), peer, head, NOW_US),
        LINKS,
    )


def s2s(**changes: str | None) -> str:
    """A ping's query; None leaves a parameter out, "" makes it bare."""
    values: dict[str, str | None] = {
        "click_id": "c1",
        "device_ip": "203.0.113.7",
        "device_ua": ANDROID,
        "click_timestamp": str(NOW_S - 60),
        "noredirect": "",
    }
    values |= changes
    pairs = ((name, quote(value, safe="/")) for name, value in values.items() if value is not None)
    return "&".join(f"{name}={value}" if value else name for name, value in pairs)


def hit_of(outcome: Outcome) -> Hit:
    """The hit, as the log gives it back."""
    assert outcome.hit is not None
    assert outcome.reject is None
    return decode_hit(encode(outcome.hit))


def reject_of(outcome: Outcome) -> Reject:
    assert outcome.reject is not None
    assert outcome.hit is None
    return decode_reject(encode(outcome.reject))


# The table of answers, row by row.


def test_a_persons_click_is_redirected_and_recorded() -> None:
    headers = NAVIGATION | {"referer": "https://news.example/"}
    outcome = ask("click_id=c1&site_id=7", ua=ANDROID_FIREFOX, headers=headers)
    hit = hit_of(outcome)
    assert (outcome.status, outcome.patience) == (302, "person")
    assert outcome.location == f"{PLAY_URL}&referrer=touchline_id%3D{hit.id}"
    assert (hit.kind, hit.link, hit.app, hit.mode) == ("click", LINK, APP, "redirect")
    assert (hit.ip, hit.ua, hit.query) == ("198.51.100.9", ANDROID_FIREFOX, "click_id=c1&site_id=7")
    assert hit.touched_us == NOW_US
    assert received_us(hit.id) == NOW_US // 1000 * 1000
    assert hit.headers == {"referer": "https://news.example/"}
    assert hit.flags == []


def test_chrome_of_android_opens_the_app_or_goes_to_the_store() -> None:
    outcome = ask("click_id=c1", headers=NAVIGATION)
    fallback = quote(f"{PLAY_URL}&referrer=touchline_id%3D{hit_of(outcome).id}", safe="")
    assert outcome.location == (
        f"intent://open?click=c1&touchline_id={hit_of(outcome).id}#Intent;scheme=demo;package=com.example.demo;"
        f"S.browser_fallback_url={fallback};end"
    )


WEB_VIEW = ANDROID.replace("Pixel 8 Build/UD1A.230803.041", "Pixel 8 Build/UD1A.230803.041; wv")


@pytest.mark.parametrize(
    ("ua", "headers"),
    [
        (WEB_VIEW, NAVIGATION),
        (ANDROID.replace("Chrome/", "Version/4.0 Chrome/"), NAVIGATION),
        (ANDROID, NAVIGATION | {"x-requested-with": "com.example.reader"}),
        (ANDROID, {}),  # whatever it is, nobody looks at a page
        (ANDROID, {"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}),
    ],
)
def test_whatever_may_not_know_intents_goes_to_the_store(ua: str, headers: dict[str, str]) -> None:
    location = ask(ua=ua, headers=headers).location
    assert location is not None
    assert location.startswith(PLAY_URL)


def test_the_package_is_the_apps_when_the_address_does_not_say_it() -> None:
    links = some_links()
    target = Target(store="app_gallery", url="https://appgallery.huawei.com/app/C1", deep_link="demo://open", app="h")
    put(links, App(id="h", stores=Stores(google_play="com.example.h")), link("9", targets=(target,)))
    request = Request("click", "9", "h", "", caller({"user-agent": ANDROID, **NAVIGATION}), "198.51.100.9", False, 1)
    location = accept(request, links).location
    assert location is not None
    assert "#Intent;scheme=demo;package=com.example.h;S." in location


@pytest.mark.parametrize(("mode", "status"), [("person", 302), ("ping", 204)])
def test_a_preinstall_link_has_no_clicks(mode: str, status: int) -> None:
    links = some_links()
    put(links, link("9", kind="preinstall"))
    headers = NAVIGATION if mode == "person" else {}
    query = "" if mode == "person" else s2s()
    request = Request(
        "click", "9", "h", query, caller({"user-agent": ANDROID, **headers}), "198.51.100.9", False, NOW_US
    )
    outcome = accept(request, links)
    assert outcome.status == status
    assert outcome.location == (FALLBACK_URL if mode == "person" else None)
    assert hit_of(outcome).flags == ["preinstall"]


@pytest.mark.parametrize("query", ["%", "&&=&", "a=%00", "noredirect=0&device_ip=x", "a=" + "x" * 30_000, "\udcff"])
def test_a_person_is_redirected_whatever_the_query_says(query: str) -> None:
    outcome = ask(query)
    assert outcome.status == 302
    assert outcome.location is not None
    assert outcome.location.startswith(PLAY_URL)
    assert hit_of(outcome).mode == "redirect"


def test_wrong_parameters_of_a_person_are_flags() -> None:
    outcome = ask("noredirect=0&device_ip=localhost&click_timestamp=soon")
    assert outcome.status == 302
    hit = hit_of(outcome)
    assert hit.flags == ["bad_device_ip", "bad_click_timestamp"]
    assert (hit.ip, hit.touched_us) == ("198.51.100.9", NOW_US)


def test_a_head_request_is_a_flagged_click() -> None:
    outcome = ask(head=True)
    assert outcome.status == 302
    assert hit_of(outcome).flags == ["head"]


@pytest.mark.parametrize(("host", "kind"), [("redirect.localhost", "click"), ("impression.localhost", "impression")])
def test_an_ad_servers_ping_is_answered_empty_and_only_when_durable(host: str, kind: TouchKind) -> None:
    outcome = ask(s2s(), host=host, ua="curl/8.5.0", headers={"accept-language": "de"})
    hit = hit_of(outcome)
    assert (outcome.status, outcome.patience, outcome.location) == (204, "machine", None)
    assert (hit.kind, hit.mode, hit.ip, hit.ua) == (kind, "s2s", "203.0.113.7", "")
    assert hit.touched_us == (NOW_S - 60) * 10**6
    assert hit.query == s2s()
    assert hit.flags == []


@pytest.mark.parametrize("host", ["redirect.localhost", "impression.localhost"])
@pytest.mark.parametrize("name", S2S_PARAMETERS)
@pytest.mark.parametrize("value", [None, ""])
def test_a_ping_without_a_required_parameter_is_told_its_name(name: str, value: str | None, host: str) -> None:
    query = s2s(**{name: value})
    outcome = ask(query, host=host, ua="curl/8.5.0", headers={"x-moz": "prefetch"})
    assert (outcome.status, outcome.reason, outcome.parameter) == (400, f"missing_{name}", name)
    assert name in outcome.detail
    reject = reject_of(outcome)
    assert (reject.link, reject.reason, reject.parameter) == (LINK, f"missing_{name}", name)
    assert (reject.query, reject.ip, reject.ua) == (query, "198.51.100.9", "curl/8.5.0")
    assert reject.headers == {"x-moz": "prefetch"}
    assert reject.kind == ("impression" if host.startswith("impression") else "click")


def test_the_first_missing_parameter_is_named() -> None:
    assert ask("noredirect").parameter == "device_ip"


def test_an_impression_in_a_page_is_of_the_peer() -> None:
    outcome = ask(s2s(noredirect=None), form="impression_gif", ua=DESKTOP, headers=IMAGE)
    hit = hit_of(outcome)
    assert (outcome.status, outcome.patience, outcome.gif) == (200, "person", True)
    assert (hit.kind, hit.mode, hit.ip, hit.ua, hit.touched_us) == (
        "impression", "page", "198.51.100.9", DESKTOP, NOW_US,
    )  # fmt: skip


def test_a_server_that_asks_for_the_picture_speaks_of_a_device() -> None:
    query = "device_ip=203.0.113.7&device_ua=Go&click_id=1"
    hit = hit_of(ask(query, form="click_gif", ua="Go-http-client/2.0"))
    assert (hit.kind, hit.mode, hit.ip, hit.ua, hit.touched_us) == ("click", "page", "203.0.113.7", "Go", NOW_US)
    assert hit_of(ask("device_ip=nonsense", form="click_gif", ua="Go-http-client/2.0")).flags == ["bad_device_ip"]
    seen = hit_of(ask(query, form="click_gif", ua=DESKTOP, headers={"accept-language": "de"}))
    assert (seen.ip, seen.ua) == ("198.51.100.9", DESKTOP)


def test_an_impression_in_a_page_without_a_picture_is_empty() -> None:
    outcome = ask(form="impression", headers=IMAGE)
    assert (outcome.status, outcome.patience, outcome.gif) == (204, "person", False)
    assert hit_of(outcome).mode == "page"


def test_a_click_beside_the_landing_is_not_redirected() -> None:
    picture = ask(form="click_gif", headers=IMAGE)
    assert (picture.status, picture.gif, hit_of(picture).kind) == (200, True, "click")
    assert ask("noredirect=0", form="click_gif", headers=NAVIGATION).location is None
    tracking = ask(to=TRACKING, headers=NAVIGATION)
    assert (tracking.status, tracking.gif, tracking.location) == (204, False, None)
    assert (hit_of(tracking).kind, hit_of(tracking).mode) == ("click", "page")
    assert hit_of(ask("noredirect=0", to=TRACKING, headers=NAVIGATION)).mode == "redirect"


@pytest.mark.parametrize("form", ["serve", "click", "impression", "click_gif", "impression_gif"])
@pytest.mark.parametrize("query", ["", s2s()])
def test_an_unknown_link_is_a_404_for_everybody(form: Form, query: str) -> None:
    outcome = ask(query, form=form, to="42")
    assert (outcome.status, outcome.reason) == (404, "unknown_link")
    assert outcome.hit is None
    assert outcome.reject is None


def test_a_paused_link_leads_to_its_fallback() -> None:
    outcome = ask(to=PAUSED, headers=NAVIGATION)
    assert (outcome.status, outcome.location) == (302, FALLBACK_URL)
    assert hit_of(outcome).flags == ["paused"]


def test_a_paused_link_without_a_fallback_leads_to_the_apps() -> None:
    put(LINKS, link("78", fallback_url=None, paused=True))
    assert ask(to="78").location == APP_FALLBACK_URL


def test_a_paused_link_that_leads_nowhere_shows_a_page() -> None:
    outcome = ask(to=PAUSED_NOWHERE)
    assert (outcome.status, outcome.page, outcome.location) == (200, True, None)
    assert (hit_of(outcome).flags, hit_of(outcome).app) == (["paused"], BARE_APP)


def test_a_machine_at_a_paused_link_is_recorded_and_told_nothing() -> None:
    outcome = ask(s2s(), to=PAUSED_NOWHERE)
    assert outcome.status == 204
    assert hit_of(outcome).flags == ["paused"]


def test_a_device_that_no_target_serves_is_sent_to_the_fallback() -> None:
    outcome = ask(ua=DESKTOP)
    assert (outcome.status, outcome.location) == (302, FALLBACK_URL)
    assert hit_of(outcome).flags == ["no_target"]


def test_the_touch_belongs_to_the_app_of_the_chosen_target() -> None:
    assert hit_of(ask(ua=IPHONE)).app == "demo-ios"
    assert hit_of(ask(s2s(device_ua=IPHONE), ua="curl/8.5.0")).app == "demo-ios"
    assert hit_of(ask(s2s(device_ua=DESKTOP), ua=IPHONE)).app == APP


# Which kind, and which mode.


@pytest.mark.parametrize(
    ("form", "host", "kind"),
    [
        ("serve", "redirect.localhost:8080", "click"),
        ("serve", "impression.localhost:8080", "impression"),
        ("serve", "ads.example", "click"),
        ("serve", "", "click"),
        ("serve", "my-impression.example", "click"),
        ("click", "impression.localhost", "click"),
        ("click_gif", "impression.localhost", "click"),
        ("impression", "redirect.localhost", "impression"),
        ("impression_gif", "redirect.localhost", "impression"),
    ],
)
def test_the_path_says_the_kind_of_touch_else_the_host(form: Form, host: str, kind: TouchKind) -> None:
    assert hit_of(ask(form=form, host=host)).kind == kind


@pytest.mark.parametrize(
    ("noredirect", "headers", "mode"),
    [
        ("", {}, "s2s"),
        ("1", {}, "s2s"),
        ("", NAVIGATION, "s2s"),
        ("1", NAVIGATION, "s2s"),
        ("0", {}, "redirect"),
        ("0", NAVIGATION, "redirect"),
        (None, {}, "s2s"),
        (None, {"accept": "*/*"}, "s2s"),
        (None, {"sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}, "s2s"),
        (None, NAVIGATION, "redirect"),
        (None, OLD_NAVIGATION, "redirect"),
    ],
)
def test_noredirect_says_who_asks(noredirect: str | None, headers: dict[str, str], mode: Mode) -> None:
    assert hit_of(ask(s2s(noredirect=noredirect), headers=headers)).mode == mode


@pytest.mark.parametrize("name", S2S_PARAMETERS)
def test_two_of_the_three_parameters_make_no_ping(name: str) -> None:
    outcome = ask(s2s(noredirect=None, **{name: None}))
    assert (outcome.status, hit_of(outcome).mode) == (302, "redirect")


def test_the_first_noredirect_counts() -> None:
    assert hit_of(ask("noredirect=0&" + s2s())).mode == "redirect"
    assert hit_of(ask(s2s() + "&noredirect=0")).mode == "s2s"


def test_a_person_who_navigates_with_a_pings_parameters_is_seen_as_the_peer() -> None:
    hit = hit_of(ask(s2s(noredirect=None), ua=IPHONE, headers=NAVIGATION))
    assert (hit.ip, hit.ua, hit.touched_us, hit.app) == ("198.51.100.9", IPHONE, NOW_US, "demo-ios")


def test_noredirect_0_redirects_with_the_facts_of_the_ping() -> None:
    outcome = ask(s2s(noredirect="0", device_ua=IPHONE), ua="curl/8.5.0")
    hit = hit_of(outcome)
    assert outcome.status == 302
    assert str(outcome.location).startswith("https://apps.apple.com/")
    assert (hit.mode, hit.ip, hit.ua, hit.touched_us) == ("redirect", "203.0.113.7", IPHONE, (NOW_S - 60) * 10**6)


def test_noredirect_0_with_an_old_time_is_late_too() -> None:
    assert hit_of(ask(s2s(noredirect="0", click_timestamp="0"))).flags == ["late"]


@pytest.mark.parametrize(
    ("kind", "headers", "status"), [("impression", IMAGE, 204), ("impression", NAVIGATION, 302), ("serve", IMAGE, 302)]
)
def test_an_impression_redirects_only_somebody_who_navigates(kind: Form, headers: dict[str, str], status: int) -> None:
    assert ask(form=kind, headers=headers).status == status


@pytest.mark.parametrize("dest", ["iframe", "frame", "embed", "object", "image", "script", "empty", "IFRAME"])
def test_a_frame_or_a_part_of_a_page_is_no_navigation(dest: str) -> None:
    headers = {"sec-fetch-mode": "navigate", "sec-fetch-dest": dest, "accept": "text/html"}
    assert ask(form="impression", headers=headers).status == 204


# The parameters of a ping.


@pytest.mark.parametrize("host", ["redirect.appmetrica.example", "impression.appmetrica.example"])
def test_the_vendors_own_sample_is_taken_byte_for_byte(host: str) -> None:
    host, path, query = split_target(VENDOR_SAMPLE, host)
    form, to = form_and_link(path)
    outcome = ask(query, form=form, to=to, host=host, ua="", headers={"accept": "*/*"})
    hit = hit_of(outcome)
    assert (outcome.status, outcome.patience) == (204, "machine")
    assert hit.query == VENDOR_SAMPLE.partition("?")[2]
    assert (hit.ip, hit.ua, hit.touched_us) == ("192.0.2.0/24", "", 1_453_895_044_000_000)
    assert hit.flags == ["late"]  # it is of 2016: stored, never matched
    assert hit.kind == ("click" if host.startswith("redirect") else "impression")


@pytest.mark.parametrize(
    ("text", "ip"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("192.0.2.77/24", "192.0.2.0/24"),
        ("192.0.2.7/32", "192.0.2.7"),
        ("2001:DB8::7", "2001:db8::7"),
        ("2001:db8:1:2::/64", "2001:db8:1:2::/64"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("64:ff9b::192.0.2.7", "192.0.2.7"),
    ],
)
def test_device_ip_is_an_address_or_a_network(text: str, ip: str) -> None:
    assert hit_of(ask(s2s(device_ip=text))).ip == ip


@pytest.mark.parametrize(
    "text", ["localhost", "1.2.3", "192.0.2.256", "192.0.2.0/33", "::g", "{ip}", "1.2.3.4,5.6.7.8"]
)
def test_what_is_no_address_is_refused_with_its_words(text: str) -> None:
    outcome = ask(s2s(device_ip=text))
    assert (outcome.status, outcome.reason, outcome.parameter) == (400, "bad_device_ip", "device_ip")
    assert text in outcome.detail


def test_an_encoded_slash_and_colon_are_read() -> None:
    query = f"device_ip=2001%3Adb8%3A%3A%2F64&device_ua=x&click_timestamp={NOW_S}&noredirect"
    assert hit_of(ask(query)).ip == "2001:db8::/64"


@pytest.mark.parametrize(
    ("age_s", "flags"),
    [(0, []), (12 * 3600 - 1, []), (12 * 3600 + 1, ["late"]), (12 * 3600 * 1000, ["late"]), (-300, [])],
)
def test_a_touch_is_late_after_12_hours(age_s: int, flags: list[str]) -> None:
    outcome = ask(s2s(click_timestamp=str(NOW_S - age_s)))
    assert outcome.status == 204
    assert hit_of(outcome).flags == flags


def test_limits_are_those_of_the_design() -> None:
    assert (LATE_US, FUTURE_US) == (12 * 3600 * 10**6, 300 * 10**6)


def test_a_timestamp_of_0_is_stored_as_late() -> None:
    hit = hit_of(ask(s2s(click_timestamp="0")))
    assert (hit.touched_us, hit.flags) == (0, ["late"])


def test_the_first_second_beyond_5_minutes_ahead_is_refused() -> None:
    outcome = ask(s2s(click_timestamp=str(NOW_S + 301)))
    assert (outcome.status, outcome.reason) == (400, "click_timestamp_in_future")
    assert outcome.parameter == "click_timestamp"
    assert "5 minutes" in outcome.detail


@pytest.mark.parametrize("text", [str(NOW_US // 1000), str(NOW_US), "00" + str(NOW_US // 1000), "9" * 20])
def test_milliseconds_are_refused_with_words_that_help(text: str) -> None:
    outcome = ask(s2s(click_timestamp=text))
    assert (outcome.status, outcome.reason) == (400, "click_timestamp_in_milliseconds")
    assert "looks like milliseconds" in outcome.detail
    assert outcome.parameter == "click_timestamp"


@pytest.mark.parametrize("text", ["now", "-1", "1453895044.5", "1e9", "+1453895044", "１４５", " 1", "9" * 21, "{ts}"])
def test_what_is_no_time_is_refused(text: str) -> None:
    outcome = ask(s2s(click_timestamp=text))
    assert (outcome.status, outcome.reason) == (400, "bad_click_timestamp")
    assert outcome.parameter == "click_timestamp"
    assert outcome.detail.endswith("is no time in UTC seconds.")


def test_leading_zeros_do_not_make_milliseconds() -> None:
    assert ask(s2s(click_timestamp=f"0000{NOW_S}")).status == 204


def test_the_first_value_of_a_parameter_counts() -> None:
    assert hit_of(ask(s2s() + "&device_ip=192.0.2.1&device_ua=other")).ip == "203.0.113.7"


# What is kept.


def test_only_headers_that_later_rules_read_are_kept_and_bounded() -> None:
    outcome = ask(
        headers={"cookie": "s", "authorization": "s", "accept-language": "x" * 5000, "sec-purpose": "prefetch"}
    )
    assert hit_of(outcome).headers == {"accept-language": "x" * 2048, "sec-purpose": "prefetch"}


def test_the_headers_that_later_rules_read_are_all_kept() -> None:
    names = "accept-language referer sec-purpose purpose x-moz x-purpose x-requested-with"
    hints = "sec-ch-ua sec-ch-ua-mobile sec-ch-ua-model sec-ch-ua-platform sec-ch-ua-platform-version"
    headers = {name: f"of {name}" for name in f"{names} {hints}".split()}
    assert hit_of(ask(headers=headers)).headers == headers


def test_bytes_that_are_no_utf_8_do_not_break_the_record() -> None:
    outcome = ask("a=\udcff\udcc3\udca9&b=%ff", ua="caf\udce9\0", headers={"referer": "\udcff"})
    hit = hit_of(outcome)
    assert hit.query == "a=\ufffdé&b=%ff"
    assert hit.ua == "caf\ufffd\ufffd"
    assert hit.headers == {"referer": "\ufffd"}


def test_a_long_user_agent_is_cut() -> None:
    assert len(hit_of(ask(ua="x" * 10_000)).ua) == 4096


def test_a_touch_without_a_peer_has_no_address() -> None:
    assert hit_of(ask(peer="")).ip is None


@given(
    query=st.text() | st.builds(s2s, device_ip=st.text(), device_ua=st.text(), click_timestamp=st.text()),
    form=st.sampled_from(["serve", "click", "impression", "click_gif", "impression_gif"]),
    to=st.sampled_from([LINK, TRACKING, PAUSED, PAUSED_NOWHERE, "42", "smart"]),
    ua=st.text() | st.sampled_from([ANDROID, IPHONE]),
    referer=st.text(),
)
@example(query="a=\udcff&x=\ud800", form="serve", to="smart", ua="Android", referer="")
def test_whatever_comes_is_an_answer_that_can_be_written(
    query: str, form: Form, to: str, ua: str, referer: str
) -> None:
    put(LINKS, link("smart", targets=(Target(store="google_play", url="https://e.example/?a={a}&x={x}"),)))
    outcome = ask(query, form=form, to=to, ua=ua, headers={"referer": referer})
    assert outcome.status in (200, 204, 302, 400, 404)
    for record in (outcome.hit, outcome.reject):
        if record is not None:
            assert b"\n" not in encode(record)
    if outcome.location is not None:
        outcome.location.encode()
        assert not set("\r\n\0") & set(outcome.location)
    if outcome.status in (200, 204, 302):
        hit_of(outcome)
