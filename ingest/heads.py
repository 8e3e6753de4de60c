"""Which heads the fast lane takes, which it leaves to aiohttp, and what a refused one gets. Pure.

aiohttp's parser refuses raw characters or a great length in a target or a cookie. A browser may send
such a thing, and a person must land: the request is kept as a reject and leads to the link's
fallback; a machine is told. Everything else that is refused stays refused.
"""

import re
from typing import Any

from aiohttp.http_parser import RawRequestMessage

from ingest.accept import choose_mode, protected, refused, touch_kind
from ingest.caller import caller
from ingest.hits import form_and_link
from ingest.links import Links
from ingest.templates import expand
from ingest.touch import Outcome, Request
from schemas.errors import Refuse
from schemas.ids import new_id
from schemas.query import split_query

TARGET = re.compile(r"/(serve|c|i)/([^/?#%]+)/?(?:\?([^#]*))?(?:#.*)?\Z", re.DOTALL)
"""(path's first word, link, raw query or None) of the targets that the fast lane takes."""
LINE = re.compile(r'(GET|HEAD) /(serve|c|i)/([\w.~-]+)/?(?:\?([!"$-~]*))? HTTP/1\.1\r\n', re.ASCII)
"""(method, path's first word, link, raw query or None) of a first line that aiohttp takes whatever follows."""
_REQUEST_LINE = re.compile(rb"(GET|HEAD) (/[^\r\n]*) (HTTP/1\.1)(?=\r\n|\Z)")
_PARTIAL_LINE = re.compile(rb"(GET|HEAD) (/[^\r\n]*)\Z")
_COOKIE = re.compile(rb"(\r\ncookie:)[^\r\n]*", re.IGNORECASE)
_ODD = re.compile(rb"[^\x21-\x7e]")
QUERY_CHARS_MAX = 16_384
CLEAN_BYTES_MAX = 8_000


def is_unusual(message: RawRequestMessage) -> bool:
    """Whether aiohttp's handler must judge: not HTTP/1.1, a body, a close, an upgrade."""
    return bool(
        message.version != (1, 1)
        or message.should_close
        or message.upgrade
        or message.chunked
        or message.compression
        or "Content-Length" in message.headers
        or "Transfer-Encoding" in message.headers
        or "Expect" in message.headers
    )


def bad_host(host: str, *, stated: bool) -> bool:
    """Stricter than aiohttp: empty, with userinfo, path or comma names no host."""
    return stated and (not host or "@" in host or "/" in host or "," in host)


def is_for_its_target(head: bytes, parser: Any) -> bool:
    """Whether the parser takes the head, whole or as far as it came, once target and cookies are plain."""
    clean = _cleaned(head)
    if clean is None:
        return False
    try:
        parser.feed_data(clean)
    except Exception:
        return False
    return True


def outcome(head: bytes, parser: Any, peer: str, links: Links, now_us: int) -> Outcome | None:
    """What to answer to a whole head; None when it names no known link or is odd in other ways too."""
    clean = _cleaned(head)
    line = _REQUEST_LINE.match(head)
    if clean is None or line is None:
        return None
    try:
        messages, _, _ = parser.feed_data(clean)
    except Exception:  # odd in more than its target
        return None
    if len(messages) != 1 or is_unusual(messages[0][0]):
        return None
    message = messages[0][0]
    if bad_host(message.headers.get("Host", ""), stated="Host" in message.headers):
        return None
    path, _, query = line[2].decode("utf-8", "replace").partition("?")
    form, link_id = form_and_link(path)
    link = links.link(link_id)
    if link is None:
        return None
    asks = caller(message.headers)
    request = Request(
        form=form,
        link=link_id,
        host=asks.host,
        query=query[:QUERY_CHARS_MAX],
        caller=asks,
        peer=peer,
        is_head=line[1] == b"HEAD",
        now_us=now_us,
    )
    kind = touch_kind(request)
    mode = choose_mode(request, kind, split_query(request.query), link)
    refusal = Refuse("bad_target", "The request's target or a cookie holds raw characters or is too long.")
    made = refused(protected(request, link, links), link, kind, new_id(now_us), refusal)
    if mode == "s2s":
        return made
    app = links.app(link.app)
    fallback = link.fallback_url or (app.fallback_url if app else None)
    if mode == "redirect" and fallback:
        return Outcome(302, "person", location=expand(fallback, {}), reject=made.reject)
    if mode == "redirect":
        return Outcome(200, "person", page=True, reject=made.reject)
    gif = form in ("click_gif", "impression_gif")
    return Outcome(200 if gif else 204, "person", gif=gif, reject=made.reject)


def _cleaned(head: bytes) -> bytes | None:
    """The head with a plain, short target and without cookies; None when it has no request line of ours."""
    line = _REQUEST_LINE.match(head) or _PARTIAL_LINE.match(head)
    if line is None:
        return None
    target = _ODD.sub(b"-", line[2])[:CLEAN_BYTES_MAX]
    return (
        line[1]
        + b" "
        + target
        + (b" " + line[3] if line.re is _REQUEST_LINE else b"")
        + _COOKIE.sub(rb"\1 -", head[line.end() :])
    )
