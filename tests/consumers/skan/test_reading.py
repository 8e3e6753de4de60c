"""What counts as Apple's word: third-party vectors, every version, every field changed, every type that is another."""

import base64
import json
from typing import Any, get_args

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.apple import (
    KEYS,
    KID,
    P256,
    fields,
    kit_postback,
    payload,
    postback,
    signed,
    text,
)
from consumers.skan.reading import Reading, read
from schemas.events import Framework
from schemas.skan.ads import impression_jws
from schemas.skan.keys import AppleKeys
from schemas.skan.signed import POSTBACK_ORDER, VERSIONS, Version, signed_string
from tests.support import skan_vectors

VERSION = st.sampled_from(VERSIONS)
FRAMEWORKS: tuple[Framework, ...] = get_args(Framework)


def skan(body: Any) -> Reading:
    return read("skadnetwork", text(body), KEYS)


def kit(body: Any) -> Reading:
    return read("adattributionkit", text(body), KEYS)


@pytest.mark.data
def test_the_third_party_vectors() -> None:
    keys = skan_vectors.keys()
    found = {
        one["id"]: read(one["framework"], text(one["postback"]), keys).said is not None
        for one in skan_vectors.file()["vectors"]
    }
    assert found == {one["id"]: one["expect_valid"] for one in skan_vectors.file()["vectors"]}
    assert len(found) >= 13


@pytest.mark.data
def test_the_strings_that_the_vectors_sign_byte_for_byte() -> None:
    stated = [one for one in skan_vectors.file()["vectors"] if "signed_string_visible" in one]
    assert len(stated) >= 7
    for one in stated:
        string = signed_string(POSTBACK_ORDER[one["version"]], one["postback"])
        assert string.replace("\u2063", "|") == one["signed_string_visible"]
        assert string.encode().hex() == one.get("signed_string_hex", string.encode().hex())


@pytest.mark.data
def test_without_the_extra_keys_only_apples_count() -> None:
    apple = AppleKeys()
    for one in skan_vectors.file()["vectors"]:
        ours = read(one["framework"], text(one["postback"]), apple).said is not None
        assert ours == (one["expect_valid"] and one["key"].startswith("apple")), one["id"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_postback_of_every_version_is_read(version: Version) -> None:
    found = skan(postback(version, transaction_id="6AAFB7A5-0170-41B5-BBE4-FE71DEDF1E30"))
    said = found.said
    assert said is not None
    assert found.version == version or version == "1.0"
    assert found.transaction == "6aafb7a5-0170-41b5-bbe4-fe71dedf1e30"
    assert (said.network, said.store_app) == ("example123.skadnetwork", 525463029)
    by = ("source_identifier", "5239") if version == "4.0" else ("campaign_id", "42")
    assert (said.source_kind, said.source) == by
    assert said.key == ("extra 2" if version in ("1.0", "2.0") else "extra 1")
    assert said.fine == (None if version == "1.0" else 20)
    assert said.conversion == (None if version == "1.0" else "download")
    assert said.source_app == (None if version == "1.0" else 1234567891)
    assert said.interaction == ("click" if version >= "2.2" else None)
    assert said.did_win == (True if version >= "3.0" else None)
    assert said.sequence == (0 if version == "4.0" else None)
    assert found.reason == f"It verifies under {said.key}."


def test_web_ads_and_postbacks_without_a_source() -> None:
    of_web = skan(postback(source_app_id=None, source_domain="example.com")).said
    assert of_web is not None and (of_web.source_domain, of_web.source_app) == ("example.com", None)
    hidden = skan(postback(source_app_id=None)).said
    assert hidden is not None and (hidden.source_domain, hidden.source_app) == (None, None)
    both = skan(postback(source_domain="example.com"))
    assert both.reason == "source-app-id and source-domain exclude each other."


def another(name: str, value: Any) -> Any:
    """A value of the field that another postback could have."""
    if isinstance(value, bool):
        return not value
    if name in ("fidelity-type", "postback-sequence-index"):
        return 1 - value
    if isinstance(value, int):
        return value + 1
    return {"version": "3.0" if value != "3.0" else "2.2", "source-identifier": "5238"}.get(
        name, value[:-1] + ("1" if value[-1] != "1" else "2")
    )


@given(version=VERSION, data=st.data())
def test_any_change_to_a_signed_field_is_refused(version: Version, data: st.DataObject) -> None:
    body = postback(version)
    name = data.draw(st.sampled_from([one for one in POSTBACK_ORDER[version] if one in body]))
    changes = st.one_of(
        st.just(another(name, body[name])),
        st.integers(-1, 2**70),
        st.text(max_size=40),
        st.booleans(),
        st.none(),
        st.floats(),
        st.lists(st.integers(), max_size=2),
    ).filter(lambda value: not (type(value) is type(body[name]) and value == body[name]))
    changed = {**body, name: data.draw(changes)}
    found = read("skadnetwork", json.dumps(changed).encode(), KEYS)
    assert found.said is None
    left_out = {one: value for one, value in body.items() if one != name}
    assert skan(left_out).said is None


@given(version=VERSION, data=st.data())
def test_any_change_to_what_is_not_signed_is_noticed_as_another_body(version: Version, data: st.DataObject) -> None:
    body = postback(version)
    unsigned = ["conversion-value", "coarse-conversion-value", "country-code", "anything-else"]
    if version < "3.0":
        unsigned += ["did-win", "postback-sequence-index", "source-identifier"]
    name = data.draw(st.sampled_from(unsigned))
    value = data.draw(st.one_of(st.integers(0, 63), st.sampled_from(["low", "medium", "high"]), st.text(), st.none()))
    first, second = skan(body), read("skadnetwork", json.dumps({**body, name: value}).encode(), KEYS)
    assert first.said is not None and second.said is not None
    assert first.transaction == second.transaction
    assert (first.hash == second.hash) == (name in body and body[name] == value and type(value) is int)


@given(st.data())
def test_any_change_to_a_jws_is_refused(data: st.DataObject) -> None:
    body = kit_postback()
    text_ = body["jws-string"]
    at = data.draw(st.integers(0, len(text_) - 2))  # the last character holds bits that no byte is made of
    other = data.draw(st.sampled_from("abcXYZ019-_.=+/ \u2063"))
    if other == text_[at]:
        return
    changed = text_[:at] + other + text_[at + 1 :]
    assert kit({**body, "jws-string": changed}).said is None


@given(
    name=st.sampled_from(["conversion-value", "coarse-conversion-value", "ad-interaction-type", "country-code", "x"]),
    value=st.one_of(st.integers(0, 63), st.sampled_from(["low", "view", "DE"]), st.none()),
)
def test_any_change_beside_the_jws_is_noticed_as_another_body(name: str, value: Any) -> None:
    body = kit_postback()
    first, second = kit(body), kit({**body, name: value})
    assert first.said is not None and second.said is not None
    assert first.transaction == second.transaction
    assert (first.hash == second.hash) == (name in body and body[name] == value)


def test_a_postback_of_adattributionkit_is_read() -> None:
    said_by_apple = payload(conversion_type="re-engagement", source_identifier="39", postback_sequence_index=2)
    found = kit(kit_postback(said_by_apple, conversion_value=None, coarse_conversion_value="high"))
    said = found.said
    assert said is not None
    assert found.transaction == said_by_apple["postback-identifier"].lower()
    assert (said.key, said.network, said.store_app) == (KID, "example123.adattributionkit", 525463029)
    assert (said.source_kind, said.source, said.sequence) == ("source_identifier", "39", 2)
    assert (said.conversion, said.did_win, said.interaction) == ("re-engagement", True, "click")
    assert (said.fine, said.coarse, said.country, said.source_app) == (None, "high", "US", 1234567891)
    assert kit(kit_postback(payload(publisher_item_identifier=None))).said is not None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("campaign-id", "42"), ("campaign-id", 0), ("campaign-id", 101), ("campaign-id", 42.0), ("campaign-id", True),
        ("app-id", "525463029"), ("app-id", -1), ("app-id", 2**63), ("redownload", "false"), ("redownload", 0),
        ("source-app-id", "1234567891"), ("source-app-id", None), ("fidelity-type", "1"), ("fidelity-type", 2),
        ("did-win", "true"), ("did-win", 1), ("transaction-id", "6aafb7a5"), ("transaction-id", 7),
        ("ad-network-id", "a\u2063b"), ("ad-network-id", ""), ("version", 3.0),
    ],
)  # fmt: skip
def test_a_signature_does_not_make_up_for_a_type(name: str, value: Any) -> None:
    body = fields("3.0")
    found = skan(signed({**body, name: value}) if name != "version" else {**signed(body), name: value})
    assert found.said is None
    assert found.reason.startswith(name)


@pytest.mark.parametrize(
    ("name", "value"),
    [("source-identifier", 5239), ("source-identifier", "5"), ("source-identifier", "52390"),
     ("source-identifier", "٥٢٣٩"), ("postback-sequence-index", 3), ("postback-sequence-index", "0"),
     ("postback-sequence-index", False), ("source-domain", ""), ("source-domain", "a\u2063b")],
)  # fmt: skip
def test_nor_in_version_4(name: str, value: Any) -> None:
    found = skan(signed({**fields(source_app_id=None), name: value}))
    assert found.said is None
    assert found.reason.startswith(name)


def test_what_a_version_does_not_sign_is_not_believed() -> None:
    found = skan({**postback("2.2"), "did-win": False, "postback-sequence-index": 2, "source-identifier": "11"}).said
    assert found is not None
    assert (found.did_win, found.sequence, found.source, found.fine) == (None, None, "42", 20)
    of_old = skan({**postback("1.0"), "redownload": True, "source-app-id": 5, "fidelity-type": 0}).said
    assert of_old is not None
    assert (of_old.conversion, of_old.source_app, of_old.interaction) == (None, None, None)


def test_what_is_no_field_of_skadnetwork_is_not_spoken_of() -> None:
    found = skan({**postback(), "ad-interaction-type": "hover", "country-code": 7})
    assert found.reason == "It verifies under extra 1."
    assert "country-code is left out" in kit(kit_postback(country_code=7)).reason


@pytest.mark.parametrize("spelt", ["{}\n", " {}", "{}x", "({})", "", "====", "MEUC"])
def test_a_signature_is_base64_and_nothing_else(spelt: str) -> None:
    body = postback()
    found = skan({**body, "attribution-signature": spelt.format(body["attribution-signature"])})
    assert found.said is None
    assert found.reason.startswith("attribution-signature")


@pytest.mark.parametrize("index", [0, 1, 2])
def test_every_window_has_its_postback(index: int) -> None:
    said = skan(postback(postback_sequence_index=index, conversion_value=None, coarse_conversion_value="low")).said
    assert said is not None and (said.sequence, said.coarse) == (index, "low")


@pytest.mark.parametrize(
    ("changes", "left_out"),
    [
        ({"conversion_value": 64}, "conversion-value is left out: it is not a number from 0 to 63"),
        ({"conversion_value": "20"}, "conversion-value is left out"),
        ({"conversion_value": True}, "conversion-value is left out"),
        ({"coarse_conversion_value": "LOW"}, "coarse-conversion-value is left out: it is not low, medium or high"),
        ({"postback_sequence_index": 1}, "conversion-value is left out: it is not a number from 0 to 63, of a first"),
        ({"did_win": False}, "conversion-value is left out: who did not win is told no value"),
    ],
)
def test_values_that_no_device_sends_are_left_out_and_said(changes: dict[str, Any], left_out: str) -> None:
    found = skan(postback(**changes))
    assert found.said is not None
    assert left_out in found.reason
    assert found.said.fine is None or "coarse" in left_out


def head(**header: Any) -> dict[str, Any]:
    """A postback whose JWS has another header, signed as it stands."""

    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    string = f"{part(json.dumps(header).encode())}.{part(text(payload()))}"
    r, s = decode_dss_signature(P256.sign(string.encode(), ec.ECDSA(SHA256())))
    return {"jws-string": f"{string}.{part(r.to_bytes(32) + s.to_bytes(32))}"}


def test_a_jws_names_es256_and_a_known_key() -> None:
    assert kit(head(alg="ES256", kid=KID)).said is not None
    assert kit(head(alg="ES256", kid=KID, typ="JWT")).said is not None
    for alg in ("none", "HS256", "ES384", "es256", None, 1):
        assert kit(head(alg=alg, kid=KID)).reason == "jws-string is not signed by ES256."
    for kid in ("apple-development-identifier/1", "apple-cas-identifier/1", "", None, 0, ["x"]):
        assert kit(head(alg="ES256", kid=kid)).reason == "jws-string names no known key (kid)."
    assert kit(head(alg="ES256", kid="apple-cas-identifier/0")).reason == (
        "jws-string does not verify under apple-cas-identifier/0."
    )
    assert "crit" in kit(head(alg="ES256", kid=KID, crit=["b64"], b64=False)).reason


def test_the_payload_of_a_jws_has_types_too() -> None:
    for name, value in (
        ("postback-identifier", "x"), ("ad-network-identifier", 1), ("advertised-item-identifier", "525463029"),
        ("source-identifier", 5239), ("conversion-type", "install"), ("conversion-type", []), ("did-win", "true"),
        ("postback-sequence-index", 3), ("publisher-item-identifier", "0"),
    ):  # fmt: skip
        found = kit(kit_postback({**payload(), name: value}))
        assert found.said is None
        assert found.reason.startswith(name)


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "The body is no JSON."), (b"\xff\xfe", "The body is no JSON."), (b"[]", "The body is no JSON object."),
        (b"null", "The body is no JSON object."), (b'{"a":NaN}', "The body is no JSON."),
        ("{}".encode("utf-16"), "The body is no JSON."), (b'{"a":"\xed\xa0\x80"}', "The body is no JSON."),
        (b"\xef\xbb\xbf{}", "The body is no JSON."), (b"[" * 16_000, "The body is no JSON."),
        (b'{"a":' + b"9" * 9000 + b"}", "The body is no JSON."),
        (b'{"version":"4.0","version":"3.0"}', "'version' stands twice."),
        (b'{"jws-string":1}', ""), (b'{"jws-string":"a.b"}', ""), (b'{"jws-string":"..","x":1e999}', ""),
        (b'{"transaction-id":"\\ud800\\u0000","version":"4.0"}', ""), (b'{"attribution-signature":[]}', ""),
    ],
)  # fmt: skip
def test_whatever_comes_is_on_record(framework: Framework, body: bytes, why: str) -> None:
    found = read(framework, body, KEYS)
    assert found.said is None
    assert found.reason.startswith(why)
    assert len(found.hash) == 32
    found.reason.encode()


@given(st.binary(max_size=200), st.sampled_from(FRAMEWORKS))
def test_no_bytes_raise(body: bytes, framework: Framework) -> None:
    assert read(framework, body, KEYS).said is None


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5), lambda of: st.lists(of, max_size=3)))
def test_no_value_of_any_field_raises(value: Any) -> None:
    for version in VERSIONS:
        body = postback(version)
        for name in body:
            found = read("skadnetwork", json.dumps({**body, name: value}).encode(), KEYS)
            if name != "conversion-value" and value != body[name]:
                assert found.said is None
    for name in ("jws-string", "conversion-value", "country-code"):
        read("adattributionkit", json.dumps({**kit_postback(), name: value}).encode(), KEYS)


def test_the_spelling_of_the_json_does_not_make_another_body() -> None:
    body = postback()
    turned = dict(reversed(body.items()))
    spelt = json.dumps(turned, indent=3).replace("example", "\\u0065xample").replace("/", "\\/").encode()
    assert read("skadnetwork", spelt, KEYS) == skan(body)


def test_a_copy_with_a_mirrored_signature_is_another_body_of_the_same_id() -> None:
    """Of every ECDSA signature (r, s) there is a second one, (r, n - s), that verifies."""
    n = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    body = postback()
    r, s = decode_dss_signature(base64.b64decode(body["attribution-signature"]))
    mirrored = skan({**body, "attribution-signature": base64.b64encode(encode_dss_signature(r, n - s)).decode()})
    assert mirrored.said is not None
    assert mirrored.transaction == skan(body).transaction
    assert mirrored.hash != skan(body).hash


def test_a_jws_whose_numbers_begin_with_zeros_verifies() -> None:
    sizes: set[tuple[bool, bool]] = set()
    number = 0
    while not {(True, False), (False, True)} <= sizes:  # each of them is one in 256
        number += 1
        jws = impression_jws(P256, KID, payload(postback_identifier=f"85546EB7-FD39-44BC-8990-{number:012d}"))
        raw = base64.urlsafe_b64decode(jws.rpartition(".")[2] + "==")
        sizes.add((raw[0] == 0, raw[32] == 0))
        if raw[0] == 0 or raw[32] == 0:
            assert kit({"jws-string": jws}).said is not None
