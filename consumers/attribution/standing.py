"""Whether a candidate can have caused a conversion at all, looked at by itself. Pure."""

from consumers.attribution.facts import Candidate, Conversion
from consumers.attribution.fingerprint import differs, well_known
from consumers.attribution.haste import too_soon
from schemas.identifiers import same_device
from schemas.rules import CLOCK_SKEW_US, Windows

NO_WINDOWS: Windows = {}


def why_it_falls(
    conversion: Conversion, one: Candidate, windows_us: Windows, own_us: Windows = NO_WINDOWS
) -> str | None:
    """The first reason why the candidate cannot have caused the conversion; None when it stands.

    `own_us`: the windows that its link has of its own.
    """
    window_us = windows_us.get((one.method, one.touch_kind))
    if window_us is None:
        return "method_off"
    if one.app != conversion.app:
        return "other_app"
    if not _same_value(conversion, one):
        return "other_value"
    if "late" in one.flags:
        return "delivered_late"
    if "preinstall" in one.flags:
        return "no_clicks"
    age_us = conversion.at_us - one.touched_us
    if age_us < -CLOCK_SKEW_US:
        return "after_install"
    its_us = own_us.get((one.method, one.touch_kind))
    if age_us > (window_us if its_us is None else its_us):
        return "outside_window" if its_us is None else "outside_own_window"
    if conversion.active_us is not None and one.touched_us < conversion.active_us:
        return "before_activity"
    return _print_falls(conversion, one) if one.method == "fingerprint" else None


def _print_falls(conversion: Conversion, one: Candidate) -> str | None:
    """Behind one address somebody is always clicking: seconds before an install that accuses nobody, unless it was
    this device, of which the verdict `injection` speaks then."""
    if (why := differs(conversion, one)) is not None:
        return why
    if conversion.kind != "install":
        return None  # a link opens an app that is there at once
    return "too_soon" if too_soon(conversion, one) is not None and not well_known(conversion, one) else None


def _same_value(conversion: Conversion, one: Candidate) -> bool:
    """The key that found the touch is only a hash: compare what it stands for."""
    if one.method == "identifier":
        return any(same_device(ours, theirs) for ours in conversion.ids for theirs in one.ids)
    if one.method == "referrer":
        clicks = {one.click_id, one.external_click_id}
        return one.touch_id in conversion.touch_ids or bool(clicks & conversion.click_ids)
    return True
