from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.touches.data_centres import _PACKAGED, DataCentres, _read, open_data_centres
from schemas.addresses import Network, is_public, parse_address

PACKAGED = open_data_centres()


def network(text: str) -> Network:
    parsed = parse_address(text)
    assert parsed is not None
    return parsed


@pytest.mark.parametrize(
    "text",
    [
        "3.208.0.0/12",
        "3.223.255.255",
        "34.64.0.0/10",
        "34.127.255.255",
        "20.33.0.0/16",
        "20.33.255.255",
        "159.65.0.0/16",
        "5.9.0.0/16",
        "5.9.255.255",
        "51.38.1.1",  # OVH
        "45.33.0.1",  # Linode
        "129.146.130.1",  # Oracle
        "47.90.1.1",  # Alibaba
        "43.153.1.1",  # Tencent
        "51.15.1.1",  # Scaleway
        "173.249.1.1",  # Contabo
        "45.76.1.1",  # Vultr
        "2600:1f18::1",
        "2a01:4f8:1::1",
        "2001:41d0:1::1",
        "2a03:b0c0:1::/48",
        "64:ff9b::5.9.0.1",
    ],
)
def test_the_large_providers_are_known(text: str) -> None:
    assert PACKAGED.hold(network(text))


@pytest.mark.parametrize(
    "text",
    [
        "5.8.255.255",
        "5.10.0.0",
        "2.255.255.255",
        "0.0.0.0",
        "255.255.255.255",
        "73.1.1.1",  # Comcast
        "80.128.0.1",  # Deutsche Telekom
        "82.129.80.1",  # Telefónica
        "100.64.0.1",
        "172.58.1.1",  # T-Mobile US
        "155.146.1.1",  # Verizon, though Amazon lists it
        "172.225.1.1",  # iCloud Private Relay
        "104.28.1.1",  # Cloudflare's exits
        "2a02:26f7::1",  # iCloud Private Relay
        "2001:41d0:fc00::1",  # OVH's access customers
        "2003::1",
        "::",
        "ffff::",
    ],
)
def test_people_are_not_in_them(text: str) -> None:
    assert not PACKAGED.hold(network(text))


def test_every_packaged_network_is_public_and_none_stands_twice() -> None:
    listed = list(_read(_PACKAGED))
    assert len(listed) > 1000
    assert all(map(is_public, listed))
    assert [one for one in listed if any(other != one and other.contains(one) for other in listed)] == []
    assert len(set(listed)) == len(listed)


def test_an_operators_file_adds_to_them(tmp_path: Path) -> None:
    file = tmp_path / "own.txt"
    file.write_text("\ufeff# ours\n\n  82.129.80.0/24  # an ad network's own\r\n2a02:26f7::1\n5.9.7.0/24\n", "utf-8")
    own = open_data_centres(str(file))
    for text in ("82.129.80.200", "2a02:26f7::1", "5.9.7.1", "5.9.8.1", "20.33.1.1"):
        assert own.hold(network(text))
    for text in ("82.129.81.0", "2a02:26f7::2"):
        assert not own.hold(network(text))
    assert not PACKAGED.hold(network("82.129.80.200"))


@pytest.mark.parametrize("word", ["82.129.80.0/33", "82.129.80", "example.org", "82.129.80.0-82.129.80.9", "0.0.0.0/0"])
def test_a_wrong_line_is_named(word: str, tmp_path: Path) -> None:
    file = tmp_path / "own.txt"
    file.write_text(f"# ours\n82.129.80.0/24\n{word}\n")
    with pytest.raises(ValueError, match=r"own\.txt, line 3: ") as refused:
        open_data_centres(str(file))
    assert repr(word) in str(refused.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe5.9"])
def test_a_file_that_cannot_be_read_is_named(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "own.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ValueError, match=r"own\.txt is not a readable text file"):
        open_data_centres(str(file))


def _masked(value: int, prefix: int) -> Network:
    bits = 32 - prefix
    return Network(4, value >> bits << bits, prefix)


small = st.builds(_masked, st.integers(0, 1023), st.integers(24, 32))


@given(st.lists(small, max_size=12), st.integers(0, 1100))
def test_an_address_is_in_them_when_one_network_has_it(networks: list[Network], value: int) -> None:
    address = Network(4, value, 32)
    assert DataCentres(networks).hold(address) == any(one.contains(address) for one in networks)
