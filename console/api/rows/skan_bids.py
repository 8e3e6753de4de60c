"""Rows of bids."""

from console.api.route import LIMITED, Route
from console.manage.skan_bids import SkanBid, answer_bid
from console.skan_bids.answering import BidAnswer

SKAN_BIDS: tuple[Route, ...] = (
    Route(name="answer_skan_bid", method="POST", path="/skan/bid", role="manage", body=SkanBid, answer=BidAnswer,
          does="SKAdNetwork's object for a bid, made and signed, or checked; or why there is none.", refuses=LIMITED,
          call=lambda c: answer_bid(c.body, c.settings)),
)  # fmt: skip
