"""Touches as senders write them: pings of ad servers, people at redirects, views."""

import random
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from benchmarks.attribution.parameters import Partner, World
from benchmarks.attribution.people import Device
from benchmarks.attribution.places import Places
from benchmarks.attribution.shapes import Shapes
from benchmarks.attribution.truth import HOUR_US, Label, Touch
from schemas.addresses import parse_address
from schemas.events import Hit, TouchKind
from schemas.identifiers import md5, sha1, vendor_case
from schemas.ids import RecordId, floor_id, received_us

MACROS = ("{gaid}", "${GAID}", "__IDFA__", "[device_id]", "%%ADVERTISING_ID%%", "{{advertising.id}}")
ZERO = "00000000-0000-0000-0000-000000000000"


class Link(NamedTuple):
    """A tracking link of an app at a partner."""

    id: str
    app: str
    partner: Partner
    floods: bool = False


def record_id(dice: random.Random, at_us: int) -> RecordId:
    """An id as `schemas.ids.new_id` makes it, but drawn."""
    drawn = f"{dice.getrandbits(60):015x}"
    return RecordId(
        f"{floor_id(at_us)[:15]}{at_us % 1000 * 4096 // 1000:03x}-{'89ab'[at_us & 3]}{drawn[:3]}-{drawn[3:]}"
    )


def links_of(world: World) -> list[Link]:
    """All honest links, app by app; the ids look like the vendors' 19 digits."""
    return [
        Link(str(1_020_000_000_000_000_000 + app * 10_000 + at * 100 + number), f"app-{app}", partner)
        for app in range(world.apps)
        for at, partner in enumerate(world.partners)
        for number in range(world.links_per_partner)
    ]


class Traffic:
    """Writes touches, drawing what a sender leaves to chance."""

    def __init__(self, world: World, shapes: Shapes, places: Places, dice: random.Random) -> None:
        self.world, self.places, self.dice = world, places, dice
        self.links = links_of(world)
        self._app_sums = list(accumulate((shapes.apps * world.apps)[: world.apps]))
        self.apps = [f"app-{number}" for number in range(world.apps)]
        self._of_app = {app: [link for link in self.links if link.app == app] for app in self.apps}
        self._sums = {app: list(accumulate(link.partner.share for link in self._of_app[app])) for app in self.apps}

    def app(self) -> str:
        return self.dice.choices(self.apps, cum_weights=self._app_sums)[0]

    def link(self, app: str) -> Link:
        """A link of the app, by its partner's weight."""
        return self.dice.choices(self._of_app[app], cum_weights=self._sums[app])[0]

    def of_app(self, app: str) -> list[Link]:
        return self._of_app[app]

    def touch(self, link: Link, device: Device, at_us: int, kind: TouchKind = "click", label: Label = "clean") -> Touch:
        """A touch of the device at that time."""
        click_id = f"{self.dice.getrandbits(64):016x}"
        if link.partner.s2s:
            return self._ping(link, device, at_us, kind, label, click_id)
        seen = self.places.seat(device.resident, at_us).seen(link.partner.ipv6)
        in_app = self.dice.random() < self.world.in_app_share
        return self.page(link, seen, device.in_app if in_app else device.browser, self._headers(device, in_app),
                         at_us, kind, label, device.number, click_id)  # fmt: skip

    def page(
        self, link: Link, ip: str, ua: str, headers: dict[str, str], at_us: int, kind: TouchKind, label: Label,
        device: int | None, click_id: str,
    ) -> Touch:  # fmt: skip
        """What a browser sends: no identifiers, its own address."""
        hit = Hit(
            v=1, id=record_id(self.dice, at_us), kind=kind, link=link.id, app=link.app,
            mode="redirect" if kind == "click" else "page", touched_us=at_us, ip=ip, ua=ua,
            query=f"click_id={click_id}&site_id=site-{self.dice.randrange(200)}", headers=headers,
        )  # fmt: skip
        return self.delivered(hit, device, label, at_us)

    def ping(
        self, link: Link, ip: str, ua: str, at_us: int, kind: TouchKind, label: Label, device: int | None,
        click_id: str, rest: str, delay_us: int,
    ) -> Touch:  # fmt: skip
        """What an ad server sends for a device; whole seconds are all it says of the time."""
        second = at_us // 1_000_000
        query = (
            f"click_id={click_id}&device_ip={quote(ip, safe='/')}&device_ua={_quoted(ua)}"
            f"&click_timestamp={second}{rest}&noredirect"
        )
        received = max(at_us + delay_us, second * 1_000_000)
        flags = ["late"] if received - second * 1_000_000 > self.world.late_hours * HOUR_US else []
        hit = Hit(
            v=1, id=record_id(self.dice, received), kind=kind, link=link.id, app=link.app, mode="s2s",
            touched_us=second * 1_000_000, ip=ip, query=query, flags=flags,
        )  # fmt: skip
        return self.delivered(hit, device, label, received)

    def delivered(self, hit: Hit, device: int | None, label: Label, received: int) -> Touch:
        """The touch with its time of arrival: at once, or after days in a journal."""
        return Touch(hit, device, label, received + self.journal_wait_us())

    def journal_wait_us(self) -> int:
        """Mostly nothing; rarely up to days until Kafka or the disk is back."""
        if self.dice.random() >= self.world.shipped_late_share:
            return 0
        return int(self.dice.random() * self.world.shipped_late_hours_max * HOUR_US)

    def retry(self, touch: Touch) -> Touch:
        """The same ping once more, seconds to hours later."""
        waited = int(self.dice.expovariate(1 / 600) * 1_000_000) + 1_000_000
        received = touch.arrives_us + waited
        hit = touch.hit
        late = received - hit.touched_us > self.world.late_hours * HOUR_US
        again = msgspec.structs.replace(hit, id=record_id(self.dice, received), flags=["late"] if late else [])
        return Touch(again, touch.device, "retry", received)

    def repeat(self, touch: Touch) -> Touch:
        """The same person on the same link again within seconds: everything alike but click id and time."""
        hit, later_us = touch.hit, self.dice.randint(1, 8) * 1_000_000
        touched = hit.touched_us + later_us
        query = f"click_id={self.dice.getrandbits(64):016x}{hit.query[25:]}"
        query = query.replace(
            f"click_timestamp={hit.touched_us // 1_000_000}", f"click_timestamp={touched // 1_000_000}"
        )
        received = received_us(hit.id) + later_us
        again = msgspec.structs.replace(hit, id=record_id(self.dice, received), touched_us=touched, query=query)
        return Touch(again, touch.device, "repeat", touch.arrives_us + later_us)

    def s2s_delay_us(self) -> int:
        """From the touch to its receipt."""
        world, chance = self.world, self.dice.random()
        if chance < world.s2s_too_late_share:
            return int(self.dice.uniform(world.late_hours + 0.1, 72) * HOUR_US)
        if chance < world.s2s_too_late_share + world.s2s_late_share:
            return int(self.dice.uniform(0.05, world.late_hours - 0.1) * HOUR_US)
        return int(self.dice.expovariate(1 / world.s2s_seconds) * 1_000_000)

    def _ping(self, link: Link, device: Device, at_us: int, kind: TouchKind, label: Label, click_id: str) -> Touch:
        partner, dice = link.partner, self.dice
        ip = self.places.seat(device.resident, at_us).seen(partner.ipv6)
        if partner.truncates:
            ip = _truncated(ip)
        ua = device.in_app if dice.random() < self.world.in_app_share else device.browser
        rest = self._identifier(partner, device)
        if dice.random() < self.world.language_sent_share:
            rest += f"&device_locale={device.locale.replace('-', '_')}"
        delay_us = 1_000_000 if label == "injection" else self.s2s_delay_us()
        return self.ping(link, ip, ua, at_us, kind, label, device.number, click_id, rest, delay_us)

    def _identifier(self, partner: Partner, device: Device) -> str:
        world, chance = self.world, self.dice.random()
        if partner.id_form == "none" or chance < world.missing_id_share:
            return ""
        name = partner.id_names[0 if device.os == "Android" else 1]
        chance -= world.missing_id_share
        if chance < world.macro_share:
            return f"&{name}={quote(self.dice.choice(MACROS), safe='')}"
        if device.ad_id is None or chance < world.macro_share + world.zero_id_share:
            return f"&{name}={ZERO}"
        if partner.id_form == "raw":
            return f"&{name}={device.ad_id}"
        kind = "google_aid" if device.os == "Android" else "ios_ifa"
        text = device.ad_id.upper() if partner.hashes_upper else vendor_case(kind, device.ad_id)  # type: ignore[arg-type]
        return f"&{name}_{partner.id_form}={sha1(text) if partner.id_form == 'sha1' else md5(text)}"

    def _headers(self, device: Device, in_app: bool) -> dict[str, str]:
        headers = {"accept-language": f"{device.locale},{device.locale[:2]};q=0.9"}
        if device.os != "Android" or in_app:
            return headers
        headers |= {"sec-ch-ua-mobile": "?1", "sec-ch-ua-platform": '"Android"'}
        if device.frozen and self.dice.random() < self.world.hints_share:
            version = ".".join([*device.os_version.split("."), "0", "0"][:3])
            headers |= {"sec-ch-ua-model": f'"{device.model}"', "sec-ch-ua-platform-version": f'"{version}"'}
        return headers


def _truncated(ip: str) -> str:
    if ":" in ip:
        network = parse_address(f"{ip}/64")
        return network.text if network else ip
    return f"{ip.rpartition('.')[0]}.0/24"


@lru_cache(maxsize=50_000)
def _quoted(text: str) -> str:
    return quote(text, safe="")
