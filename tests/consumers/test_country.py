import datetime as dt
import struct
import time
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, ip_network
from pathlib import Path

import pytest

from consumers.touches import country
from consumers.touches.country import Countries, open_countries
from schemas.addresses import parse_address

BUILT = dt.datetime(2026, 10, 27, 5, tzinfo=dt.UTC)


def encoded(value: object) -> bytes:
    """A value as the data section of a MaxMind DB holds it; bytes are encoded already."""
    match value:
        case bytes():
            return value
        case str():
            return _control(2, len(value.encode())) + value.encode()
        case int():
            return uint(value, bits=32)
        case list():
            return _control(11, len(value)) + b"".join(map(encoded, value))
        case dict():
            pairs = (encoded(key) + encoded(entry) for key, entry in value.items())
            return _control(7, len(value)) + b"".join(pairs)
    raise TypeError(value)


def uint(value: int, *, bits: int) -> bytes:
    digits = value.to_bytes((value.bit_length() + 7) // 8)
    return _control({16: 5, 32: 6, 64: 9}[bits], len(digits)) + digits


def _control(kind: int, size: int) -> bytes:
    first, more = (kind, b"") if kind < 8 else (0, bytes([kind - 7]))
    if size < 29:
        return bytes([first << 5 | size]) + more
    assert size < 29 + 256
    return bytes([first << 5 | 29]) + more + bytes([size - 29])


def mmdb(records: Mapping[str, object], *, ip_version: int = 6, name: str = "Test-Country") -> bytes:
    """The smallest file of https://maxmind.github.io/MaxMind-DB/ that answers with `records`."""
    tree: list[list[int | bytes | None]] = [[None, None]]
    for text, record in records.items():
        network = ip_network(text)
        bits, prefix = int(network.network_address), network.prefixlen
        width = network.max_prefixlen
        if isinstance(network, IPv4Network) and ip_version == 6:
            width, prefix = 128, 96 + prefix
        node = 0
        for depth in range(prefix):
            side = bits >> (width - 1 - depth) & 1
            if depth == prefix - 1:
                tree[node][side] = encoded(record)
                continue
            below = tree[node][side]
            if below is None:
                tree.append([None, None])
                tree[node][side] = below = len(tree) - 1
            assert isinstance(below, int)
            node = below
    data = b""
    search = b""
    for pair in tree:
        for below in pair:
            if isinstance(below, bytes):
                target = len(tree) + 16 + len(data)
                data += below
            else:
                target = len(tree) if below is None else below
            search += target.to_bytes(3)
    about = {
        "node_count": len(tree),
        "record_size": uint(24, bits=16),
        "ip_version": uint(ip_version, bits=16),
        "database_type": name,
        "languages": ["en"],
        "binary_format_major_version": uint(2, bits=16),
        "binary_format_minor_version": uint(0, bits=16),
        "build_epoch": uint(int(BUILT.timestamp()), bits=64),
        "description": {"en": name},
    }
    return search + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + encoded(about)


@pytest.fixture(scope="module")
def packaged() -> Countries:
    return open_countries()


@pytest.fixture
def operators_file(tmp_path: Path) -> Path:
    path = tmp_path / "operator.mmdb"
    path.write_bytes(
        mmdb(
            {
                "198.51.100.0/24": {"country": {"iso_code": "FI"}, "continent": {"code": "EU"}},
                "203.0.113.0/25": {"country": "NO"},
                "203.0.113.128/25": {"country": "Sweden", "country_code": "SE"},
                "192.0.2.0/26": {"country": {"iso_code": "EU"}},
                "192.0.2.64/26": {"registered_country": {"iso_code": "US"}},
                "192.0.2.128/26": "DE",
                "192.0.2.192/26": {"country": ["DE"]},
                "2001:db8::/32": {"country": {"iso_code": "IS"}},
            }
        )
    )
    return path


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("8.8.8.8", "US"),
        ("77.88.8.8", "RU"),
        ("5.9.0.1", "DE"),
        ("2001:4860:4860::8888", "US"),
        ("2a02:6b8::1", "RU"),
        ("2a01:4f8::1", "DE"),
        ("8.8.8.0/24", "US"),
        ("::ffff:77.88.8.8", "RU"),
        ("64:ff9b::5.9.0.1", "DE"),
        ("[2a02:6b8::1]", "RU"),
        ("10.0.0.1", None),
        ("100.64.0.1", None),
        ("127.0.0.1", None),
        ("192.168.1.1", None),
        ("240.0.0.1", None),
        ("255.255.255.255", None),
        ("0.0.0.0/0", None),
        ("::", None),
        ("::1", None),
        ("fe80::1%eth0", None),
        ("fd00::1", None),
        ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None),
        ("", None),
        ("unknown", None),
        ("8.8.8", None),
        ("8.8.8.8\ud800", None),
    ],
)
def test_packaged_countries(packaged: Countries, text: str, code: str | None) -> None:
    assert packaged.country(text) == code
    network = parse_address(text)
    if network is not None:
        assert packaged.country(network) == code


def test_packaged_database_says_what_it_is(packaged: Countries) -> None:
    assert packaged.source.startswith("iptocc 3.")
    assert dt.date(2026, 1, 1) < packaged.date < dt.date.today()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("198.51.100.7", "FI"),
        ("198.51.100.0/24", "FI"),
        ("::ffff:198.51.100.7", "FI"),
        ("203.0.113.7", "NO"),
        ("203.0.113.200", "SE"),
        ("2001:db8::1", "IS"),
        ("2001:db8:5::/48", "IS"),
        ("192.0.2.1", None),  # EU is no country
        ("192.0.2.65", None),  # where it is registered is not where it is
        ("192.0.2.129", None),
        ("192.0.2.193", None),
        ("8.8.8.8", None),
        ("2a02:6b8::1", None),
        ("10.0.0.1", None),
        ("nonsense", None),
    ],
)
def test_an_operators_file(operators_file: Path, text: str, code: str | None) -> None:
    assert open_countries(str(operators_file)).country(text) == code


@pytest.fixture
def honolulu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Pacific/Honolulu")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_an_operators_file_says_what_it_is(operators_file: Path, honolulu: None) -> None:
    countries = open_countries(str(operators_file))
    assert (countries.source, countries.date) == ("Test-Country", BUILT.date())


def test_an_ipv4_file_knows_no_ipv6(tmp_path: Path) -> None:
    path = tmp_path / "ipv4.mmdb"
    path.write_bytes(mmdb({"198.51.100.0/24": {"country": {"iso_code": "FI"}}}, ip_version=4))
    countries = open_countries(str(path))
    assert countries.country("198.51.100.7") == "FI"
    assert countries.country("2001:db8::1") is None


def test_a_damaged_record_is_an_unknown_country(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = {"198.51.100.0/24": {"country": {"iso_code": "FI"}}, "203.0.113.0/24": {"country": "NO"}}
    path = tmp_path / "damaged.mmdb"
    # A pointer to far behind the end of the data, in the place of the second record.
    path.write_bytes(mmdb(records).replace(encoded({"country": "NO"}), struct.pack(">BI", 0x38, 2**31)))
    with pytest.raises(ValueError, match="is not a readable MaxMind database"):
        open_countries(str(path))
    monkeypatch.setattr(country, "_PROBED_RECORDS", 1)
    countries = open_countries(str(path))
    assert countries.country("198.51.100.7") == "FI"
    assert countries.country("203.0.113.7") is None


@pytest.mark.parametrize("content", [b"", b"nonsense", mmdb({"0.0.0.0/1": {"country": "NO"}})[:-40]])
def test_an_unreadable_file_is_refused_with_a_sentence(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "operator.mmdb"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"operator\.mmdb is not a readable MaxMind database"):
        open_countries(str(path))


def test_a_missing_file_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.mmdb is not a readable MaxMind database"):
        open_countries(str(tmp_path / "none.mmdb"))


def test_a_file_without_countries_is_refused_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "asn.mmdb"
    path.write_bytes(mmdb({"198.51.100.0/24": {"autonomous_system_number": 64500}}, name="Test-ASN"))
    with pytest.raises(ValueError, match=r"asn\.mmdb \(Test-ASN\) holds no countries"):
        open_countries(str(path))


def test_look_ups_are_remembered_up_to_a_bound(operators_file: Path) -> None:
    asked = []

    class Asked:
        source = "asked"
        quick = False
        date = BUILT.date()

        def find(self, network: object) -> str | None:
            asked.append(network)
            return "FI"

    countries = Countries(Asked())
    for _ in range(3):
        assert countries.country("198.51.100.7") == "FI"
    assert len(asked) == 1
    assert countries._find.cache_info().maxsize == country.CACHE_ENTRIES_MAX  # type: ignore[attr-defined]
