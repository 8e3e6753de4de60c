"""A decision in words: which touch caused an install, which did not, and why. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from schemas.ids import received_us
from schemas.reasons import LOST, SENTENCES

_DECIDED = ("method", "touch_id", "link", "click_id", "touch_kind", "confidence")
_CANDIDATE = ("touch_id", "method", "age_seconds", "verdict", "reason", "link", "click_id", "touch_kind")
_UNITS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))


def facts(row: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of an install, from its row; `decision` is None while it waits."""
    candidates = [_candidate(one) for one in orjson.loads(row["candidates"] or "[]")]
    received = datetime.fromtimestamp(received_us(str(row["id"])) / 1_000_000, UTC)
    found = {
        "install_id": row["install_id"],
        "decision": _decision(row) if row["method"] is not None else None,
        "candidates": candidates,
        "app": row["app"],
        "campaign": row["campaign"],
        "partner": row["partner"],
        "received_at": received,
        "rules": row["rules"],
        "decided_at": row["decided_at"],
        "decisions": row["number"] or 0,
        "decided_again_soon": row["method"] is not None and not row["decided"],
        "touches_read": bool(row["touches_read"]),
    }
    return {**found, "sentence": headline(found)}


def _decision(row: Mapping[str, Any]) -> dict[str, Any]:
    confidence = row["confidence"]
    touch_id = str(row["touch"]) if row["touch"] is not None else None
    stated = {**row, "touch_id": touch_id, "confidence": None if confidence is None else round(confidence, 4)}
    return {name: stated[name] for name in _DECIDED}


def _candidate(one: Mapping[str, Any]) -> dict[str, Any]:
    reason = one["reason"]
    return {name: one.get(name) for name in _CANDIDATE} | {"sentence": SENTENCES.get(reason, reason)}


def headline(found: Mapping[str, Any]) -> str:
    """The one sentence an account manager reads first."""
    decision, candidates = found["decision"], found["candidates"]
    if decision is None:
        return _waiting(found["touches_read"])
    if decision["method"] == "preinstall":
        return f"Pre-installed: the app came to the device by {_link(found)}, which wins over clicks and views."
    if decision["touch_id"] is None:
        return _organic(decision["method"], candidates)
    winner = next((one for one in candidates if one["verdict"] != LOST), None)
    name = decision["click_id"]
    which = f"{decision['touch_kind']} {name}" if name else f"{_article(decision['touch_kind'])} without a click id"
    when = f", {_before(winner['age_seconds'])}" if winner and winner["age_seconds"] is not None else ""
    sure = _certainty(decision["confidence"])
    return f"Attributed to {which} of {_link(found)} by {decision['method']}{when}{sure}."


def _link(found: Mapping[str, Any]) -> str:
    owner = ", ".join(f"{role} {found[role]}" for role in ("campaign", "partner") if found[role])
    return f"link {found['decision']['link']}" + (f" ({owner})" if owner else "")


def _waiting(touches_read: bool) -> str:
    if touches_read:
        return "Not decided yet: every touch received before it is stored, the decision is due any moment."
    return "Not decided yet: it waits until every touch received before it is stored; `touchline status` shows how far."


def _organic(method: str, candidates: list[dict[str, Any]]) -> str:
    named = "Organic" if method == "organic" else f"Decided by {method}"
    if not candidates:
        found = "no click or impression of this device was found"
    elif len(candidates) == 1:
        found = "one touch was found and does not count"
    else:
        found = f"{len(candidates)} touches were found and none counts"
    return f"{named}: {found}, so no partner brought this install."


def _article(kind: str) -> str:
    return f"an {kind}" if kind == "impression" else f"a {kind}"


def _before(age_s: int) -> str:
    return f"{duration(age_s)} before the install" if age_s else "in the same second as the install"


def _certainty(confidence: float | None) -> str:
    """An estimate is said to be one; what a device or a store said itself needs no number."""
    return f", with a confidence of {confidence:.0%}" if confidence is not None and confidence < 1 else ""


def duration(seconds: int) -> str:
    """`12 s`, `3 min 20 s`, `2 d 4 h`: the two largest units."""
    parts: list[str] = []
    for unit, size in _UNITS:
        count, seconds = divmod(seconds, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
        elif parts:
            break
        if len(parts) == 2:
            break
    return " ".join(parts)
