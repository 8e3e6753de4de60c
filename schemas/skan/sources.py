"""Which campaign a postback belongs to: by campaign-id, or by what a device tells of the source identifier. Pure.

Source: Apple's "Receiving ad attributions and postbacks". A network gives an ad four digits (SKAdNetwork 4,
AdAttributionKit); a postback carries their LAST two, last three or all four, by how many people installed likewise: of
5239 it says 39, 239 or 5239. So an entry of two to four digits stands for every identifier that ends in it. A
campaign-id (SKAdNetwork up to 3.0, 1 to 100) comes whole or not at all.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

SourceKind = Literal["campaign_id", "source_identifier"]


class Entry(NamedTuple):
    """A source of one app, and what it stands for."""

    kind: SourceKind
    source: str
    """Decimal: 1 to 100, or two to four digits."""
    network: str | None
    """Lower case; None: of every network."""
    campaign: str


class Found(NamedTuple):
    """The campaign, if there is one; `ambiguous` when what was received fits several."""

    campaign: str | None
    ambiguous: bool = False


UNKNOWN = Found(None)


def resolve(kind: SourceKind, source: str, network: str, entries: Iterable[Entry]) -> Found:
    """The campaign of a postback, among the entries of its app; their order does not matter.

    The longest entry that what was received ends in decides. When there is none, what was received may be the end of
    entries: if they lead to one campaign, it is this one. Of an entry with the network and one without, for the same
    digits, the first counts.
    """
    fitting = [one for one in entries if one.kind == kind and one.network in (None, network)]
    # those with a network come last, and stay
    by_source = {one.source: one.campaign for one in sorted(fitting, key=lambda one: one.network is not None)}
    if kind == "campaign_id":
        return Found(by_source.get(source))
    ends = [digits for digits in by_source if source.endswith(digits)]
    if ends:
        return Found(by_source[max(ends, key=len)])
    campaigns = {campaign for digits, campaign in by_source.items() if digits.endswith(source)}
    if len(campaigns) == 1:
        return Found(campaigns.pop())
    return Found(None, ambiguous=True) if campaigns else UNKNOWN
