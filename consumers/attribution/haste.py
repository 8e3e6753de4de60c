"""Whether a touch came too late to have led to the install, by its figures. Pure."""

from collections.abc import Mapping

from consumers.attribution.facts import Candidate, Conversion
from schemas.validity import INJECTION_S

Figures = Mapping[str, int]


def too_soon(conversion: Conversion, one: Candidate) -> Figures | None:
    """Faster than anybody installs, or after the download had begun: how much; None when neither.

    A device's clock may be slow: then the touch seems to lie after the install, and only the receipt tells.
    Times of two clocks are not compared, but for Google's, which is right.
    """
    since_us = conversion.at_us - one.touched_us
    if since_us < 0:
        since_us = conversion.received_us - one.touched_us
    if since_us < INJECTION_S * 1_000_000:
        return {"seconds": max(since_us, 0) // 1_000_000}
    begun_us = conversion.play.server_begun_us
    if begun_us is not None and begun_us + 1_000_000 <= one.touched_us:
        return {"seconds_after_begin": (one.touched_us - begun_us) // 1_000_000}
    return None
