import json
from collections.abc import Iterator, Mapping
from ipaddress import IPv6Address, IPv6Network, ip_address

import pytest

from consumers.touches.data_centres import DataCentres, open_data_centres
from consumers.touches.validity import findings
from schemas.addresses import Network, parse_address
from schemas.validity import FINDINGS
from tests.support.data import data_folder

PIXEL = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UD1A.230803.041) AppleWebKit/537.36"
    " (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36"
)
DATA_CENTRES = open_data_centres()
HANDED_OUT = IPv6Network("2000::/3")
TUNNELS = IPv6Network("2001::/23"), IPv6Network("2002::/16")


def found(
    ua: str = PIXEL, *, bot: bool = False, ip: str = "82.129.80.1", headers: Mapping[str, str] | None = None
) -> list[str]:
    network = parse_address(ip) if ip else None
    return list(findings(ua, bot=bot, network=network, headers=headers or {}, data_centres=DATA_CENTRES))


def test_a_touch_of_a_person_at_home_has_no_findings() -> None:
    assert found(headers={"accept-language": "de", "referer": "https://n.example/prefetch"}) == []


def test_all_findings_stand_in_one_order() -> None:
    everything = found("", bot=True, ip="5.9.0.1", headers={"sec-purpose": "prefetch"})
    assert everything == ["bot", "no_agent", "data_centre", "prefetch"]
    inside = found("", bot=True, ip="10.0.0.1", headers={"sec-purpose": "prefetch"})
    assert inside == ["bot", "no_agent", "non_public", "prefetch"]
    assert [one for one in FINDINGS if one in everything or one in inside] == list(FINDINGS)


@pytest.mark.parametrize("ua", ["", " ", "{device_ua}", "%%USER_AGENT%%", "${USER_AGENT}", "__UA__", "0"])
def test_an_agent_that_says_nothing(ua: str) -> None:
    assert found(ua) == ["no_agent"]


@pytest.mark.parametrize("ua", ["x", "Mozilla/5.0", "{" + "x" * 100 + "}", PIXEL])
def test_an_agent_that_says_something(ua: str) -> None:
    assert found(ua) == []


@pytest.mark.parametrize(
    "ip",
    [
        "0.0.0.0",
        "10.255.255.255",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "169.254.1.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.2.7",
        "192.168.1.0/24",
        "198.18.0.1",
        "198.51.100.7",
        "203.0.113.7",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "fd12:3456::1",
        "ff02::1",
        "2001:db8::1",
        "3fff:fff::1",
        "::ffff:10.0.0.1",
        "64:ff9b::192.168.0.1",
    ],
)
def test_an_address_that_is_not_public(ip: str) -> None:
    assert found(ip=ip) == ["non_public"]


@pytest.mark.parametrize(
    "ip",
    [
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.128.0.0",
        "172.32.0.1",
        "192.169.0.0",
        "2003::1",
        "::ffff:82.129.80.1",
    ],
)
def test_an_address_that_is_public(ip: str) -> None:
    assert found(ip=ip) == []


def test_an_inner_network_that_an_operator_lists_is_no_public_address_only() -> None:
    network = Network(4, 0x0A_00_00_01, 32)
    own = DataCentres([Network(4, 0x0A_00_00_00, 8)])
    assert findings(PIXEL, bot=False, network=network, headers={}, data_centres=own) == ["non_public"]


def addresses() -> Iterator[Network]:
    for file in ("valid-ipv4-addresses.json", "valid-ipv6-addresses.json", "intermapper-valid-ipv6-addresses.json"):
        for case in json.loads((data_folder() / "ip" / file).read_text()):
            network = parse_address(case["address"])
            if network is not None:
                yield network


@pytest.mark.data
def test_third_party_addresses_are_judged_as_the_registries_do() -> None:
    """The standard library knows the same registries; it takes tunnels, and what is not handed out, for public."""
    judged = 0
    for network in set(addresses()):
        address = ip_address(network.text.partition("/")[0])
        if network.prefix != address.max_prefixlen:
            continue
        judged += 1
        public = address.is_global and not address.is_multicast
        if isinstance(address, IPv6Address):
            public = public and address in HANDED_OUT and not any(address in tunnels for tunnels in TUNNELS)
        assert ("non_public" not in found(ip=network.text)) == public, network.text
    assert judged > 100


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-purpose": "prefetch"},
        {"sec-purpose": "prefetch;prerender"},
        {"sec-purpose": "prefetch;anonymous-client-ip"},
        {"sec-purpose": " Prefetch; prerender"},
        {"purpose": "prefetch"},
        {"x-moz": "prefetch"},
        {"x-purpose": "preview"},
        {"accept-language": "de", "purpose": "", "x-moz": "prefetch"},
    ],
)
def test_a_page_that_nobody_asked_for(headers: dict[str, str]) -> None:
    assert found(headers=headers) == ["prefetch"]


@pytest.mark.parametrize(
    "headers",
    [{"sec-purpose": ""}, {"purpose": "navigation"}, {"x-moz": "microsummary"}, {"referer": "prefetch"}],
)
def test_a_page_that_somebody_asked_for(headers: dict[str, str]) -> None:
    assert found(headers=headers) == []
