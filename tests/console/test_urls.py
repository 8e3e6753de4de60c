import re
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.urls import checked_url, new_link_id


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("https://shop.example", "https://shop.example"),
        ("HTTPS://Shop.Example/A?b=C#d", "https://shop.example/A?b=C#d"),
        ("https://shop.example/a%20b?c={click_id}&u={utm.source}", None),
        ("http://[2001:db8::1]:8080/x", None),
        ("https://bücher.example/straße?q=ü", "https://xn--bcher-kva.example/stra%C3%9Fe?q=%C3%BC"),
        ("https://shop.example/a\"b<c>", "https://shop.example/a%22b%3Cc%3E"),
        ("https://shop.example/?next={next}", None),
    ],
)  # fmt: skip
def test_addresses_are_stored_in_ascii(text: str, stored: str | None) -> None:
    assert checked_url(text) == (stored or text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "does not start with"),
        ("shop.example/x", "does not start with"),
        ("ftp://shop.example", "does not start with"),
        ("market://details?id=x", "does not start with"),
        ("javascript:alert(1)", "does not start with"),
        ("https:shop.example", "lacks the //"),
        ("https://", "no host"),
        ("https:///path", "no host"),
        ("https://a..b/", "no host"),
        ("https://a,b/", "no host"),
        ("https://shop.example:99999/", "cannot exist"),
        ("https://[::1/", "cannot exist"),
        ("https://{host}/x", "macro in its host"),
        ("https://shop.example:{port}/x", "macro in its host"),
        ("https://good.example@evil.example/", "names a user"),
        ("https://good.example\\@evil.example/", "backslash"),
        ("https://shop.example/a b", "space"),
        ("https://shop.example/a\u00a0b", "space"),
        ("https://shop.example/\r\nSet-Cookie: x", "control character"),
        ("https://shop.example/\udcff", "no UTF-8"),
        ("https://shop.example/{click id}", "space"),
        ("https://shop.example/{click_id", "brace"),
        ("https://shop.example/{}", "brace"),
        ("https://shop.example/" + "a" * 1980, "2001 characters"),
        ("https://shop.example/" + "ü" * 400, "2421 characters"),
    ],
)
def test_what_a_link_must_not_lead_to_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        checked_url(text)


def test_a_store_and_an_app_have_schemes_of_their_own() -> None:
    assert checked_url("market://details?id=x", ("https", "market")) == "market://details?id=x"
    assert checked_url("Shop-1.x://open/{click_id}", None) == "shop-1.x://open/{click_id}"
    assert checked_url("https://shop.example/open", None) == "https://shop.example/open"
    for never in ("javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "1shop://x", "://x"):
        with pytest.raises(ValueError, match="does not start with"):
            checked_url(never, None)


@given(st.text(max_size=60))
def test_whatever_is_accepted_leads_to_the_host_that_was_named(text: str) -> None:
    try:
        url = checked_url(f"https://shop.example/{text}")
    except ValueError:
        return
    assert url.isascii()
    assert not re.search(r"[\s\x00-\x1f\\]", url)
    assert urlsplit(url).hostname == "shop.example"


def test_made_up_ids_have_nineteen_digits() -> None:
    ids = {new_link_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(re.fullmatch(r"[1-9][0-9]{18}", one) for one in ids)
