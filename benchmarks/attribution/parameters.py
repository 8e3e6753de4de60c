"""Everything the simulated world is made of, in one place: `World`. Nothing here was fitted to the scorer.

Where a value follows somebody's figures, they are named, rounded and from memory; `guess` means that nobody has
measured it for us.
"""

from typing import Literal

import msgspec

IdForm = Literal["raw", "sha1", "md5", "none"]


class Partner(msgspec.Struct, frozen=True, kw_only=True):
    """An ad network, and how its server or its links speak to the edge. Shares of traffic are guesses."""

    name: str
    s2s: bool
    """Its server reports for the device; else the person's browser comes by a redirect."""
    share: int
    """Weight among the partners."""
    id_form: IdForm = "none"
    id_names: tuple[str, str] = ("google_aid", "ios_ifa")
    """Names of the identifier for Android and iOS, among the aliases of `schemas.identifiers`."""
    hashes_upper: bool = False
    """Hashes the upper-case text of an identifier, whatever its vendor writes."""
    truncates: bool = False
    """Sends a network (IPv4 /24, IPv6 /64) instead of the address, as AppMetrica's own example does."""
    ipv6: bool = True
    """Its servers are reached over IPv6 and so see the device's IPv6 address."""
    referrer: bool = False
    """An S2S sender that opens the store itself, with its click id in Google Play's referrer."""


PARTNERS = (
    Partner(name="alpha", s2s=True, share=20, id_form="raw"),
    Partner(name="beta", s2s=True, share=12, id_form="sha1", id_names=("gps_adid", "idfa")),
    Partner(name="gamma", s2s=True, share=8, id_form="md5", id_names=("gaid", "idfa"), hashes_upper=True),
    Partner(name="delta", s2s=True, share=10, id_form="raw", ipv6=False, referrer=True),
    Partner(name="epsilon", s2s=True, share=8),
    Partner(name="zeta", s2s=True, share=6, truncates=True),
    Partner(name="eta", s2s=False, share=26),
    Partner(name="theta", s2s=False, share=10, ipv6=False),
)
"""Every way the protocols document knows to name a device; the mix is a guess."""


class World(msgspec.Struct, frozen=True, kw_only=True):
    """A world: the same parameters and shapes give the same touches, installs and truths."""

    # Size
    seed: int = 1
    """Of every draw."""
    installs: int = 1000
    """First launches, reinstalls among them."""
    touches: int = 20_000
    """Touches in all, about; fraud and the touches that caused installs are among them."""
    days: int = 14
    """Length of the history: two look-back windows of 7 days (design §5), so that all of one is full."""
    begins_s: int = 1_790_812_800
    """2026-10-01 00:00 UTC. Any day will do."""
    apps: int = 8
    """Advertised apps; popularity as in the shapes. A guess at an operator's own apps."""
    links_per_partner: int = 2
    """Tracking links of every partner and app. Guess."""
    people_per_install: int = 20
    """Devices of the population for each install; most see ads and install nothing. Guess."""
    touches_per_person: float = 2.0
    """When touches outgrow the installs, the population grows to this many touches a device. Guess."""
    partners: tuple[Partner, ...] = PARTNERS
    """Ad networks."""

    # Where people are
    household_blocks: tuple[tuple[int, ...], ...] = ((1, 1, 2, 3, 5), (2, 2, 2, 3, 3), (1, 2, 4, 5), (1, 1, 1, 2, 3, 4))
    """How twelve devices share homes: one to five phones and tablets a household. Guess after household statistics."""
    home_share: float = 0.55
    """Time on the home's Wi-Fi. Guess: published Wi-Fi shares of phone use lie between 50 and 70 %."""
    office_share: float = 0.6
    """Of working hours (weekdays, 7 to 17 UTC), for those who have an office with Wi-Fi. Guess."""
    with_office_share: float = 0.3
    """Devices that have such an office. Guess."""
    office_devices: int = 40
    """Devices of an office on average; few have ten times as many, most a handful. Guess."""
    carriers: int = 12
    """Mobile carriers, in four countries. Guess."""
    nat_devices_min: int = 20
    """Fewest devices behind one IPv4 of a carrier. Guess; RFC 6888 leaves it to the carrier's ports a subscriber."""
    nat_devices_max: int = 4000
    """Most: 65 000 ports at 16 each, the densest carriers reported. The population bounds it in a small world."""
    nat_stay_hours: int = 6
    """A phone keeps its carrier's address so long (RFC 4787's paired pooling holds a session's). Guess."""
    home_nat_share: float = 0.15
    """Households that share their IPv4 with others (DS-Lite, CGN at home). Guess."""
    home_nat_households: int = 64
    """Households behind such an IPv4. RFC 6269 speaks of tens to thousands; guess."""
    home_lease_hours: tuple[int, ...] = (24, 168, 336, 10_000, 10_000)
    """How long a household keeps its addresses, drawn evenly: daily forced change, weekly, two weeks, for ever."""
    home_ipv6_share: float = 0.45
    """Households with IPv6: near the world average that Google publishes, 45 %."""
    mobile_ipv6_share: float = 0.6
    """Carriers with IPv6. Guess: higher than at home, 464XLAT is usual."""
    interface_hours: int = 24
    """A device changes the lower 64 bits of its IPv6 so often: RFC 8981's preferred lifetime, a day."""
    stay_hours: int = 3
    """People stay in one place about so long. Guess."""

    # Devices
    android_share: float = 0.72
    """Android among phones: StatCounter's worldwide figure, 2024-2025, rounded."""
    opted_out_share: float = 0.12
    """Android devices without advertising id. Guess."""
    tracking_allowed_share: float = 0.3
    """iOS devices whose owner let the app read the IDFA. Guess: published consent rates lie between 15 and 45 %."""
    foreign_language_share: float = 0.12
    """Devices set to a language that is not the country's first. Guess."""
    in_app_share: float = 0.55
    """Touches from an app's own web view, whose agent still names the model. Guess: in-app ads prevail."""
    frozen_share: float = 0.9
    """Android browsers that say `Android 10; K`: Chrome since 110, and all but old Chromium."""
    hints_share: float = 0.25
    """Of those, requests that carry the model and version as client hints. Guess: they need an earlier Accept-CH."""
    updated_share: float = 0.01
    """Devices that update their system between touch and install. Guess."""

    # Touches
    impression_share: float = 0.25
    """Views among the background touches. Guess; the click log holds clicks only."""
    missing_id_share: float = 0.1
    """S2S touches of a partner with ids that hold none all the same. Guess."""
    zero_id_share: float = 0.04
    """… an all-zero id although the device has one. Guess."""
    macro_share: float = 0.02
    """… a macro nobody substituted. Guess."""
    language_sent_share: float = 0.3
    """S2S touches that state the device's language. Guess."""
    s2s_seconds: float = 2.0
    """Mean time from an S2S touch to its receipt. Guess."""
    s2s_late_share: float = 0.02
    """S2S touches that come minutes to 12 h later. Guess."""
    s2s_too_late_share: float = 0.004
    """S2S touches that come 12 h to 3 days later: stored and never matched (protocols §1.6). Guess."""
    shipped_late_share: float = 0.005
    """Touches that lay in an edge's journal for up to `shipped_late_hours_max`: the id is older than the arrival."""
    shipped_late_hours_max: int = 72
    """Longest wait in a journal. Guess: a lost weekend."""
    retry_share: float = 0.02
    """S2S touches sent twice by their sender, same click id. Guess."""
    repeat_share: float = 0.015
    """Clicks followed by another of the same person on the same link within seconds. Guess."""

    # Installs
    organic_share: float = 0.35
    """Installs that no touch led to. Guess: published organic shares lie between 30 and 60 %."""
    view_share: float = 0.08
    """Of the others, those that a view led to. Guess."""
    earlier_share: float = 0.25
    """Of the others, those with one to three earlier touches of other links. Guess."""
    reinstall_share: float = 0.04
    """Installs of an app that the device had before. Guess."""
    delay_s_min: int = 15
    """Nobody goes from a touch to a first launch faster: download and start need their time. Guess."""
    long_delay_share: float = 0.06
    """Installs one to `long_delay_days_max` days after the touch. The click log is too short to show them. Guess."""
    long_delay_days_max: int = 9
    """Some lie outside every window."""
    download_s_mean: float = 45.0
    """From the store's install-begin to the first launch, at least 8 s. Guess."""
    play_share: float = 0.93
    """Android installs that come from Google Play and so have a referrer. Guess."""
    referrer_lost_share: float = 0.08
    """Referrers that arrive as Play's organic one although a link was followed. Guess: searched the store instead."""
    referrer_twice_share: float = 0.05
    """Referrers encoded twice (protocols §6.1). Guess."""
    offline_share: float = 0.06
    """Installs reported later than a few seconds. Guess."""
    offline_hours_max: int = 20
    """Longest such wait; below 24 h, so that the device's own time counts (design §5)."""
    server_only_share: float = 0.03
    """Installs that a server reports without the device's address. Guess."""

    # Fraud, shares of all touches unless it says otherwise; all guesses, there is no public truth
    flooding_share: float = 0.15
    """Clicks of flooding links."""
    flooding_links: int = 2
    """Links that flood."""
    flooding_people_factor: int = 50
    """A flooder knows so many times more devices than the population: hence its low conversion."""
    bot_share: float = 0.03
    """Clicks of bots and from data centres."""
    bot_honest_agent_share: float = 0.4
    """Bots that state a phone's agent and are known by their data centre only."""
    bot_home_share: float = 0.2
    """Bots that state their name but come from a home's address."""
    spam_share: float = 0.02
    """Clicks for random identifiers."""
    injection_share: float = 0.03
    """Of the Android installs from Google Play: those with an injected click."""
    injection_s_max: int = 9
    """An injected click comes at most so long before the first launch (protocols §7.2: under 10 s)."""
    injection_referrer_share: float = 0.4
    """Injections that also put their touch into Play's referrer; the others only name the device."""
    data_centres: tuple[str, ...] = ("3.208.0.0/12", "34.64.0.0/10", "20.33.0.0/16", "159.65.0.0/16", "5.9.0.0/16")
    """Of Amazon, Google, Microsoft, DigitalOcean and Hetzner, as they publish them, from memory; no homes."""

    # What can be matched in principle: the default windows of design §5
    click_days: int = 7
    """Identifier and referrer."""
    fingerprint_hours: int = 24
    """Clicks only."""
    view_hours: int = 24
    """Views by identifier."""
    late_hours: int = 12
    """A touch received so long after it happened is not matched."""

    @property
    def people(self) -> int:
        """Devices of the population."""
        return max(240, self.installs * self.people_per_install, int(self.touches / self.touches_per_person))
