import re
from typing import get_args

import pytest

from ingest.targets import app_for, choose, device_os, landing
from schemas.links import Link, Store, Target
from schemas.query import split_query
from tests.ingest.samples import ANDROID, DESKTOP, IPHONE, WINDOWS_PHONE, link
from tests.support.data import data_folder

HIT = "019b76da-a87b-774b-8001-000000000001"
IPAD = "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 Mobile"
HUAWEI = "Mozilla/5.0 (Linux; Android 10; HarmonyOS; ANA-AN00) AppleWebKit/537.36 Chrome/99.0.4844.88 Mobile"
XIAOMI = "Mozilla/5.0 (Linux; Android 12; 2201117TG Build/SKQ1.211103.001) AppleWebKit/537.36 Chrome/112.0.0.0 Mobile"
SAMSUNG = "Mozilla/5.0 (Linux; Android 13; SM-S901B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/112.0.0.0 Mobile"
REDUCED = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36"
)
"""As Chrome says it today: no model, so no maker."""

EVERYWHERE = (
    Target(store="web", url="https://example.com/web"),
    Target(store="google_play", url="https://example.com/play"),
    Target(store="app_gallery", url="https://example.com/gallery", app="demo-huawei"),
    Target(store="app_store", url="https://example.com/apple", app="demo-ios"),
)


def land(of: Link, ua: str, app_fallback: str | None = None) -> tuple[str | None, str, list[str]]:
    url, app, flags = landing(of, app_fallback, device_os(ua), {}, HIT)
    return url, app, flags


@pytest.mark.parametrize(
    ("ua", "os"),
    [
        (ANDROID, "android"),
        (HUAWEI, "huawei"),
        (XIAOMI, "xiaomi"),
        (SAMSUNG, "android"),
        (REDUCED, "android"),
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
        (HUAWEI, "gallery", "demo-huawei"),
        (XIAOMI, "play", "demo"),
        (IPHONE, "apple", "demo-ios"),
        (DESKTOP, "web", "demo"),
        (WINDOWS_PHONE, "web", "demo"),
    ],
)
def test_a_smart_link_leads_each_device_to_its_store(ua: str, path: str, app: str) -> None:
    of = link("1", targets=EVERYWHERE)
    assert land(of, ua) == (f"https://example.com/{path}", app, [])
    assert app_for(of, device_os(ua)) == app


STORES = {store: Target(store=store, url=f"https://example.com/{store}") for store in get_args(Store)}


@pytest.mark.parametrize(
    ("ua", "stores", "chosen"),
    [
        # AppMetrica's rules of Xiaomi and Huawei: the maker's store when the link has it, else Google Play
        (XIAOMI, ["google_play", "get_apps"], "get_apps"),
        (XIAOMI, ["google_play", "app_gallery"], "google_play"),
        (XIAOMI, ["google_play"], "google_play"),
        (XIAOMI, ["app_gallery"], "app_gallery"),
        (HUAWEI, ["get_apps", "google_play", "app_gallery"], "app_gallery"),
        (HUAWEI, ["google_play"], "google_play"),
        (HUAWEI, ["get_apps", "web"], "get_apps"),
        (SAMSUNG, ["app_gallery", "get_apps", "google_play"], "google_play"),
        (SAMSUNG, ["other_store", "google_play"], "other_store"),
        (SAMSUNG, ["google_play", "other_store"], "google_play"),
        (SAMSUNG, ["get_apps", "app_gallery", "web"], "get_apps"),
        (SAMSUNG, ["app_store", "desktop", "web"], "web"),
        (SAMSUNG, ["app_store", "desktop"], None),
        (IPHONE, ["google_play", "web", "app_store"], "app_store"),
        (IPHONE, ["google_play", "desktop", "web"], "web"),
        (DESKTOP, ["web", "google_play", "desktop"], "desktop"),
        (DESKTOP, ["google_play", "web"], "web"),
        (WINDOWS_PHONE, ["google_play", "desktop"], "desktop"),
    ],
)
def test_each_device_goes_to_the_store_it_has(ua: str, stores: list[Store], chosen: Store | None) -> None:
    found = choose(link("1", targets=tuple(STORES[store] for store in stores)), device_os(ua))
    assert (found.store if found else None) == chosen


def agents_and_brands() -> list[tuple[str, str]]:
    text = data_folder().joinpath("ua/test_device.yaml").read_text()
    found = re.findall(r"user_agent_string: '((?:[^']|'')*)'\s+family: .*\s+brand: '?(.*?)'?\s+model", text)
    return [(ua, brand.lower()) for ua, brand in found if "Android" in ua and "Windows Phone" not in ua]


@pytest.mark.data
@pytest.mark.parametrize("maker", ["huawei", "xiaomi"])
def test_the_makers_of_real_agents_are_told_apart(maker: str) -> None:
    agents = agents_and_brands()
    assert len(agents) > 9000
    others = [ua for ua, brand in agents if brand != maker and device_os(ua) == maker]
    named = [ua for ua, brand in agents if brand == maker]
    missed = [ua for ua in named if device_os(ua) != maker]
    # phones of another maker that somebody put Huawei's or Xiaomi's system on say so
    assert len(others) <= 5, others
    assert len(missed) <= len(named) // 8, missed


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
