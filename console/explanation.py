"""A decision in words: which touch caused an install, or a return, which did not, and why. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from console.remarks import duration, said
from schemas.ids import received_us
from schemas.reasons import LOST, SENTENCES

_DECIDED = ("method", "touch_id", "link", "click_id", "touch_kind", "confidence")
_CANDIDATE = (
    "touch_id",
    "method",
    "age_seconds",
    "verdict",
    "reason",
    "link",
    "click_id",
    "touch_kind",
    "confidence",
)

WOULD_HAVE_WON = "If its link were not judged by its day, it would have won."


def facts(row: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of an install, from its row; `decision` is None while it waits."""
    candidates = [_candidate(one) for one in orjson.loads(row["candidates"] or "[]")]
    received = datetime.fromtimestamp(received_us(str(row["id"])) / 1_000_000, UTC)
    decided = row["method"] is not None
    found = {
        "install_id": row["install_id"],
        "decision": _decision(row) if decided else None,
        "candidates": candidates,
        "more": orjson.loads(row["more"] or "{}"),
        "app": row["app"],
        "campaign": row["campaign"],
        "partner": row["partner"],
        "tags": list(row["tags"] or []),
        "earlier": _earlier(row),
        "received_at": received,
        "rules": row["rules"],
        "decided_at": row["decided_at"],
        "replayed": bool(row["replayed"]),
        "decisions": row["number"] or 0,
        "decided_again_soon": decided and (row["marked"] or not row["decided"]),
        "too_late": row["too_late"],
        "touches_read": bool(row["touches_read"]),
    }
    return {**found, "sentence": headline(found)}


def facts_of_return(row: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of a return to the app, from its row; `decision` is None while it waits."""
    found = {
        "event_id": row["event_id"],
        "name": row["name"],
        "at": row["at"],
        "decision": _decision(row) if row["method"] is not None else None,
        "candidates": [_candidate(one) for one in orjson.loads(row["candidates"] or "[]")],
        "more": orjson.loads(row["more"] or "{}"),
        "campaign": row["campaign"],
        "partner": row["partner"],
        "tags": list(row["tags"] or []),
        "test": bool(row["test"]),
        "rules": row["rules"],
        "decided_at": row["decided_at"],
        "decisions": row["number"] or 0,
        "decided_again_soon": row["method"] is not None and row["marked"],
        "touches_read": bool(row["touches_read"]),
    }
    return {**found, "sentence": _return_headline(found)}


def _decision(row: Mapping[str, Any]) -> dict[str, Any]:
    confidence = row["confidence"]
    touch_id = str(row["touch"]) if row["touch"] is not None else None
    stated = {**row, "touch_id": touch_id, "confidence": None if confidence is None else round(confidence, 4)}
    return {name: stated[name] for name in _DECIDED}


def _candidate(one: Mapping[str, Any]) -> dict[str, Any]:
    """With the sentence of its reason, and one of each verdict that has figures or did not make it fall."""
    reason, figures = one["reason"], one.get("figures", {})
    tags = {tag: said(tag, figures.get(tag, {})) for tag in one.get("tags", [])}
    why = tags.get(reason) or SENTENCES.get(reason, reason)
    remarks = {tag: sentence for tag, sentence in tags.items() if tag != reason}
    return {name: one.get(name) for name in _CANDIDATE} | {
        "tags": list(tags),
        "figures": figures,
        "sentence": why,
        "remarks": [*remarks.values(), *([WOULD_HAVE_WON] if one.get("would_have_won") else [])],
    }


def _earlier(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """The device's install of the app before this one."""
    if row["earlier"] is None:
        return None
    received = datetime.fromtimestamp(received_us(str(row["earlier"])) / 1_000_000, UTC)
    return {"install_id": row["earlier_install_id"], "received_at": received}


def headline(found: Mapping[str, Any]) -> str:
    """The one sentence an account manager reads first."""
    decision, candidates = found["decision"], found["candidates"]
    if decision is None:
        return _waiting(found["touches_read"])
    if decision["method"] == "preinstall":
        return f"Pre-installed: the app came to the device by {_link(found)}, which wins over clicks and views."
    if decision["method"] == "reinstall":
        return _reinstalled(found)
    if decision["touch_id"] is None:
        return f"Organic: {_none(candidates, found['more'])}, so no partner brought this install."
    return f"Attributed to {_touch(found, 'the install')}."


def _return_headline(found: Mapping[str, Any]) -> str:
    if found["decision"] is None:
        return _waiting(found["touches_read"])
    if found["decision"]["touch_id"] is None:
        return f"The user came back by themselves: {_none(found['candidates'], found['more'])}."
    return f"The user was brought back by {_touch(found, 'the event')}."


def _touch(found: Mapping[str, Any], conversion: str) -> str:
    decision, candidates = found["decision"], found["candidates"]
    winner = next((one for one in candidates if one["verdict"] != LOST), None)
    name = decision["click_id"]
    which = f"{decision['touch_kind']} {name}" if name else f"{_article(decision['touch_kind'])} without a click id"
    when = f", {_before(winner['age_seconds'], conversion)}" if winner and winner["age_seconds"] is not None else ""
    sure = _certainty(decision["confidence"])
    return f"{which} of {_link(found)} by {decision['method']}{when}{sure}"


def _link(found: Mapping[str, Any]) -> str:
    owner = ", ".join(f"{role} {found[role]}" for role in ("campaign", "partner") if found[role])
    return f"link {found['decision']['link']}" + (f" ({owner})" if owner else "")


def _waiting(touches_read: bool) -> str:
    if touches_read:
        return "Not decided yet: every touch received before it is stored, the decision is due any moment."
    return "Not decided yet: it waits until every touch received before it is stored; `touchline status` shows how far."


def _reinstalled(found: Mapping[str, Any]) -> str:
    earlier = found["earlier"]
    assert earlier is not None, "a reinstall names the install before it"
    which = f"install {earlier['install_id']} of {earlier['received_at']:%Y-%m-%d}"
    return f"The device had the app before ({which}): a reinstall, its first attribution stands."


def _none(candidates: list[dict[str, Any]], more: Mapping[str, int]) -> str:
    count = len(candidates) + sum(more.values())
    unsure = [one["confidence"] for one in candidates if one["reason"] == "unsure" and one["confidence"] is not None]
    if unsure:
        return f"the best fingerprint is sure by {max(unsure):.0%} only, which is less than the rules ask for"
    if not count:
        return "no click or impression of this device was found"
    return "one touch was found and does not count" if count == 1 else f"{count} touches were found and none counts"


def _article(kind: str) -> str:
    return f"an {kind}" if kind == "impression" else f"a {kind}"


def _before(age_s: int, conversion: str) -> str:
    return f"{duration(age_s)} before {conversion}" if age_s else f"in the same second as {conversion}"


def _certainty(confidence: float | None) -> str:
    """An estimate is said to be one; what a device or a store said itself needs no number."""
    return f", with a confidence of {confidence:.0%}" if confidence is not None and confidence < 1 else ""
