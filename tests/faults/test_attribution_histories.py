"""Whatever the order of arrival and wherever it is interrupted: the same decisions as of an ordered run.

Generated histories through the handlers, the decider and a real Postgres, in one order and in another; the other is
duplicated, split, stored by two transactions at once, decided in between, and broken at chosen statements.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from random import Random
from typing import Any, NamedTuple

import asyncpg
import msgspec
import pytest
import uvloop
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from consumers.attribution.decider import Decider
from consumers.attribution.handler import ConversionsHandler
from consumers.runner import Handler
from consumers.sources import Record
from consumers.touches.country import open_countries
from consumers.touches.handler import TouchesHandler
from process.metrics import Meters
from schemas.codec import encode
from schemas.events import Device, Event, Hit, Install, Referrer
from schemas.identifiers import md5
from schemas.ids import new_id
from tests.support.attribution import decisions, furnish, nothing_to_read, returns, unsettled
from tests.support.histories import History, history
from tests.support.mortal import DEATHS, Death, Fuse, mortal_pool, until_done
from tests.support.postgres import new_database, with_database

HISTORIES = 120

Told = Hit | Install | Event
Batch = Sequence[Told]


class Side:
    """A database and who works on it."""

    def __init__(self, url: str, pool: asyncpg.Pool, fuse: Fuse) -> None:
        self.pool = pool
        self.fuse = fuse
        countries = open_countries()
        self._touches, self._conversions = TouchesHandler(countries), ConversionsHandler(countries)
        self._deciders = [Decider(pool, nothing_to_read, Meters()) for _ in range(2)]

    async def store(self, batch: Batch) -> None:
        """As the consumers do: hits in one transaction, conversions in another."""
        for handler, kind in ((self._touches, Hit), (self._conversions, Install | Event)):
            lines = [encode(one) for one in batch if isinstance(one, kind)]
            if lines:
                await until_done(lambda handler=handler, lines=lines: self._store(handler, lines))  # type: ignore[misc]

    async def _store(self, handler: Handler, lines: Sequence[bytes]) -> None:
        rows = [handler.decode(Record(0, line)) for line in lines]
        async with self.pool.acquire() as connection, connection.transaction():
            await handler.store(connection, rows)

    async def decide(self, deciders: int) -> bool:
        """One round, of so many at once; whether anything was done."""
        return any(await asyncio.gather(*(until_done(one.step) for one in self._deciders[:deciders])))

    async def settle(self) -> None:
        """Until nothing waits."""
        self.fuse.light(0, "before")
        while await self.decide(1):
            pass
        assert await unsettled(self.pool) == (0, 0, 0)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """A loop as the product has it, for a test that calls coroutines again and again."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield runner


@pytest.fixture(scope="module")
def sides(runner: asyncio.Runner, postgres_url: str, database_template: str) -> Iterator[tuple[Side, Side]]:
    """The ordered one and the other."""
    with ExitStack() as stack:
        found = []
        for _ in range(2):
            fuse = Fuse()
            url = with_database(postgres_url, stack.enter_context(new_database(postgres_url, database_template)))
            pool = runner.run(mortal_pool(url, fuse))
            stack.callback(pool.terminate)
            found.append(Side(url, pool, fuse))
        yield found[0], found[1]


async def in_order(side: Side, one: History) -> dict[str, Any]:
    """Every touch before every install; decided at the end."""
    await furnish(side.pool, [one])
    await side.store(one.hits)
    await side.store(one.installs)
    await side.store(one.events)
    await side.settle()
    return await both(side, one.app)


async def both(side: Side, app: str) -> dict[str, Any]:
    """The decisions about installs, and those about returns."""
    return await decisions(side.pool, app) | await returns(side.pool, app)


class Turn(NamedTuple):
    """What happens at once: batches stored, each in a transaction; then rounds of so many deciders."""

    batches: Sequence[Batch]
    rounds: list[int]
    break_at: int
    """The so-manieth statement breaks; 0: none."""
    how: Death


def disorder(one: History, dice: Random) -> list[Turn]:
    """Shuffled, duplicated, in batches of any size, one or more at once, decided in between, broken now and then; the
    last few long after the rest is decided, when no other record makes up for what they fail to mark."""
    records: list[Told] = [*one.hits, *one.installs, *one.events]
    dice.shuffle(records)
    last = [records.pop() for _ in range(min(dice.choice((0, 1, 1, 2)), len(records) - 1))]
    records += [record for record in records if dice.random() < 0.25]
    dice.shuffle(records)
    turns = []
    while records:
        batches = []
        for _ in range(dice.choice((1, 1, 2, 3))):
            size = dice.choice((1, 2, 3, 8))
            batches.append(records[:size])
            records = records[size:]
        rounds = [dice.choice((1, 2)) for _ in range(dice.choice((0, 1, 1, 3)))]
        turns.append(Turn(batches, rounds, dice.randrange(25) if dice.random() < 0.7 else 0, dice.choice(DEATHS)))
    settled = [Turn([], [1, 1, 1], 0, "before")]
    return turns + [turn for record in last for turn in (*settled, Turn([[record]], [], 0, "before"))]


async def in_disorder(side: Side, one: History, turns: Sequence[Turn]) -> dict[str, Any]:
    """Turn by turn, until nothing waits."""
    side.fuse.light(0, "before")
    await furnish(side.pool, [one])
    for turn in turns:
        side.fuse.light(turn.break_at, turn.how)
        await asyncio.gather(*map(side.store, turn.batches))
        for deciders in turn.rounds:
            await side.decide(deciders)
    await side.settle()
    return await both(side, one.app)


def test_any_order_of_arrival_ends_in_the_same_decisions(runner: asyncio.Runner, sides: tuple[Side, Side]) -> None:
    ordered, other = sides
    methods: list[str] = []
    back: list[str] = []
    ends: list[bool] = []

    @settings(
        max_examples=HISTORIES,
        deadline=None,
        database=None,
        derandomize=os.environ.get("CI") == "true",
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.randoms(use_true_random=True))  # fair dice: every method is met
    def same_decisions(dice: Random) -> None:
        ends.append(True)
        one = history(f"h{len(ends):04}", dice)
        turns = disorder(one, dice)
        note("\n".join(encode(record).decode() for record in one.hits))
        conversions: list[Install | Event] = [*one.installs, *one.events]
        note("\n".join(encode(record).decode() for record in conversions))
        wanted = runner.run(in_order(ordered, one))
        first = [its["method"] for its in wanted.values() if "kind" not in its]
        assert len(first) == len(one.installs)
        methods.extend(first)
        back.extend(its["method"] for its in wanted.values() if "kind" in its)
        assert runner.run(in_disorder(other, one, turns)) == wanted

    same_decisions()
    assert other.fuse.deaths > HISTORIES / 2
    assert {"identifier", "referrer", "fingerprint", "reinstall", "preinstall", "organic"} <= set(methods), Counter(
        methods
    )
    assert {"identifier", "referrer", "organic"} <= set(back), Counter(back)
    assert len(back) > HISTORIES / 4


NOW_US = time.time_ns() // 1000
GAID, OTHER_GAID = "38400000-8cf0-41bd-b23e-10b96e40000d", "11111111-8cf0-41bd-b23e-10b96e40000e"
PHONE = "Mozilla/5.0 (Linux; Android 14; Pixel 8) Mobile Safari/537.36"


def click(query: str, *, minutes_ago: int, seconds: int = 0, ip: str = "91.198.174.7", ua: str = PHONE) -> Hit:
    at_us = NOW_US - (minutes_ago * 60 - seconds) * 1_000_000
    return Hit(
        v=1, id=new_id(at_us), kind="click", link="a-l0", app="a", mode="redirect", touched_us=at_us, ip=ip, ua=ua,
        query=query,
    )  # fmt: skip


def install(
    *, minutes_ago: int = 10, ids: str = GAID, name: str = "google_aid", referrer: str = "", ip: str = "193.0.6.139"
) -> Install:
    at_us = NOW_US - minutes_ago * 60 * 1_000_000
    return Install(
        v=1,
        id=new_id(at_us),
        app="a",
        install_id=f"i-{minutes_ago}",
        installed_us=at_us,
        ids={name: ids} if ids else {},
        device=Device(os="Android", os_version="14", model="Pixel 8"),
        referrer=Referrer(install_referrer=referrer) if referrer else None,
        ip=ip,
    )


def hers() -> Hit:
    return click(f"google_aid={GAID}&click_id=c", minutes_ago=20)


NAMED = click("", minutes_ago=30)
ARRIVES_LAST: dict[str, tuple[list[Hit], list[Install], Hit | Install, list[str]]] = {
    "the touch that the store's referrer names": (
        [], [install(ids="", referrer=f"touchline_id={NAMED.id}")], NAMED, ["referrer"],
    ),
    "the click whose id the store's referrer names": (
        [], [install(ids="", referrer="appmetrica_click_id=c")], click("click_id=c", minutes_ago=30), ["referrer"],
    ),
    "the click whose external id the store's referrer names": (
        [], [install(ids="", referrer="appmetrica_click_id=c")], click("external_click_id=c", minutes_ago=30),
        ["referrer"],
    ),
    "the first copy of the winner's click id, of another device elsewhere": (
        [hers()], [install()], click(f"google_aid={OTHER_GAID}&click_id=c", minutes_ago=60, ip="81.2.69.142"),
        ["organic"],
    ),
    "a click a moment before the winner": (
        [hers()], [install()], click("", minutes_ago=20, seconds=-5), ["identifier"],
    ),
    "the crowd behind the address": (
        [click("", minutes_ago=20, ip="193.0.6.139")], [install(ids="")],
        click("", minutes_ago=25, ip="193.0.6.139", ua=PHONE.replace("Safari", "Opera")),
        ["organic"],
    ),
    "the device's earlier install": (
        [hers()], [install(minutes_ago=5)], install(minutes_ago=10, ids=GAID.upper()), ["identifier", "reinstall"],
    ),
    "an identifier beside the first one": (
        [], [install(name="oaid")], click(f"oaid_md5={md5(GAID)}&google_aid={OTHER_GAID}", minutes_ago=30),
        ["identifier"],
    ),
}  # fmt: skip
"""What is there when the installs are decided, what comes afterwards, and the methods that everything together says."""


@pytest.mark.parametrize("case", ARRIVES_LAST)
def test_what_arrives_after_the_decision_counts_as_if_it_had_come_before(
    runner: asyncio.Runner, sides: tuple[Side, Side], case: str
) -> None:
    app = f"a{list(ARRIVES_LAST).index(case)}"
    hits, installs, late, methods = ARRIVES_LAST[case]
    them: list[Hit | Install] = [*hits, *installs, late]
    *before, last = [_moved(one, app) for one in them]
    whole = History(
        app,
        None,
        [f"{app}-l0"],
        [one for one in (*before, last) if isinstance(one, Hit)],
        [one for one in (*before, last) if isinstance(one, Install)],
    )

    async def afterwards(side: Side) -> dict[str, Any]:
        await furnish(side.pool, [whole])
        await side.store(before)
        await side.settle()
        without = await decisions(side.pool, app)
        await side.store([last])
        await side.settle()
        found = await decisions(side.pool, app)
        assert found != without, "nobody has noticed"
        return found

    wanted = runner.run(in_order(sides[0], whole))
    assert sorted(its["method"] for its in wanted.values()) == methods
    assert runner.run(afterwards(sides[1])) == wanted


def _moved(record: Hit | Install, app: str) -> Hit | Install:
    """The same in an app of its own."""
    if isinstance(record, Hit):
        return msgspec.structs.replace(record, app=app, link=f"{app}-l0")
    return msgspec.structs.replace(record, app=app)
