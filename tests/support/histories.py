"""Histories of one app: touches of every kind and the installs that they may have caused, with ids of their own.

Drawn from a `random.Random`, so that a seed or Hypothesis gives them.
"""

import time
from collections.abc import Sequence
from itertools import count
from random import Random
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from schemas import rules
from schemas.events import Device, Event, Hit, Install, Referrer
from schemas.identifiers import md5, sha1
from schemas.ids import floor_id

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
STORED_US = 15 * DAY // 2
"""How far back receipts lie at most: a new database has partitions for eight days."""

CLICKS = ("identifier", "referrer", "fingerprint")
OTHER_RULES = (
    msgspec.structs.replace(rules.PRESETS["appmetrica"], reengagement_days=1),
    msgspec.structs.replace(rules.PRESETS["mytracker"], reengagement_days=2),
    rules.RuleSet(
        rules=(rules.Rule("fingerprint", "click", 168), rules.Rule("identifier", "click", 24)),
        confidence_min=0.2,
        validity={"repeat": "reject", "no_agent": "reject", "duplicate": "tag"},
        reattribution_days=0,
        reengagement_days=1,
    ),
    rules.RuleSet(
        rules=(rules.Rule("referrer", "click", 24), rules.Rule("identifier", "impression", 24)),
        validity={"bot": "tag", "injection": "off"},
        reattribution_days=1,
        reengagement_days=1,
    ),
)

AGENTS = (
    ("Android", "14", "Pixel 8", "Mozilla/5.0 (Linux; Android 14; Pixel 8) Mobile Safari/537.36"),
    ("Android", "13", "SM-G991B", "Mozilla/5.0 (Linux; Android 13; SM-G991B) Mobile Safari/537.36"),
    ("iOS", "17.5", "iPhone14,2", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15"),
)
ODD_AGENTS = ("Googlebot/2.1 (+http://www.google.com/bot.html)", "", "{user_agent}", "curl/8.5.0")
PLACES = (
    ("193.0.6.139", ("193.0.6.139",)),
    ("81.2.69.142", ("81.2.69.142", "81.2.69.128/25")),
    ("91.198.174.7", ("91.198.174.7", "91.198.174.0/24", "::ffff:91.198.174.7")),
    ("91.198.174.99", ("91.198.174.99", "91.198.174.0/24", "91.198.174.96/29")),
    ("2a02:2e0:3fe:1001:1::5", ("2a02:2e0:3fe:1001:2::9", "2a02:2e0:3fe:1001::/64", "2a02:2e0:3fe::/48")),
)
"""A device's address, and how it may be told: in full, as a network, as another one of the same household."""

AGES = (2, 9, 30, 300, 4000, 7 * 3600, 20 * 3600, 86_000, 90_000, 3 * 86_400, 6 * 86_400, 604_000, 605_500, -2, -290)
"""Seconds from a touch to the install; below zero the install's clock was slow."""


AWAY = (26, 25, 49, 50, 24, 20, 0, -1, 73, 100)
"""Hours from an install to an event."""

_numbers = count(1)


class Phone(NamedTuple):
    """A device."""

    os: str
    version: str
    model: str
    ua: str
    id_name: str
    id: str
    oaid: str
    home: int


class History(NamedTuple):
    """What happened to one app, each list in the order of receipt."""

    app: str
    rules: rules.RuleSet | None
    """None: the default."""
    links: list[str]
    hits: list[Hit]
    installs: list[Install]
    events: Sequence[Event] = ()


def history(app: str, dice: Random) -> History:
    """A history of the last week, all of it received by now."""
    return Teller(app, dice, time.time_ns() // 1000).tell()


def _by_id(one: Hit | Install | Event) -> str:
    return one.id


class Teller:
    """Tells a history, step by step."""

    def __init__(self, app: str, dice: Random, now_us: int) -> None:
        self._app = app
        self._dice = dice
        self._now_us = now_us
        self._links = [f"{app}-l{number}" for number in range(dice.choice((1, 2, 3)))]
        self._phones = [self._phone(number) for number in range(dice.choice((1, 2, 4)))]
        self._hits: list[Hit] = []

    def tell(self) -> History:
        """The touches first: an install's referrer may name one."""
        dice = self._dice
        times = [
            self._now_us - (dice.choice((3, 3, 0)) * 86_400 + dice.randrange(600, 2 * 86_400)) * SECOND
            for _ in range(dice.choice((1, 1, 2, 2, 3)))
        ]
        later = [
            min(dice.choice(times) + dice.choice(AWAY) * HOUR + dice.randrange(2) * SECOND, self._now_us)
            for _ in range(dice.choice((3, 1, 6, 9)))
        ]
        for _ in range(dice.choice((1, 2, 3, 5, 8, 13))):
            again = self._hits and dice.random() < 0.3
            self._hits.append(self._again() if again else self._touch(dice.choice(later + times)))
        installs = [self._install(number, at_us) for number, at_us in enumerate(times)]
        events = [self._event(number, at_us, installs) for number, at_us in enumerate(later)]
        self._hits += [self._before(one, dice.choice(installs)) for one in events if dice.random() < 0.8]
        own = dice.choice((*OTHER_RULES, OTHER_RULES[2])) if dice.random() < 0.75 else None
        self._hits.sort(key=_by_id)
        installs.sort(key=_by_id)
        events.sort(key=_by_id)
        return History(self._app, own, self._links, self._hits, installs, events)

    def _phone(self, number: int) -> Phone:
        os, version, model, ua = AGENTS[number % 2 if self._dice.random() < 0.8 else 2]
        own, oaid = (f"{self._dice.getrandbits(32):08x}-8cf0-41bd-b23e-{number:012x}" for _ in range(2))
        id_name = "ios_ifa" if os == "iOS" else "google_aid"
        return Phone(os, version, model, ua, id_name, own, oaid, self._dice.randrange(len(PLACES)))

    def _place(self, phone: Phone) -> tuple[str, tuple[str, ...]]:
        return PLACES[phone.home] if self._dice.random() < 0.6 else self._dice.choice(PLACES)

    def _id(self, received_us: int) -> str:
        """Never the same twice, whatever the dice; they say which of one millisecond is the earlier."""
        return f"{floor_id(received_us)[:18]}-8{self._dice.getrandbits(12):03x}-{next(_numbers):012x}"

    def _received(self, at_us: int) -> int:
        """At once, a little later, or much later; never before what is kept, or after now."""
        delay_us = self._dice.choice((0, 0, SECOND, 300 * SECOND, 10 * HOUR))
        return min(max(at_us + delay_us, self._now_us - STORED_US), self._now_us)

    def _touch(self, install_us: int) -> Hit:
        dice, phone = self._dice, self._dice.choice(self._phones)
        at_us = install_us - dice.choice(AGES) * SECOND - dice.randrange(3) * SECOND // 2
        s2s = dice.random() < 0.6
        ua = phone.ua if dice.random() < 0.85 else dice.choice(ODD_AGENTS)
        words = self._ids(phone) + self._click_ids() + ([f"device_ua={quote(ua)}"] if s2s else [])
        return Hit(
            v=1,
            id=self._id(self._received(at_us)),
            kind="click" if dice.random() < 0.75 else "impression",
            link=dice.choice(self._links),
            app=self._app,
            mode="s2s" if s2s else "redirect",
            touched_us=at_us,
            ip=dice.choice(self._place(phone)[1]) if dice.random() < 0.9 else None,
            ua="" if s2s else ua,
            query="&".join(words),
            headers={} if s2s else {"accept-language": dice.choice(("de-DE", "en"))},
            flags=["late"] if dice.random() < 0.05 else [],
        )

    def _again(self) -> Hit:
        """A sender's retry, a person's second click, or somebody else's use of the same click id."""
        dice, first = self._dice, self._dice.choice(self._hits)
        at_us = first.touched_us + dice.choice((-86_400, -9, -1, 0, 1, 9, 11, 3600, 7 * 86_400 + 1)) * SECOND
        again = msgspec.structs.replace(first, id=self._id(self._received(at_us)), touched_us=at_us)
        if dice.random() < 0.4:
            other = [word for word in first.query.split("&") if "aid" not in word and "ifa" not in word]
            again.query = "&".join(other + self._ids(dice.choice(self._phones)))
            again.ip = dice.choice(dice.choice(PLACES)[1])
        if dice.random() < 0.2:
            again.link = dice.choice(self._links)
        return again

    def _ids(self, phone: Phone) -> list[str]:
        name, value = phone.id_name, phone.id
        upper = value.upper()
        return self._dice.choice(
            (
                [],
                [f"{name}={value}"],
                [f"{name}={upper}", f"oaid={phone.oaid}"],
                [f"{name}_sha1={sha1(value)}"],
                [f"{name}_md5={md5(upper)}"],
                [f"oaid={phone.oaid}"],
                [f"{name}=00000000-0000-0000-0000-000000000000"],
                [f"{name}={{gaid}}", f"oaid_md5={md5(phone.oaid)}"],
            )
        )

    def _click_ids(self) -> list[str]:
        number = self._dice.randrange(8)
        return ([], [f"click_id=c{number}"], [f"click_id=c{number}", "external_click_id=e1"], ["clickId=%7Bid%7D"])[
            number % 4
        ]

    def _install(self, number: int, at_us: int) -> Install:
        dice, phone = self._dice, self._dice.choice(self._phones)
        received_us = min(at_us + dice.choice((0, 0, 5 * SECOND, 20 * HOUR, 30 * HOUR)), self._now_us)
        ids = dice.choice(
            ({phone.id_name: phone.id}, {phone.id_name: phone.id.upper(), "oaid": phone.oaid}, {}, {"oaid": phone.oaid})
        )
        return Install(
            v=1,
            id=self._id(received_us),
            app=self._app,
            install_id=f"{self._app}-{number}",
            installed_us=at_us,
            user_id=f"user-{phone.home}" if dice.random() < 0.5 else None,
            preinstall_link=dice.choice((*self._links, "no-such-link")) if dice.random() < 0.08 else None,
            ids=ids,
            device=Device(
                os=phone.os, os_version=phone.version, model=phone.model, locale=dice.choice(("de_DE", "en_US"))
            ),
            referrer=self._referrer(at_us),
            ip=self._place(phone)[0] if dice.random() < 0.9 else None,
            ua=phone.ua,
        )

    def _event(self, number: int, at_us: int, installs: Sequence[Install]) -> Event:
        """Of an install, a user, a device, or of an install that nobody knows."""
        dice = self._dice
        of = dice.choice(installs)
        how = dice.random()
        return Event(
            v=1,
            id=self._id(min(at_us + dice.choice((0, 0, 5 * SECOND, 20 * HOUR, 30 * HOUR)), self._now_us)),
            app=self._app,
            event_id=f"{self._app}-e{number}",
            name="launch",
            occurred_us=at_us,
            install_id=(of.install_id if dice.random() < 0.95 else "nobody's") if how < 0.6 else None,
            user_id=of.user_id if dice.random() < 0.7 else None,
            ids=of.ids if dice.random() < 0.7 else {},
            ip=dice.choice(PLACES)[0] if dice.random() < 0.7 else None,
        )

    def _before(self, event: Event, install: Install) -> Hit:
        """A click that may have brought the user of the install back; some apps are told by their link."""
        dice = self._dice
        at_us = event.occurred_us - dice.choice((30, 3600, 90_000)) * SECOND
        hit = Hit(
            v=1,
            id=self._id(self._received(at_us)),
            kind="click",
            link=dice.choice(self._links),
            app=self._app,
            mode="redirect",
            touched_us=at_us,
            ip=event.ip,
            ua=install.ua,
            query="&".join(f"{name}={value}" for name, value in install.ids.items() if dice.random() < 0.7),
            headers={"accept-language": "de-DE"},
        )
        if dice.random() < 0.6:
            event.params = {"touchline_id": msgspec.Raw(msgspec.json.encode(hit.id))}
        return hit

    def _referrer(self, at_us: int) -> Referrer | None:
        dice = self._dice
        named = dice.choice([hit for hit in self._hits if hit.mode == "redirect"] or [None])  # no other tells its id
        touch_id = named.id if named else self._id(at_us)
        click_id = f"c{dice.randrange(8)}"
        texts = (
            None,
            f"touchline_id={touch_id}",
            f"touchline_id={touch_id}",
            f"appmetrica_click_id={click_id}",
            "utm_source=google-play&utm_medium=organic",
            f"ym_tracking_id%3De1%26adjust_external_click_id%3D{click_id}",
        )
        text = dice.choice(texts)
        if text is None:
            return None
        begun_s = at_us // SECOND - dice.choice((20, 400)) if dice.random() < 0.3 else None
        return Referrer(install_referrer=text, install_begin_timestamp_server_seconds=begun_s)
