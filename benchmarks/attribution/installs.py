"""Installs, the touches that led to them, and the clicks injected to claim them."""

import random
from typing import Literal, NamedTuple
from urllib.parse import quote

from benchmarks.attribution.parameters import World
from benchmarks.attribution.people import Device, People, updated
from benchmarks.attribution.shapes import Clock, Shapes, draw_delay_s
from benchmarks.attribution.traffic import ZERO, Traffic, record_id
from benchmarks.attribution.truth import HOUR_US, Launch, Touch, matchable, owed
from schemas import events
from schemas.events import Install, Referrer, TouchKind
from schemas.ids import received_us

ORGANIC_REFERRER = "utm_source=google-play&utm_medium=organic"

Cause = Literal["organic", "click", "view"]


class Plan(NamedTuple):
    """An install that is to be."""

    app: str
    device: int
    launched_us: int
    reinstall: bool
    since_us: int = 0
    """Of a reinstall: the launch before. What led to the reinstall came after it."""


class Told(NamedTuple):
    """An install and its touches."""

    launch: Launch
    touches: list[Touch]


def plans(world: World, clock: Clock, traffic: Traffic, dice: random.Random) -> list[Plan]:
    """Who installs what and when; a device has an app once, but for reinstalls at least an hour later."""
    made: list[Plan] = []
    taken: set[tuple[int, str]] = set()
    while len(made) < world.installs:
        launched_us = clock.draw_us(dice, first_hour=24)
        if made and dice.random() < world.reinstall_share:
            before = dice.choice(made)
            if not before.reinstall and before.launched_us + HOUR_US < clock.ends_us:
                launched_us = int(dice.uniform(before.launched_us + HOUR_US, clock.ends_us))
                made.append(before._replace(launched_us=launched_us, reinstall=True, since_us=before.launched_us))
            continue
        plan = Plan(traffic.app(), dice.randrange(world.people), launched_us, False)
        if (plan.device, plan.app) not in taken:
            taken.add((plan.device, plan.app))
            made.append(plan)
    return made


class Installs:
    """Tells the story of one install at a time."""

    def __init__(self, world: World, shapes: Shapes, people: People, traffic: Traffic, dice: random.Random) -> None:
        self._world, self._shapes, self._people, self._traffic, self._dice = world, shapes, people, traffic, dice

    def tell(self, plan: Plan) -> Told:
        """The install with all touches of its story."""
        dice, device = self._dice, self._people.device(plan.device)
        cause = self._cause()
        delay_us = min(self._delay_us(), (plan.launched_us - plan.since_us) // 2)
        touches: list[Touch] = []
        cause_touch: Touch | None = None
        if cause != "organic":
            kind: TouchKind = "click" if cause == "click" else "impression"
            cause_touch = self._traffic.touch(self._traffic.link(plan.app), device, plan.launched_us - delay_us, kind)
            touches = [cause_touch, *self._again(cause_touch, delay_us), *self._earlier(plan, device, cause_touch)]
        from_play = device.os == "Android" and dice.random() < self._world.play_share
        injected = self._injected(plan, device) if from_play else None
        install = self._install(plan, device, delay_us, cause_touch, injected, from_play)
        launch = self._truth(plan, install, touches, injected)
        return Told(launch, [*touches, injected] if injected else touches)

    def _cause(self) -> Cause:
        if self._dice.random() < self._world.organic_share:
            return "organic"
        return "view" if self._dice.random() < self._world.view_share else "click"

    def _delay_us(self) -> int:
        world, dice = self._world, self._dice
        if dice.random() < world.long_delay_share:
            return int(dice.uniform(24, world.long_delay_days_max * 24) * HOUR_US)
        return int(max(draw_delay_s(dice, self._shapes.delay_minutes), world.delay_s_min + dice.random() * 10) * 1e6)

    def _again(self, touch: Touch, delay_us: int) -> list[Touch]:
        """The sender's retry, or the person's second click, if there is time for it before the first launch."""
        world, dice = self._world, self._dice
        if touch.hit.mode == "s2s" and dice.random() < world.retry_share:
            return [self._traffic.retry(touch)]
        in_time = delay_us > 2 * world.delay_s_min * 1_000_000
        if touch.hit.kind == "click" and in_time and dice.random() < world.repeat_share:
            return [self._traffic.repeat(touch)]
        return []

    def _earlier(self, plan: Plan, device: Device, cause: Touch) -> list[Touch]:
        """Other links reached the person before; before a view only views, else a click would win rightly."""
        dice = self._dice
        if dice.random() >= self._world.earlier_share:
            return []
        found = []
        for _ in range(dice.randint(1, 3)):
            at_us = cause.hit.touched_us - int(dice.uniform(0.02, 96) * HOUR_US)
            is_click = cause.hit.kind == "click" and dice.random() >= self._world.impression_share
            link = self._traffic.link(plan.app)
            touch = self._traffic.touch(link, device, at_us, "click" if is_click else "impression")
            if touch.hit.touched_us > plan.since_us:
                found.append(touch)
        return found

    def _injected(self, plan: Plan, device: Device) -> Touch | None:
        """A malicious app heard of the install and sent a click between its begin and its first launch."""
        world, dice = self._world, self._dice
        if dice.random() >= world.injection_share:
            return None
        at_us = plan.launched_us - int(dice.uniform(1, world.injection_s_max) * 1_000_000)
        by_referrer = device.ad_id is None or dice.random() < world.injection_referrer_share
        link = self._traffic.link(plan.app)
        while link.partner.s2s == by_referrer or (not by_referrer and link.partner.id_form == "none"):
            link = self._traffic.link(plan.app)
        return self._traffic.touch(link, device, at_us, "click", "injection")

    def _install(
        self, plan: Plan, device: Device, delay_us: int, cause: Touch | None, injected: Touch | None, from_play: bool
    ) -> Install:
        world, dice = self._world, self._dice
        wait_us = int(dice.uniform(0.3, 5) * 1_000_000)
        if dice.random() < world.offline_share:
            wait_us = int(dice.uniform(0.01, world.offline_hours_max) * HOUR_US)
        received = plan.launched_us + wait_us
        now = updated(device) if delay_us > HOUR_US and dice.random() < world.updated_share else device
        by_server = dice.random() < world.server_only_share
        ip = None if by_server else self._traffic.places.seat(device.resident, received).seen(True)
        return Install(
            v=1, id=record_id(dice, received), app=plan.app, install_id=f"{dice.getrandbits(128):032x}",
            installed_us=plan.launched_us, ids=self._ids(device), app_version="1.4.0",
            device=events.Device(os=now.os, os_version=now.os_version, model=now.model, manufacturer=now.maker,
                                 locale=now.locale),
            referrer=self._referrer(plan, delay_us, cause, injected) if from_play else None,
            ip=ip, ua="" if by_server else f"{plan.app}/1.4.0 ({now.os} {now.os_version})",
        )  # fmt: skip

    def _ids(self, device: Device) -> dict[str, str]:
        if device.os == "Android":
            return {"google_aid": device.ad_id or ZERO}
        return {"ios_ifv": device.vendor_id} | ({"ios_ifa": device.ad_id} if device.ad_id else {})

    def _referrer(self, plan: Plan, delay_us: int, cause: Touch | None, injected: Touch | None) -> Referrer:
        """Play's answer. An injected click comes after the install began, and Play's times say so."""
        world, dice = self._world, self._dice
        download_us = int((world.injection_s_max + 2 + dice.expovariate(1 / world.download_s_mean)) * 1_000_000)
        if cause is not None:
            download_us = min(download_us, max(delay_us - 3_000_000, world.injection_s_max * 1_000_000 + 1_000_000))
        begin_s = (plan.launched_us - download_us) // 1_000_000
        if injected is not None and injected.hit.mode == "redirect":
            return self._answer(f"touchline_id={injected.hit.id}", injected.hit.touched_us // 1_000_000, begin_s)
        text = None
        if cause is not None and cause.hit.kind == "click" and dice.random() >= world.referrer_lost_share:
            text = self._named(cause)
        if cause is None or text is None:
            return self._answer(ORGANIC_REFERRER, 0, begin_s)
        return self._answer(text, cause.hit.touched_us // 1_000_000, begin_s)

    def _named(self, cause: Touch) -> str | None:
        if cause.hit.mode == "redirect":
            return f"touchline_id={cause.hit.id}"
        partner = next(link.partner for link in self._traffic.of_app(cause.hit.app) if link.id == cause.hit.link)
        return f"utm_source={partner.name}&touchline_click_id={cause.hit.query[9:25]}" if partner.referrer else None

    def _answer(self, text: str, click_s: int, begin_s: int) -> Referrer:
        if text != ORGANIC_REFERRER and self._dice.random() < self._world.referrer_twice_share:
            text = quote(text, safe="")
        return Referrer(
            install_referrer=text, referrer_click_timestamp_seconds=click_s, install_begin_timestamp_seconds=begin_s
        )

    def _truth(self, plan: Plan, install: Install, touches: list[Touch], injected: Touch | None) -> Launch:
        arrives_us = received_us(install.id) + self._traffic.journal_wait_us()
        cause = touches[0] if touches else None
        same = [touch.hit.id for touch in touches if touch.label in ("retry", "repeat")]
        due, due_method = owed(self._world, [touch.hit for touch in touches if touch.label != "retry"], install)
        return Launch(
            install=install, device=plan.device, launched_us=plan.launched_us, arrives_us=arrives_us,
            touch=cause.hit.id if cause else None, same=tuple(same),
            methods=matchable(self._world, cause.hit, install) if cause else (),
            earlier=tuple(touch.hit.id for touch in touches[1 + len(same) :]), due=due, due_method=due_method,
            reinstall=plan.reinstall, injected=injected.hit.id if injected else None,
        )  # fmt: skip
