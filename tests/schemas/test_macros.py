"""Whatever the values are, a postback's address and body keep their shape."""

import json
from collections.abc import Callable
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from schemas.macros import URL_VALUE_CHARS_MAX, JsonText, check_json, check_url, expand_json, expand_url, macros_in

EVERY = settings(deadline=None)
NAMES = ("a", "b.c", "mt_sub1", "unknown")
NASTY = st.text(max_size=30) | st.sampled_from(
    ["..", ".", "%2e%2e", "/../..", "?x=1", "&admin=1", "#f", "@evil.example", "\r\nX: y", '"', "\\", '","z":"', "{a}",
     "null", "true", "-0", "1e9", "007", "9" * 40, "\ud800", "\0", "}", "//evil", ";x=1", "\u2028"]
)  # fmt: skip
VALUES = st.dictionaries(st.sampled_from(NAMES), NASTY)

URLS = (
    "https://p.example/pb/{a}?click={b.c}&x=1&s={mt_sub1}-{a}#{a}",
    "http://p.example:8080/{a}/{b.c}/end?{fixed}",
    "https://p.example?q={a}{b.c}&empty=&r=%7Ba%7D",
    "HTTPS://[2001:db8::1]/x/.{a}y/{unknown}",
)


def shape(url: str) -> tuple[object, ...]:
    """What no value may change."""
    parts = urlsplit(url)
    names = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    return parts.scheme, parts.netloc, parts.path.count("/"), names, "#" in url


@pytest.mark.parametrize("template", [one for one in URLS if "{fixed}" not in one])
@EVERY
@given(values=VALUES)
def test_an_address_keeps_its_host_its_path_and_its_parameters(template: str, values: dict[str, str]) -> None:
    check_url(template)
    url = expand_url(template, values)
    assert url.isascii()
    assert url.isprintable()
    assert shape(url) == shape(expand_url(template, {}))
    # an HTTP client's own reading: no segment leads elsewhere
    client, empty = URL(url, encoded=False), URL(expand_url(template, {}))
    assert (client.scheme, client.host, client.port, list(client.query)) == (
        (empty.scheme, empty.host, empty.port, list(empty.query))
    )
    assert client.raw_path.count("/") == empty.raw_path.count("/")


@EVERY
@given(value=NASTY)
def test_an_address_carries_the_value_whole(value: str) -> None:
    url = expand_url("https://p.example/?v={a}", {"a": value})
    plain = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")
    assert unquote(urlsplit(url).query.removeprefix("v=")) == plain


BODIES = (
    '{"a": "{a}", "deep": {"list": [{b.c}, "x{a}y{mt_sub1}", {unknown}]}, "n": {a}}',
    '[{a},{"k":"\\"{a}\\\\","k{":"}{b.c}{"}]',
    "{a}",
    '"{a}"',
)


def keys(value: object) -> object:
    """The members' names, in their places."""
    if isinstance(value, dict):
        return {name: keys(one) for name, one in value.items()}
    return [keys(one) for one in value] if isinstance(value, list) else None


@pytest.mark.parametrize("template", BODIES)
@EVERY
@given(values=VALUES)
def test_a_body_stays_json_with_the_same_members(template: str, values: dict[str, str]) -> None:
    check_json(template)
    assert keys(json.loads(expand_json(template, values))) == keys(json.loads(expand_json(template, {})))


@EVERY
@given(value=NASTY)
def test_a_body_carries_the_value_whole(value: str) -> None:
    plain = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")
    assert json.loads(expand_json('{"v": "<{a}>"}', {"a": value})) == {"v": f"<{plain}>"}


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("", "null"),
        ("4.99", "4.99"),
        ("-12", "-12"),
        ("true", "true"),
        ("null", "null"),
        ("007", '"007"'),
        ("1e9", '"1e9"'),
        ("9" * 21, f'"{"9" * 21}"'),
        ('say "hi"', '"say \\"hi\\""'),
        (JsonText('{"a": [1]}'), '{"a": [1]}'),
        (JsonText(""), "null"),
    ],
)
def test_outside_quotes_a_value_is_json_of_its_own(value: str, wanted: str) -> None:
    assert expand_json('{"v": {a}}', {"a": value}) == f'{{"v": {wanted}}}'
    assert expand_json('["{a}"]', {"a": JsonText('{"b": 1}')}) == '["{\\"b\\": 1}"]', "in quotes it is text"


def test_what_is_unknown_or_too_long_is_empty() -> None:
    values = {"a": "x" * URL_VALUE_CHARS_MAX, "b": "x" * (URL_VALUE_CHARS_MAX + 1)}
    url = expand_url("https://p.example/?a={a}&b={b}&c={c}&d={not a macro}", values)
    assert url == f"https://p.example/?a={values['a']}&b=&c=&d={{not a macro}}"


def test_a_value_is_not_expanded_again() -> None:
    assert expand_url("https://p.example/?a={a}", {"a": "{b}", "b": "secret"}) == "https://p.example/?a=%7Bb%7D"
    assert expand_json('["{a}"]', {"a": "{b}", "b": "secret"}) == '["{b}"]'


@pytest.mark.parametrize(
    ("check", "template", "said"),
    [
        (check_url, "ftp://p.example/", "http://"),
        (check_url, "https://{a}.example/", "host"),
        (check_url, "https://p.example:{a}/", "host"),
        (check_url, "https://{a}@p.example/", "host"),
        (check_url, "{a}://p.example/", "http://"),
        (check_url, "https://p.example/x/.{a}./y", "dots"),
        (check_url, "https://p.example/x/../y", "dots"),
        (check_url, "https://p.example/x/%2E{a}/y", "dots"),
        (check_url, "https://p.example/?{a}=1", "name"),
        (check_url, "https://p.example/?x=1&{a}", "name"),
        (check_json, '{"{a}": 1}', "name"),
        (check_json, '{"x": {a} 1}', "no JSON"),
        (check_json, '{"x": "\\{a}"}', "no JSON"),
        (check_json, '{"x": "{a}}', "no JSON"),
        (check_json, '{"x": 1{a}}', "no JSON"),
        (check_json, "", "no JSON"),
    ],
)
def test_a_template_that_values_could_break_is_refused(check: Callable[[str], None], template: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check(template)


def test_macros_are_listed_once_in_their_order() -> None:
    assert macros_in("https://p.example/{b}?x={a}&y={b}&z={}&w={a b}") == ["b", "a"]
