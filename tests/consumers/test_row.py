import datetime as dt
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from consumers.touches.country import Countries
from consumers.touches.data_centres import DataCentres
from consumers.touches.row import COLUMNS, TouchRow, touch_row
from schemas import keys
from schemas.addresses import Network, parse_address
from schemas.codec import decode_hit, encode
from schemas.events import Hit
from schemas.identifiers import IdKind, md5, sha1
from schemas.query import storable

ID = "019b76da-a87b-774b-8001-000000000001"
GAID = "38400000-8cf0-11bd-b23e-10b96e40000d"
IDFA = "EA7583CD-A667-48BC-B806-42ECB2B48606"
PIXEL = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UD1A.230803.041) AppleWebKit/537.36"
    " (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36"
)
FROZEN = PIXEL.replace("Android 14; Pixel 8 Build/UD1A.230803.041", "Android 10; K")
TOUCHED_US = 1_767_225_600_123_456


class Everywhere:
    """A country database that knows one network."""

    source = "test"
    quick = True
    date = dt.date(2026, 1, 1)

    def find(self, network: Network) -> str | None:
        return "DE" if network.text.startswith("203.0.113.") else None


COUNTRIES = Countries(Everywhere())
DATA_CENTRES = DataCentres([Network(4, 0x05_09_00_00, 16)])


def row(query: str = "", **changes: object) -> TouchRow:
    hit = Hit(
        v=1,
        id=ID,
        kind="click",
        link="1",
        app="demo",
        mode="redirect",
        touched_us=TOUCHED_US,
        ip="203.0.113.7",
        ua=PIXEL,
        query=query,
    )
    return touch_row(decode_hit(encode(msgspec.structs.replace(hit, **changes))), COUNTRIES, DATA_CENTRES)


def columns(query: str = "", **changes: object) -> dict[str, Any]:
    return dict(zip(COLUMNS, row(query, **changes).values, strict=True))


def network(text: str) -> Network:
    parsed = parse_address(text)
    assert parsed is not None
    return parsed


def print_key(text: str, os: str = "android") -> int:
    return keys.print_key("demo", "click", os, network(text))


def device_key(kind: IdKind, digest: str) -> int:
    return keys.device_key("demo", "click", kind, digest)


def test_a_hit_becomes_a_row() -> None:
    query = "click_id=c1&site_id=front+page&device_ip=x&device_ua=y&click_timestamp=1&utm_source=n%26m"
    found = columns(query, headers={"accept-language": "de-AT,de;q=0.9", "referer": "https://a/"}, flags=["head"])
    assert (found["id"], found["kind"], found["mode"], found["link"], found["app"]) == (
        ID,
        "click",
        "redirect",
        "1",
        "demo",
    )
    assert (found["touched_us"], found["ip"], found["country"]) == (TOUCHED_US, "203.0.113.7", "DE")
    assert (found["os"], found["os_version"], found["brand"], found["model"]) == ("android", "14", "Google", "Pixel 8")
    assert found["browser"] == "Chrome Mobile"
    assert found["language"] == "de-AT"
    assert (found["click_id"], found["external_click_id"]) == ("c1", None)
    assert (found["ua"], found["query"], found["flags"]) == (PIXEL, query, ["head", "non_public"])
    assert msgspec.json.decode(found["headers"]) == {"accept-language": "de-AT,de;q=0.9", "referer": "https://a/"}
    assert row().touched_us == TOUCHED_US


# What cannot be stored


def test_a_nul_becomes_what_postgres_takes() -> None:
    # `%00` alone once stopped the whole consumer.
    found = columns("click_id=a%00b&x%00=%00&device_locale=%00")
    assert found["click_id"] == "a\ufffdb"
    assert found["query"] == "click_id=a%00b&x%00=%00&device_locale=%00"
    for value in found.values():
        assert "\0" not in str(value)


def test_bytes_that_are_no_utf_8_become_replacements() -> None:
    found = columns("click_id=%ff%ed%a0%80&google_aid=%c3")
    assert found["click_id"] == "\ufffd" * 4
    assert found["query"] == "click_id=%ff%ed%a0%80&google_aid=%c3"


HEADERS = st.sampled_from(["accept-language", "referer", "sec-ch-ua-model", "sec-ch-ua-platform-version"])
TEXT = st.text().map(storable)


@example(query="\\u0000", ua="", ip="", headers={}, mode="redirect")  # the text, not the character
@settings(deadline=None)  # a busy machine is no failure
@given(
    query=TEXT | st.binary().map(lambda raw: storable(raw.decode("utf-8", "surrogateescape"))),
    ua=TEXT,
    ip=TEXT | st.sampled_from(["203.0.113.7", "2001:db8::/48", "::", "0.0.0.0/0"]),
    headers=st.dictionaries(HEADERS, TEXT),
    mode=st.sampled_from(["redirect", "s2s", "page"]),
)
def test_any_hit_becomes_a_row_that_postgres_takes(
    query: str, ua: str, ip: str, headers: dict[str, str], mode: str
) -> None:
    made = row(query, ua=ua, ip=ip, headers=headers, mode=mode)
    assert len(made.values) == len(COLUMNS)
    for value in made.values:
        if isinstance(value, str):
            assert "\0" not in value
            value.encode()
        elif isinstance(value, int):
            assert -(2**63) <= value < 2**63


# The click id


@pytest.mark.parametrize(
    ("query", "click_id"),
    [
        ("click_id=a", "a"),
        ("click_id=&clickId=b", "b"),
        ("clickId=b&click_id=a", "a"),
        ("clickid=b", None),
        ("", None),
    ],
)
def test_the_click_id_goes_by_two_names(query: str, click_id: str | None) -> None:
    found = columns(query)
    assert found["click_id"] == click_id
    assert found["click_key"] == (keys.click_id_key("demo", "click", click_id) if click_id else None)


def test_the_second_click_id_has_a_key_of_the_same_kind() -> None:
    found = columns("click_id=a&external_click_id=b")
    assert found["external_click_id"] == "b"
    assert found["external_click_key"] == keys.click_id_key("demo", "click", "b") == columns("click_id=b")["click_key"]


@pytest.mark.parametrize(
    "click_id", ["{click_id}", "${CLICK_ID}", "%7Bclick_id%7D", "[CLICKID]", "0", "null", "x" * 1025]
)
def test_a_click_id_that_names_no_click_has_no_key(click_id: str) -> None:
    found = columns(f"click_id={click_id}&external_click_id={click_id}")
    assert found["click_key"] is None
    assert found["external_click_key"] is None


def test_app_and_kind_are_part_of_every_key() -> None:
    query = f"click_id=a&external_click_id=b&google_aid={GAID}"
    names = [name for name in COLUMNS if name.endswith("_key")]
    assert len(names) == 5
    ours = columns(query)
    for other in (columns(query, app="other"), columns(query, kind="impression")):
        assert not {ours[name] for name in names} & {other[name] for name in names}
    assert None not in {ours[name] for name in names}


# Device identifiers


def test_a_raw_identifier_is_found_under_both_digests() -> None:
    found = columns(f"google_aid={GAID.upper()}")
    assert found["device_sha1_key"] == device_key("google_aid", sha1(GAID))
    assert found["device_md5_key"] == device_key("google_aid", md5(GAID))
    assert row(f"google_aid={GAID}").more_keys == []


def test_a_digest_stands_in_its_own_column() -> None:
    found = columns(f"idfa_md5={md5(IDFA).upper()}")
    assert (found["device_sha1_key"], found["device_md5_key"]) == (None, device_key("ios_ifa", md5(IDFA)))
    found = columns(f"ios_ifa_sha1={sha1(IDFA)}")
    assert (found["device_sha1_key"], found["device_md5_key"]) == (device_key("ios_ifa", sha1(IDFA)), None)


def test_a_given_digest_of_another_case_is_found_beside_the_raw_ones() -> None:
    made = row(f"google_aid={GAID}&google_aid_sha1={sha1(GAID.upper())}")
    assert made.more_keys == [device_key("google_aid", sha1(GAID.upper()))]


def test_further_kinds_go_beside() -> None:
    made = row(f"oaid={IDFA}&google_aid={GAID}")
    assert dict(zip(COLUMNS, made.values, strict=True))["device_sha1_key"] == device_key("google_aid", sha1(GAID))
    oaid = IDFA.lower()
    assert made.more_keys == [device_key("oaid", sha1(oaid)), device_key("oaid", md5(oaid))]


@pytest.mark.parametrize("value", ["00000000-0000-0000-0000-000000000000", "{gaid}", "%%GAID%%", "", "null"])
def test_what_names_no_device_has_no_key(value: str) -> None:
    made = row(f"google_aid={value}&oaid={value}")
    found = dict(zip(COLUMNS, made.values, strict=True))
    assert (found["device_sha1_key"], found["device_md5_key"], made.more_keys) == (None, None, [])


# The fingerprint


@pytest.mark.parametrize(
    ("ip", "under"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("192.0.2.128/25", "192.0.2.0/24"),
        ("192.0.2.6/31", "192.0.2.0/24"),
        ("2001:db8:1:2::7", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:3::/80", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::/64", "2001:db8:1:2::/64"),
        ("2001:db8:1:200::/56", "2001:db8:1::/48"),
        ("2001:db8:1::/48", "2001:db8:1::/48"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("64:ff9b::203.0.113.7", "203.0.113.7"),
    ],
)
def test_a_print_stands_at_the_addresss_own_precision(ip: str, under: str) -> None:
    assert columns(ip=ip)["print_key"] == print_key(under)


@pytest.mark.parametrize("ip", [None, "192.0.0.0/23", "2001:db8::/47", "0.0.0.0/0"])
def test_an_address_too_wide_for_a_device_has_no_print(ip: str | None) -> None:
    assert columns(ip=ip)["print_key"] is None


@pytest.mark.parametrize("ua", ["", "curl/8.5.0", "x" * 5000])
def test_a_device_of_no_known_system_has_no_print(ua: str) -> None:
    found = columns(ua=ua)
    assert (found["os"], found["print_key"]) == ("other", None)


def test_the_print_is_of_the_systems_family() -> None:
    iphone = (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 Version/17.4 Mobile Safari/604.1"
    )
    assert columns(ua=iphone)["print_key"] == print_key("203.0.113.7", "ios")


# Hints and language


def test_hints_name_a_frozen_device_and_its_version() -> None:
    headers = {
        "sec-ch-ua-platform": '"Android"',
        "sec-ch-ua-platform-version": '"14.0.0"',
        "sec-ch-ua-model": '"Pixel 8"',
    }
    found = columns(ua=FROZEN, headers=headers)
    assert (found["os_version"], found["model"]) == ("14", "Pixel 8")
    assert (columns(ua=FROZEN)["os_version"], columns(ua=FROZEN)["model"]) == ("", "")


def test_the_hints_of_an_ad_server_are_not_its_devices() -> None:
    found = columns(
        ua=FROZEN, mode="s2s", headers={"sec-ch-ua-platform-version": '"14"', "sec-ch-ua-model": '"Pixel 8"'}
    )
    assert (found["os_version"], found["model"]) == ("", "")


@pytest.mark.parametrize(
    ("mode", "query", "header", "language"),
    [
        ("redirect", "", "en-US,en;q=0.9", "en-US"),
        ("redirect", "locale=fr", "de", "de"),
        ("redirect", "", "*", ""),
        ("redirect", "", "", ""),
        ("page", "", "zh-Hant-TW", "zh-Hant-TW"),
        ("s2s", "", "en-US", ""),
        ("s2s", "device_locale=pt_BR&locale=x", "en-US", "pt-BR"),
        ("s2s", "language=fr", "en-US", "fr"),
        ("s2s", "locale=it_IT&language=fr", "en-US", "it-IT"),
        ("s2s", "locale={locale}", "en-US", ""),
    ],
)
def test_the_language_is_the_devices(mode: str, query: str, header: str, language: str) -> None:
    assert columns(query, mode=mode, headers={"accept-language": header})["language"] == language


def test_an_address_that_is_none_is_left_out() -> None:
    found = columns(ip="localhost")
    assert (found["ip"], found["country"], found["print_key"]) == (None, None, None)


def test_a_pings_agent_is_read_from_its_query() -> None:
    found = columns("device_ua=" + PIXEL.replace(" ", "%20"), mode="s2s", ua="")
    assert (found["ua"], found["os"], found["model"]) == (PIXEL, "android", "Pixel 8")
    assert columns("device_ua=other", mode="redirect", ua=PIXEL)["ua"] == PIXEL


# Findings


def test_what_is_wrong_with_a_touch_follows_the_edges_flags() -> None:
    assert columns(ip="82.129.80.1")["flags"] == []
    assert columns(ip="82.129.80.1", flags=["late", "head"])["flags"] == ["late", "head"]
    found = columns(ip="5.9.1.2", ua="curl/8.5.0", headers={"x-purpose": "preview"}, flags=["late", "head"])
    assert found["flags"] == ["late", "head", "bot", "data_centre", "prefetch"]
    assert columns(ip="10.0.0.1", ua="")["flags"] == ["no_agent", "non_public"]


@pytest.mark.parametrize("ip", [None, "localhost"])
def test_an_address_that_is_none_has_no_finding(ip: str | None) -> None:
    assert columns(ip=ip)["flags"] == []


def test_a_ping_is_judged_by_the_device_it_states() -> None:
    spoken = {"mode": "s2s", "ip": "82.129.80.1", "ua": ""}
    headers = {"purpose": "prefetch"}
    assert columns("device_ua=" + PIXEL.replace(" ", "%20"), headers=headers, **spoken)["flags"] == []
    assert columns("device_ua=Googlebot%2F2.1", **spoken)["flags"] == ["bot"]
    assert columns("device_ua={user_agent}", **spoken)["flags"] == ["no_agent"]
    assert columns(**spoken)["flags"] == ["no_agent"]
    assert columns("device_ua=curl%2F8.5.0", mode="redirect", ip="82.129.80.1")["flags"] == []
