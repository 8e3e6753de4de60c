"""Where a postback may go: the internet, and what the operator allows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.postbacks.guard import Guard, NotAllowed, parse_target
from schemas.settings import Settings

NOBODY = Guard()


def verdict(url: str, *, at: str | None = None, guard: Guard = NOBODY) -> str | None:
    """The sentence of a refusal; None: it may be asked for, also when its name leads to the address `at`."""
    try:
        target = parse_target(url)
        guard.check_literal(target)
        if at is not None:
            guard.check_found(target.host, [at])
    except NotAllowed as why:
        return str(why)
    return None


@pytest.mark.parametrize(
    "url",
    [
        "http://partner.example/pb?c=1",
        "HTTPS://Partner.Example:8443/pb",
        "https://8.8.8.8/pb",
        "https://[2606:4700:4700::1111]:443/",
        "http://[::ffff:8.8.8.8]/",
        "http://под.example/привет мир?a=ф",
        'http://a_b.example/%7Bx%7D?q="|',
        "http://partner.example./",
    ],
)
def test_the_internet_may_be_asked(url: str) -> None:
    assert verdict(url) is None


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001",
        "127.0.0.1.", "0", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254",
        "224.0.0.1", "255.255.255.255", "198.18.0.1", "192.0.2.1", "127。0。0。1", "１２７.0.0.1", "⑯⑨.254.169.254",
        "%31%32%37.0.0.1",
        "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::a00:1]",
        "[64:ff9b:1::8.8.8.8]", "[2002:7f00:1::]", "[2001:0:4136:e378:8000:63bf:80ff:fffe]", "[fe80::1]",
        "[fe80::1%25eth0]",
        "[fc00::1]", "[fd12::1]", "[ff02::1]", "[::127.0.0.1]", "[2001:db8::1]", "[127.0.0.1]", "[]",
        "1.2.3.4.5", "1.2.3",
        "8.8.8.0x8", "8.8.8.010", "256.256.256.256",
    ],
)  # fmt: skip
def test_no_literal_of_a_private_network_and_no_odd_spelling_is_asked(host: str) -> None:
    assert verdict(f"http://{host}/pb") is not None
    assert verdict(f"https://{host}:8080/pb") is not None


@pytest.mark.parametrize(
    "url",
    [
        "", "/pb", "//partner.example/", "partner.example", "ftp://partner.example/", "file:///etc/passwd",
        "http://", "http:///pb", "http:/partner.example", "http://partner.example:99999/", "http://partner.example:0/",
        "http://partner.example:8o/", "http://partner.example:80:80/", "http://user@partner.example/",
        "http://127.0.0.1@partner.example/", "http://partner.example\\@127.0.0.1/", "http://partner.example\r\nX: y/",
        "http://partner.example/\n", "http://part ner.example/", "http://..example/", "http://-\x00/", "http://.example/",
        "gopher://partner.example/", " http://partner.example/", "http://a..b/", "http://" + "a" * 64 + ".example/",
    ],
)  # fmt: skip
def test_what_two_programs_could_read_as_two_hosts_is_not_asked(url: str) -> None:
    assert verdict(url) is not None


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fe80::1%eth0", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1",
     "2002:a00:1::1", "fd00::1", "0.0.0.0", "nothing"],
)  # fmt: skip
def test_a_name_that_leads_into_a_private_network_is_not_asked(address: str) -> None:
    said = verdict("http://partner.example/", at=address)
    assert said is not None and "partner.example" in said and address in said


def test_of_a_names_addresses_only_the_public_ones_are_connected_to() -> None:
    assert NOBODY.check_found("partner.example", ["10.0.0.1", "8.8.8.8", "::1"]) == ["8.8.8.8"]


def test_the_operator_allows_networks_and_names() -> None:
    settings = Settings.read({"TOUCHLINE_POSTBACK_TARGETS": "10.1.0.0/16, ::1, Hooks.internal,localhost"})
    guard = Guard(settings.postback_targets)
    assert verdict("http://10.1.2.3/", guard=guard) is None
    assert verdict("http://[::ffff:10.1.2.3]/", guard=guard) is None
    assert verdict("http://[::1]/", guard=guard) is None
    assert verdict("http://hooks.INTERNAL/", at="192.168.0.7", guard=guard) is None
    assert verdict("http://localhost:9000/", at="127.0.0.1", guard=guard) is None
    assert verdict("http://10.2.0.1/", guard=guard) is not None
    assert verdict("http://127.0.0.1/", guard=guard) is not None
    assert verdict("http://other.internal/", at="192.168.0.7", guard=guard) is not None
    assert verdict("http://x.hooks.internal/", at="192.168.0.7", guard=guard) is not None


def test_the_target_is_what_is_sent_and_signed() -> None:
    assert parse_target("HTTPS://Partner.Example:443?a=1#f").url == "https://partner.example/?a=1"
    assert (
        parse_target("http://partner.example:8080/a b?x=ы&y=%41").url
        == "http://partner.example:8080/a%20b?x=%D1%8B&y=%41"
    )
    assert parse_target("http://[2606:4700::0:1111]/").url == "http://[2606:4700::1111]/"


@given(st.integers(0, 2**32 - 1), st.sampled_from(["{}", "0x{:x}", "0{:o}", "1.{}", "0X{:X}."]))
def test_no_number_passes_as_a_name(value: int, form: str) -> None:
    assert verdict(f"http://{form.format(value)}/") is not None


@given(st.text(max_size=60))
def test_any_text_is_a_target_or_a_refusal(text: str) -> None:
    for url in (text, f"http://{text}", f"https://partner.example/{text}"):
        try:
            target = parse_target(url)
        except NotAllowed:
            continue
        assert target.url.isascii() and target.url.isprintable() and " " not in target.url
