"""Which address of a link goes where in ads whose installs SKAdNetwork attributes. Pure.

Apple attributes a click only where the ad's own landing is the App Store, without a redirect; clicks are counted beside
it. Elements: IAB Tech Lab's VAST; `mraid.open()`: its MRAID.
"""

import re
from urllib.parse import urlsplit

import msgspec

from schemas.links import Link

_ITEM = re.compile(r"/id([0-9]{1,20})(?:/|$)")
_HOSTS = ("apps.apple.com", "itunes.apple.com")


class SkanUses(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses for SKAdNetwork's traffic. The link's other addresses redirect, and are no landing there."""

    landing: str | None
    """The App Store itself: `<ClickThrough>`, `<CompanionClickThrough>`, what `mraid.open()` opens. Null: neither the
    target nor the app says its number."""
    click_tracking: str
    """Called beside it: `<ClickTracking>`, `<CompanionClickTracking>`, a beacon beside `mraid.open()`."""
    view_tracking: str
    """`<Impression>`, or an image in the ad."""


WHERE = {
    "landing": "<ClickThrough>, <CompanionClickThrough>, mraid.open()",
    "click_tracking": "<ClickTracking>, <CompanionClickTracking>, a beacon beside mraid.open()",
    "view_tracking": "<Impression>",
}
"""Field → places, for people."""


def skan_uses(link: Link, *, number: str | None, edge: str, query: str) -> SkanUses | None:
    """None: it leads to no app of the App Store. `number`: of the link's app there; `query`: parameters with the macros
    of its partner, or empty."""
    target = next((one for one in link.targets if one.store == "app_store"), None)
    if link.kind == "preinstall" or (target is None and number is None):
        return None
    landing = None if target is None else _in_store(target.url)
    if landing is None and number is not None and (target is None or target.app is None):
        landing = f"https://apps.apple.com/app/id{number}"
    asked = f"?{query}" if query else ""
    return SkanUses(
        landing=landing,
        # the image is the form that redirects nobody, whatever kind the link is of and whatever the query says
        click_tracking=f"{edge}/c/{link.id}.gif{asked}",
        view_tracking=f"{edge}/i/{link.id}.gif{asked}",
    )


def skan_remarks(link: Link, uses: SkanUses | None, *, campaign: str | None, is_used: bool) -> tuple[str, ...]:
    """What breaks the attribution of SKAdNetwork's traffic. `is_used`: campaign-ids or source identifiers stand for the
    campaign."""
    if not is_used or uses is None:
        return ()
    found = []
    if link.kind == "redirect":
        found.append(
            f"SKAdNetwork counts for the campaign {campaign!r}, and this link redirects: Apple attributes nothing to an"
            " ad that lands on it. Use skan.landing as the landing and skan.click_tracking beside it, or a link of kind"
            " tracking."
        )
    if uses.landing is None:
        found.append(
            f"SKAdNetwork counts for the campaign {campaign!r}, and the app_store target does not lead straight to the"
            " App Store: give one with https://apps.apple.com/app/id….",
        )
    return tuple(found)


def _in_store(url: str) -> str | None:
    """The address as it is when it leads straight there, else the same app's plain one; None: it is elsewhere."""
    parts = urlsplit(url)
    found = _ITEM.search(parts.path)
    if parts.hostname not in _HOSTS or found is None:
        return None
    if parts.scheme == "https" and parts.hostname == _HOSTS[0] and "{" not in url:
        return url
    return f"https://{_HOSTS[0]}/app/id{found[1]}"  # nobody fills the macros there
