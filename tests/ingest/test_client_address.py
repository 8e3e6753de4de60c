"""Trusted are 10.0.0.0/8 and fd00::/8; 198.51.100.7 is the client, 192.0.2.66 what it would like to be."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from ingest.client_address import ELEMENT_CHARS_MAX, HEADER_CHARS_MAX, HOPS_MAX, TrustedProxies
from schemas.addresses import Network, parse_address

PEER = "10.0.0.1"
CLIENT = "198.51.100.7"
FORGED = "192.0.2.66"
X_FORWARDED_FOR = "X-Forwarded-For"
FORWARDED = "Forwarded"


def network(text: str) -> Network:
    found = parse_address(text)
    assert found is not None
    return found


PROXIES = TrustedProxies([network("10.0.0.0/8"), network("fd00::/8")])
NOBODY = TrustedProxies([])


def headers(*lines: tuple[str, str]) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict(lines))


def by_x_forwarded_for(*lines: str, peer: str = PEER) -> str:
    return PROXIES.client(peer, headers(*((X_FORWARDED_FOR, line) for line in lines)))


def by_forwarded(*lines: str, peer: str = PEER) -> str:
    return PROXIES.client(peer, headers(*((FORWARDED, line) for line in lines)))


# --- the peer


@pytest.mark.parametrize("proxies", [NOBODY, PROXIES])
@pytest.mark.parametrize(
    ("peer", "text"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:DB8:0:0::9", "2001:db8::9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("64:ff9b::203.0.113.9", "203.0.113.9"),
        ("::1", "::1"),
        ("2001:db8::9%eth0", "2001:db8::9"),
        ("fe80::1%eth0", "fe80::1"),
        ("", ""),
        ("unix:", ""),
        ("localhost", ""),
        ("203.0.113.09", ""),
        ("203.0.113.9\0", ""),
        ("\ud800", ""),
    ],
)
def test_a_peer_nobody_trusts_is_the_client_whatever_it_says(proxies: TrustedProxies, peer: str, text: str) -> None:
    assert proxies.client(peer, headers()) == text
    assert proxies.client(peer, headers((X_FORWARDED_FOR, FORGED), (FORWARDED, f"for={FORGED}"))) == text


def test_a_trusted_peer_that_says_nothing_is_the_client() -> None:
    assert PROXIES.client("10.0.0.1", headers()) == "10.0.0.1"
    assert PROXIES.client("FD00::1", headers(("Via", "1.1 there"))) == "fd00::1"


@pytest.mark.parametrize("peer", ["10.0.0.1", "::ffff:10.0.0.1", "fd00::1", "10.255.255.255"])
def test_a_trusted_peer_is_believed(peer: str) -> None:
    assert by_x_forwarded_for(CLIENT, peer=peer) == CLIENT
    assert by_forwarded(f"for={CLIENT}", peer=peer) == CLIENT


@given(st.ip_addresses(v=4) | st.ip_addresses(v=6))
def test_an_address_is_told_in_one_form(address: IPv4Address | IPv6Address) -> None:
    spelt = address.exploded.upper()
    assert NOBODY.client(spelt, headers()) == network(spelt).text
    assert by_x_forwarded_for(f"{FORGED}, {spelt}") in (network(spelt).text, FORGED)


# --- whom to trust


@given(
    st.lists(
        st.sampled_from(["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "11.0.0.0/9", "fd00::/8", "fd00::1", "0.0.0.1"])
    ),
    st.sampled_from(["10.0.0.1", "10.1.2.3", "10.2.0.0", "11.127.1.1", "11.128.0.0", "fd00::1", "fe00::", "0.0.0.1"]),
)
@example(["10.1.0.0/16", "10.0.0.0/8"], "10.2.0.0")
@example(["10.0.0.0/8", "10.1.2.3", "10.1.0.0/16"], "10.2.0.0")
def test_a_peer_is_trusted_when_one_of_the_networks_holds_it(texts: list[str], peer: str) -> None:
    networks = [network(text) for text in texts]
    is_trusted = any(one.contains(network(peer)) for one in networks)
    client = TrustedProxies(networks).client(peer, headers((X_FORWARDED_FOR, CLIENT)))
    assert client == (CLIENT if is_trusted else peer)


# --- X-Forwarded-For


@pytest.mark.parametrize(
    ("line", "client"),
    [
        ("198.51.100.7", CLIENT),
        (f"{FORGED}, 198.51.100.7", CLIENT),
        (f"{FORGED}, 198.51.100.7, 10.0.0.3, 10.0.0.2", CLIENT),
        (f"{FORGED},198.51.100.7\t,\t10.0.0.3", CLIENT),
        ("198.51.100.7:51004, 10.0.0.2:80", CLIENT),
        ("[2001:db8::7]:51004", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("2001:DB8::7", "2001:db8::7"),
        ("2001:db8::7, fd00::2, [fd00::3]:80", "2001:db8::7"),
        ("::ffff:198.51.100.7, ::ffff:10.0.0.2", CLIENT),
        ("[::ffff:198.51.100.7]:80", CLIENT),
        ("", PEER),
        (" , ", PEER),
    ],
)
def test_the_rightmost_hop_that_is_not_trusted_is_the_client(line: str, client: str) -> None:
    assert by_x_forwarded_for(line) == client


@pytest.mark.parametrize(
    "garbage",
    [
        "unknown",
        "_hidden",
        "unix:",
        "",
        " ",
        "nonsense",
        "198.51.100",
        "198.51.100.007",
        "198.51.100.0/24",
        "198.51.100.7/32",
        "198.51.100.7 10.0.0.3",
        "198.51.100.7:",
        "198.51.100.7:port",
        "198.51.100.7:123456",
        "198.51.100.7:80:80",
        "[198.51.100.7]",
        "[2001:db8::7",
        "[2001:db8::7]80",
        "[2001:db8::7]:",
        "2001:db8::7]",
        "2001:db8::7::1",
        "[]",
        "[",
        ":",
        ":80",
        '"198.51.100.7"',
        "for=198.51.100.7",
        "198.51.100.7;",
        "１９８.51.100.7",
        "198.51.100.7\0",
        "\udcff",
    ],
)
def test_nothing_left_of_garbage_is_believed(garbage: str) -> None:
    assert by_x_forwarded_for(garbage) == PEER
    assert by_x_forwarded_for(f"{FORGED}, {garbage}") == PEER
    assert by_x_forwarded_for(f"{FORGED}, {garbage}, 10.0.0.2") == "10.0.0.2"
    assert by_x_forwarded_for(f"{FORGED}, {garbage}, {CLIENT}, 10.0.0.2") == CLIENT


def test_several_lines_are_one_list() -> None:
    assert by_x_forwarded_for(FORGED, f"{FORGED}, {CLIENT}", "10.0.0.3, 10.0.0.2") == CLIENT
    assert by_x_forwarded_for(CLIENT, "10.0.0.2", "") == PEER
    assert by_x_forwarded_for(FORGED, CLIENT) == CLIENT


def test_names_of_headers_have_no_case() -> None:
    assert PROXIES.client(PEER, headers(("x-forwarded-FOR", FORGED), ("X-FORWARDED-FOR", CLIENT))) == CLIENT
    assert PROXIES.client(PEER, headers(("forwarded", f"for={FORGED}"), ("FORWARDED", f"for={CLIENT}"))) == CLIENT


def test_of_a_chain_that_is_trusted_throughout_the_first_to_call_is_the_client() -> None:
    assert by_x_forwarded_for("10.0.0.4, 10.0.0.3, 10.0.0.2") == "10.0.0.4"
    assert by_forwarded("for=10.0.0.4, for=10.0.0.3", "for=10.0.0.2") == "10.0.0.4"


# --- Forwarded


@pytest.mark.parametrize(
    ("line", "client"),
    [
        ("for=198.51.100.7", CLIENT),
        ("For=198.51.100.7", CLIENT),
        ('FOR="198.51.100.7"', CLIENT),
        ('for="198.51.100.7:4711"', CLIENT),
        ('for="198.51.100.7:_port"', CLIENT),
        ('for="[2001:DB8::7]"', "2001:db8::7"),
        ('for="[2001:db8::7]:4711"', "2001:db8::7"),
        ('for="[::ffff:198.51.100.7]:4711"', CLIENT),
        (f"for={FORGED}, for=198.51.100.7", CLIENT),
        (f"for={FORGED},for=198.51.100.7,for=10.0.0.3 , for=10.0.0.2", CLIENT),
        ("for=198.51.100.7;proto=http;by=203.0.113.43", CLIENT),
        ("by=203.0.113.43;proto=http;for=198.51.100.7", CLIENT),
        ("by=203.0.113.43; proto=http ; for=198.51.100.7;", CLIENT),
        (";;for=198.51.100.7", CLIENT),
        # escapes, and commas, semicolons and quotes inside of quotes
        (r'for="198\.51.100.\7"', CLIENT),
        (rf'for=198.51.100.7;host="a, for={FORGED}"', CLIENT),
        (rf'for=198.51.100.7;host="a\", for={FORGED};x=\""', CLIENT),
        (rf'for=198.51.100.7;host="a\\";x=", for={FORGED}"', CLIENT),
        (rf'host=";for={FORGED}";for=198.51.100.7;x="\\\\"', CLIENT),
        (rf'for=198.51.100.7;a="{FORGED},";b=",{FORGED}";c="", for=10.0.0.2;a=","', CLIENT),
        # as some write it, without the quotes
        ("for=198.51.100.7:4711", CLIENT),
        ("for=[2001:db8::7]:4711", "2001:db8::7"),
        ("for=2001:db8::7", "2001:db8::7"),
        ("", PEER),
        (",", PEER),
    ],
)
def test_forwarded_elements_are_read_from_the_right(line: str, client: str) -> None:
    assert by_forwarded(line) == client


@pytest.mark.parametrize(
    "garbage",
    [
        "for=unknown",
        'For="Unknown"',
        "for=_hidden",
        'for="_hidden:80"',
        'for="unknown:80"',
        "proto=https;by=10.0.0.2",
        "",
        ";",
        "for=",
        'for=""',
        "for",
        "198.51.100.7",
        "for=198.51.100.0/24",
        "for=198.51.100.7;for=198.51.100.7",
        'for="";for=198.51.100.7',
        "for=198.51.100.7;FOR=198.51.100.8",
        "for =198.51.100.7",
        "for= 198.51.100.7",
        "for=198.51.100.7 proto=http",
        "for=198.51.100.7;proto",
        'for=198.51.100.7;"',
        'for="198.51.100.7',
        'for=198.51.100.7"',
        'for="198.51.100.7"x',
        'for="198.51.100.7""',
        'for="198.51.100.7\\"',
        'x"for="198.51.100.7"',
        r"for=198.51.100.\7",
        "f\u00f6r=198.51.100.7",
        "for=\udcff",
    ],
)
def test_nothing_left_of_an_element_that_names_no_address_is_believed(garbage: str) -> None:
    assert by_forwarded(garbage) == PEER
    assert by_forwarded(f"for={FORGED}, {garbage}") == PEER
    assert by_forwarded(f"for={FORGED}", garbage) == PEER
    assert by_forwarded(f"for={FORGED}, {garbage}, for=10.0.0.2") == "10.0.0.2"
    assert by_forwarded(f"for={FORGED}, {garbage}, for={CLIENT}, for=10.0.0.2") == CLIENT


@pytest.mark.parametrize("start", ['for="', 'for="\\', "for=\\", '"', 'x="a" for="', '="', 'for="\\"'])
def test_a_quote_the_client_leaves_open_hides_nothing_a_proxy_appended(start: str) -> None:
    assert by_forwarded(f"{start}, for={CLIENT}") == CLIENT
    assert by_forwarded(f"for={FORGED};x={start}, for={CLIENT};by=10.0.0.2") == CLIENT
    assert by_forwarded(start, f'for="{CLIENT}:80"', 'for="10.0.0.2"') == CLIENT


# --- both headers


@pytest.mark.parametrize(
    ("x_forwarded_for", "forwarded", "client"),
    [
        (CLIENT, f"for={CLIENT}", CLIENT),
        (f"{CLIENT}, 10.0.0.2", f'for="{CLIENT}:80"', CLIENT),
        (FORGED, f"for={CLIENT}", PEER),
        (CLIENT, f"for={FORGED}", PEER),
        (CLIENT, "for=unknown", PEER),
        ("unknown", f"for={CLIENT}", PEER),
        ("", f"for={CLIENT}", PEER),
        (CLIENT, "", PEER),
        ("unknown", "for=_hidden", PEER),
    ],
)
def test_two_headers_count_only_when_they_agree(x_forwarded_for: str, forwarded: str, client: str) -> None:
    assert PROXIES.client(PEER, headers((X_FORWARDED_FOR, x_forwarded_for), (FORWARDED, forwarded))) == client


# --- bounds


def test_so_many_hops_are_read_and_no_more() -> None:
    for count, client in ((HOPS_MAX - 1, CLIENT), (HOPS_MAX, "10.0.0.2")):
        assert by_x_forwarded_for(", ".join([CLIENT, *["10.0.0.2"] * count])) == client
        assert by_forwarded(", ".join([f"for={CLIENT}", *["for=10.0.0.2"] * count])) == client


def test_a_hop_that_is_cut_by_the_bound_on_characters_is_not_read() -> None:
    tail = ",10.0.0.2"
    for blanks, client in ((0, CLIENT), (1, "10.0.0.2"), (3, "10.0.0.2")):
        # with three blanks too many the cut leaves 8.51.100.7
        hop = f"{CLIENT}{' ' * (HEADER_CHARS_MAX - 1 - len(CLIENT) - len(tail) + blanks)}"
        assert by_x_forwarded_for(hop + tail) == client
        assert by_x_forwarded_for("a," + hop + tail) == client
        assert by_x_forwarded_for("a", hop + tail) == client


def test_a_forwarded_header_that_is_cut_is_not_read_left_of_the_cut() -> None:
    tail = f',for=10.0.0.2;x="{"," * 480}"' * 16
    for chars, client in ((0, CLIENT), (1, "10.0.0.2")):
        pad = HEADER_CHARS_MAX - 1 - len(tail) - len(f"for={CLIENT};") + chars
        assert by_forwarded(f"for={CLIENT};{' ' * pad}{tail}") == client
        assert by_forwarded("a", f"for={CLIENT};{' ' * pad}{tail}") == client


@pytest.mark.parametrize("filling", [";", '"', ",", "\\\\"])
def test_a_longer_element_names_no_address(filling: str) -> None:
    element = f'for={CLIENT};x=""'
    quoted = (filling * ELEMENT_CHARS_MAX)[: (ELEMENT_CHARS_MAX - len(element)) // 2 * 2]
    if filling == '"':
        quoted = '\\"' * (len(quoted) // 2)
    element = f'for={CLIENT};x="{quoted}"'.ljust(ELEMENT_CHARS_MAX)
    assert by_forwarded(f"for={FORGED},{element}") == by_forwarded(element) == CLIENT
    assert by_forwarded(f"for={FORGED}, {element}") == by_forwarded(element + " ") == PEER


@pytest.mark.parametrize("unit", ['"', "\\", ",", ";", '="', '\\"', 'for="\\",', "a=b;", "for=10.0.0.2,", " ", "["])
def test_long_headers_are_no_trouble(unit: str) -> None:
    long = unit * (1_000_000 // len(unit))
    assert by_x_forwarded_for(f"{long},{CLIENT}") == CLIENT
    assert by_forwarded(f"{long},for={CLIENT}") == CLIENT
    assert by_forwarded(long) in (PEER, "10.0.0.2")
    assert by_x_forwarded_for(long) == PEER


# --- what a client can do

ADDRESSES = st.one_of(
    st.ip_addresses(v=4, network="198.51.100.0/24").map(str),
    st.ip_addresses(v=6, network="2001:db8::/32").map(str),
)
TRUSTED = st.one_of(
    st.ip_addresses(v=4, network="10.0.0.0/8").map(str),
    st.ip_addresses(v=6, network="fd00::/8").map(str),
)
PIECES = st.sampled_from(
    [
        FORGED,
        PEER,
        "10.0.0.2",
        "fd00::2",
        "for=",
        f"for={FORGED}",
        "host=",
        "unknown",
        "_hidden",
        *'",;=\\[]: \ta%/',
        '="',
    ]
)
GARBAGE = st.one_of(st.lists(PIECES, max_size=12).map("".join), st.text(max_size=30))
BLANKS = st.sampled_from(["", " ", "\t", "  "])


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@st.composite
def hops_written(draw: st.DrawFn, address: str) -> str:
    """The address as a proxy writes it into X-Forwarded-For."""
    port = draw(st.none() | st.integers(0, 65535))
    if port is None:
        return draw(st.sampled_from([address, f"[{address}]"])) if ":" in address else address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


@st.composite
def elements_written(draw: st.DrawFn, address: str) -> str:
    """The address as a proxy writes it into Forwarded, beside parameters whose text the client chose."""
    node = f"[{address}]" if ":" in address else address
    node += draw(st.sampled_from(["", ":80", ":_x"]))
    pairs = [f"{draw(st.sampled_from(['for', 'For', 'FOR']))}={_quoted(node) if ':' in node else node}"]
    for name in draw(st.lists(st.sampled_from(["by", "host", "proto", "x"]), max_size=3)):
        chosen = draw(GARBAGE)
        pairs.append(f"{name}={_quoted(chosen)}")
    return ";".join(draw(st.permutations(pairs)))


def _lines(draw: st.DrawFn, garbage: Iterable[str], appended: Sequence[str]) -> list[str]:
    """Every proxy appends to the last line, or adds one."""
    lines = list(garbage)
    for hop in appended:
        if draw(st.booleans()) and lines:
            lines[-1] += f"{draw(BLANKS)},{draw(BLANKS)}{hop}"
        else:
            lines.append(hop)
    return lines


@st.composite
def chains(draw: st.DrawFn) -> tuple[str, str, list[str], list[str]]:
    """(header, client, lines without and with what the client sent)."""
    client = draw(ADDRESSES)
    addresses = [client, *draw(st.lists(TRUSTED, max_size=4))]
    header = draw(st.sampled_from([X_FORWARDED_FOR, FORWARDED]))
    written = hops_written if header == X_FORWARDED_FOR else elements_written
    appended = [draw(written(address)) for address in addresses]
    garbage = draw(st.lists(GARBAGE, min_size=1, max_size=3))
    return header, client, _lines(draw, [], appended), _lines(draw, garbage, appended)


@given(chains(), TRUSTED)
@example(("Forwarded", CLIENT, [f"for={CLIENT}"], [f'for="{FORGED}, for={CLIENT}']), PEER)
def test_what_a_client_sends_does_not_change_who_it_is(chain: tuple[str, str, list[str], list[str]], peer: str) -> None:
    header, client, plain, with_garbage = chain
    assert PROXIES.client(peer, headers(*((header, line) for line in plain))) == client
    assert PROXIES.client(peer, headers(*((header, line) for line in with_garbage))) == client


@given(chains(), TRUSTED, st.lists(GARBAGE | st.just(f"for={FORGED}") | st.just(FORGED), min_size=1, max_size=3))
def test_a_client_that_sends_the_other_header_is_itself_or_its_proxy(
    chain: tuple[str, str, list[str], list[str]], peer: str, sent: list[str]
) -> None:
    header, client, _, lines = chain
    other = FORWARDED if header == X_FORWARDED_FOR else X_FORWARDED_FOR
    both = headers(*((header, line) for line in lines), *((other, line) for line in sent))
    assert PROXIES.client(peer, both) in (client, peer)


@given(st.lists(st.tuples(st.sampled_from([X_FORWARDED_FOR, FORWARDED]), GARBAGE)), st.text() | TRUSTED)
def test_it_never_raises_and_tells_one_canonical_address(lines: list[tuple[str, str]], peer: str) -> None:
    client = PROXIES.client(peer, headers(*lines))
    assert client == "" or network(client).text == client
