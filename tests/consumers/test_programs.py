"""Crawlers and libraries are programs; phones, browsers and browsers inside apps are not, whatever their names."""

from collections.abc import Iterator
from itertools import product

import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA

from consumers.touches.programs import _NOT_PROGRAMS
from consumers.touches.user_agent import parse
from tests.consumers.test_user_agent import cases

WEB_VIEW = (
    "Mozilla/5.0 (Linux; Android 14; {} Build/UP1A.231005.007; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0"
    " Chrome/130.0.6723.102 Mobile Safari/537.36"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"
)
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"
)

MODELS = (
    "Pixel 8",
    "SM-G991B",
    "CUBOT NOTE 20",
    "CUBOT_X18_Plus",
    "KINGKONG MINI2",
    "HTC Butterfly s",
    "ViewSonic-V350",
    "Lava Spider",
    "Bolt Bot",
    "AI Crawler 5",
    "moto g(7) play",
)
APPS = (
    "[FBAN/FBIOS;FBAV/478.0.0.41.110;FBBV/630;FBDV/iPhone15,2;FBMD/iPhone;FBSN/iOS;FBSV/17.5.1;FBSS/3;FBLC/en_US]",
    "[FB_IAB/FB4A;FBAV/478.0.0.41.86;]",
    "MetaIAB Facebook",
    "Instagram 341.0.3.29.95 (iPhone15,2; iOS 17_5_1; en_US)",
    "WhatsApp/24.14.78 i",
    "Viber/22.9",
    "Twitter for iPhone/10.48",
    "LinkedInApp/9.29",
    "Snapchat/12.97.0.41 (like Safari/8614, panda)",
    "[Pinterest/iOS]",
    "Tumblr/34.5",
    "Bluesky/1.90",
    "musical_ly_35.0.0 JsSdk/2.0 NetType/WIFI ByteLocale/en Region/US BytedanceWebview/d8a21c6",
    "Line/14.10.0",
    "KAKAOTALK 10.8.5",
    "NAVER(inapp; search; 2000; 12.7.2; 15PRO)",
    "DaumApps/8.0.0 DaumDevice/mobile",
    "MicroMessenger/8.0.49(0x1800312f) NetType/4G Language/zh_CN",
    "GSA/323.0.647062479 Mobile/15E148 Safari/604.1",
    "DuckDuckGo/7 Safari/605.1.15",
    "YaBrowser/24.6.4 YaApp_iOS/2406",
    "baiduboxapp/13.60.0",
    "SogouMobileBrowser/5.1",
    "coc_coc_browser/120",
    "HeyTapBrowser/45",
    "UCBrowser/13.4",
    "SamsungBrowser/26.0",
    "Flipboard/4.3",
    "PayPal/8.66",
    "Goodreads",
    "Hatena",
)
BROWSERS = (
    CHROME,
    *(
        f"{CHROME} {name}"
        for name in ("Edg/130.0.0.0", "OPR/115.0", "YaBrowser/24.7", "coc_coc_browser/130", "SE 2.X MetaSr 1.0")
    ),
    CHROME.replace("Safari", "Code/1.115.0 Electron/39.8.5 Safari"),
    "Opera/9.80 (MAUI Runtime; Opera Mini/4.4.39008/37.9178; U; en) Presto/2.12.423 Version/12.16",
    "Mozilla/5.0 (iPad; U; CPU iPhone OS 7_0 like Mac OS X; de-DE) WIRED/3.2.3.11.87970",
    "Mozilla/5.0 (Linux; U; Android 15; en-gb; CPH2617 Build/AP3A.240617.008) AppleWebKit/537.36 Chrome/125.0 HeyTap",
    "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605",
)
# What apps send without a browser.
SDKS = (
    "Dalvik/2.1.0 (Linux; U; Android 13; CUBOT P60 Build/TP1A)",
    "MyApp/3.1 CFNetwork/1496.0.7 Darwin/23.5.0",
    "MyApp/1.2 (Android 13) okhttp/4.9.3",
    "Dart/3.4 (dart:io)",
    "BBC iPlayer (AndroidApp; 3.1.0.748; 3100748) HTC Butterfly s (Android 4.3, SDK 18)",
    "YahooMobileMail/1.0 (Android Mail; 1.3.6) (speedy;HTC;PG06100;2.2/FRF91)",
)
LIBRARIES = (
    "curl/8.5.0",
    "Wget/1.21",
    "python-requests/2.32.3",
    "python-httpx/0.27",
    "Python/3.11 aiohttp/3.9",
    "Go-http-client/1.1",
    "okhttp/4.9.3",
    "Java/1.8.0_292",
    "Java-http-client/17.0.9",
    "Apache-HttpClient/4.5.13 (Java/1.8.0_292)",
    "node-fetch/1.0",
    "axios/1.7",
    "GuzzleHttp/7",
    "PostmanRuntime/7.42.0",
    "k6/0.54.0 (https://k6.io/)",
    "wrk",
)
PROGRAMS = (
    CHROME.replace("Chrome/", "HeadlessChrome/"),
    WEB_VIEW.format("Pixel 8").replace("Chrome/", "HeadlessChrome/"),
    WEB_VIEW.format("Nexus 5X") + " (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "WhatsApp/2.23.20.0",
    "TelegramBot (like TwitterBot)",
    "Mozilla/5.0 (Linux; Android 8.0; Pixel 2 Build/OPD3.170816.012; Storebot-Google/1.0) AppleWebKit/537.36"
    " (KHTML, like Gecko) Chrome/81.0.4044.138 Mobile Safari/537.36",
)
# Says nothing but its name inside an iPhone's agent: taken for a person.
HIDDEN = frozenset({"Hotjar"})


@pytest.mark.parametrize("ua", [*LIBRARIES, *PROGRAMS])
def test_a_program_is_a_bot(ua: str) -> None:
    assert parse(ua).bot


@pytest.mark.parametrize("ua", [*BROWSERS, *SDKS, "", "Mozilla/5.0"])
def test_a_person_is_not(ua: str) -> None:
    assert not parse(ua).bot


def in_apps() -> Iterator[str]:
    for model, app in product(MODELS, APPS):
        yield f"{WEB_VIEW.format(model)} {app}"
    for app in APPS:
        yield f"{IPHONE} {app}"


def test_no_browser_inside_an_app_is_a_bot_on_any_model() -> None:
    assert [ua for ua in in_apps() if parse(ua).bot] == []


def test_every_crawler_that_the_list_shows_is_a_bot() -> None:
    shown = [(entry["pattern"], ua) for entry in CRAWLER_USER_AGENTS_DATA for ua in entry.get("instances", ())]
    assert len(shown) > 2000
    missed = {(pattern, ua) for pattern, ua in shown if not parse(ua).bot}
    assert {pattern for pattern, _ in missed} <= (_NOT_PROGRAMS | HIDDEN) - {"okhttp"}


def test_what_is_left_out_of_the_list_is_still_in_it() -> None:
    assert {entry["pattern"] for entry in CRAWLER_USER_AGENTS_DATA} >= _NOT_PROGRAMS | HIDDEN


@pytest.mark.data
def test_of_the_third_party_devices_only_programs_are_bots() -> None:
    """What uap-core calls a device and is none: each was read, all are libraries, link previews and blogs."""
    found = {ua for ua, expected in cases("test_device") if parse(ua).bot and expected["family"] != "Spider"}
    assert {ua.partition("/")[0] for ua in found} <= {"WhatsApp", "WordPress", "PostmanRuntime"}
    assert not any(ua.startswith("Mozilla") for ua in found)


@pytest.mark.data
def test_of_the_third_party_systems_only_programs_are_bots() -> None:
    found = {ua for ua, _ in cases("test_os") if parse(ua).bot and parse(ua).device_family != "Spider"}
    assert {ua.partition("/")[0] for ua in found} == {"PostmanRuntime", "Wget", "curl", "python-requests"}
