"""The world put together: a whole history with its truth, or an endless-enough stream of touches."""

import random
from collections.abc import Iterator
from itertools import islice

import msgspec

from benchmarks.attribution.fraud import Fraud
from benchmarks.attribution.installs import Installs, plans
from benchmarks.attribution.parameters import World
from benchmarks.attribution.people import People
from benchmarks.attribution.places import Places
from benchmarks.attribution.shapes import Clock, Shapes
from benchmarks.attribution.shapes import shapes as found_shapes
from benchmarks.attribution.traffic import Link, Traffic
from benchmarks.attribution.truth import HOUR_US, Label, Launch, Touch


class History(msgspec.Struct, frozen=True):
    """All that happened, each list in the order of arrival."""

    world: World
    shapes: Shapes
    links: list[Link]
    touches: list[Touch]
    launches: list[Launch]


class Cast(msgspec.Struct, frozen=True):
    """Everyone who acts in one run, with dice of their own."""

    people: People
    traffic: Traffic
    fraud: Fraud
    clock: Clock
    dice: random.Random


def cast(world: World, shapes: Shapes, part: str) -> Cast:
    """Those who act in a part of the history; parts draw apart, so that one's size does not change the other."""
    dice = random.Random(f"{world.seed} {part}")
    people = People(world, shapes)
    traffic = Traffic(world, shapes, Places(world), dice)
    clock = Clock(shapes, world.begins_s, world.days)
    return Cast(people, traffic, Fraud(world, people, traffic), clock, dice)


def build(world: World, shapes: Shapes | None = None) -> History:
    """The whole history. 10 000 installs among 200 000 touches take 12 s and 370 MB (2026-11-22, two cores)."""
    shapes = shapes or found_shapes()
    actors = cast(world, shapes, "installs")
    planned = plans(world, actors.clock, actors.traffic, actors.dice)
    tell = Installs(world, shapes, actors.people, actors.traffic, actors.dice).tell
    told = [tell(plan) for plan in planned]
    touches = [touch for one in told for touch in one.touches]
    installers = frozenset((plan.device, plan.app) for plan in planned)
    touches += background(world, shapes, max(0, world.touches - len(touches)), installers, world.touches)
    touches.sort(key=lambda touch: (touch.arrives_us, touch.hit.id))
    launches = sorted((one.launch for one in told), key=lambda launch: (launch.arrives_us, launch.install.id))
    return History(world, shapes, actors.traffic.links + actors.fraud.flooding_links, touches, launches)


def background(
    world: World,
    shapes: Shapes,
    count: int,
    installers: frozenset[tuple[int, str]] = frozenset(),
    of: int = 0,
    part: str = "background",
) -> Iterator[Touch]:
    """`count` touches that led to no install, hour by hour in the order of their times; fraud among them.

    Honest ones are of devices that never install the app (`installers` are left out): who touched an ad and then
    installs was led by it, so that such a touch would be a truth of its own. The shares of fraud are of `of` touches
    when that is more than `count`. Other parts' draws are other touches of the same population.
    """
    actors, share = cast(world, shapes, part), count / max(of, count, 1)
    for hour_us, in_hour in actors.clock.ordered(actors.dice, count):
        times = sorted(actors.dice.randrange(HOUR_US) for _ in range(in_hour))
        made = (touch for at in times for touch in _one(world, actors, hour_us + at, share, installers))
        yield from islice(made, in_hour)


def _one(
    world: World, actors: Cast, at_us: int, share: float, installers: frozenset[tuple[int, str]]
) -> Iterator[Touch]:
    """A touch, and what follows it at once: a sender's retry or a person's repeat."""
    dice, traffic, fraud = actors.dice, actors.traffic, actors.fraud
    label = _label(world, dice.random() * share)
    if label == "flooding" and fraud.flooding_links:
        yield fraud.flood(at_us)
    elif label == "bot":
        yield fraud.bot(at_us)
    elif label == "spam":
        yield fraud.spam(at_us)
    else:
        app, number = traffic.app(), dice.randrange(world.people)
        while (number, app) in installers:
            number = dice.randrange(world.people)
        is_view = dice.random() < world.impression_share
        device = actors.people.device(number)
        touch = traffic.touch(traffic.link(app), device, at_us, "impression" if is_view else "click")
        yield touch
        if touch.hit.mode == "s2s" and dice.random() < world.retry_share:
            yield traffic.retry(touch)
        elif not is_view and dice.random() < world.repeat_share:
            yield traffic.repeat(touch)


def _label(world: World, chance: float) -> Label:
    shares: tuple[tuple[Label, float], ...] = (
        ("flooding", world.flooding_share),
        ("bot", world.bot_share),
        ("spam", world.spam_share),
    )
    for label, share in shares:
        if chance < share:
            return label
        chance -= share
    return "clean"
