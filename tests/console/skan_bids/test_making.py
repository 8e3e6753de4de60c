from typing import Any
from uuid import UUID

import msgspec
import pytest

from console.skan_bids.making import Wanted, make
from console.skan_bids.objects import Overlay, Skadn
from console.skan_bids.reasons import NoObject
from schemas.skan.signed import Version
from tests.console.skan_bids.support import NOW_MS, OURS, SECOND, THEIRS, WANTED, asked, tools


def wanted(**changes: Any) -> Wanted:
    return msgspec.structs.replace(WANTED, **changes)


def made(of: Wanted = WANTED, **changes: Any) -> Skadn:
    return make(asked(**changes), of, tools())


def refusal(of: Wanted = WANTED, *, numbers: Any = None, **changes: Any) -> tuple[str, int | None, str]:
    with pytest.raises(NoObject) as caught:
        make(asked(**changes), of, tools(numbers=numbers or {}))
    return caught.value.code, caught.value.loss_reason, caught.value.sentence


def plain(object: Skadn) -> Any:
    return msgspec.json.decode(msgspec.json.encode(object))


@pytest.mark.parametrize("version", ["2.0", "2.1"])
def test_up_to_2_1_an_object_has_one_signature(version: Version) -> None:
    object = plain(made(versions=[version]))
    assert object.pop("signature")
    assert object == {
        "version": version,
        "network": OURS,
        "campaign": "45",
        "itunesitem": "123456789",
        "sourceapp": "880047117",
        "nonce": str(UUID(int=1)),
        "timestamp": str(NOW_MS),
    }


@pytest.mark.parametrize(
    ("version", "stated"),
    [("2.2", {"campaign": "45"}), ("3.0", {"campaign": "45"}), ("4.0", {"sourceidentifier": "4321"})],
)
def test_from_2_2_on_it_has_one_for_each_type_of_ad(version: str, stated: dict[str, str]) -> None:
    object = plain(made(versions=[version]))
    signatures = object.pop("fidelities")
    assert object == {"version": version, "network": OURS, "itunesitem": "123456789", "sourceapp": "880047117"} | stated
    assert [(one["fidelity"], one["timestamp"]) for one in signatures] == [(0, str(NOW_MS)), (1, str(NOW_MS))]
    assert len({one["nonce"] for one in signatures}) == len({one["signature"] for one in signatures}) == 2
    assert [one["fidelity"] for one in plain(made(wanted(fidelities=(1,)), versions=[version]))["fidelities"]] == [1]


@pytest.mark.parametrize(
    ("said", "changes", "version"),
    [
        ({"versions": ["2.0", "4.0", "2.2"]}, {}, "4.0"),
        ({"versions": ["2.0", "4.0", "2.2"]}, {"source_identifier": None}, "2.2"),
        ({"versions": [2, 2.1, "3", 5.0, "10.0", None, True, {}]}, {}, "3.0"),
        ({"versions": None, "version": "2.1"}, {}, "2.1"),
        ({"versions": ["2.0"], "version": 2.2}, {}, "2.2"),
        ({"versions": "all", "version": " 4.0 "}, {}, "4.0"),
        ({"versions": ["2.1", "2.2"]}, {"fidelities": (0,)}, "2.2"),
    ],
)
def test_the_highest_common_version_counts(said: Any, changes: Any, version: str) -> None:
    assert made(wanted(**changes), **said).version == version


@pytest.mark.parametrize(
    ("said", "changes"),
    [
        ({"versions": ["1.0"]}, {}),
        ({"versions": None}, {}),
        ({"versions": ["4.0"]}, {"source_identifier": None}),
        ({"versions": ["3.0"]}, {"campaign_id": None}),
        ({"versions": ["2.0", "2.1"]}, {"fidelities": (0,)}),
    ],
)
def test_without_a_common_version_there_is_nothing_to_do(said: Any, changes: Any) -> None:
    code, loss, sentence = refusal(wanted(**changes), **said)
    assert (code, loss, sentence.partition(":")[0]) == ("no_version", None, "imp.ext.skadn.versions")


NUMBERS = {OURS: (7,), SECOND: (306,), THEIRS: (1,)}


@pytest.mark.parametrize(
    ("said", "network"),
    [
        ({"skadnetids": [THEIRS, OURS.upper()]}, OURS),
        ({"skadnetids": [SECOND, 7, None]}, SECOND),
        ({"skadnetids": None, "skadnetlist": {"addl": [SECOND]}}, SECOND),
        ({"skadnetids": None, "skadnetlist": {"max": 7}}, OURS),
        ({"skadnetids": None, "skadnetlist": {"max": "306", "excl": ["7"]}}, SECOND),
        ({"skadnetids": None, "skadnetlist": {"max": 306.0, "excl": [7, 8]}}, SECOND),
        ({"skadnetids": [OURS], "skadnetlist": {"excl": [306]}}, OURS),
    ],
)
def test_the_network_is_the_first_of_ours_that_the_request_lists(said: Any, network: str) -> None:
    assert make(asked(**said), WANTED, tools(numbers=NUMBERS)).network == network


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"skadnetids": None}, "skadnetids"),
        ({"skadnetids": [THEIRS]}, "skadnetids"),
        ({"skadnetids": OURS}, "skadnetids"),
        ({"skadnetids": None, "skadnetlist": {"max": 6}}, "skadnetlist.max"),
        ({"skadnetids": None, "skadnetlist": [7]}, "skadnetids"),
        ({"skadnetids": None, "skadnetlist": {"max": "9" * 6000}}, "skadnetids"),
        ({"skadnetids": [OURS], "skadnetlist": {"excl": [7]}}, "skadnetlist.excl"),
        ({"skadnetids": None, "skadnetlist": {"max": 7, "excl": [7], "addl": [OURS]}}, "skadnetlist.excl"),
    ],
)
def test_a_network_that_is_not_listed_is_filtered(said: Any, named: str) -> None:
    code, loss, sentence = refusal(wanted(network=OURS), numbers=NUMBERS, **said)
    assert (code, loss) == ("network_not_listed", 214)
    assert named in sentence


def test_without_iabs_list_a_sentence_says_so() -> None:
    sentence = refusal(skadnetids=None, skadnetlist={"max": 306})[2]
    assert "TOUCHLINE_SKAN_LIST" in sentence


@pytest.mark.parametrize("bundle", ["880047117", 880047117, "id880047117", "ID880047117", " 880047117 ", None, "", []])
@pytest.mark.parametrize("sourceapp", ["880047117", 880047117, 880047117.0])
def test_the_app_that_shows_the_ad_may_be_spelt_in_many_ways(bundle: Any, sourceapp: Any) -> None:
    assert made(bundle=bundle, sourceapp=sourceapp).sourceapp == "880047117"


@pytest.mark.parametrize("sourceapp", [None, "", "000", 0, "com.example", -1, 1.5, True, ["880047117"], {}, "9" * 30])
def test_without_the_app_that_shows_the_ad_no_object_is_valid(sourceapp: Any) -> None:
    code, loss, sentence = refusal(sourceapp=sourceapp, bundle=None)
    assert (code, loss, sentence.partition(":")[0]) == ("bad_sourceapp", 214, "imp.ext.skadn.sourceapp")


@pytest.mark.parametrize("bundle", ["880047118", "com.example.app", 1, "0"])
def test_another_app_in_the_request_is_a_mismatch(bundle: Any) -> None:
    code, loss, sentence = refusal(bundle=bundle)
    assert (code, loss) == ("sourceapp_mismatch", 214)
    assert "app.bundle" in sentence


@pytest.mark.parametrize(
    ("items", "bundle"),
    [
        (("123456789",), None),
        ((123456789,), "id123456789"),
        (("5", "123456789"), "123456789"),
        (("5", "ID123456789"), 123456789),
        ((), "123456789"),
        (("123456789", 123456789), None),
    ],
)
def test_the_advertised_app_is_the_item_that_the_bundle_names(items: Any, bundle: Any) -> None:
    assert made(wanted(items=items, bundle=bundle)).itunesitem == "123456789"


@pytest.mark.parametrize(
    ("items", "bundle", "code"),
    [
        ((), None, "bad_itunesitem"),
        (("com.example",), None, "bad_itunesitem"),
        ((0,), None, "bad_itunesitem"),
        (("5", "6"), None, "bad_itunesitem"),
        (("5", "6"), "7", "itunesitem_mismatch"),
        (("5",), "com.example", "itunesitem_mismatch"),
        ((), "com.example", "itunesitem_mismatch"),
    ],
)
def test_an_item_that_does_not_name_the_bundle_is_filtered(items: Any, bundle: Any, code: str) -> None:
    assert refusal(wanted(items=items, bundle=bundle))[:2] == (code, 214)


@pytest.mark.parametrize("campaign", [0, 101, "0", "x", -1, 10**30])
def test_a_campaign_is_1_to_100(campaign: Any) -> None:
    code, loss, sentence = refusal(wanted(campaign_id=campaign, source_identifier=None))
    assert (code, loss, sentence.partition(":")[0]) == ("bad_campaign", 214, "campaign_id")
    assert made(wanted(campaign_id=campaign)).version == "4.0"  # which has none


@pytest.mark.parametrize("identifier", [0, 999, "999", 10_000, "12345", "x432", -4321])
def test_a_source_identifier_has_four_digits(identifier: Any) -> None:
    code, loss, sentence = refusal(wanted(source_identifier=identifier))
    assert (code, loss, sentence.partition(":")[0]) == ("bad_sourceidentifier", 214, "source_identifier")


def test_zeros_before_a_source_identifier_travel_with_it() -> None:
    assert made(wanted(source_identifier="0042")).sourceidentifier == "0042"


def test_pages_and_overlays_go_only_where_the_request_knows_them() -> None:
    page = UUID("45812c9b-c296-43d3-c6a0-c5a02f74bf6e")
    of = wanted(productpageid=page, skoverlay=Overlay(delay=5, pos=1))
    assert {"productpageid", "skoverlay"}.isdisjoint(plain(made(of)))
    assert {"productpageid", "skoverlay"}.isdisjoint(plain(made(of, productpage=0, skoverlay="2")))
    object = plain(made(of, productpage=1, skoverlay="1"))
    assert (object["productpageid"], object["skoverlay"]) == (str(page), {"delay": 5, "pos": 1})
    assert {"productpageid", "skoverlay"}.isdisjoint(plain(made(productpage=1, skoverlay=1)))


def test_without_keys_there_is_nothing_to_do() -> None:
    with pytest.raises(NoObject) as caught:
        make(asked(), WANTED, tools(keys={}))
    assert (caught.value.code, caught.value.loss_reason) == ("no_networks", None)
