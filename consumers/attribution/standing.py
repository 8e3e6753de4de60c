"""Whether a candidate can have caused a conversion at all, looked at by itself. Pure."""

from consumers.attribution.facts import Candidate, Conversion
from consumers.attribution.fingerprint import differs
from schemas.identifiers import same_device
from schemas.rules import CLOCK_SKEW_US, Windows


def why_it_falls(conversion: Conversion, one: Candidate, windows_us: Windows) -> str | None:
    """The first reason why the candidate cannot have caused the conversion; None when it stands."""
    window_us = windows_us.get((one.method, one.touch_kind))
    if window_us is None:
        return "method_off"
    if one.app != conversion.app:
        return "other_app"
    if not _same_value(conversion, one):
        return "other_value"
    if "late" in one.flags:
        return "delivered_late"
    age_us = conversion.at_us - one.touched_us
    if age_us < -CLOCK_SKEW_US:
        return "after_install"
    if age_us > window_us:
        return "outside_window"
    if conversion.active_us is not None and one.touched_us < conversion.active_us:
        return "before_activity"
    return differs(conversion, one) if one.method == "fingerprint" else None


def _same_value(conversion: Conversion, one: Candidate) -> bool:
    """The key that found the touch is only a hash: compare what it stands for."""
    if one.method == "identifier":
        return any(same_device(ours, theirs) for ours in conversion.ids for theirs in one.ids)
    if one.method == "referrer":
        clicks = {one.click_id, one.external_click_id}
        return one.touch_id in conversion.touch_ids or bool(clicks & conversion.click_ids)
    return True
