"""Decides a page of installs: reads what `decide` looks at, and keeps what it says. Within the caller's transaction."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

import asyncpg
import msgspec

from consumers.attribution.candidates import EPOCH, PER_KEY_FIRST, PER_KEY_MAX, read_candidates, timestamp
from consumers.attribution.decide import Decision, Judged, decide, why_they_fall
from consumers.attribution.facts import Candidate, Conversion, Label, conversion
from consumers.attribution.own_windows import reachable, read_longest, read_own
from consumers.attribution.probes import looked_for
from consumers.attribution.record import read_facts
from consumers.outcomes.queue import leave
from schemas.events import Device, Install, Referrer
from schemas.ids import received_us
from schemas.rules import DEFAULT, Named, Windows, name_of, stored_rules
from schemas.sql import joined, load

_encode = msgspec.json.Encoder().encode
_US = timedelta(microseconds=1)
_device = msgspec.json.Decoder(Device)
_referrer = msgspec.json.Decoder(Referrer)
_ids = msgspec.json.Decoder(dict[str, str])


class Decided(NamedTuple):
    """An install with its decision, not kept yet."""

    conversion: Conversion
    rules: Named
    decision: Decision
    contenders: list[Candidate]


async def decided(
    connection: asyncpg.Connection, rows: Sequence[asyncpg.Record], rules: Sequence[Named] | None = None
) -> list[Decided]:
    """The decisions about stored installs by these rules, else by those in force when each was received, or by those
    that it was decided by before (`decided_by`)."""
    conversions = [_conversion(row) for row in rows]
    rules = rules or await rules_of(connection, conversions, [row.get("decided_by") for row in rows])
    conversions = await _labelled(connection, conversions, [row["preinstall_link"] for row in rows])
    return await decided_by(connection, conversions, rules)


async def decided_by(
    connection: asyncpg.Connection, conversions: Sequence[Conversion], rules: Sequence[Named]
) -> list[Decided]:
    """The decisions about conversions by these rules."""
    longest = await read_longest(connection, {one.app for one in conversions})
    found, full = await _decide(connection, conversions, rules, longest, PER_KEY_FIRST)
    for number, one in enumerate(found):
        # most keys hold a few touches; where a full page of them fell, more are read
        if full[number] and one.decision.method == "organic":
            (found[number],), _ = await _decide(connection, [one.conversion], [one.rules], longest, PER_KEY_MAX)
    return found


async def keep(connection: asyncpg.Connection, found: Sequence[Decided], *, replayed: bool = False) -> None:
    """Store the decisions that differ from the standing ones, all about one kind, and what would change them."""
    values = [_values(one) for one in found]
    kind = found[0].conversion.kind
    await connection.execute(load("conversions")["decide"], *zip(*values, strict=True), replayed, kind)
    await leave(connection, [one.conversion.id for one in found], silent=replayed)
    watched = [(key, one.conversion.id) for one in found for key in _watched(one)]
    if kind != "install":  # an install's own keys stand since it was stored
        watched += [(key, one.conversion.id) for one in found for key in _looked_for(one)]
    if watched:
        await connection.execute(load("conversions")["insert_keys"], *joined(watched))


def _looked_for(one: Decided) -> Iterable[int]:
    return looked_for(one.conversion, one.rules.rules.rules)


async def _decide(
    connection: asyncpg.Connection,
    conversions: Sequence[Conversion],
    rules: Sequence[Named],
    longest: Mapping[str, Windows],
    per_key: int,
) -> tuple[list[Decided], list[bool]]:
    """The decisions, and whether a key of the conversion had more than `per_key` touches."""
    sets = [one.rules for one in rules]
    candidates, full = await read_candidates(connection, conversions, sets, longest, per_key=per_key)
    own: dict[str, Windows] = {}
    if longest:
        own = await read_own(connection, candidates)
        triples = zip(conversions, candidates, sets, strict=True)
        candidates = [reachable(one, found, its, own) for one, found, its in triples]
    falls = [why_they_fall(one, found, its, own) for one, found, its in zip(conversions, candidates, sets, strict=True)]
    standing = [
        [one for one, why in zip(found, theirs, strict=True) if why is None]
        for found, theirs in zip(candidates, falls, strict=True)
    ]
    facts = await read_facts(connection, conversions, standing, sets)
    decisions = [
        Decided(one, its, decide(one, found, its.rules, known._replace(own_windows=own), why), stand)
        for one, found, its, known, why, stand in zip(
            conversions, candidates, rules, facts, falls, standing, strict=True
        )
    ]
    return decisions, full


def _watched(one: Decided) -> Iterable[int]:
    """A touch under one of these keys may be the one that a contender repeats, whomever it was from."""
    return {key for touch in one.contenders for key in (touch.click_key, touch.print_key) if key is not None}


async def rules_of(
    connection: asyncpg.Connection, conversions: Sequence[Conversion], names: Sequence[str | None]
) -> list[Named]:
    """The rules that have these names; without one, those in force when the conversion was received."""
    versions = [_version(one.app, name) for one, name in zip(conversions, names, strict=True)]
    found = await connection.fetch(
        load("conversions")["rules"],
        range(len(conversions)),
        [one.app for one in conversions],
        versions,
        [timestamp(one.received_us) for one in conversions],
    )
    own = {row["number"]: row for row in found}
    return [
        Named(name_of(one.app, own[at]["version"]), stored_rules(own[at]["rules"])) if at in own else DEFAULT
        for at, one in enumerate(conversions)
    ]


def _version(app: str, name: str | None) -> int | None:
    """0, which is none, of rules that are not the app's own."""
    if name is None:
        return None
    of, _, version = name.rpartition("-")
    return int(version) if of == app else 0


async def _labelled(
    connection: asyncpg.Connection, conversions: list[Conversion], links: Sequence[str | None]
) -> list[Conversion]:
    """With the pre-install labels that are links of the conversion's app; others say nothing."""
    if not any(links):
        return conversions
    rows = await connection.fetch(load("conversions")["labels"], sorted({link for link in links if link}))
    labels = {(row["app"], row["link"]): Label(row["link"], row["campaign"], row["partner"]) for row in rows}
    pairs = zip(conversions, links, strict=True)
    return [one._replace(label=labels.get((one.app, link)) if link else None) for one, link in pairs]


def _conversion(row: asyncpg.Record) -> Conversion:
    """The facts of a stored install: the same as of the record it came from."""
    install_id = str(row["id"])
    install = Install(
        v=1,
        id=install_id,
        app=row["app"],
        install_id=row["install_id"],
        installed_us=(row["installed_at"] - EPOCH) // _US,
        ids=_ids.decode(row["ids"]),
        device=_device.decode(row["device"]),
        referrer=_referrer.decode(row["referrer"]) if row["referrer"] else None,
        ip=row["ip"],
        ua=row["ua"],
    )
    return conversion(install, received_us(install_id))._replace(test=row["test"])


def _values(one: Decided) -> tuple[object, ...]:
    decision = one.decision
    winner, owner = decision.winner, decision.winner or decision.label
    tags = next((judged.found for judged in decision.judged if judged.candidate is winner), {})
    return (
        one.conversion.id,
        decision.method,
        winner.touch_id if winner else None,
        winner.touch_kind if winner else None,
        owner.link if owner else None,
        owner.campaign if owner else None,
        owner.partner if owner else None,
        (winner.click_id or winner.external_click_id) if winner else None,
        decision.confidence,
        _encode(listed(decision)).decode(),
        _encode(decision.more).decode(),
        ",".join(tags),
        decision.earlier,
        one.rules.name,
        decision.test,
    )


def listed(decision: Decision) -> list[Mapping[str, object]]:
    """The candidates as a decision keeps them."""
    return [_stated(judged) for judged in decision.judged]


def _stated(judged: Judged) -> Mapping[str, object]:
    one = judged.candidate
    stated: dict[str, object] = {
        "touch_id": one.touch_id,
        "method": one.method,
        "touch_kind": one.touch_kind,
        "link": one.link,
        "click_id": one.click_id,
        "age_seconds": judged.age_s,
        "verdict": judged.verdict,
        "reason": judged.reason,
    }
    if judged.would_have_won:
        stated["would_have_won"] = True
    if judged.confidence is not None:
        stated["confidence"] = judged.confidence
    if judged.found:
        stated["tags"] = sorted(judged.found)
        figures = {name: dict(its) for name, its in sorted(judged.found.items()) if its}
        if figures:
            stated["figures"] = figures
    return stated
