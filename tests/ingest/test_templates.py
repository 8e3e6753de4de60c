"""Templates of addresses: macros, referrers, intents, and nothing that breaks out of its place."""

from urllib.parse import parse_qs, parse_qsl, quote, unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.templates import expand, fill, fill_intent, package_of
from schemas.query import split_query

HIT = "019b76da-a87b-774b-8001-000000000001"
PLAY = "https://play.google.com/store/apps/details?id=com.example.demo"


def play_referrer(url: str) -> dict[str, str]:
    """What the store hands to the app: decoded once as a parameter, once as a query of its own."""
    found = parse_qs(urlsplit(url).query, keep_blank_values=True)["referrer"]
    assert len(found) == 1
    return dict(parse_qsl(found[0], keep_blank_values=True))


@pytest.mark.parametrize(
    ("template", "query", "url"),
    [
        ("https://e.example/?c={click_id}", "click_id=a1", "https://e.example/?c=a1"),
        ("https://e.example/?c={click_id}", "", "https://e.example/?c="),
        ("https://e.example/{a}/{b}?x={a}", "a=1&b=2&a=3", "https://e.example/1/2?x=1"),
        ("https://e.example/?c={c}", "c=a%26b%3Dc%23d", "https://e.example/?c=a%26b%3Dc%23d"),
        ("https://e.example/?c={c}", "c=a+b/c?d", "https://e.example/?c=a%20b%2Fc%3Fd"),
        ("https://e.example/?c={c}", "c=%0d%0aSet-Cookie:%20x", "https://e.example/?c=%0D%0ASet-Cookie%3A%20x"),
        ("https://e.example/?c={c}", "c=%D0%BF%00", "https://e.example/?c=%D0%BF%EF%BF%BD"),
        ("https://e.example/?c={c}", "c={c}", "https://e.example/?c=%7Bc%7D"),
        ("https://e.example/?c={a.b-c_1}", "a.b-c_1=x", "https://e.example/?c=x"),
        ("https://e.example/?c={not a name}", "", "https://e.example/?c={not a name}"),
        ("https://e.example/?c=%7Bc%7D", "c=x", "https://e.example/?c=%7Bc%7D"),
        ("myapp://open/{page}?c={c}", "page=a/b&c=1", "myapp://open/a%2Fb?c=1"),
    ],
)
def test_macros_are_filled_percent_encoded(template: str, query: str, url: str) -> None:
    assert fill(template, split_query(query), HIT) == url


@pytest.mark.parametrize(
    "template",
    [
        "https://e.example{x}",
        "https://e.example{x}/path",
        "https://{x}/path",
        "https://{x}",
        "HTTPS://{x}@e.example/",
        "https://e.example:{x}/",
        "https://play.google.com{x}/store/apps/details?id=a",
    ],
)
def test_the_request_never_chooses_the_host(template: str) -> None:
    assert "evil" not in fill(template, split_query("x=.evil.example"), HIT)
    assert "evil" not in fill(template, split_query("x=evil.example%2F"), HIT)


# Google Play


@pytest.mark.parametrize(
    ("template", "url"),
    [
        (PLAY, f"{PLAY}&referrer=touchline_id%3D{HIT}"),
        ("market://details?id=a", f"market://details?id=a&referrer=touchline_id%3D{HIT}"),
        ("https://play.google.com/store", f"https://play.google.com/store?referrer=touchline_id%3D{HIT}"),
        (f"{PLAY}#reviews", f"{PLAY}&referrer=touchline_id%3D{HIT}#reviews"),
        (f"{PLAY}#x&referrer=y", f"{PLAY}&referrer=touchline_id%3D{HIT}#x&referrer=y"),
        (f"{PLAY}&hl={{hl}}", f"{PLAY}&hl=de&referrer=touchline_id%3D{HIT}"),
        (
            "https://play.google.com/store/apps/details?referrer=utm_source%3Dnet&id=a",
            f"https://play.google.com/store/apps/details?referrer=utm_source%3Dnet%26touchline_id%3D{HIT}&id=a",
        ),
        (f"{PLAY}&referrer=", f"{PLAY}&referrer=touchline_id%3D{HIT}"),
        (f"{PLAY}&referrer=a%3Db#c", f"{PLAY}&referrer=a%3Db%26touchline_id%3D{HIT}#c"),
    ],
)
def test_a_play_address_carries_the_hits_id_in_its_referrer(template: str, url: str) -> None:
    assert fill(template, split_query("hl=de"), HIT) == url


@pytest.mark.parametrize(
    "url", ["https://apps.apple.com/app/id1", "https://play.google.com.evil.example/", "https://e/"]
)
def test_other_addresses_carry_no_referrer(url: str) -> None:
    assert fill(url, split_query(""), HIT) == url


@pytest.mark.parametrize(
    "template",
    [
        f"{PLAY}&referrer=utm_source%3D{{source}}%26c%3D{{click_id}}",
        f"{PLAY}&referrer=utm_source%3D%7Bsource%7D%26c%3D%7Bclick_id%7D",
    ],
)
def test_macros_inside_the_referrer_stay_inside(template: str) -> None:
    filled = fill(template, split_query("source=a%26b&click_id=c%3Dd%25&id=evil"), HIT)
    assert play_referrer(filled) == {"utm_source": "a&b", "c": "c=d%", "touchline_id": HIT}
    assert parse_qs(urlsplit(filled).query)["id"] == ["com.example.demo"]


TEMPLATES = st.sampled_from(
    [
        "https://e.example/{a}",
        "https://e.example/p?x={a}&y={b}#f{a}",
        "https://e.example/?next=https%3A%2F%2Fother.example%2F{a}",
        PLAY + "&hl={a}",
        PLAY + "&referrer=x%3D{a}%26y%3D{b}",
        PLAY + "#{a}",
        "market://details?id={a}",
        "myapp://open?x={a}",
    ]
)
VALUES = st.text() | st.sampled_from(
    ["//evil.example", "@evil.example", "\r\nLocation: //evil.example", "javascript:alert(1)", "&referrer=x", "#", "\\"]
)


@given(TEMPLATES, VALUES, VALUES)
@example(PLAY + "&referrer=x%3D{a}", "\ud800", "\udcff")
def test_no_value_breaks_out_of_its_place(template: str, first: str, second: str) -> None:
    plain = urlsplit(fill(template, split_query(""), HIT))
    url = fill(template, split_query(f"a={first}&b={second}"), HIT)
    filled = urlsplit(url)
    assert (filled.scheme, filled.netloc) == (plain.scheme, plain.netloc)
    assert all(" " < character < "\x7f" for character in url)
    assert [name for name, _ in parse_qsl(filled.query, keep_blank_values=True)] == [
        name for name, _ in parse_qsl(plain.query, keep_blank_values=True)
    ]
    assert filled.path.count("/") == plain.path.count("/")
    if template.startswith(PLAY):
        assert play_referrer(url)["touchline_id"] == HIT


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_a_value_arrives_as_it_was_sent(value: str) -> None:
    assert unquote(expand("{a}", {"a": quote(value)})) == value


def test_a_deep_link_is_filled_too() -> None:
    assert expand("demo://open?click={click_id}&x={none}", {"click_id": "a+b"}) == "demo://open?click=a%20b&x="


INTENT_TO = (
    "https%3A%2F%2Fplay.google.com%2Fstore%2Fapps%2Fdetails%3Fid%3Dcom.example.demo"
    f"%26referrer%3Dtouchline_id%253D{HIT}"
)


@pytest.mark.parametrize(
    ("deep_link", "url", "package", "intent"),
    [
        (
            "demo://open/{page}?c={click_id}",
            PLAY,
            "com.example.demo",
            f"intent://open/a%2Fb?c=7%3B&touchline_id={HIT}#Intent;scheme=demo;package=com.example.demo;"
            f"S.browser_fallback_url={INTENT_TO};end",
        ),
        (
            "demo://open",
            "market://details?id=com.example.demo",
            None,
            f"intent://open?touchline_id={HIT}#Intent;scheme=demo;S.browser_fallback_url={INTENT_TO};end",
        ),
        (
            "demo:open?t={touchline_id}",
            "https://e.example/?x={click_id}",
            "com.example.demo",
            f"intent:open?t={HIT}#Intent;scheme=demo;package=com.example.demo;"
            "S.browser_fallback_url=https%3A%2F%2Fe.example%2F%3Fx%3D7%253B;end",
        ),
        (
            "https://{page}shop.example/p#top",
            "market://search?q=shop",
            "com.example;S.x=1",
            f"intent://shop.example/p?touchline_id={HIT}#top#Intent;scheme=https;S.browser_fallback_url="
            f"https%3A%2F%2Fplay.google.com%2Fstore%2Fsearch%3Fq%3Dshop%26referrer%3Dtouchline_id%253D{HIT};end",
        ),
    ],
)
def test_an_intent_opens_the_app_and_falls_back_to_the_store(
    deep_link: str, url: str, package: str | None, intent: str
) -> None:
    assert fill_intent(deep_link, url, package, split_query("page=a/b&click_id=7;"), HIT) == intent


@given(st.sampled_from(["demo://open/{a}?b={b}", "demo:{a}", "https://shop.example/{a}#{b}"]), VALUES, VALUES)
@example("demo://open/{a}?b={b}", ";S.browser_fallback_url=https%3A%2F%2Fevil.example;end", "#Intent;scheme=evil;end")
def test_no_value_changes_what_an_intent_asks_for(deep_link: str, first: str, second: str) -> None:
    template = f"{PLAY}&referrer=x%3D{{a}}&hl={{b}}"
    intent = fill_intent(deep_link, template, "com.example.demo", split_query(f"a={first}&b={second}"), HIT)
    assert all(" " < character < "\x7f" for character in intent)
    data, _, extras = intent.rpartition("#Intent;")
    scheme, package, fallback, end = extras.split(";")
    assert (scheme, package, end) == (f"scheme={deep_link.split(':')[0]}", "package=com.example.demo", "end")
    assert data.startswith("intent:") and "#Intent" not in data
    name, _, encoded = fallback.partition("=")
    assert name == "S.browser_fallback_url"
    assert unquote(encoded) == fill(template, split_query(f"a={first}&b={second}"), HIT)


@pytest.mark.parametrize(
    ("url", "package"),
    [
        (PLAY, "com.example.demo"),
        ("market://details?id=com.example.demo&hl=de", "com.example.demo"),
        ("https://global.app.mi.com/details?id=com.example.demo#x", "com.example.demo"),
        ("https://play.google.com/store/apps/details?id={package}", None),
        ("https://play.google.com/store/apps/details?id=com.example.{x}", None),
        ("https://appgallery.huawei.com/app/C100", None),
        ("https://example.com/?id=com.example.demo", None),
    ],
)
def test_the_package_is_read_from_a_stores_address(url: str, package: str | None) -> None:
    assert package_of(url) == package


@pytest.mark.parametrize(
    ("query", "url"),
    [
        ("utm_source=net&utm_campaign=a%26b", "https://e.example/?n=net&c=a%26b&s="),
        ("mt_network=own&utm_source=net&mt_sub1=x", "https://e.example/?n=own&c=&s=x"),
        ("mt_network=&utm_source=net", "https://e.example/?n=net&c=&s="),
    ],
)
def test_sub_ids_are_macros_and_utm_fills_them(query: str, url: str) -> None:
    template = "https://e.example/?n={mt_network}&c={mt_campaign}&s={mt_sub1}"
    assert fill(template, split_query(query), HIT) == url
    assert expand(template, split_query(query)) == url


@pytest.mark.parametrize(
    ("page", "landed"),
    [
        ("https://shop.example/p", f"https://shop.example/p?touchline_id={HIT}&utm_source=n%20t&utm_term=a%26b"),
        (
            "https://shop.example/p?a=1#x",
            f"https://shop.example/p?a=1&touchline_id={HIT}&utm_source=n%20t&utm_term=a%26b#x",
        ),
        (
            "https://shop.example/p?utm_source=own",
            f"https://shop.example/p?utm_source=own&touchline_id={HIT}&utm_term=a%26b",
        ),
        (
            "https://shop.example/p?utm_source={utm_source}&utm_term=",
            f"https://shop.example/p?utm_source=n%20t&utm_term=&touchline_id={HIT}",
        ),
        (
            "https://shop.example/#/p?t={touchline_id}",
            f"https://shop.example/?utm_source=n%20t&utm_term=a%26b#/p?t={HIT}",
        ),
        ("https://shop.example/?t={touchline_id}&", f"https://shop.example/?t={HIT}&utm_source=n%20t&utm_term=a%26b"),
    ],
)
def test_a_websites_page_gets_the_clicks_utm_parameters(page: str, landed: str) -> None:
    values = split_query("utm_term=a%26b&utm_source=n+t&utm_medium=&utm_id=9&click_id=1&%2B%26=x")
    assert fill(page, values, HIT, is_web=True) == landed
