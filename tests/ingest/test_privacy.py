import re
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.privacy import Secrets, clean_headers, clean_query, most_careful
from schemas.identifiers import ALIASES
from schemas.query import parse_query

GAID = "38400000-8cf0-11bd-b23e-10b96e40000d"
SHA1 = "356a192b7913b04c54574d18c28d46e6395428ab"
IP = "203.0.113.77"
NETWORK = "203.0.113.0/24"
UA = "Mozilla/5.0%20(Linux;%20Android%2014)%20Chrome/130.0.0.0"


def coppa(query: str) -> str:
    return clean_query(query, "coppa", Secrets([], {}))


def truncating(query: str) -> str:
    return clean_query(query, "addresses", Secrets([], {}))


@pytest.mark.parametrize("alias", [*ALIASES, "ios_ifv", "user_id", "mt_idfv"])
@pytest.mark.parametrize("suffix", ["", "_sha1", "_md5"])
def test_every_name_of_an_identifier_goes_with_its_value(alias: str, suffix: str) -> None:
    assert coppa(f"click_id=c&{alias}{suffix}={SHA1}&x=1") == "click_id=c&x=1"


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("a=1&&b=%2f%2F+x&c", "a=1&&b=%2f%2F+x&c"),
        (f"gaid={GAID}", ""),
        (f"gaid={GAID}&gaid={SHA1}&a", "a"),
        (f"GAID={GAID}&a", "a"),
        (f"%67%61id={GAID}&mt%5fidfa={GAID}&mt%5Fidfa={GAID}&a", "a"),
        (f"%2567aid={GAID}&a", "a"),
        (f"google-aid={GAID}&a", "a"),
        (f"gaid={GAID}&sub1={GAID.upper()}&sub2=x{quote(GAID).replace('-', '%2d')}y", "sub1=&sub2=xy"),
        (f"gaid={GAID}&{GAID}=1&{GAID}", ""),
        (f"to=https%3A%2F%2Fx.example%2F%3Fgaid%3D{GAID}&a", "a"),
        (f"data=%7B%22idfa%22%3A%22{GAID}%22%7D&a", "a"),
        (f"gaid={GAID}&device_ua={UA}%20{GAID}", "device_ua=Mozilla%2F5.0%20%28Linux%3B%20Android%2014%29%20Chrome"),
        (f"gaid=abc&device_ua={UA}&sub=abcdef", f"device_ua={UA}&sub=abcdef"),
        ("user_id=device&device_ip=203.0.113.0/24", "device_ip=203.0.113.0/24"),
    ],
)
def test_a_childs_query_names_no_device(query: str, kept: str) -> None:
    clean = coppa(query)
    assert clean == kept or (kept.startswith("device_ua") and clean.startswith(kept) and GAID not in clean)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (IP, NETWORK),
        ("203%2E0%2e113.77", NETWORK),
        ("203%252E0%252e113.77", NETWORK),
        ("203.0.113.64/28", NETWORK),
        ("203.0.113.0/24", NETWORK),
        ("203.0.112.0/22", "203.0.112.0/22"),
        ("203.0.113.77/16", "203.0.0.0/16"),
        ("::ffff:203.0.113.77", NETWORK),
        ("64:ff9b::cb00:714d", NETWORK),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001%3Adb8%3A1%3A2%3A3%3A4%3A5%3A6", "2001:db8:1:2::/64"),
        ("%5B2001:DB8:1:2::5%5D", "2001:db8:1:2::/64"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("2002:cb00:714d::1", "2002:cb00:7100::/40"),
        ("203.0.113.77:8080", "-"),
        ("203.0.113.77,%2010.0.0.1", "-"),
        ("203.000.113.077", "-"),
        ("0xcb00714d", "-"),
        ("%7Bip%7D", "%7Bip%7D"),
        ("", ""),
    ],
)
@pytest.mark.parametrize(
    "name", ["device_ip", "device%5Fip", "ip", "IP_ADDRESS", "ipv6", "click_ip", "x-forwarded-for"]
)
def test_an_address_becomes_its_network(name: str, value: str, kept: str) -> None:
    assert truncating(f"a=1&{name}={value}&b=%2e") == f"a=1&{name}={kept}&b=%2e"


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        (f"device_ip={IP}&sub=from%20{IP}", f"device_ip={NETWORK}&sub=from%20203.0.113.0%2F24"),
        (f"device_ip={IP}&sub=%5B::ffff:{IP}%5D:80", f"device_ip={NETWORK}&sub=%5B203.0.113.0%2F24%5D%3A80"),
        ("device_ip=203.000.113.077&sub=203.000.113.077", "device_ip=-&sub="),
        (f"device_ip={IP}&device_ip=203.0.113.78&device_ip", f"device_ip={NETWORK}&device_ip={NETWORK}&device_ip"),
        (f"{IP}&{IP}=1&a", "a"),
        (f"whatever={IP}&else=2001:db8::5", f"whatever={NETWORK}&else=2001:db8::/64"),
        (f"device_ip={IP}&device_ua={UA}", f"device_ip={NETWORK}&device_ua={UA}"),
        ("app_version=1.2.3.4&sdk-ver=1.2.3.4&v=1.2.3.4", "app_version=1.2.3.4&sdk-ver=1.2.3.4&v=1.2.3.4"),
        (f"gaid={GAID}&user_id=u", f"gaid={GAID}&user_id=u"),
    ],
)
def test_no_full_address_stays_anywhere(query: str, kept: str) -> None:
    assert truncating(query) == kept


def test_the_peers_address_is_known_too() -> None:
    secrets = Secrets([], {})
    secrets.add_address("2001:db8::5")
    assert clean_query("x=2001:0db8:0:0::0005.", "addresses", secrets) == "x=2001%3Adb8%3A%3A%2F64."


@given(st.text(st.sampled_from("abg%=&id_.:203/1 +5fF"), max_size=60))
def test_cleaning_never_fails_and_cleans_once_for_all(query: str) -> None:
    once = coppa(query)
    assert coppa(once) == once
    assert not set(parse_query(once)) & set(ALIASES)


@given(st.lists(st.text(st.characters(codec="ascii", exclude_characters="&#"), max_size=12), max_size=4))
def test_what_holds_nothing_of_it_stays_byte_for_byte(pairs: list[str]) -> None:
    query = "&".join(re.sub(r"[.:\d]", "", f"x{pair}") for pair in pairs)
    assert truncating(query) == query


@pytest.mark.parametrize(
    ("apps", "query", "care"),
    [
        (["plain"], "", None),
        (["plain"], "coppa=0&lmt=1", None),
        (["plain"], "coppa=1", "coppa"),
        (["plain"], "c%6fppa=%31", "coppa"),
        (["plain"], "coppa=0&coppa=true", "coppa"),
        (["plain", "short"], "", "addresses"),
        (["short", "child"], "", "coppa"),
        (["short"], "coppa=1", "coppa"),
    ],
)
def test_the_most_careful_counts(apps: list[str], query: str, care: str | None) -> None:
    assert most_careful(apps, {"short": "addresses", "child": "coppa"}, query) == care


def test_of_a_childs_referer_the_site_stays() -> None:
    secrets = Secrets([GAID], {})
    headers = {"referer": f"https://site.example/x?g={GAID}", "accept-language": "de"}
    assert clean_headers(headers, "coppa", secrets) == {"referer": "https://site.example", "accept-language": "de"}
    secrets.add_address(IP)
    assert clean_headers({"referer": f"http://{IP}/x"}, "coppa", secrets)["referer"] == ""
    assert clean_headers({"referer": f"http://x/?ip%3D{IP}", "x-moz": "y"}, "addresses", secrets) == {"x-moz": "y"}
