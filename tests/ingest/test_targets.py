from urllib.parse import parse_qs, parse_qsl, quote, unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.targets import app_for, choose, device_os, expand, fill, landing
from schemas.links import Link, Target
from schemas.query import split_query
from tests.ingest.samples import ANDROID, DESKTOP, IPHONE, WINDOWS_PHONE, link

HIT = "019b76da-a87b-774b-8001-000000000001"
PLAY = "https://play.google.com/store/apps/details?id=com.example.demo"
IPAD = "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 Mobile"
HUAWEI = "Mozilla/5.0 (Linux; Android 10; HarmonyOS; ANA-AN00) AppleWebKit/537.36 Chrome/99.0.4844.88 Mobile"

EVERYWHERE = (
    Target(store="web", url="https://example.com/web"),
    Target(store="google_play", url="https://example.com/play"),
    Target(store="app_gallery", url="https://example.com/gallery", app="demo-huawei"),
    Target(store="app_store", url="https://example.com/apple", app="demo-ios"),
)


def land(of: Link, ua: str, app_fallback: str | None = None) -> tuple[str | None, str, list[str]]:
    url, app, flags = landing(of, app_fallback, device_os(ua), {}, HIT)
    return url, app, flags


def play_referrer(url: str) -> dict[str, str]:
    """What the store hands to the app: decoded once as a parameter, once as a query of its own."""
    found = parse_qs(urlsplit(url).query, keep_blank_values=True)["referrer"]
    assert len(found) == 1
    return dict(parse_qsl(found[0], keep_blank_values=True))


@pytest.mark.parametrize(
    ("ua", "os"),
    [
        (ANDROID, "android"),
        (HUAWEI, "android"),
        (IPHONE, "ios"),
        (IPAD, "ios"),
        (IPHONE.replace("iPhone;", "iPod touch;").replace("iPhone", "OS"), "ios"),
        (DESKTOP, "other"),
        (WINDOWS_PHONE, "other"),  # its agent says Android too
        ("Mozilla/5.0 (Mobile; Windows Phone 8.1; Android 4.0; ARM; like iPhone OS 7_0_3 Mac OS X)", "other"),
        ("", "other"),
        ("curl/8.5.0", "other"),
    ],
)
def test_names_the_system_of_a_device(ua: str, os: str) -> None:
    assert device_os(ua) == os


@pytest.mark.parametrize(
    ("ua", "path", "app"),
    [
        (ANDROID, "play", "demo"),
        (HUAWEI, "play", "demo"),
        (IPHONE, "apple", "demo-ios"),
        (DESKTOP, "web", "demo"),
        (WINDOWS_PHONE, "web", "demo"),
    ],
)
def test_a_smart_link_leads_each_device_to_its_store(ua: str, path: str, app: str) -> None:
    of = link("1", targets=EVERYWHERE)
    assert land(of, ua) == (f"https://example.com/{path}", app, [])
    assert app_for(of, device_os(ua)) == app


def test_the_first_of_several_stores_of_a_system_is_chosen() -> None:
    chosen = choose(link("1", targets=EVERYWHERE[::-1]), "android")
    assert chosen is not None
    assert chosen.store == "app_gallery"


def test_a_device_without_a_store_of_its_own_goes_to_the_web_target() -> None:
    assert land(link("1", targets=EVERYWHERE[:1]), ANDROID)[0] == "https://example.com/web"


@pytest.mark.parametrize(
    ("of", "app_fallback", "expected"),
    [
        (link("1"), None, ("https://example.com/", "demo", ["no_target"])),
        (link("1", fallback_url=None), "https://example.com/app", ("https://example.com/app", "demo", ["no_target"])),
        (link("1", fallback_url=None), None, (None, "demo", ["no_target"])),
        # a link with a fallback alone leads everybody there: nothing odd
        (link("1", targets=()), None, ("https://example.com/", "demo", [])),
        (link("1", targets=(), fallback_url=None), None, (None, "demo", ["no_target"])),
        (link("1", paused=True, targets=EVERYWHERE), None, ("https://example.com/", "demo", ["paused"])),
        (link("1", paused=True, fallback_url=None, targets=EVERYWHERE), None, (None, "demo", ["paused"])),
    ],
)
def test_what_no_target_serves_goes_to_the_links_then_the_apps_fallback(
    of: Link, app_fallback: str | None, expected: tuple[str | None, str, list[str]]
) -> None:
    assert land(of, DESKTOP, app_fallback) == expected


@pytest.mark.parametrize(
    ("template", "query", "url"),
    [
        ("https://e.example/?c={click_id}", "click_id=a1", "https://e.example/?c=a1"),
        ("https://e.example/?c={click_id}", "", "https://e.example/?c="),
        ("https://e.example/{a}/{b}?x={a}", "a=1&b=2&a=3", "https://e.example/1/2?x=1"),
        ("https://e.example/?c={c}", "c=a%26b%3Dc%23d", "https://e.example/?c=a%26b%3Dc%23d"),
        ("https://e.example/?c={c}", "c=a+b/c?d", "https://e.example/?c=a%20b%2Fc%3Fd"),
        ("https://e.example/?c={c}", "c=%0d%0aSet-Cookie:%20x", "https://e.example/?c=%0D%0ASet-Cookie%3A%20x"),
        ("https://e.example/?c={c}", "c=%D0%BF%00", "https://e.example/?c=%D0%BF%EF%BF%BD"),
        ("https://e.example/?c={c}", "c={c}", "https://e.example/?c=%7Bc%7D"),
        ("https://e.example/?c={a.b-c_1}", "a.b-c_1=x", "https://e.example/?c=x"),
        ("https://e.example/?c={not a name}", "", "https://e.example/?c={not a name}"),
        ("https://e.example/?c=%7Bc%7D", "c=x", "https://e.example/?c=%7Bc%7D"),
        ("myapp://open/{page}?c={c}", "page=a/b&c=1", "myapp://open/a%2Fb?c=1"),
    ],
)
def test_macros_are_filled_percent_encoded(template: str, query: str, url: str) -> None:
    assert fill(template, split_query(query), HIT) == url


@pytest.mark.parametrize(
    "template",
    [
        "https://e.example{x}",
        "https://e.example{x}/path",
        "https://{x}/path",
        "https://{x}",
        "HTTPS://{x}@e.example/",
        "https://e.example:{x}/",
        "https://play.google.com{x}/store/apps/details?id=a",
    ],
)
def test_the_request_never_chooses_the_host(template: str) -> None:
    assert "evil" not in fill(template, split_query("x=.evil.example"), HIT)
    assert "evil" not in fill(template, split_query("x=evil.example%2F"), HIT)


# Google Play


@pytest.mark.parametrize(
    ("template", "url"),
    [
        (PLAY, f"{PLAY}&referrer=touchline_id%3D{HIT}"),
        ("market://details?id=a", f"market://details?id=a&referrer=touchline_id%3D{HIT}"),
        ("https://play.google.com/store", f"https://play.google.com/store?referrer=touchline_id%3D{HIT}"),
        (f"{PLAY}#reviews", f"{PLAY}&referrer=touchline_id%3D{HIT}#reviews"),
        (f"{PLAY}#x&referrer=y", f"{PLAY}&referrer=touchline_id%3D{HIT}#x&referrer=y"),
        (f"{PLAY}&hl={{hl}}", f"{PLAY}&hl=de&referrer=touchline_id%3D{HIT}"),
        (
            "https://play.google.com/store/apps/details?referrer=utm_source%3Dnet&id=a",
            f"https://play.google.com/store/apps/details?referrer=utm_source%3Dnet%26touchline_id%3D{HIT}&id=a",
        ),
        (f"{PLAY}&referrer=", f"{PLAY}&referrer=touchline_id%3D{HIT}"),
        (f"{PLAY}&referrer=a%3Db#c", f"{PLAY}&referrer=a%3Db%26touchline_id%3D{HIT}#c"),
    ],
)
def test_a_play_address_carries_the_hits_id_in_its_referrer(template: str, url: str) -> None:
    assert fill(template, split_query("hl=de"), HIT) == url


@pytest.mark.parametrize(
    "url", ["https://apps.apple.com/app/id1", "https://play.google.com.evil.example/", "https://e/"]
)
def test_other_addresses_carry_no_referrer(url: str) -> None:
    assert fill(url, split_query(""), HIT) == url


@pytest.mark.parametrize(
    "template",
    [
        f"{PLAY}&referrer=utm_source%3D{{source}}%26c%3D{{click_id}}",
        f"{PLAY}&referrer=utm_source%3D%7Bsource%7D%26c%3D%7Bclick_id%7D",
    ],
)
def test_macros_inside_the_referrer_stay_inside(template: str) -> None:
    filled = fill(template, split_query("source=a%26b&click_id=c%3Dd%25&id=evil"), HIT)
    assert play_referrer(filled) == {"utm_source": "a&b", "c": "c=d%", "touchline_id": HIT}
    assert parse_qs(urlsplit(filled).query)["id"] == ["com.example.demo"]


TEMPLATES = st.sampled_from(
    [
        "https://e.example/{a}",
        "https://e.example/p?x={a}&y={b}#f{a}",
        "https://e.example/?next=https%3A%2F%2Fother.example%2F{a}",
        PLAY + "&hl={a}",
        PLAY + "&referrer=x%3D{a}%26y%3D{b}",
        PLAY + "#{a}",
        "market://details?id={a}",
        "myapp://open?x={a}",
    ]
)
VALUES = st.text() | st.sampled_from(
    ["//evil.example", "@evil.example", "\r\nLocation: //evil.example", "javascript:alert(1)", "&referrer=x", "#", "\\"]
)


@given(TEMPLATES, VALUES, VALUES)
@example(PLAY + "&referrer=x%3D{a}", "\ud800", "\udcff")
def test_no_value_breaks_out_of_its_place(template: str, first: str, second: str) -> None:
    plain = urlsplit(fill(template, split_query(""), HIT))
    url = fill(template, split_query(f"a={first}&b={second}"), HIT)
    filled = urlsplit(url)
    assert (filled.scheme, filled.netloc) == (plain.scheme, plain.netloc)
    assert all(" " < character < "\x7f" for character in url)
    assert [name for name, _ in parse_qsl(filled.query, keep_blank_values=True)] == [
        name for name, _ in parse_qsl(plain.query, keep_blank_values=True)
    ]
    assert filled.path.count("/") == plain.path.count("/")
    if template.startswith(PLAY):
        assert play_referrer(url)["touchline_id"] == HIT


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_a_value_arrives_as_it_was_sent(value: str) -> None:
    assert unquote(expand("{a}", {"a": quote(value)})) == value


def test_a_deep_link_is_filled_too() -> None:
    assert expand("demo://open?click={click_id}&x={none}", {"click_id": "a+b"}) == "demo://open?click=a%20b&x="


@pytest.mark.parametrize(
    ("page", "landed"),
    [
        ("https://shop.example", f"https://shop.example?touchline_id={HIT}"),
        ("https://shop.example/p", f"https://shop.example/p?touchline_id={HIT}"),
        ("https://shop.example/p?", f"https://shop.example/p?touchline_id={HIT}"),
        ("https://shop.example/p?a=%2F&b", f"https://shop.example/p?a=%2F&b&touchline_id={HIT}"),
        ("https://shop.example/p?a=1&", f"https://shop.example/p?a=1&touchline_id={HIT}"),
        ("https://shop.example/p#top?x", f"https://shop.example/p?touchline_id={HIT}#top?x"),
        ("https://shop.example/p?c={click_id}#{site}", f"https://shop.example/p?c=7%3D&touchline_id={HIT}#s"),
        ("https://shop.example/p?touchline_id={touchline_id}&b=1", f"https://shop.example/p?touchline_id={HIT}&b=1"),
        ("https://shop.example/#/p?t={touchline_id}&c={click_id}", f"https://shop.example/#/p?t={HIT}&c=7%3D"),
    ],
)
def test_a_websites_page_is_told_the_hit(page: str, landed: str) -> None:
    of = Link(id="1", app="shop", targets=(Target(store="web", url=page),))
    values = split_query("click_id=7%3D&site=s&touchline_id=somebody-elses")
    for os in ("android", "ios", "other"):
        assert landing(of, None, os, values, HIT, is_web=True).url == landed
    alone = Link(id="1", app="shop", fallback_url=page)
    assert landing(alone, None, "other", values, HIT, is_web=True).url == landed
    paused = Link(id="1", app="shop", targets=of.targets, fallback_url="https://shop.example/", paused=True)
    assert landing(paused, None, "other", values, HIT, is_web=True).url == "https://shop.example/"
