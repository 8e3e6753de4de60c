"""A bid request, answered impression by impression. Pure."""

from typing import Any

import msgspec

from console.skan_bids import values
from console.skan_bids.asked import asked_of, imp_id, imps_of
from console.skan_bids.checking import check
from console.skan_bids.making import Tools, Wanted, make
from console.skan_bids.objects import Skadn
from console.skan_bids.reasons import Fault, NoObject, Nothing, NothingToDo, Unanswered

IMPS_MAX = 100


class ImpAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The object for a bid on one impression, or why there is none."""

    imp: str | None
    """Its id; null: it has none."""
    skadn: Skadn | None = None
    signature_checked: bool | None = None
    """Of an object that the bid had: whether its signatures were verified; false: its network's key is not ours."""
    reason: Nothing | Fault | None = None
    detail: str | None = None
    """The reason as a sentence that names the field."""
    loss_reason: int | None = None
    """214: an exchange would filter the bid. Null: it is as good without an object."""


class BidAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Of each impression, in the request's order."""

    imps: tuple[ImpAnswer, ...]
    reason: Unanswered | None = None
    """Why some or all are not answered."""
    detail: str | None = None


def answer(request: dict[str, Any], only: str | None, bid: dict[str, Any], wanted: Wanted, tools: Tools) -> BidAnswer:
    """`only`: the impression's id, None for all of them; `bid`: with an object of its own it is checked, else one is
    made. Its `bundle` counts before that of `wanted`."""
    imps = imps_of(request)
    if not imps:
        return BidAnswer(imps=(), reason="no_imps", detail="request.imp: there is no impression in it.")
    if only is not None:
        imps = [one for one in imps if imp_id(one) == only]
        if not imps:
            said = f"request.imp: none has the id {values.shown(only)}."
            return BidAnswer(imps=(), reason="unknown_imp", detail=said)
    answered = tuple(_imp(request, imp, bid, wanted, tools) for imp in imps[:IMPS_MAX])
    if len(imps) > IMPS_MAX:
        said = f"request.imp: has {len(imps)} impressions; the first {IMPS_MAX} are answered."
        return BidAnswer(imps=answered, reason="too_many_imps", detail=said)
    return BidAnswer(imps=answered)


def _imp(request: dict[str, Any], imp: Any, bid: dict[str, Any], wanted: Wanted, tools: Tools) -> ImpAnswer:
    name = imp_id(imp)
    own = values.mapping(bid.get("ext")).get("skadn")
    try:
        asked = asked_of(request, imp)
        if asked is None:
            raise NothingToDo("no_skadn", "imp.ext.skadn: it is missing, or no object: nobody asks for one.")
        if own is not None:
            checked = check(asked, own, wanted.bundle, tools)
            return ImpAnswer(imp=name, skadn=checked.object, signature_checked=checked.signature_checked)
        return ImpAnswer(imp=name, skadn=make(asked, wanted, tools))
    except NoObject as error:
        return ImpAnswer(imp=name, reason=error.code, detail=error.sentence, loss_reason=error.loss_reason)
