"""The integration sheet of a link: one page that says all, and asks nobody for anything."""

import json
import re
from html.parser import HTMLParser

from console.sheet_page import Facts, sheet_page
from tests.console.conftest import Console

SECRET = "a-secret-of-some-length"
VOID = {"meta"}


class Page(HTMLParser):
    """Its text, its tags, and whether they are balanced."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_sheet_holds_the_partners_macros_and_no_secret(console: Console) -> None:
    console.sql("INSERT INTO apps (id, title) VALUES ('shop', 'My <Shop>')")
    parameters = {"click_id": "%%CLICK%%", "mt_campaign": "[cid]", "own": "{o}"}
    protection = {"secrets": [SECRET], "addresses": ["192.0.2.0/24"]}
    console.sql(
        "INSERT INTO partners (id, title, parameters, protection)"
        " VALUES ('net', 'Net & Co', $1::text::jsonb, $2::text::jsonb)",
        json.dumps(parameters),
        json.dumps(protection),
    )
    console.sql("INSERT INTO campaigns (id, title, partner) VALUES ('c', '', 'net')")
    console.sql("INSERT INTO links (id, app, campaign, host) VALUES ('7', 'shop', 'c', 'go.shop.example')")
    html = console.run("link", "sheet", "7").stdout
    page = Page(html)
    assert page.open == []
    assert SECRET not in html
    for text in ("Net & Co", "My <Shop>", "bad_signature", "HMAC-SHA256", "192.0.2.0/24", "HTTP/1.1 204 No Content"):
        assert text in page.text
    assert "https://go.shop.example/c/7?click_id=%%CLICK%%&device_ip={device_ip}" in page.text
    assert "own={o}&mt_campaign=[cid]&expires={UTC seconds}&noredirect&signature={signature}" in page.text
    assert "https://go.shop.example/i/7?" in page.text
    # nothing is fetched, nothing runs
    assert page.tags.isdisjoint({"script", "link", "img", "iframe", "a"})
    assert page.attributes <= {"lang", "charset"}
    assert "url(" not in html and "@import" not in html


def test_without_a_partner_our_own_macros_stand_there(console: Console) -> None:
    console.sql("INSERT INTO apps (id, title) VALUES ('shop', '')")
    console.sql("INSERT INTO links (id, app) VALUES ('7', 'shop')")
    page = Page(console.run("link", "sheet", "7").stdout)
    assert "https://go.example/c/7?click_id={click_id}&device_ip={device_ip}" in page.text
    assert "403" not in page.text
    assert "signature" not in page.text
    assert "does not exist" in console.refusal("link", "sheet", "8", code=1)


def test_whatever_the_names_are_they_stay_text() -> None:
    nasty = "</title></style><script>alert(1)</script>\"'&"
    html = sheet_page(Facts(nasty, nasty, nasty, nasty, nasty, {nasty: nasty}, signed=True, addresses=[nasty]))
    assert "script" not in Page(html).tags
    assert not re.search(r"<script", html)
