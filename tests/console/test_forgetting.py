"""What a device is called, in all forms."""

from collections.abc import Callable

import msgspec
import pytest

from console.forgetting import Names, names_of_install, read_names
from schemas.codec import encode
from schemas.errors import ConfigError
from schemas.forgetting import TOUCH_KINDS, device_keys, named_ids
from schemas.identifiers import KINDS, md5, sha1
from tests.support.devices import GAID, OTHER, event, hit, install, reject, visit

APPS = ["shop", "game"]


def test_a_bare_uuid_is_any_advertising_id() -> None:
    assert {one.kind for one in read_names([GAID], APPS).devices} == {"google_aid", "ios_ifa", "oaid", "windows_aid"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", [str, str.upper, sha1, lambda value: md5(value.upper())])
def test_every_form_of_a_raw_identifier_is_met(kind: str, form: Callable[[str], str]) -> None:
    value = "0123456789abcdef" if kind == "android_id" else GAID
    keys = read_names([f"{kind}:{value}"], APPS).device_keys(APPS)
    sent = form(value)
    name = kind + {40: "_sha1", 32: "_md5"}.get(len(sent), "")
    for app in APPS:
        for touch in TOUCH_KINDS:
            stored = device_keys(app, touch, named_ids({name: sent}))
            assert stored and stored <= keys
    assert not device_keys("other", "click", named_ids({name: sent})) & keys


def test_an_alias_and_a_digest_name_the_same_device() -> None:
    assert read_names([f"gps_adid:{GAID}"], APPS) == read_names([f"google_aid:{GAID}"], APPS)
    (one,) = read_names([f"google_aid_md5:{md5(GAID).upper()}"], APPS).devices
    assert (one.kind, one.form, one.value) == ("google_aid", "md5", md5(GAID))


def test_a_record_is_the_devices_by_text_or_by_its_fields() -> None:
    user = read_names(["user_id:1"], APPS)
    mine = event("e-1", None, user_id="1")
    assert user.is_record(encode(mine))
    assert not user.is_record(encode(event("1", "1", user_id="11")))
    device = read_names([GAID], APPS)
    assert device.is_record(encode(reject(f"anything={GAID.upper()}")))
    assert device.is_record(f"no json, {GAID}".encode() + b"\xff")
    assert not device.is_record(encode(hit(f"google_aid={OTHER}")))
    assert read_names([f"google_aid_sha1:{sha1(GAID)}"], APPS).is_record(encode(install("i", GAID)))


def test_a_visitor_is_one_of_a_website_s_by_its_whole_id() -> None:
    visitor = read_names(["visitor_id:v-1"], ["shop"])
    assert visitor.visitors == {("shop", "v-1")}
    assert visitor.is_record(encode(visit("x", "v-1")))
    assert visitor.is_record(encode(event("x", None, ids={"visitor_id": "v-1"})))
    for other in (visit("v-1", "v-11"), visit("x", "v-1", app="game"), event("v-1", None, ids={"visitor": "v-1"})):
        assert not visitor.is_record(encode(other))
    assert visitor.needles() == ["v-1"]
    device = read_names([f"google_aid_sha1:{sha1(GAID)}"], APPS)
    assert device.is_record(encode(visit("x", url=f"https://shop.example/?google_aid={GAID}#top")))


def test_a_short_value_is_no_text_to_search_for() -> None:
    # "n/a" of a careless SDK would stand in everybody's records
    names = names_of_install("shop", "i-1", {"oaid": "n-a", "ios_ifv": "x", "google_aid": GAID})
    assert names == Names(read_names([f"google_aid:{GAID}"], APPS).devices, installs=frozenset({("shop", "i-1")}))


def test_records_are_searched_as_postgres_shows_their_bytes() -> None:
    name = 'Zoë"\\'
    needle = read_names([f"user_id:{name}"], APPS).needles()[0]
    record = encode(msgspec.structs.replace(event("e", "i"), user_id=name))
    shown = "".join("\\\\" if b == 92 else chr(b) if 0 < b < 128 else f"\\{b:03o}" for b in record)
    assert needle in shown.lower()


@pytest.mark.parametrize(
    "text", ["", ":", "user_id:\0", "user_id:\udcff", "ios_ifv:no", "android_id:xyz", "oaid:{gaid}"]
)
def test_what_names_nothing_is_refused_by_name(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^--id "):
        read_names([text], APPS)
