"""Sub ids: what partners say of where their traffic comes from. MyTracker's ten, filled from utm where they lack."""

from collections.abc import Mapping

SUB_IDS = (
    "mt_network",
    "mt_campaign",
    "mt_adset",
    "mt_creative",
    "mt_medium",
    "mt_sub1",
    "mt_sub2",
    "mt_sub3",
    "mt_sub4",
    "mt_sub5",
)

UTM = {
    "utm_source": "mt_network",
    "utm_campaign": "mt_campaign",
    "utm_term": "mt_adset",
    "utm_content": "mt_creative",
    "utm_medium": "mt_medium",
}
"""Which sub id a utm parameter fills."""


def sub_ids(query: Mapping[str, str]) -> dict[str, str]:
    """Sub id → value of a split query, as it stands there; an empty one is filled from utm, and left out without."""
    found = {ours: query[theirs] for theirs, ours in UTM.items() if query.get(theirs)}
    for name in SUB_IDS:
        if value := query.get(name):
            found[name] = value
    return found
