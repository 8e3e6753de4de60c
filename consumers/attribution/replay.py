"""Decides stored installs again: by today's rules or by others, and says what would change, for whom, and for how much.

Reads Postgres rows, which hold the raw query. Nothing changes unless `apply` is asked for; then what differs becomes a
further decision, and the history stays. No postback is sent.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, timedelta

import asyncpg
import msgspec

from consumers.attribution.days import DAY_0, publish
from consumers.attribution.deciding import Decided, decided, keep, listed
from consumers.attribution.own_windows import reach_us, read_longest
from schemas.ids import floor_id, received_us
from schemas.partitions import DAY_US, first_day
from schemas.rules import CLOCK_SKEW_US, DEFAULT, Named, name_of, stored_rules
from schemas.sql import load

PAGE_INSTALLS = 500
REFUSED_LISTED_MAX = 1000

Campaign = str
"""A campaign; `-` for attributed without one; a method that has no touch, such as `organic`, in brackets."""


class Sums(msgspec.Struct):
    """What a campaign has."""

    installs: int = 0
    revenue_micros: Counter[str] = msgspec.field(default_factory=Counter)
    """Currency → micros, of the events credited to its installs."""


class Difference(msgspec.Struct):
    """What a replay found."""

    installs: int = 0
    """Decided again."""
    changed: int = 0
    """Of these, with another method or touch than before."""
    tests: int = 0
    """Of the changed: test installs, which are in no move and no campaign."""
    verdicts: int = 0
    """Of these, with the same winner and another verdict on some candidate."""
    too_late: int = 0
    """Of the changed: those for which a touch is on record that came too late."""
    waiting: int = 0
    """Not decided yet, or marked to be decided again anyway: left alone."""
    days: list[str] = []
    """Days whose figures of links differ since they were renewed."""
    moves: Counter[tuple[Campaign, Campaign]] = msgspec.field(default_factory=Counter)
    """(from, to) → changed installs."""
    before: dict[Campaign, Sums] = {}
    after: dict[Campaign, Sums] = {}
    """Of the changed installs only."""
    events: int = 0
    """Decided events, re-engagements and those of websites: left as they are."""
    refused: int = 0
    """Installs whose whole window is not stored any more."""
    refused_ids: list[str] = []
    """The first thousand of them."""

    @property
    def empty(self) -> bool:
        """Whether nothing would change."""
        return not (self.changed or self.verdicts or self.days)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What to replay."""

    since_us: int
    app: str | None = None
    rules: Named | None = None
    """None: those that each app has today."""
    renew_days: bool = False
    """Also compute the figures of links again for every closed day since."""
    apply: bool = False


async def replay(connection: asyncpg.Connection, asked: Asked, progress: Callable[[int], None]) -> Difference:
    """The whole difference. With `apply` one transaction a page, so that it can be stopped and started again; without
    it a single one, that is taken back."""
    if asked.apply:
        return await _replay(connection, asked, progress)
    transaction = connection.transaction()
    await transaction.start()
    try:
        return await _replay(connection, asked, progress)
    finally:
        await transaction.rollback()


async def _replay(connection: asyncpg.Connection, asked: Asked, progress: Callable[[int], None]) -> Difference:
    found = Difference()
    found.events = await connection.fetchval(load("replay")["left_alone"], floor_id(asked.since_us), asked.app)
    if asked.renew_days:
        found.days = await _renewed(connection, asked.since_us)
    kept_from_us = await kept_from(connection)
    rules: dict[str, Named] = {}
    after: str = floor_id(asked.since_us)
    while True:
        async with connection.transaction():
            rows = await _page(connection, asked, after)
            today = [await _rules_of(connection, asked, row["app"], rules) for row in rows]
            await _decide_again(connection, asked, list(zip(rows, today, strict=True)), kept_from_us, found)
        if not rows:
            return found
        after = str(rows[-1]["id"])
        progress(len(rows))


async def _page(connection: asyncpg.Connection, asked: Asked, after: str) -> Sequence[asyncpg.Record]:
    if asked.apply:
        await connection.execute(load("conversions")["turn"])
    name = "replayed_locked" if asked.apply else "replayed"
    rows: list[asyncpg.Record] = await connection.fetch(load("replay")[name], after, asked.app, PAGE_INSTALLS)
    return rows


async def _decide_again(
    connection: asyncpg.Connection,
    asked: Asked,
    pairs: Sequence[tuple[asyncpg.Record, Named]],
    kept_from_us: int,
    found: Difference,
) -> None:
    longest = await read_longest(connection, {row["app"] for row, _ in pairs})
    usable = [
        (row, its)
        for row, its in pairs
        if _may_be_decided(row, reach_us(its.rules, longest.get(row["app"])), kept_from_us, found)
    ]
    if not usable:
        return
    again = await decided(connection, [row for row, _ in usable], [its for _, its in usable])
    differing = [(row, one) for (row, _), one in zip(usable, again, strict=True) if _differs(row, one)]
    await _count(connection, found, differing)
    found.installs += len(usable)
    if asked.apply and differing:
        await keep(connection, [one for _, one in differing], replayed=True)


async def _rules_of(connection: asyncpg.Connection, asked: Asked, app: str, known: dict[str, Named]) -> Named:
    if asked.rules is not None:
        return asked.rules
    if app not in known:
        row = await connection.fetchrow(load("replay")["rules_today"], app)
        known[app] = Named(name_of(app, row["version"]), stored_rules(row["rules"])) if row else DEFAULT
    return known[app]


def _may_be_decided(row: asyncpg.Record, reach_us: int, kept_from_us: int, found: Difference) -> bool:
    if row["method"] is None or row["marked"]:
        found.waiting += 1
        return False
    install_id = str(row["id"])
    if received_us(install_id) - reach_us - DAY_US - CLOCK_SKEW_US < kept_from_us:
        found.refused += 1
        if len(found.refused_ids) < REFUSED_LISTED_MAX:
            found.refused_ids.append(install_id)
        return False
    return True


def _differs(row: asyncpg.Record, one: Decided) -> bool:
    decision = one.decision
    winner = decision.winner.touch_id if decision.winner else None
    theirs = (
        row["method"],
        str(row["touch"]) if row["touch"] else None,
        str(row["earlier"]) if row["earlier"] else None,
    )
    if theirs != (decision.method, winner, decision.earlier):
        return True
    said = msgspec.json.decode(row["candidates"]), msgspec.json.decode(row["more"])
    return bool(said != (msgspec.to_builtins(listed(decision)), dict(decision.more)))


async def _count(
    connection: asyncpg.Connection, found: Difference, pairs: Sequence[tuple[asyncpg.Record, Decided]]
) -> None:
    """Who loses and who gains: installs, and the revenue of their events."""
    moved = []
    for row, one in pairs:
        winner = one.decision.winner.touch_id if one.decision.winner else None
        if (row["method"], str(row["touch"]) if row["touch"] else None) == (one.decision.method, winner):
            found.verdicts += 1
        elif one.decision.test:
            found.changed += 1
            found.tests += 1
        else:
            moved.append((row, one))
    if not moved:
        return
    installs = [row["id"] for row, _ in moved]
    revenue: dict[str, Counter[str]] = {}
    for row in await connection.fetch(load("replay")["revenue"], installs):
        revenue.setdefault(str(row["id"]), Counter())[row["currency"]] += row["micros"]
    for row, one in moved:
        owner = one.decision.winner or one.decision.label
        was = _campaign(row["method"], row["link"], row["campaign"])
        now = _campaign(one.decision.method, owner.link if owner else None, owner.campaign if owner else None)
        found.changed += 1
        found.too_late += row["too_late"]
        found.moves[was, now] += 1
        for sums, campaign in ((found.before, was), (found.after, now)):
            its = sums.setdefault(campaign, Sums())
            its.installs += 1
            its.revenue_micros.update(revenue.get(str(row["id"]), {}))


def _campaign(method: str, link: str | None, campaign: str | None) -> Campaign:
    return f"({method})" if link is None else campaign or "-"


async def kept_from(connection: asyncpg.Connection) -> int:
    """Unix microseconds from which on every touch that was ever received is stored; 0 when none was dropped."""
    names = [row["name"] for row in await connection.fetch(load("touches")["partitions"])]
    first = min((first_day(name) for name in names), default=None)
    if first is None:
        return 0
    begins_us = (first - DAY_0).days * DAY_US
    older = await connection.fetchval(load("replay")["received_before"], begins_us // 3_600_000_000)
    return begins_us if older else 0


async def _renewed(connection: asyncpg.Connection, since_us: int) -> list[str]:
    """Published days since then by which some link is judged in another way, now that they are computed again."""
    rows = await connection.fetch(load("replay")["published_since"], DAY_0 + timedelta(since_us // DAY_US))
    return [str(row["day"]) for row in rows if await _renew(connection, row["day"])]


async def _renew(connection: asyncpg.Connection, day: date) -> bool:
    """Whether the day got a version that judges in another way; one that does not is taken back."""
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(load("conversions")["lock_days"])
    await publish(connection, day)
    changed = bool(await connection.fetchval(load("replay")["day_changed"], day))
    await (transaction.commit() if changed else transaction.rollback())
    return changed
