"""Touches that no person made: floods, bots and random identifiers. Injection is told with its install."""

from ipaddress import IPv4Address

from benchmarks.attribution.parameters import World
from benchmarks.attribution.people import People, drawn_uuid
from benchmarks.attribution.places import kind_of, mix
from benchmarks.attribution.traffic import Link, Traffic
from benchmarks.attribution.truth import Touch

BOTS = (
    "python-requests/2.32.3",
    "Go-http-client/2.0",
    "curl/8.5.0",
    "okhttp/4.12.0",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/141.0.0.0 Mobile Safari/537.36 (compatible; AdsBot-Google-Mobile; +http://www.google.com/mobile/adsbot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/141.0.0.0 Safari/537.36",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
)
"""Agents that name themselves, most of them on monperrus/crawler-user-agents. `okhttp` and libraries are programs."""


class Fraud:
    """Writes fraudulent touches."""

    def __init__(self, world: World, people: People, traffic: Traffic) -> None:
        self._world, self._people, self._traffic, self._dice = world, people, traffic, traffic.dice
        senders = [partner for partner in world.partners if partner.s2s and partner.id_form == "raw"]
        self.flooding_links = [
            Link(
                str(1_030_000_000_000_000_000 + at),
                traffic.apps[at % len(traffic.apps)],
                senders[at % len(senders)],
                True,
            )
            for at in range(world.flooding_links if senders else 0)
        ]

    def flood(self, at_us: int) -> Touch:
        """A click stated for somebody the flooder has heard of, in the hope that they install by themselves."""
        number = self._dice.randrange(self._world.people * self._world.flooding_people_factor)
        link = self._dice.choice(self.flooding_links)
        return self._traffic.touch(link, self._people.device(number), at_us, "click", "flooding")

    def bot(self, at_us: int) -> Touch:
        """A browserless request, from a data centre or by an agent that says what it is, or both."""
        dice, world = self._dice, self._world
        device = self._people.device(dice.randrange(world.people))
        seat = self._traffic.places.seat(device.resident, at_us)
        chance = dice.random()
        ip, ua = self._traffic.places.centre(dice.randrange(400)), dice.choice(BOTS)
        if chance < world.bot_honest_agent_share:
            ua = device.browser
        elif chance < world.bot_honest_agent_share + world.bot_home_share:
            ip = seat.v4
        link = self._traffic.link(self._traffic.app())
        while link.partner.s2s:
            link = self._traffic.link(link.app)
        return self._traffic.page(link, ip, ua, {}, at_us, "click", "bot", None, f"{dice.getrandbits(64):016x}")

    def spam(self, at_us: int) -> Touch:
        """A well-formed ping for an identifier and an address that are nobody's."""
        dice = self._dice
        link = self._traffic.link(self._traffic.app())
        while not link.partner.s2s:
            link = self._traffic.link(link.app)
        ua = self._people.device(dice.randrange(self._world.people)).in_app
        rest = f"&google_aid={drawn_uuid(dice)}"
        click_id, delay_us = f"{dice.getrandbits(64):016x}", self._traffic.s2s_delay_us()
        return self._traffic.ping(link, self._address(), ua, at_us, "click", "spam", None, click_id, rest, delay_us)

    def _address(self) -> str:
        drawn = mix(self._world.seed, 40, self._dice.getrandbits(48))
        # 94/8 and 95/8 hold nobody of this world
        address = str(IPv4Address((94 + drawn % 2 << 24) + (drawn >> 8) % (1 << 24)))
        return address if kind_of(address) == "other" else self._address()
