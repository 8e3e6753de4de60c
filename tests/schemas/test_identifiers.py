import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.identifiers import (
    ALIASES,
    KINDS,
    DeviceId,
    Form,
    IdKind,
    device_ids,
    is_no_id,
    md5,
    probed_digests,
    query_ids,
    same_device,
    sha1,
    stored_digests,
    vendor_case,
)
from schemas.query import parse_query
from tests.support.data import data_folder

GAID = "38400000-8cf0-11bd-b23e-10b96e40000d"
IDFA = "EA7583CD-A667-48BC-B806-42ECB2B48606"


def raw(kind: IdKind, value: str) -> DeviceId:
    return DeviceId(kind, "raw", value)


NAMES: dict[IdKind, str] = {
    "google_aid": "google_aid google-aid gaid gps_adid mt_gaid",
    "ios_ifa": "ios_ifa ios-ifa idfa mt_idfa",
    "oaid": "oaid mt_oaid",
    "windows_aid": "windows_aid mt_waid",
    "android_id": "android_id mt_android_id",
}


def test_the_names_are_those_of_the_vendors() -> None:
    assert {name: kind for kind, names in NAMES.items() for name in names.split()} == ALIASES


@pytest.mark.parametrize(("name", "kind"), sorted(ALIASES.items()))
def test_every_alias_names_its_kind_raw_and_as_digest(name: str, kind: IdKind) -> None:
    assert device_ids({name: GAID}) == [DeviceId(kind, "raw", GAID)]
    assert device_ids({f"{name}_sha1": "A" * 40}) == [DeviceId(kind, "sha1", "a" * 40)]
    assert device_ids({f"{name}_md5": "B" * 32}) == [DeviceId(kind, "md5", "b" * 32)]


def test_the_vendors_id_within_one_vendors_apps_never_matches() -> None:
    assert device_ids({"ios_ifv": IDFA}) == []


def test_finds_the_most_telling_kind_first_whatever_the_order_of_the_query() -> None:
    found = device_ids({"android_id": "1f2e3d4c5b6a7988", "oaid": GAID, "gaid": GAID})
    assert [one.kind for one in found] == ["google_aid", "oaid", "android_id"]
    assert list(KINDS).index("google_aid") == 0


def test_takes_one_of_each_kind_and_form_the_first_that_says_something() -> None:
    found = device_ids({"google_aid": "{gaid}", "gaid": GAID, "gps_adid": IDFA, "google_aid_md5": "c" * 32})
    assert found == [DeviceId("google_aid", "raw", GAID), DeviceId("google_aid", "md5", "c" * 32)]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "0",
        "00000000-0000-0000-0000-000000000000",  # the owner opted out
        "0000000000000000",
        "{google_aid}",
        "{{device.ifa}}",
        "${GAID}",
        "__GAID__",
        "[GAID]",
        "%%GAID%%",
        "%7Bgoogle_aid%7D",
        "%7bgoogle_aid%7d",
        "<gaid>",
        "null",
        "undefined",
        "None",
        "unknown",
        "n/a",
        "NaN",
    ],
)
def test_what_names_nobody_is_no_id(value: str) -> None:
    assert is_no_id(value)
    assert device_ids({"google_aid": value, "idfa": f" {value} "}) == []


@pytest.mark.parametrize("macro", ["%%ADVERTISING_IDENTIFIER_PLAIN%%", "%%ADID%%", "%%DEVICE_ID%%", "%%41%%"])
def test_a_macro_that_begins_like_an_escape_is_no_id_either(macro: str) -> None:
    assert query_ids(f"google_aid={macro}") == []


@pytest.mark.parametrize("value", [GAID, IDFA, "1f2e3d4c5b6a7988", "0a", "nullable", "a{b}", "[a", "__x"])
def test_what_names_somebody_is_an_id(value: str) -> None:
    assert not is_no_id(value)


@pytest.mark.parametrize("value", ["a" * 39, "a" * 41, "g" * 40, "a" * 32, "__SHA1__", "{gaid_sha1}"])
def test_a_digest_is_hexadecimal_of_its_own_length(value: str) -> None:
    assert device_ids({"google_aid_sha1": value}) == []


def test_blanks_around_an_id_are_nobodys_and_none_is_nothing() -> None:
    assert device_ids({"google_aid": f" {GAID}\t", "idfa": None}) == [raw("google_aid", GAID)]


WORDS = st.sampled_from([*ALIASES, "google_aid_sha1", "idfa_md5", "g%61id", "lmt", "coppa", "x", "oaid=", "=", "&"])
VALUES = st.sampled_from([GAID, GAID.replace("-", "%2D"), "a" * 40, "%7Bgaid%7D", "1", "+", "%ff", ""]) | st.text()


@given(st.lists(st.tuples(WORDS, VALUES)))
def test_the_identifiers_of_a_query_are_those_of_its_parameters(words: list[tuple[str, str]]) -> None:
    query = "&".join(f"{name}={value}" for name, value in words)
    assert query_ids(query) == device_ids(parse_query(query))


def test_the_identifiers_of_third_party_urls_are_those_of_their_parameters() -> None:
    queries = [line.partition("?")[2] for line in (data_folder() / "urls/prebid_urls.txt").read_text().splitlines()]
    assert len(queries) > 10
    assert [query_ids(query) for query in queries] == [device_ids(parse_query(query)) for query in queries]


def test_digests_are_those_that_networks_send() -> None:
    assert sha1("abc") == hashlib.sha1(b"abc").hexdigest() == "a9993e364706816aba3e25717850c26c9cd0d89d"  # noqa: S324
    assert md5("abc") == "900150983cd24fb0d6963f7d28e17f72"


def test_apple_and_microsoft_write_upper_case_the_others_lower() -> None:
    assert vendor_case("ios_ifa", IDFA.lower()) == IDFA
    assert vendor_case("windows_aid", "ab") == "AB"
    assert vendor_case("google_aid", GAID.upper()) == GAID


def test_a_raw_id_is_stored_under_the_digests_of_its_vendors_case() -> None:
    assert stored_digests(raw("ios_ifa", IDFA.lower())) == (sha1(IDFA), md5(IDFA))
    assert stored_digests(DeviceId("ios_ifa", "sha1", "a" * 40)) == ("a" * 40, None)
    assert stored_digests(DeviceId("ios_ifa", "md5", "b" * 32)) == (None, "b" * 32)


def test_a_conversion_looks_for_the_digests_of_both_cases() -> None:
    sha1s, md5s = probed_digests(raw("google_aid", GAID))
    assert set(sha1s) == {sha1(GAID), sha1(GAID.upper())}
    assert set(md5s) == {md5(GAID), md5(GAID.upper())}
    assert probed_digests(DeviceId("google_aid", "md5", "b" * 32)) == ((), ("b" * 32,))


@pytest.mark.parametrize("touch", [GAID, GAID.upper()])
@pytest.mark.parametrize("form", ["raw", "sha1", "md5"])
@pytest.mark.parametrize("install", [GAID, GAID.upper()])
def test_finds_and_knows_a_device_whatever_case_the_network_sent_or_hashed(
    touch: str, form: Form, install: str
) -> None:
    value = {"raw": touch, "sha1": sha1(touch), "md5": md5(touch)}[form]
    theirs, ours = DeviceId("google_aid", form, value), raw("google_aid", install)
    stored, probed = stored_digests(theirs), probed_digests(ours)
    assert any(digest in digests for digest, digests in zip(stored, probed, strict=True))
    assert same_device(ours, theirs)
    assert same_device(theirs, ours)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (raw("google_aid", GAID), raw("oaid", GAID)),
        (raw("google_aid", GAID), raw("google_aid", IDFA)),
        (raw("google_aid", GAID), DeviceId("google_aid", "sha1", sha1(IDFA))),
        (DeviceId("google_aid", "sha1", sha1(GAID)), DeviceId("google_aid", "md5", md5(GAID))),
    ],
)
def test_tells_two_devices_apart(left: DeviceId, right: DeviceId) -> None:
    assert not same_device(left, right)
    assert not same_device(right, left)


@pytest.mark.parametrize("limit", [{"lmt": "1"}, {"limit_ad_tracking": "true"}, {"coppa": "1"}])
def test_who_limits_ad_tracking_has_no_identifiers(limit: dict[str, str]) -> None:
    assert device_ids({"google_aid": "38400000-8cf0-11bd-b23e-10b96e40000d", **limit}) == []


@pytest.mark.parametrize("no_limit", [{"lmt": "0"}, {"limit_ad_tracking": ""}, {"coppa": "{coppa}"}, {"lmt": None}])
def test_what_says_nothing_limits_nothing(no_limit: dict[str, str | None]) -> None:
    assert len(device_ids({"google_aid": "38400000-8cf0-11bd-b23e-10b96e40000d", **no_limit})) == 1
