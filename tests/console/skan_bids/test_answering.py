"""Whatever an exchange sends is answered; whatever we make, we would take."""

import base64
from typing import Any, get_args
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given, settings
from hypothesis import strategies as st

from console.skan_bids.answering import BidAnswer, answer
from console.skan_bids.making import Wanted
from console.skan_bids.objects import Overlay, Skadn
from console.skan_bids.reasons import Fault, Nothing, Unanswered
from schemas.skan.ads import Ad, ad_string
from schemas.skan.signed import VERSIONS
from tests.console.skan_bids.support import KEYS, OURS, SECOND, THEIRS, WANTED, request, skadn, tools

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
    | st.sampled_from(["2.0", "4.0", "id7", "880047117", OURS, "1", "0", "é" * 3, "²", "٣"])
)  # fmt: skip
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


def some(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, anything))


def objects(good: dict[str, Any]) -> st.SearchStrategy[Any]:
    """An object with some of its fields replaced by anything."""
    return st.dictionaries(st.sampled_from(sorted(good)), anything, max_size=3).map(lambda changes: good | changes)


asking = anything | objects(
    skadn(version="2.0", skadnetlist={"max": 3, "excl": [1], "addl": [SECOND]}, productpage=1, skoverlay=1)
)
listing = some("max", "excl", "addl").map(lambda of: skadn(skadnetids=None, skadnetlist=of))
bidding = some("version", "network", "campaign", "sourceidentifier", "itunesitem", "sourceapp", "nonce", "fidelities")


def said(answered: BidAnswer | Skadn) -> Any:
    """As it goes out."""
    return msgspec.json.decode(msgspec.json.encode(answered))


def check_reasons(answered: BidAnswer) -> None:
    assert answered.reason is None or answered.reason in get_args(Unanswered)
    for one in answered.imps:
        assert (one.skadn is None) == (one.reason is not None) == (one.detail is not None)
        assert one.reason is None or one.reason in (*get_args(Nothing), *get_args(Fault))
        assert (one.loss_reason == 214) == (one.reason in get_args(Fault))
    said(answered)


@given(whole=some("imp", "app", "id", "ext"), bid=some("bundle", "ext", "impid"))
@settings(max_examples=150, deadline=None)
def test_no_request_raises(whole: Any, bid: Any) -> None:
    check_reasons(answer(whole, None, bid, WANTED, tools(numbers={OURS: (1,)})))


@given(of=st.lists(asking | listing, max_size=3), bundle=anything, itunesitem=st.tuples(scalars), ext=anything)
@settings(max_examples=300, deadline=None)
def test_no_impression_raises(of: Any, bundle: Any, itunesitem: Any, ext: Any) -> None:
    whole = request(*of, bundle=bundle)
    wanted = msgspec.structs.replace(WANTED, items=itunesitem, bundle=bundle)
    answered = answer(whole, None, {"ext": ext}, wanted, tools(numbers={OURS: (1,), SECOND: (2,)}))
    check_reasons(answered)
    assert len(answered.imps) == len(of)


GOOD = {
    "version": "4.0", "network": OURS, "campaign": "45", "sourceidentifier": "4321", "itunesitem": "123456789",
    "sourceapp": "880047117", "nonce": "473b1a16-b4ef-43ad-9591-fcf3aefa82a7", "timestamp": "1594406341",
    "signature": "AAAA", "productpageid": "45812c9b-c296-43d3-c6a0-c5a02f74bf6e", "skoverlay": {"delay": 5},
    "fidelities": [{"fidelity": 1, "nonce": "473b1a16-b4ef-43ad-9591-fcf3aefa82a7", "timestamp": "1594406341",
                    "signature": "AAAA"}],
}  # fmt: skip


@given(own=bidding | objects(GOOD) | objects(GOOD | {"version": "2.1", "network": THEIRS}), bundle=scalars)
@settings(max_examples=300, deadline=None)
def test_no_bid_raises(own: Any, bundle: Any) -> None:
    whole = request(skadn(skadnetids=[OURS, THEIRS]))
    wanted = msgspec.structs.replace(WANTED, bundle=bundle)
    check_reasons(answer(whole, None, {"ext": {"skadn": own}}, wanted, tools()))


def verify(object: Skadn, ad: Ad, signature: str) -> None:
    KEYS[object.network].public_key().verify(base64.b64decode(signature), ad_string(ad).encode(), ec.ECDSA(SHA256()))


@given(
    versions=st.lists(st.sampled_from(VERSIONS), min_size=1),
    networks=st.lists(st.sampled_from([OURS, SECOND, THEIRS]), min_size=1),
    campaign=st.none() | st.integers(1, 100) | st.integers(1, 100).map(str),
    identifier=st.none() | st.integers(1000, 9999) | st.from_regex("[0-9]{4}", fullmatch=True),
    item=st.integers(1, 2**63 - 1),
    source=st.integers(1, 2**63 - 1),
    fidelities=st.sampled_from([(0,), (1,), (0, 1), (1, 0)]),
    overlay=st.none() | st.builds(Overlay, delay=st.integers(0, 60), pos=st.sampled_from([0, 1])),
    supported=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_what_is_made_is_good_and_its_signatures_verify(
    versions: Any, networks: Any, campaign: Any, identifier: Any, item: int, source: int, fidelities: Any, overlay: Any,
    supported: bool,
) -> None:  # fmt: skip
    of = skadn(versions=versions, skadnetids=networks, sourceapp=source, skoverlay=int(supported))
    wanted = Wanted(
        campaign_id=campaign, source_identifier=identifier, items=(item,), fidelities=fidelities, skoverlay=overlay
    )
    whole = request(of, bundle=f"id{source}")
    (made,) = answer(whole, None, {}, wanted, tools()).imps
    if made.skadn is None:
        assert made.reason == "no_version" or set(networks) == {THEIRS}
        return
    object = made.skadn
    for one in object.fidelities or [object]:
        assert one.nonce is not None and one.timestamp is not None and one.signature is not None
        ad = Ad(
            version=object.version,
            network=object.network,
            campaign_id=int(object.campaign) if object.campaign else None,
            source_identifier=int(object.sourceidentifier) if object.sourceidentifier else None,
            itunes_item_id=item,
            nonce=UUID(one.nonce),
            source_app_id=source,
            fidelity=getattr(one, "fidelity", None),
            timestamp_ms=int(one.timestamp),
        )
        verify(object, ad, one.signature)
    sent = {"ext": {"skadn": said(object)}}
    (again,) = answer(whole, None, sent, wanted, tools()).imps
    assert (again.skadn, again.signature_checked) == (object, True)


def test_each_impression_has_its_answer() -> None:
    of = [skadn(), None, skadn(sourceapp="1"), skadn(skadnetids=[])]
    answered = answer(request(*of), None, {}, WANTED, tools())
    assert [(one.imp, one.reason, one.loss_reason) for one in answered.imps] == [
        ("1", None, None),
        ("2", "no_skadn", None),
        ("3", "sourceapp_mismatch", 214),
        ("4", "network_not_listed", 214),
    ]
    only = answer(request(*of), "3", {}, WANTED, tools())
    assert [one.imp for one in only.imps] == ["3"]


def test_what_is_not_answered_is_said() -> None:
    assert said(answer({}, None, {}, WANTED, tools()))["reason"] == "no_imps"
    assert said(answer(request(skadn()), "7", {}, WANTED, tools()))["reason"] == "unknown_imp"
    many = answer(request(*[skadn(sourceapp="1")] * 101), None, {}, WANTED, tools())
    assert (len(many.imps), many.reason) == (100, "too_many_imps")
