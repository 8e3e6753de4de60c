"""SKAdNetwork in OpenRTB 2.x: what an impression asks for, the object that a bid carries, and what is wrong with one.

Source: IAB Tech Lab's SKAdNetwork extension, `BidRequest.imp.ext.skadn` and `BidResponse.seatbid.bid.ext.skadn`. What
comes from exchanges is read tolerantly: nothing in it raises, what cannot be read counts as absent. Pure.
"""
