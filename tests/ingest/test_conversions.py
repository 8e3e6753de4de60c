from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.bodies import BODY_BYTES_MAX, ELEMENT_BYTES_MAX, BadElement
from ingest.conversions import Sender, conversion_id, read_events, read_installs
from schemas.codec import decode_conversion, encode
from schemas.errors import Refuse
from schemas.events import Event, Install, Revenue
from schemas.ids import received_us
from schemas.links import AppKey, KeyKind
from tests.ingest.samples import APP, LINK, some_links

NOW_US = 1_767_225_600_123_456
NOW_S = NOW_US // 10**6
LINKS = some_links()

INSTALL: dict[str, Any] = {
    "install_id": "i-1",
    "installed_at": "2026-01-01T00:00:00Z",
    "device": {"os": "Android", "os_version": "14", "model": "Pixel 8", "manufacturer": "Google", "locale": "en-US"},
}
EVENT: dict[str, Any] = {"event_id": "e-1", "name": "payment", "occurred_at": NOW_S, "install_id": "i-1"}


def sender(kind: KeyKind = "sdk", *, app: str = APP) -> Sender:
    return Sender(AppKey(hash="", app=app, kind=kind), "198.51.100.9", "demo/1.0", NOW_US)


def body(value: object) -> bytes:
    return msgspec.json.encode(value)


def without(value: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: one for name, one in value.items() if name not in names}


def install(kind: KeyKind = "sdk", **changes: object) -> Install:
    """The install as the log gives it back."""
    (made,), _ = read_installs(body(INSTALL | changes), sender(kind), LINKS)
    found = decode_conversion(encode(made))
    assert isinstance(found, Install)
    return found


def event(kind: KeyKind = "sdk", **changes: object) -> Event:
    (made,), _ = read_events(body(EVENT | changes), sender(kind))
    found = decode_conversion(encode(made))
    assert isinstance(found, Event)
    return found


def refusal_of_install(value: object) -> BadElement:
    with pytest.raises(BadElement) as caught:
        read_installs(body(value), sender("server"), LINKS)
    return caught.value


def refusal_of_event(value: object) -> BadElement:
    with pytest.raises(BadElement) as caught:
        read_events(body(value), sender("server"))
    return caught.value


# What is taken


def test_an_install_says_what_the_sdk_said() -> None:
    made = install(
        user_id="u",
        preinstall_link=LINK,
        ids={"google_aid": "G", "oaid": None, "idfa": ""},
        app_version="1.4",
        referrer={"install_referrer": "utm_source=x", "referrer_click_timestamp_seconds": 7},
    )
    assert (made.app, made.install_id, made.user_id, made.preinstall_link) == (APP, "i-1", "u", LINK)
    assert made.installed_us == 1_767_225_600_000_000
    assert made.ids == {"google_aid": "G"}
    assert (made.device.os, made.device.model, made.device.locale) == ("Android", "Pixel 8", "en-US")
    assert made.referrer is not None
    assert made.referrer.install_referrer == "utm_source=x"
    assert made.app_version == "1.4"
    assert made.flags == []
    assert received_us(made.id) == NOW_US // 1000 * 1000
    assert conversion_id(made) == "i-1"


def test_an_event_says_what_the_sdk_said() -> None:
    made = event(user_id="u", ids={"google_aid": "G"}, revenue={"amount": "4.99", "currency": "EUR"}, params={"a": [1]})
    assert (made.app, made.event_id, made.name, made.install_id, made.user_id) == (APP, "e-1", "payment", "i-1", "u")
    assert made.occurred_us == NOW_S * 10**6
    assert made.revenue == Revenue(micros=4_990_000, currency="EUR")
    assert {name: bytes(value) for name, value in made.params.items()} == {"a": b"[1]"}
    assert conversion_id(made) == "e-1"


def test_the_least_that_is_taken() -> None:
    (made,), is_array = read_installs(b'{"installed_at":1,"device":{"os":"iOS"}}', sender(), LINKS)
    assert (made.installed_us, made.ids, made.referrer, is_array) == (1_000_000, {}, None, False)
    (happened,), _ = read_events(b'{"name":"x","occurred_at":1,"ids":{"idfa":"A"}}', sender())
    assert (happened.install_id, happened.ids) == (None, {"idfa": "A"})


def test_an_array_comes_back_in_order() -> None:
    made, is_array = read_events(body([EVENT | {"event_id": f"e-{n}"} for n in range(1000)]), sender())
    assert is_array
    assert [conversion_id(one) for one in made] == [f"e-{n}" for n in range(1000)]
    assert len({one.id for one in made}) == 1000


def test_an_empty_array_holds_nothing() -> None:
    assert read_events(b" [ ] ", sender()) == ([], True)


def test_unknown_fields_are_passed_over() -> None:
    assert install(colour="red").install_id == "i-1"


@pytest.mark.parametrize(
    ("written", "micros"),
    [
        ("2026-01-01T00:00:00Z", 1_767_225_600_000_000),
        ("2026-01-01T00:00:00", 1_767_225_600_000_000),
        ("2026-01-01T02:00:00+02:00", 1_767_225_600_000_000),
        ("2026-01-01T00:00:00.123456Z", 1_767_225_600_123_456),
        (1_767_225_600, 1_767_225_600_000_000),
        (1_767_225_600.25, 1_767_225_600_250_000),
        (0, 0),
    ],
)
def test_times_are_rfc_3339_or_utc_seconds(written: object, micros: int) -> None:
    assert install(installed_at=written).installed_us == micros
    assert event(occurred_at=written).occurred_us == micros


def test_a_clock_that_runs_ahead_is_flagged() -> None:
    assert install(installed_at=NOW_S + 299).flags == []
    assert install(installed_at=NOW_S + 301).flags == ["installed_in_future"]
    assert event(occurred_at=NOW_S + 301).flags == ["occurred_in_future"]


def test_an_unknown_preinstall_link_is_kept_and_flagged() -> None:
    made = install(preinstall_link="42")
    assert (made.preinstall_link, made.flags) == ("42", ["unknown_preinstall_link"])


def test_an_sdk_is_the_device_and_cannot_say_otherwise() -> None:
    for made in (install(ip="8.8.8.8", ua="other"), event(ip="8.8.8.8", ua="other"), install(ip="nonsense")):
        assert (made.ip, made.ua) == ("198.51.100.9", "demo/1.0")


def test_a_server_says_where_the_device_is_or_nobody_does() -> None:
    for made in (install("server", ip="2001:DB8::7", ua="phone"), event("server", ip="2001:DB8::7", ua="phone")):
        assert (made.ip, made.ua) == ("2001:db8::7", "phone")
    for made in (install("server"), event("server"), install("server", ip="")):
        assert (made.ip, made.ua) == (None, "")


def test_nul_and_broken_bytes_become_storable() -> None:
    made = install(user_id="a\0b", ids={"google_aid": "x\0"}, device={"os": "A\0"}, app_version="\0")
    assert (made.user_id, made.ids, made.device.os, made.app_version) == (
        "a\ufffdb",
        {"google_aid": "x\ufffd"},
        "A\ufffd",
        "\ufffd",
    )


# Records of the log are lines


@pytest.mark.parametrize("blank", [b"\n", b"\r\n", b" \t\n"])
def test_a_pretty_printed_body_is_one_line_of_the_log(blank: bytes) -> None:
    text = msgspec.json.format(body([EVENT | {"params": {"a": {"b": [1, "x\ny"]}}}]), indent=2)
    (made,), _ = read_events(text.replace(b"\n", blank), sender())
    line = encode(made)
    assert b"\n" not in line
    assert b"\r" not in line
    assert b'"params":{"a":{"b":[1,"x\\ny"]}}' in line


def test_numbers_in_params_keep_their_digits() -> None:
    text = body(EVENT)[:-1] + b',"params":{"price":4.990,"big":12345678901234567890123}}'
    (made,), _ = read_events(text, sender())
    assert b'"params":{"price":4.990,"big":12345678901234567890123}' in encode(made)


@pytest.mark.parametrize("given_id", [{}, {"event_id": "e"}])
@pytest.mark.parametrize(
    "value", [b'"\xff"', b'{"\xff":1}', b'"\xed\xa0\x80"', b'"\\ud800"', b'"\\ud800\\u0041"', b"'x'", b"NaN"]
)
def test_what_is_no_json_deep_inside_is_refused(given_id: dict[str, str], value: bytes) -> None:
    text = body(without(EVENT, "event_id") | given_id)[:-1] + b',"params":{"a":' + value + b"}}"
    with pytest.raises(Refuse) as caught:
        read_events(text, sender())
    assert caught.value.code == "bad_json"


@pytest.mark.parametrize("given_id", [{}, {"event_id": "e"}])
@pytest.mark.parametrize("value", [b"1e999", b"[-1e999]", b"9" * 5000])
def test_a_number_beyond_any_double_is_named(given_id: dict[str, str], value: bytes) -> None:
    text = body(without(EVENT, "event_id") | given_id)[:-1] + b',"params":{"price":' + value + b"}}"
    with pytest.raises(BadElement) as caught:
        read_events(text, sender())
    assert (caught.value.code, caught.value.parameter) == ("bad_field", "params.price")
    assert "out of range" in caught.value.detail


def test_a_number_beyond_any_double_where_nobody_looks_is_refused_too() -> None:
    text = body(without(EVENT, "event_id"))[:-1] + b',"colour":1e999}'
    with pytest.raises(BadElement) as caught:
        read_events(text, sender())
    assert (caught.value.code, caught.value.parameter) == ("bad_field", None)


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 100_000,
        b"[" * 30_000 + b"]" * 30_000,
        b'{"name":"x","occurred_at":1,"install_id":"i","params":{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}}",
        b'{"name":"x","occurred_at":1,"install_id":"i","other":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b"}",
    ],
)
def test_nesting_is_bounded(text: bytes) -> None:
    for read in (lambda: read_events(text, sender()), lambda: read_installs(text, sender(), LINKS)):
        with pytest.raises(Refuse) as caught:
            read()
        assert caught.value.code == "bad_json"


@pytest.mark.parametrize("depth", range(100, 1100, 50))
def test_any_depth_is_taken_or_refused(depth: int) -> None:
    text = body(without(EVENT, "event_id"))[:-1] + b',"params":{"a":' + b"[" * depth + b"]" * depth + b"}}"
    try:
        (made,), _ = read_events(text, sender())
    except Refuse as refusal:
        assert refusal.code == "bad_json"
    else:
        assert b"\n" not in encode(made)


@pytest.mark.parametrize(
    "text", [b"", b" ", b"{", b"[", b"[{}", b"{}x", b"[{}]x", b"\xff", b"\xef\xbb\xbf{}", b"{'a':1}", b'"']
)
def test_what_is_no_json_is_refused(text: bytes) -> None:
    for read in (lambda: read_events(text, sender()), lambda: read_installs(text, sender(), LINKS)):
        with pytest.raises(Refuse) as caught:
            read()
        assert caught.value.code == "bad_json"
        assert caught.value.detail.startswith("The body is not JSON: ")


@given(st.binary() | st.text().map(str.encode))
@example(b"[null]")
@example(b'[{"":')
def test_whatever_comes_is_taken_or_refused(text: bytes) -> None:
    for read in (lambda: read_events(text, sender()), lambda: read_installs(text, sender(), LINKS)):
        try:
            made, _ = read()
        except Refuse as refusal:
            refusal.detail.encode()
        else:
            assert all(b"\n" not in encode(one) for one in made)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from([*INSTALL, *EVENT, "ids", "referrer", "revenue", "params", "ip", "ua", "user_id"]), JSON)
def test_any_value_in_any_field_is_taken_or_refused_by_its_name(field: str, value: object) -> None:
    for whole, read in (
        (INSTALL, lambda text: read_installs(text, sender("server"), LINKS)),
        (EVENT, lambda text: read_events(text, sender("server"))),
    ):
        text = msgspec.json.encode(whole | {field: value})
        try:
            (made,), _ = read(text)
        except Refuse as refusal:
            if refusal.code == "bad_field":
                assert (refusal.parameter or field).startswith((field, "install_id"))
        else:
            assert decode_conversion(encode(made)) == made


# What is refused, by name


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"installed_at": None}, "installed_at"),
        ({"installed_at": True}, "installed_at"),
        ({"installed_at": "yesterday"}, "installed_at"),
        ({"installed_at": -1}, "installed_at"),
        ({"installed_at": "1969-12-31T23:59:59Z"}, "installed_at"),
        ({"installed_at": NOW_US // 1000}, "installed_at"),
        ({"device": None}, "device"),
        ({"device": {}}, "device.os"),
        ({"device": {"os": ""}}, "device.os"),
        ({"device": {"os": " "}}, "device.os"),
        ({"device": {"os": 14}}, "device.os"),
        ({"device": {"os": "x" * 1025}}, "device.os"),
        ({"device": {"os": "x", "os_version": 14}}, "device.os_version"),
        ({"device": {"os": "x", "model": []}}, "device.model"),
        ({"device": {"os": "x", "manufacturer": "x" * 1025}}, "device.manufacturer"),
        ({"device": {"os": "x", "locale": 1}}, "device.locale"),
        ({"install_id": ""}, "install_id"),
        ({"install_id": 7}, "install_id"),
        ({"install_id": "x" * 129}, "install_id"),
        ({"install_id": "a\nb"}, "install_id"),
        ({"install_id": "a\0"}, "install_id"),
        ({"user_id": "x" * 1025}, "user_id"),
        ({"user_id": 7}, "user_id"),
        ({"preinstall_link": "x" * 1025}, "preinstall_link"),
        ({"preinstall_link": 7}, "preinstall_link"),
        ({"app_version": "x" * 1025}, "app_version"),
        ({"ids": []}, "ids"),
        ({"ids": {"google_aid": "x" * 1025}}, "ids.google_aid"),
        ({"ids": {"x" * 1025: "y"}}, "ids"),
        ({"ids": {f"id{n}": "x" for n in range(51)}}, "ids"),
        ({"referrer": "x"}, "referrer"),
        ({"referrer": {"install_referrer": 7}}, "referrer.install_referrer"),
        ({"referrer": {"install_referrer": "x" * 4097}}, "referrer.install_referrer"),
        ({"referrer": {"referrer_click_timestamp_seconds": -1}}, "referrer.referrer_click_timestamp_seconds"),
        ({"referrer": {"referrer_click_timestamp_seconds": NOW_US}}, "referrer.referrer_click_timestamp_seconds"),
        ({"referrer": {"install_begin_timestamp_seconds": 1.5}}, "referrer.install_begin_timestamp_seconds"),
        ({"ip": "localhost"}, "ip"),
        ({"ip": 7}, "ip"),
        ({"ua": "x" * 4097}, "ua"),
        ({"ua": 7}, "ua"),
    ],
)
def test_a_wrong_field_of_an_install_is_named(changes: dict[str, object], path: str) -> None:
    refusal = refusal_of_install(INSTALL | changes)
    assert (refusal.code, refusal.parameter, refusal.index) == ("bad_field", path, None)
    assert refusal.detail
    assert "$" not in refusal.detail


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"occurred_at": None}, "occurred_at"),
        ({"occurred_at": "2026-13-01"}, "occurred_at"),
        ({"occurred_at": 1e300}, "occurred_at"),
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": 7}, "name"),
        ({"event_id": ""}, "event_id"),
        ({"event_id": "x" * 129}, "event_id"),
        ({"event_id": 7}, "event_id"),
        ({"install_id": "x" * 129}, "install_id"),
        ({"ids": {"x": 7}}, "ids[...]"),
        ({"user_id": []}, "user_id"),
        ({"params": []}, "params"),
        ({"revenue": "4.99 EUR"}, "revenue"),
        ({"revenue": {}}, "revenue.amount"),
        ({"revenue": {"amount": "1"}}, "revenue.currency"),
        ({"revenue": {"amount": 4.99, "currency": "EUR"}}, "revenue.amount"),
        ({"revenue": {"amount": "4,99", "currency": "EUR"}}, "revenue.amount"),
        ({"revenue": {"amount": "1e999999", "currency": "EUR"}}, "revenue.amount"),
        ({"revenue": {"amount": "0.0000001", "currency": "EUR"}}, "revenue.amount"),
        ({"revenue": {"amount": "9223372036855", "currency": "EUR"}}, "revenue.amount"),
        ({"revenue": {"amount": "1", "currency": "eur"}}, "revenue.currency"),
        ({"revenue": {"amount": "1", "currency": "EURO"}}, "revenue.currency"),
        ({"ip": "localhost"}, "ip"),
    ],
)
def test_a_wrong_field_of_an_event_is_named(changes: dict[str, object], path: str) -> None:
    refusal = refusal_of_event(EVENT | changes)
    assert (refusal.code, refusal.parameter, refusal.index) == ("bad_field", path, None)
    assert refusal.detail


@pytest.mark.parametrize(("missing", "path"), [("installed_at", "installed_at"), ("device", "device")])
def test_a_missing_field_of_an_install_is_named(missing: str, path: str) -> None:
    assert refusal_of_install(without(INSTALL, missing)).parameter == path


@pytest.mark.parametrize("missing", ["name", "occurred_at"])
def test_a_missing_field_of_an_event_is_named(missing: str) -> None:
    assert refusal_of_event(without(EVENT, missing)).parameter == missing


@pytest.mark.parametrize("changes", [{}, {"ids": {}}, {"ids": None}, {"install_id": "", "ids": {}}])
def test_an_event_of_nobody_is_refused(changes: dict[str, object]) -> None:
    refusal = refusal_of_event(without(EVENT, "install_id") | changes)
    assert (refusal.code, refusal.parameter) == ("missing_field", "install_id")


def test_milliseconds_are_refused_with_words_that_help() -> None:
    assert "looks like milliseconds" in refusal_of_event(EVENT | {"occurred_at": NOW_US // 1000}).detail


@pytest.mark.parametrize("element", [None, 1, "x", [], True])
def test_an_element_that_is_no_object_is_refused_with_its_index(element: object) -> None:
    refusal = refusal_of_event([EVENT, element])
    assert (refusal.code, refusal.index) == ("bad_field", 1)


def test_the_first_wrong_element_of_an_array_is_named_and_none_is_taken() -> None:
    wrong = EVENT | {"revenue": {"amount": "x", "currency": "EUR"}}
    refusal = refusal_of_event([EVENT, EVENT, wrong, EVENT | {"name": ""}])
    assert (refusal.index, refusal.parameter) == (2, "revenue.amount")


def test_an_array_holds_1000_elements_at_most() -> None:
    with pytest.raises(Refuse) as caught:
        read_events(body([EVENT] * 1001), sender())
    assert caught.value.code == "too_many_elements"
    assert "1001" in caught.value.detail


def test_an_element_is_bounded_alone_and_in_an_array() -> None:
    large = EVENT | {"params": {"a": "x" * ELEMENT_BYTES_MAX}}
    with pytest.raises(Refuse) as caught:
        read_events(body(large), sender())
    assert caught.value.code == "element_too_large"
    refusal = refusal_of_event([EVENT, large])
    assert (refusal.code, refusal.index) == ("element_too_large", 1)
    assert len(body([large] * 2)) < BODY_BYTES_MAX


def test_the_largest_and_longest_of_everything_is_taken() -> None:
    assert BODY_BYTES_MAX == 4 * 2**20
    longest = event(name="x" * 255, event_id="e" * 128, install_id="i" * 128, user_id="u" * 1024)
    assert (len(longest.name), len(longest.event_id), len(longest.user_id or "")) == (255, 128, 1024)
    text = body(EVENT | {"params": {"a": ""}})
    full = body(EVENT | {"params": {"a": "x" * (ELEMENT_BYTES_MAX - len(text))}})
    assert len(full) == ELEMENT_BYTES_MAX == 65_536
    assert len(read_events(full, sender())[0]) == len(read_events(b"[" + full + b"]", sender())[0]) == 1
    referrer = {"install_referrer": "x" * 4096, "referrer_click_timestamp_seconds": 0}
    assert install(referrer=referrer, ids={f"id{number}": "x" for number in range(50)}).referrer is not None


def test_blanks_are_no_part_of_an_elements_size() -> None:
    text = b" " * ELEMENT_BYTES_MAX + body(EVENT)
    assert len(read_events(text, sender())[0]) == 1


# Ids made by us


def derived(text: bytes, *, app: str = APP) -> str:
    (made,), _ = read_events(text, sender(app=app))
    return made.event_id


def test_a_retry_without_an_id_gets_the_same_one_whatever_its_layout() -> None:
    first = body({"name": "x", "occurred_at": 1, "install_id": "i", "params": {"a": 1, "b": {"c": [1, 2], "d": "é"}}})
    again = b"""{ "params": {"b": {"d": "\\u00e9", "c": [1,2]}, "a": 1},
        "install_id":"i","occurred_at":1,"name":"x"}"""
    assert derived(first) == derived(again)
    assert len(derived(first)) == 32


@pytest.mark.parametrize(
    "other",
    [
        {"name": "y", "occurred_at": 1, "install_id": "i"},
        {"name": "x", "occurred_at": 2, "install_id": "i"},
        {"name": "x", "occurred_at": 1, "install_id": "j"},
        {"name": "x", "occurred_at": 1, "install_id": "i", "params": {"a": [2, 1]}},
        {"name": "x", "occurred_at": 1, "install_id": "i", "unknown": 1},
    ],
)
def test_another_body_gets_another_id(other: dict[str, object]) -> None:
    assert derived(body({"name": "x", "occurred_at": 1, "install_id": "i"})) != derived(body(other))


def test_another_app_gets_another_id() -> None:
    text = body(without(EVENT, "event_id"))
    assert derived(text) != derived(text, app="other")


def test_derived_ids_are_the_same_for_ever() -> None:
    # Another hash would let the retries of an upgrade's minute in twice.
    assert derived(b'{"name":"x","occurred_at":1,"install_id":"i"}') == "22c6fcdf7934670722f2ca25823bec6f"


def test_an_install_without_an_id_gets_one_too() -> None:
    one, two = install(install_id=None), install(install_id=None)
    assert one.install_id == two.install_id
    assert one.id != two.id


@pytest.mark.parametrize(("said", "flags"), [(True, ["sandbox"]), (False, []), (None, [])])
def test_a_sender_may_call_an_install_or_event_a_test(said: bool | None, flags: list[str]) -> None:
    assert install(sandbox=said).flags == flags
    assert event(sandbox=said).flags == flags


@pytest.mark.parametrize("wrong", ["true", 1, []])
def test_a_sandbox_is_true_or_false(wrong: object) -> None:
    assert refusal_of_install(INSTALL | {"sandbox": wrong}).parameter == "sandbox"
    assert refusal_of_event(EVENT | {"sandbox": wrong}).parameter == "sandbox"
