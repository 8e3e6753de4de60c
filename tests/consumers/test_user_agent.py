from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from consumers.touches import user_agent
from consumers.touches.user_agent import Agent, from_hints, parse
from schemas.devices import normal_os
from tests.support.data import data_folder

FROZEN = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Mobile Safari/537.36"
)
PIXEL_8 = {
    "Sec-CH-UA-Platform": '"Android"',
    "Sec-CH-UA-Platform-Version": '"14.0.0"',
    "Sec-CH-UA-Model": '"Pixel 8"',
}


@cache
def _cases(file: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.load(file.read_bytes(), yaml.CSafeLoader)["test_cases"]
    return found


def cases(name: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The user agents of one list, each with what uap-core expects; what it leaves unknown is empty."""
    found = _cases(data_folder() / "ua" / f"{name}.yaml")
    assert found
    for case in found:
        expected = {key: value or "" for key, value in case.items()}
        yield expected.pop("user_agent_string"), expected


@pytest.mark.data
def test_systems_are_what_uap_core_expects() -> None:
    wrong = []
    for ua, expected in cases("test_os"):
        parts = (expected.get(part) for part in ("major", "minor", "patch", "patch_minor"))
        agent = parse(ua)
        if (agent.os_family, agent.os_version, agent.os_major) != (
            expected["family"],
            ".".join(part for part in parts if part),
            expected.get("major", ""),
        ):
            wrong.append((ua, expected, agent))
    assert wrong == []


def test_safari_says_its_own_version_where_it_froze_the_systems() -> None:
    frozen = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    assert parse(f"{frozen} Version/26.1 Mobile/15E148 Safari/604.1").os_version == "26.1"
    assert parse(f"{frozen} Version/18.6 Mobile/15E148 Safari/604.1").os_version == "18.6"
    assert parse(f"{frozen.replace('18_6', '17_5')} Version/26.1 Mobile/15E148 Safari/604.1").os_version == "17.5"


@pytest.mark.data
def test_devices_are_what_uap_core_expects() -> None:
    wrong = []
    for ua, expected in cases("test_device"):
        agent = parse(ua)
        if (agent.device_family, agent.device_brand, agent.device_model) != (
            expected["family"],
            expected["brand"],
            expected["model"],
        ):
            wrong.append((ua, expected, agent))
    assert wrong == []


@pytest.mark.data
def test_every_crawler_of_the_cases_is_a_bot() -> None:
    found = [parse(ua).bot for ua, expected in cases("test_device") if expected["family"] == "Spider"]
    assert found
    assert all(found)


@pytest.mark.parametrize(
    ("ua", "expected"),
    [
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4_1 like Mac OS X) AppleWebKit/605.1.15 "
            "(KHTML, like Gecko) Version/17.4.1 Mobile/15E148 Safari/604.1",
            Agent("ios", "iOS", "17.4.1", "17", "iPhone", "Apple", "iPhone", "Mobile Safari", "17.4.1", False),
        ),
        (
            "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 "
            "(KHTML, like Gecko) Version/16.6 Mobile/15E148 Safari/604.1",
            Agent("ios", "iOS", "16.6", "16", "iPad", "Apple", "iPad", "Mobile Safari", "16.6", False),
        ),
        (
            "Dalvik/2.1.0 (Linux; U; Android 13; SM-G991B Build/TP1A.220624.014)",
            Agent(
                "android",
                "Android",
                "13",
                "13",
                "Samsung SM-G991B",
                "Samsung",
                "SM-G991B",
                "Android",
                "13",
                False,
            ),
        ),
        (
            "MyApp/1.0 CFNetwork/1494.0.7 Darwin/23.4.0",
            Agent("ios", "iOS", "17.4", "17", "iOS-Device", "Apple", "iOS-Device", "MyApp", "1.0", False),
        ),
        ("okhttp/4.9.3", Agent("other", "Other", "", "", "Other", "", "", "okhttp", "4.9.3", True)),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/124.0.0.0 Safari/537.36",
            Agent("windows", "Windows", "10", "10", "Other", "", "", "Chrome", "124.0.0.0", False),
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 "
            "(KHTML, like Gecko) Version/17.4 Safari/605.1.15",
            Agent("macos", "Mac OS X", "10.15.7", "10", "Mac", "Apple", "Mac", "Safari", "17.4", False),
        ),
        (
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            Agent("other", "Other", "", "", "Spider", "Spider", "Desktop", "Googlebot", "2.1", True),
        ),
        ("", Agent("other", "Other", "", "", "Other", "", "", "Other", "", False)),
    ],
)
def test_parse(ua: str, expected: Agent) -> None:
    assert parse(ua) == expected


@pytest.mark.parametrize("ua", ["\ud800", "\0", "Android \ud800 13", "😀" * 5000, "(" * 100_000])
def test_parse_takes_any_text(ua: str) -> None:
    assert isinstance(parse(ua), Agent)


def test_long_agents_are_cut() -> None:
    start = "Dalvik/2.1.0 (Linux; U; Android 13; SM-G991B Build/TP1A) ".ljust(user_agent.UA_CHARS_MAX, "x")
    assert parse(start + " Googlebot/2.1") is parse(start)


def test_the_cache_is_bounded() -> None:
    assert user_agent._parse.cache_info().maxsize == 20_000
    assert user_agent._refined.cache_info().maxsize == 20_000


@pytest.mark.parametrize(
    ("hints", "version", "family", "brand", "model"),
    [
        (PIXEL_8, "14", "Pixel 8", "Google", "Pixel 8"),
        ({name.lower(): value for name, value in PIXEL_8.items()}, "14", "Pixel 8", "Google", "Pixel 8"),
        ({name: value.strip('"') for name, value in PIXEL_8.items()}, "14", "Pixel 8", "Google", "Pixel 8"),
        ({"Sec-CH-UA-Model": '"SM-G991B"'}, "", "Samsung SM-G991B", "Samsung", "SM-G991B"),
        ({"Sec-CH-UA-Platform-Version": '"8.1.0"'}, "8.1", "Other", "", ""),
        ({"Sec-CH-UA-Platform": '"Android"'}, "", "Other", "", ""),
        # A model that uap-core has never heard of is still a model.
        ({"Sec-CH-UA-Model": '"ZZ-Unheard 1"'}, "", "ZZ-Unheard 1", "", "ZZ-Unheard 1"),
        ({"Sec-CH-UA-Model": r'"ZZ \"Quoted\""'}, "", 'ZZ "Quoted"', "", 'ZZ "Quoted"'),
        ({"Sec-CH-UA-Model": '"Googlebot/2.1"'}, "", "Googlebot/2.1", "", "Googlebot/2.1"),
        ({"Sec-CH-UA-Model": '""', "Sec-CH-UA-Platform-Version": '""'}, "", "Other", "", ""),
        ({"Sec-CH-UA-Model": '"x) (iPhone; CPU"'}, "", "Other", "", ""),
        ({"Sec-CH-UA-Model": '"a\x00b"'}, "", "Other", "", ""),
        ({"Sec-CH-UA-Model": '"' + "x" * 5000 + '"'}, "", "Other", "", ""),
        ({"Sec-CH-UA-Platform-Version": '"fourteen"'}, "", "Other", "", ""),
        ({"Sec-CH-UA-Platform-Version": '"' + "1" * 5000 + '"'}, "", "Other", "", ""),
        # Somebody else's hints: the agent itself says Android.
        (PIXEL_8 | {"Sec-CH-UA-Platform": '"Windows"'}, "", "Other", "", ""),
        (PIXEL_8 | {"Sec-CH-UA-Platform": '"Unknown"'}, "", "Other", "", ""),
        ({}, "", "Other", "", ""),
        ({"Referer": "https://example.com/", "Accept-Language": "de"}, "", "Other", "", ""),
    ],
)
def test_hints_refine_a_frozen_agent(
    hints: Mapping[str, str], version: str, family: str, brand: str, model: str
) -> None:
    agent = parse(FROZEN)
    assert (agent.os_version, agent.device_model, agent.frozen) == ("10", "K", True)
    refined = from_hints(hints, agent)
    assert refined == agent._replace(
        os_version=version,
        os_major=version.partition(".")[0],
        device_family=family,
        device_brand=brand,
        device_model=model,
    )
    assert not refined.frozen


@pytest.mark.parametrize("hints", [{}, {"Sec-CH-UA-Platform": '"Android"'}])
def test_an_agent_that_is_not_frozen_keeps_what_it_says(hints: Mapping[str, str]) -> None:
    agent = parse("Dalvik/2.1.0 (Linux; U; Android 13; SM-G991B Build/TP1A.220624.014)")
    assert from_hints(hints, agent) == agent


def test_an_unknown_platform_changes_nothing() -> None:
    agent = parse("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0")
    assert from_hints({"Sec-CH-UA-Platform": '"Unknown"'}, agent) == agent


def test_a_phone_that_asks_for_the_desktop_site_is_a_phone() -> None:
    agent = parse("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0")
    assert agent.os == "linux"
    refined = from_hints(PIXEL_8, agent)
    assert (refined.os, refined.os_family, refined.os_version) == ("android", "Android", "14")
    assert refined.device_model == "Pixel 8"


@pytest.mark.parametrize(
    ("hint", "version"), [('"15.0.0"', "11"), ('"13.0.0"', "11"), ('"10.0.0"', "10"), ('"0.3.0"', "7")]
)
def test_windows_counts_its_releases_its_own_way(hint: str, version: str) -> None:
    name = "6.1" if version == "7" else "10.0"
    agent = parse(f"Mozilla/5.0 (Windows NT {name}; Win64; x64) AppleWebKit/537.36 Chrome/124.0.0.0")
    hints = {"sec-ch-ua-platform": '"Windows"', "sec-ch-ua-platform-version": hint}
    assert from_hints(hints, agent).os_version == version


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("Android", "android"),
        ("android", "android"),
        ("ANDROID 14", "android"),
        ("Android-13", "android"),
        ("Fire OS 8", "android"),
        ("iOS", "ios"),
        ("iOS 17.4.1", "ios"),
        ("iOS17", "ios"),
        ("iPhone OS", "ios"),
        ("iphone_os", "ios"),
        ("iPhone OS 3.1.3", "ios"),
        ("iPadOS", "ios"),
        ("iPadOS 17.4", "ios"),
        ("macOS", "macos"),
        ("Mac OS X", "macos"),
        ("Mac OS X 10.15.7", "macos"),
        ("Windows", "windows"),
        ("Windows NT 10.0", "windows"),
        ("Windows 11 Pro", "windows"),
        ("Windows Server 2019", "windows"),
        ("win32", "windows"),
        ("Windows Phone 8.1", "windowsphone"),
        ("Linux", "linux"),
        ("Linux x86_64", "linux"),
        ("Ubuntu", "linux"),
        ("Chrome OS", "chromeos"),
        ("HarmonyOS", "harmonyos"),
        ("OpenHarmony 5.0", "harmonyos"),
        ("tvOS", "tvos"),
        ("ATV OS X", "tvos"),
        ("watchOS 10", "watchos"),
        ("Web0S", "webos"),
        ("  iOS\t", "ios"),
        ("  Linux x86_64", "linux"),
        ("", "other"),
        ("Other", "other"),
        ("Unknown", "other"),
        ("17.4", "other"),
        ("Darwin", "other"),
        ("Symbian^3 Anna", "other"),
        ("İOS", "ios"),  # upper case as a Turkish phone makes it
        ("x" * 100_000, "other"),
    ],
)
def test_normal_os(text: str, family: str) -> None:
    assert normal_os(text) == family
