"""Links by the file: what it says is what is stored, and what is wrong with it is said by line and column."""

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.links_csv import COLUMNS, ROWS_MAX, Row, parse, print_rows
from schemas.links import Link, Target
from schemas.rules import LinkWindow
from tests.console.conftest import Console

PLAY = "https://play.google.com/store/apps/details?id=com.example.shop"
HEAD = "app,id,campaign,partner,title,kind,host,windows,google_play,google_play_deep_link,web,web_app,paused\n"
FILE = (
    f"\ufeff{HEAD}"
    'shop,12345678901234567890,spring,adnet,"Spring, ""new""",redirect,go.shop.example,'
    f"identifier click 720; fingerprint click 6,{PLAY}&c={{click_id}},shop://open?c={{click_id}},"
    "https://shop.example/,other,\n"
    "shop,k_7-a,boxes,,,preinstall,,,,,,,yes\n"
    "\n"
    "shop,,,,,,,,,,,,no\n"
)
ROWS = [
    Row(
        2,
        Link(
            id="12345678901234567890",
            app="shop",
            targets=(
                Target(store="google_play", url=f"{PLAY}&c={{click_id}}", deep_link="shop://open?c={click_id}"),
                Target(store="web", url="https://shop.example/", app="other"),
            ),
        ),
        'Spring, "new"',
        "spring",
        "adnet",
        "go.shop.example",
        (LinkWindow("identifier", "click", 720), LinkWindow("fingerprint", "click", 6)),
    ),
    Row(3, Link(id="k_7-a", app="shop", kind="preinstall", paused=True), campaign="boxes"),
]


def test_a_file_is_read_as_it_says() -> None:
    rows, wrong = parse(FILE)
    assert wrong == []
    assert rows[:2] == ROWS
    assert len(rows[2].link.id) == 19
    assert (rows[2].line, rows[2].link.kind, rows[2].link.paused) == (5, "redirect", False)


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("", 1, "app", "is missing"),
        ("id,app,colour\n1,shop,red\n", 1, "colour", "'colour' is no column"),
        ("id,app,id\n1,shop,2\n", 1, "id", "stands there twice"),
        ("id,title\n1,x\n", 1, "app", "is missing"),
        ("id,app\n1,shop,x\n", 2, "", "has 3 values; the head names 2 columns"),
        ("id,app\n1,shop\na b,shop\n", 3, "id", "'a b' is no link id"),
        ("id,app\n1,shop\n\n1,shop\n", 4, "id", "stands in line 2 too"),
        ("id,app\n1,\n", 2, "app", "is empty"),
        ("id,app\n1,my shop\n", 2, "app", "is no app id"),
        ('id,app,title\n1,shop,"a\nb"\n2,shop,x\n', 2, "title", "printable characters"),
        ('app,title\nshop,"x\n', 2, "", "this is no CSV"),
        ("app,kind\nshop,s3s\n", 2, "kind", "'s3s' is none of redirect, tracking, s2s, preinstall"),
        ("app,paused\nshop,perhaps\n", 2, "paused", "neither yes nor no"),
        ("app,host\nshop,https://x.example\n", 2, "host", "is no host name"),
        ("app,host\nshop,Go.example\n", 2, "host", "is no host name"),
        ("app,windows\nshop,identifier click\n", 2, "windows", "'identifier click' is no window"),
        ("app,windows\nshop,guess click 24\n", 2, "windows", "is no window"),
        ("app,windows\nshop,identifier click 23\n", 2, "windows", "identifier takes 24 to 720 hours"),
        ("app,google_play\nshop,javascript:x\n", 2, "google_play", "does not start with http://"),
        ("app,web,web_deep_link\nshop,https://e/,javascript:x\n", 2, "web_deep_link", "does not start with an app's"),
        ("app,web_deep_link\nshop,shop://x\n", 2, "web_deep_link", "belongs to no target: web is empty"),
        ("app,fallback_url\nshop,ftp://x\n", 2, "fallback_url", "does not start with http://"),
        ("app,partner\nshop,adnet\n", 2, "campaign", "is empty"),
    ],
)
def test_a_mistake_is_named_by_its_line_and_column(text: str, line: int, column: str, said: str) -> None:
    rows, wrong = parse(text)
    assert rows == []
    assert (wrong[0].line, wrong[0].column) == (line, column)
    assert said in wrong[0].sentence


def test_every_mistake_is_found_up_to_a_hundred() -> None:
    _, wrong = parse("app,id\n" + "shop,a b\n" * 150)
    assert [one.line for one in wrong] == list(range(2, 102))


def test_more_than_a_hundred_thousand_are_too_many() -> None:
    _, wrong = parse("app\n" + "shop\n" * (ROWS_MAX + 1))
    assert [(one.line, "more than 100000 links" in one.sentence) for one in wrong] == [(ROWS_MAX + 2, True)]


@given(st.lists(st.sampled_from(['"', ",", "\n", "\r", "shop", "ä", " ", "1"]), max_size=40))
def test_no_text_is_too_odd(parts: list[str]) -> None:
    rows, wrong = parse("id,app\n" + "".join(parts))
    assert not (rows and wrong)


def test_what_is_printed_is_read_as_the_same() -> None:
    text = print_rows(ROWS)
    assert next(csv.reader(io.StringIO(text))) == list(COLUMNS)
    rows, wrong = parse(text)
    assert wrong == []
    assert rows == ROWS


@pytest.fixture
def shop(console: Console) -> Console:
    console.sql("INSERT INTO apps (id, title) VALUES ('shop', 'Shop'), ('other', '')")
    return console


def put(shop: Console, text: str) -> str:
    path = Path(shop.data) / "links.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def test_links_are_imported_and_exported_again(shop: Console) -> None:
    made = shop.facts("link", "import", put(shop, FILE))
    assert made == {"links": 3, "campaigns": ["spring", "boxes"], "partners": ["adnet"]}
    assert shop.sql("SELECT id, partner, kind FROM campaigns ORDER BY id") == [
        ("boxes", None, "preinstall"),
        ("spring", "adnet", "ad"),
    ]
    shown = shop.facts("link", "show", "12345678901234567890")
    assert (shown["title"], shown["urls"]["click"]) == (
        'Spring, "new"',
        "https://go.shop.example/c/12345678901234567890",
    )
    assert shop.facts("link", "show", "k_7-a")["state"] == "paused"
    ((action, kind, after),) = shop.sql("SELECT action, kind, after::text FROM audit WHERE kind = 'link'")
    assert (action, kind, json.loads(after)["links"]) == ("import", "link", 3)
    exported = shop.run("link", "export").stdout
    rows, wrong = parse(exported)
    assert wrong == []
    by_id = {row.link.id: row._replace(line=0) for row in rows}
    assert [by_id[row.link.id] for row in ROWS] == [row._replace(line=0) for row in ROWS]
    assert len(parse(shop.run("link", "export", "--app", "other").stdout)[0]) == 0
    # everything of it is there already
    again = shop.run("link", "import", put(shop, exported), code=2).stderr.splitlines()
    assert len(again) == 4
    assert all("column id: '" in line and "is taken" in line for line in again[:3])


def test_of_a_file_with_a_mistake_nothing_is_taken(shop: Console) -> None:
    shop.sql("INSERT INTO partners (id, title) VALUES ('adnet', ''), ('gone', '')")
    shop.sql("UPDATE partners SET deleted_at = now() WHERE id = 'gone'")
    shop.sql("INSERT INTO campaigns (id, title, partner) VALUES ('spring', '', 'adnet'), ('fall', '', NULL)")
    shop.sql("INSERT INTO apps (id, title, kind, origins) VALUES ('site', '', 'web', ARRAY['https://shop.example'])")
    text = f"""app,id,campaign,partner,kind,google_play,google_play_app
shop,1,new,adnet,,{PLAY},
nobody,2,,,,,
shop,3,,,,{PLAY},nobody
shop,4,spring,other,,,
shop,5,fall,adnet,,,
shop,6,spring,,preinstall,,
site,7,,,,{PLAY},
shop,8,x,gone,,,
"""
    done = shop.run("link", "import", put(shop, text), code=2)
    assert done.stdout == ""
    said = [line.removeprefix("touchline link import: links.csv, ") for line in done.stderr.splitlines()]
    assert said == [
        "line 3, column app: 'nobody' does not exist",
        "line 4, column google_play_app: 'nobody' does not exist",
        "line 5, column partner: 'other' does not own the campaign 'spring': partner 'adnet' does",
        "line 6, column partner: 'adnet' does not own the campaign 'fall': it has no partner",
        "line 7, column kind: 'preinstall' has no place in a campaign of kind ad",
        "line 8, column app: targets of google_play are a store's: a website's link has web=https://… only.",
        "line 9, column partner: 'gone' is deleted",
        "touchline link import: Nothing was imported.",
    ]
    assert shop.sql("SELECT count(*) FROM links") == [(0,)]
    assert shop.sql("SELECT count(*) FROM campaigns") == [(2,)]
    Path(shop.data, "links.csv").write_bytes(b"app\n\xff\n")
    assert "is no UTF-8: byte 4" in shop.refusal("link", "import", str(Path(shop.data, "links.csv")), code=2)


def test_a_hundred_thousand_links_are_one_file(shop: Console) -> None:
    text = "app,id,campaign,google_play\n" + "".join(
        f"shop,{10**18 + n},c{n % 50},{PLAY}&referrer=c%3D{n}\n" for n in range(ROWS_MAX)
    )
    made = shop.facts("link", "import", put(shop, text))
    assert (made["links"], len(made["campaigns"])) == (ROWS_MAX, 50)
    assert shop.sql("SELECT count(*) FROM links WHERE app = 'shop'") == [(ROWS_MAX,)]
