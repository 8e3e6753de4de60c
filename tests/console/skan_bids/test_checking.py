from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from console.skan_bids.checking import check
from console.skan_bids.making import make
from console.skan_bids.reasons import NoObject
from schemas.skan.signed import VERSIONS
from tests.console.skan_bids.support import OURS, THEIRS, WANTED, asked, tools

DROP = object()


def good(version: str) -> dict[str, Any]:
    made = make(asked(versions=[version]), WANTED, tools())
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(made))
    return found


def refusal(object: Any, bundle: Any = None, **said: Any) -> tuple[str, int | None, str]:
    with pytest.raises(NoObject) as caught:
        check(asked(**said), object, bundle, tools())
    return caught.value.code, caught.value.loss_reason, caught.value.sentence


def changed(object: dict[str, Any], field: str, value: Any) -> dict[str, Any]:
    """With `field` another way; of each signature when the object has several."""
    name, _, inner = field.partition(".")
    if inner:
        return object | {name: [changed(one, inner, value) for one in object[name]]}
    made = object | {name: value}
    return {name: one for name, one in made.items() if one is not DROP}


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_what_we_made_is_good(version: str) -> None:
    checked = check(asked(), good(version), "123456789", tools())
    assert checked.signature_checked is True
    assert msgspec.json.decode(msgspec.json.encode(checked.object)) == good_again(version, checked.object)


def good_again(version: str, of: Any) -> dict[str, Any]:
    """As it came; signatures differ from one making to the next."""
    again = good(version)
    if of.fidelities is None:
        return again | {"signature": of.signature}
    signatures = [
        one | {"signature": its.signature} for one, its in zip(again["fidelities"], of.fidelities, strict=True)
    ]
    return again | {"fidelities": signatures}


def test_other_spellings_are_put_right() -> None:
    object = good("2.1")
    spelt = object | {"version": 2.1, "network": OURS.upper(), "campaign": 45, "itunesitem": ["id123456789"]}
    spelt |= {"sourceapp": 880047117, "nonce": object["nonce"].upper(), "timestamp": int(object["timestamp"])}
    spelt |= {"ext": {"x": 1}, "unknown": [None]}
    checked = check(asked(), spelt, None, tools())
    assert msgspec.json.decode(msgspec.json.encode(checked.object)) == object | {"itunesitem": ["123456789"]}


@pytest.mark.parametrize(
    ("version", "field", "value", "code"),
    [
        ("4.0", "version", DROP, "bad_version"),
        ("4.0", "version", "1.0", "bad_version"),
        ("4.0", "network", DROP, "bad_network"),
        ("4.0", "network", 7, "bad_network"),
        ("4.0", "network", THEIRS, "network_not_listed"),
        ("4.0", "sourceapp", DROP, "bad_sourceapp"),
        ("4.0", "sourceapp", "880047118", "sourceapp_mismatch"),
        ("4.0", "itunesitem", DROP, "bad_itunesitem"),
        ("4.0", "itunesitem", [], "bad_itunesitem"),
        ("4.0", "itunesitem", {}, "bad_itunesitem"),
        ("4.0", "itunesitem", "5", "itunesitem_mismatch"),
        ("4.0", "itunesitem", ["5", "6"], "itunesitem_mismatch"),
        ("3.0", "campaign", DROP, "bad_campaign"),
        ("2.0", "campaign", "101", "bad_campaign"),
        ("4.0", "sourceidentifier", DROP, "bad_sourceidentifier"),
        ("4.0", "sourceidentifier", "432", "bad_sourceidentifier"),
        ("4.0", "fidelities", DROP, "bad_fidelities"),
        ("2.2", "fidelities", [], "bad_fidelities"),
        ("2.2", "fidelities.fidelity", 1, "bad_fidelities"),
        ("2.2", "fidelities.fidelity", 2, "bad_fidelities"),
        ("2.2", "fidelities.nonce", "x", "bad_nonce"),
        ("2.2", "fidelities.timestamp", "1", "bad_timestamp"),
        ("2.2", "fidelities.signature", "ä", "bad_signature"),
        ("2.2", "fidelities.signature", "", "bad_signature"),
        ("2.1", "nonce", DROP, "bad_nonce"),
        ("2.1", "timestamp", "15944063412", "bad_timestamp"),
        ("2.1", "signature", DROP, "bad_signature"),
        ("2.1", "signature", 7, "bad_signature"),
        ("2.1", "productpageid", "page", "bad_productpageid"),
        ("2.1", "skoverlay", "yes", "bad_skoverlay"),
        ("2.1", "skoverlay", {"pos": 2}, "bad_skoverlay"),
        ("2.1", "skoverlay", {"delay": "soon"}, "bad_skoverlay"),
        ("2.1", "nonce", "473b1a16-b4ef-43ad-9591-fcf3aefa82a7", "wrong_signature"),
        ("2.1", "campaign", "46", "wrong_signature"),
        ("4.0", "sourceidentifier", "4322", "wrong_signature"),
        ("4.0", "fidelities.timestamp", "1594406341", "wrong_signature"),
        ("4.0", "fidelities.signature", "AAAA", "wrong_signature"),
    ],
)
def test_each_fault_has_its_reason(version: str, field: str, value: Any, code: str) -> None:
    found, loss, sentence = refusal(changed(good(version), field, value), "123456789")
    assert (found, loss) == (code, 214)
    if code != "wrong_signature":
        assert field.rpartition(".")[2] in sentence


@pytest.mark.parametrize("object", ["x", 7, [], True])
def test_an_object_that_is_none_is_filtered(object: Any) -> None:
    assert refusal(object)[:2] == ("bad_skadn", 214)


def test_a_version_that_the_request_does_not_know_is_filtered() -> None:
    assert refusal(good("4.0"), versions=["2.0", "2.2"])[0] == "bad_version"


def test_the_signature_of_another_network_is_not_judged() -> None:
    object = good("4.0") | {"network": THEIRS}
    checked = check(asked(skadnetids=[THEIRS]), object, None, tools())
    assert checked.signature_checked is False
    key = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(NoObject) as caught:
        check(asked(skadnetids=[THEIRS]), object, None, tools(keys={THEIRS: key}))
    assert caught.value.code == "wrong_signature"


def test_an_overlays_numbers_may_be_texts() -> None:
    object = good("2.1") | {"skoverlay": {"delay": "5", "dismissible": None, "pos": 1, "ext": {}}}
    overlay = check(asked(), object, None, tools()).object.skoverlay
    assert msgspec.to_builtins(overlay) == {"delay": 5, "pos": 1}
