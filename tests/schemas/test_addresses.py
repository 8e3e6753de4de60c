import json
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_interface, ip_network
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.addresses import Network, coarse_network, is_public, parse_address, probe_networks, touch_network
from tests.support.data import data_folder

V4_VALUES = st.integers(0, 2**32 - 1)
# Half of them with long runs of zeros, where `::` has to be found.
V6_VALUES = st.integers(0, 2**128 - 1) | st.lists(st.sampled_from([0, 0, 1, 0xFFFF]), min_size=8, max_size=8).map(
    lambda groups: sum(group << 16 * place for place, group in enumerate(groups))
)
PREFIX_PAIRS = st.tuples(st.integers(48, 128), st.integers(48, 128))


def network(text: str) -> Network:
    parsed = parse_address(text)
    assert parsed is not None, text
    return parsed


def texts(parsed: tuple[Network, ...]) -> list[str]:
    return [one.text for one in parsed]


def cases(pattern: str) -> list[str]:
    files = sorted(data_folder().joinpath("ip").glob(pattern))
    found: list[dict[str, Any]] = [case for file in files for case in json.loads(file.read_text())]
    assert found, pattern
    return [case["address"] for case in found]


@pytest.mark.data
@pytest.mark.parametrize("pattern", ["valid-*.json", "*-valid-*.json"])
def test_accepts_every_valid_case(pattern: str) -> None:
    assert [text for text in cases(pattern) if parse_address(text) is None] == []


@pytest.mark.data
@pytest.mark.parametrize("pattern", ["invalid-ipv4-*.json", "*invalid-ipv6-*.json"])
def test_refuses_every_invalid_case(pattern: str) -> None:
    # The lists of bad IPv6 hold a good IPv4, which is bad there only because it is no IPv6.
    refused = set(cases(pattern)) - {"1.2.3.4"}
    assert [text for text in refused if parse_address(text) is not None] == []


@pytest.mark.data
def test_reads_valid_cases_as_the_standard_library_does() -> None:
    for text in cases("valid-*.json") + cases("*-valid-*.json"):
        try:
            expected = ip_network(text, strict=False)
        except ValueError:
            continue
        if expected.version == 4 or not _stands_for_ipv4(int(expected.network_address)):
            assert network(text) == (
                expected.version,
                int(expected.network_address),
                expected.prefixlen,
            ), text


def _stands_for_ipv4(value: int) -> bool:
    return IPv6Address(value).ipv4_mapped is not None or value >> 32 == 0x64FF9B << 64


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7/32", "192.0.2.7"),
        ("192.0.2.7/24", "192.0.2.0/24"),
        ("192.0.2.7/02", "192.0.0.0/2"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:DB8:0:0::0001", "2001:db8::1"),
        ("2001:db8::1/64", "2001:db8::/64"),
        ("2001:db8::1/128", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::FFFF:c000:207", "192.0.2.7"),
        ("[::ffff:192.0.2.7]", "192.0.2.7"),
        ("::ffff:192.0.2.7/120", "192.0.2.0/24"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("::ffff:0:0/95", "::fffe:0:0/95"),
        ("64:ff9b::192.0.2.7", "192.0.2.7"),
        ("64:ff9b::192.0.2.7/120", "192.0.2.0/24"),
        ("64:ff9b::/64", "64:ff9b::/64"),
        ("64:ff9b:1::192.0.2.7", "64:ff9b:1::c000:207"),
        ("::192.0.2.7", "::c000:207"),
        ("::", "::"),
        ("fe80::1%eth0", "fe80::1"),
        ("fe80::1%25eth0", "fe80::1"),
        ("fe80::1%eth0/64", "fe80::/64"),
        ("[fe80::1%25en0]", "fe80::1"),
        ("::ffff:192.0.2.7%1", "192.0.2.7"),
    ],
)
def test_reads(text: str, canonical: str) -> None:
    assert network(text).text == canonical
    assert network(canonical) == network(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "/",
        ":",
        "[",
        "]",
        "[]",
        "%",
        "1",
        "1.2.3",
        "16909060",
        "0x7f.1",
        "1.2.3.4.",
        "1.2.3.04",
        "1.2.3.4\n",
        "1.2.3.4\0",
        "1.2.3.٤",
        "1.2.3.4\ud800",
        "1.2.3.4/٤",
        "1.2.3.4/032",
        "1.2.3.4/+8",
        "1.2.3.4/ 8",
        "1.2.3.4/255.255.255.0",
        "1.2.3.4:80",
        "1.2.3.4%eth0",
        "1.2.3.4%eth0/24",
        "[1.2.3.4]",
        "[::1",
        "::1]",
        "[::1]:443",
        "[::1/64]",
        "[[::1]]",
        "::1%",
        "::1%/64",
        "::1%a b",
        "::1%a%b",
        "::1%é",
        "::1 ",
        "::1/64/64",
        "::1/129",
        "::1/0128",
        "::ffff:1.2.3.04",
        "{device_ip}",
        "unknown",
        "::1%" + "a" * 200,
        "1" * 100_000,
    ],
)
def test_refuses(text: str) -> None:
    assert parse_address(text) is None


@given(value=V4_VALUES, prefix=st.integers(0, 32))
def test_ipv4_agrees_with_the_standard_library(value: int, prefix: int) -> None:
    address = IPv4Address(value)
    expected = IPv4Network((value, prefix), strict=False)
    assert network(str(address)) == (4, value, 32)
    assert network(str(address)).text == str(address)
    assert network(f"{address}/{prefix}") == (4, int(expected.network_address), prefix)
    assert network(f"::ffff:{address}/{96 + prefix}") == network(f"{address}/{prefix}")


@given(value=V6_VALUES, prefix=st.integers(0, 128))
@example(value=0, prefix=0)
@example(value=0xFFFE_0000_0000, prefix=95)
def test_ipv6_agrees_with_the_standard_library(value: int, prefix: int) -> None:
    expected = IPv6Network((value, prefix), strict=False)
    masked = int(expected.network_address)
    if prefix >= 96 and _stands_for_ipv4(masked):
        assert network(str(expected)) == (4, masked & 0xFFFF_FFFF, prefix - 96)
        return
    short, long = expected.compressed, expected.exploded
    assert network(short) == network(long) == network(long.upper()) == (6, masked, prefix)
    assert network(short).text == short.removesuffix("/128")


@given(st.text(alphabet="0123456789abcfF:./ -x", max_size=24))
@example("1.2.3.4/02")
@example("::1/001")
def test_accepts_nothing_the_standard_library_refuses(text: str) -> None:
    if parse_address(text) is not None:
        address, slash, digits = text.partition("/")
        ip_interface(f"{address}/{int(digits)}" if slash else address)


@given(st.text(max_size=60))
def test_never_raises(text: str) -> None:
    parse_address(text)


@given(value=V6_VALUES, wide=st.integers(0, 128), narrow=st.integers(0, 128), other=V6_VALUES)
def test_contains_agrees_with_the_standard_library(value: int, wide: int, narrow: int, other: int) -> None:
    for inner_value in (value, other, value ^ 1 << (128 - wide if wide else 127)):
        outer = IPv6Network((value, wide), strict=False)
        inner = IPv6Network((inner_value, narrow), strict=False)
        ours = [Network(6, int(one.network_address), one.prefixlen) for one in (outer, inner)]
        assert ours[0].contains(ours[1]) == inner.subnet_of(outer)


def test_networks_of_two_versions_contain_nothing_of_each_other() -> None:
    assert not network("::/0").contains(network("1.2.3.4"))
    assert not network("0.0.0.0/0").contains(network("2001:db8::1"))


@pytest.mark.parametrize(
    ("text", "key", "probes"),
    [
        ("198.51.100.7", "198.51.100.7", ["198.51.100.7", "198.51.100.0/24"]),
        ("198.51.100.7/31", "198.51.100.0/24", ["198.51.100.0/24"]),
        ("198.51.100.0/24", "198.51.100.0/24", ["198.51.100.0/24"]),
        ("198.51.100.0/23", None, []),
        ("0.0.0.0/0", None, []),
        ("::ffff:198.51.100.7", "198.51.100.7", ["198.51.100.7", "198.51.100.0/24"]),
        ("2001:db8:1:2::7", "2001:db8:1:2::/64", ["2001:db8:1:2::/64", "2001:db8:1::/48"]),
        ("2001:db8:1:2::/64", "2001:db8:1:2::/64", ["2001:db8:1:2::/64", "2001:db8:1::/48"]),
        ("2001:db8:1:2::/63", "2001:db8:1::/48", ["2001:db8:1::/48"]),
        ("2001:db8:1::/48", "2001:db8:1::/48", ["2001:db8:1::/48"]),
        ("2001:db8:1::/47", None, []),
        ("::/0", None, []),
    ],
)
def test_print_networks(text: str, key: str | None, probes: list[str]) -> None:
    touched = touch_network(network(text))
    assert (touched.text if touched else None) == key
    assert texts(probe_networks(network(text))) == probes


@given(value=V4_VALUES, own=st.integers(24, 32), prefix=st.integers(24, 32))
def test_a_conversion_probes_the_key_of_every_ipv4_touch_that_covers_it(value: int, own: int, prefix: int) -> None:
    device, touch = (network(f"{IPv4Address(value)}/{length}") for length in (own, prefix))
    if touch.contains(device):
        assert touch_network(touch) in probe_networks(device)


@given(value=V6_VALUES.filter(lambda value: not _stands_for_ipv4(value)), prefixes=PREFIX_PAIRS)
def test_a_conversion_probes_the_key_of_every_ipv6_touch_that_covers_it(value: int, prefixes: tuple[int, int]) -> None:
    device, touch = (network(f"{IPv6Address(value)}/{length}") for length in prefixes)
    if touch.contains(device):
        assert touch_network(touch) in probe_networks(device)


@pytest.mark.parametrize(
    "text",
    [
        "8.8.8.8",
        "1.1.1.0/24",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.167.255.255",
        "223.255.255.255",
        "2001:4860:4860::8888",
        "2a00:1450::/32",
        "::ffff:8.8.8.8",
    ],
)
def test_public(text: str) -> None:
    assert is_public(network(text))


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0",
        "0.0.0.0/0",
        "10.1.2.3",
        "8.0.0.0/6",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.7",
        "192.168.1.1",
        "198.19.0.1",
        "198.51.100.7",
        "203.0.113.7",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:10.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "2000::/3",
        "::/0",
    ],
)
def test_not_public(text: str) -> None:
    assert not is_public(network(text))


@given(V4_VALUES)
def test_public_ipv4_is_global_to_the_standard_library(value: int) -> None:
    if is_public(Network(4, value, 32)):
        address = IPv4Address(value)
        assert address.is_global
        assert not address.is_multicast


@given(st.integers(0x2000 << 112, (0x4000 << 112) - 1) | V6_VALUES)
def test_public_ipv6_is_global_to_the_standard_library(value: int) -> None:
    if is_public(Network(6, value, 128)):
        address = IPv6Address(value)
        assert address.is_global
        assert not address.is_multicast


@given(V4_VALUES, st.integers(0, 32), V6_VALUES, st.integers(0, 128))
def test_a_coarse_network_holds_the_address_and_its_neighbours(v4: int, p4: int, v6: int, p6: int) -> None:
    for one, finest in (
        (Network(4, v4 >> (32 - p4) << (32 - p4), p4), 24),
        (Network(6, v6 >> (128 - p6) << (128 - p6), p6), 64),
    ):
        coarse = coarse_network(one)
        assert coarse.contains(one)
        assert coarse.prefix <= finest
        assert coarse == one or one.prefix > coarse.prefix
        assert coarse_network(coarse) == coarse
        assert parse_address(coarse.text) == coarse


@pytest.mark.parametrize(
    ("text", "coarse"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("203.0.112.0/22", "203.0.112.0/22"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2002:cb00:714d::1", "2002:cb00:7100::/40"),  # 6to4: 203.0.113.77
    ],
)
def test_a_truncated_address(text: str, coarse: str) -> None:
    assert coarse_network(network(text)).text == coarse
