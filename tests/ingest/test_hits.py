import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.hits import form_and_link, peer_text, split_target
from ingest.touch import Form


@pytest.mark.parametrize(
    ("target", "host", "path", "query"),
    [
        ("/serve/1?a=b", "redirect.x", "/serve/1", "a=b"),
        ("/serve/1", "redirect.x", "/serve/1", ""),
        ("/serve/1?", "redirect.x", "/serve/1", ""),
        ("/serve/1?a=b?c=d", "redirect.x", "/serve/1", "a=b?c=d"),
        ("/serve/1?a=http://x/#f", "redirect.x", "/serve/1", "a=http://x/"),
        ("/serve/1#f?a=b", "redirect.x", "/serve/1", ""),
        ("http://IMPRESSION.y:81/serve/1?a=b", "impression.y:81", "/serve/1", "a=b"),
        ("HTTPS://impression.y/serve/1", "impression.y", "/serve/1", ""),
        ("http://user:redirect.x@impression.y/serve/1", "impression.y", "/serve/1", ""),
        ("http://impression.y", "impression.y", "", ""),
    ],
)
def test_the_host_of_an_absolute_target_counts_before_the_header(target: str, host: str, path: str, query: str) -> None:
    assert split_target(target, "Redirect.X") == (host, path, query)


@pytest.mark.parametrize(
    ("path", "form", "link"),
    [
        ("/serve/1", "serve", "1"),
        ("/serve/1/", "serve", "1"),
        ("/serve/1.gif", "serve", "1.gif"),
        ("/c/1", "click", "1"),
        ("/c/1/", "click", "1"),
        ("/c/1.gif", "click_gif", "1"),
        ("/c/1.gif/", "click_gif", "1"),
        ("/i/1", "impression", "1"),
        ("/i/1.gif", "impression_gif", "1"),
        ("/%63/1", "click", "1"),
        ("/%73erve/1", "serve", "1"),
        ("/serve/a%2Fb", "serve", "a/b"),
        ("/serve/%D0%BF", "serve", "п"),
    ],
)
def test_the_path_says_how_and_for_which_link(path: str, form: Form, link: str) -> None:
    assert form_and_link(path) == (form, link)


@pytest.mark.parametrize(
    ("remote", "text"),
    [
        (None, ""),
        ("", ""),
        ("127.0.0.1", "127.0.0.1"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("/run/edge.sock", ""),
    ],
)
def test_a_peer_is_written_canonically(remote: str | None, text: str) -> None:
    assert peer_text(remote) == text


@given(st.text(st.characters(exclude_characters="#?")), st.text(st.characters(exclude_characters="#")))
def test_the_query_stays_byte_for_byte(link: str, query: str) -> None:
    assert split_target(f"/serve/{link}?{query}", "")[2] == query
