"""The examples of docs/integration.md run as they stand there, and give the answers that stand below them."""

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple, get_args

import orjson
import pytest

from consumers.attribution.facts import CLICK_ID_NAMES
from ingest.bodies import DeviceBody, EventBody, InstallBody, VisitBody
from ingest.stated import S2S_PARAMETERS
from schemas.events import RESERVED_EVENTS
from schemas.identifiers import ALIASES
from schemas.rules import Method
from tests.docs.kotlin_compiler import run_kotlin
from tests.docs.troubled_edge import in_front_of
from tests.support.maven import java, needed
from tests.support.product import Product

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "integration.md").read_text()
ADDRESS = "http://localhost:8080"
RUN = ("sh", "python", "kotlin")
SHOWN_ONLY = ("swift", "")
ANSWERS = ("http", "text")
EXAMPLE_TIMEOUT_S = 30.0
DECIDED_WITHIN_S = 20.0


class Block(NamedTuple):
    """A fenced block of the page."""

    line: int
    language: str
    text: str


class Example(NamedTuple):
    """A block that is run, and the answer below it."""

    code: Block
    answer: Block


def blocks(page: str = PAGE) -> list[Block]:
    return [
        Block(page[: found.start()].count("\n") + 1, found[1], found[2])
        for found in re.finditer(r"^```(\w*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    ]


def examples(language: str) -> list[Example]:
    """In the order of the page: a later one may speak of what an earlier one sent."""
    pairs = zip(blocks(), blocks()[1:], strict=False)
    return [Example(code, answer) for code, answer in pairs if code.language == language]


def differs(shown: Block, printed: str) -> str | None:
    """The first line of the shown answer that was not printed; `…` stands for anything within a line.

    `text` is all that was printed; `http` is the status line, some of the headers, and the body.
    """
    if shown.language == "text":
        return None if _matches(shown.text.strip(), printed.strip()) else shown.text
    head, _, body = printed.replace("\r\n", "\n").partition("\n\n")
    shown_head, _, shown_body = shown.text.partition("\n\n")
    lines = head.split("\n")
    status, *headers = shown_head.strip().split("\n")
    if lines[0].strip() != status:
        return status
    for header in headers:
        if not any(_matches(header.lower(), line.lower()) for line in lines[1:]):
            return header
    return None if _matches(shown_body.strip(), body.strip()) else shown_body


def _matches(shown: str, printed: str) -> bool:
    return re.fullmatch(re.escape(shown).replace("…", ".*?"), printed) is not None


def run(example: Example, url: str, folder: Path) -> str:
    """What the example prints when the edge is at `url`."""
    code = example.code.text.replace(ADDRESS, url)
    if example.code.language == "kotlin":
        return run_kotlin(code, folder)
    shell = [sys.executable, "-c"] if example.code.language == "python" else ["sh", "-euc"]
    done = subprocess.run(
        [*shell, code],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=EXAMPLE_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, f"line {example.code.line}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def check(example: Example, url: str, folder: Path) -> None:
    """Run the example; where the page shows a decision, ask until there is one, as the page says."""
    deadline = time.monotonic() + DECIDED_WITHIN_S
    printed = run(example, url, folder)
    while '"decided":false' in printed and '"decided":true' in example.answer.text and time.monotonic() < deadline:
        time.sleep(0.1)
        printed = run(example, url, folder)
    wrong = differs(example.answer, printed)
    assert wrong is None, f"line {example.code.line} of the page: shown is\n{wrong}\nprinted was\n{printed}"


def test_the_curl_examples_give_the_answers_shown(product: Product, tmp_path: Path) -> None:
    needed("curl", "install curl")
    for example in examples("sh"):
        check(example, product.url, tmp_path)


def test_the_python_examples_give_the_answers_shown_after_some_trouble(product: Product, tmp_path: Path) -> None:
    for example in examples("python"):
        with in_front_of(product.url) as (url, done):
            check(example, url, tmp_path)
        assert done[:2] == ["dropped", "503"]


def test_the_kotlin_example_gives_the_answer_shown_after_some_trouble(product: Product, tmp_path: Path) -> None:
    check(examples("python")[0], product.url, tmp_path)  # the click that its install is attributed to
    for example in examples("kotlin"):
        with in_front_of(product.url) as (url, done):
            check(example, url, tmp_path)
        assert done[:2] == ["dropped", "503"]


@pytest.mark.parametrize("language", RUN)
def test_every_example_is_followed_by_its_answer(language: str) -> None:
    assert examples(language)
    for code, answer in examples(language):
        assert answer.language in ANSWERS, f"line {code.line}: no answer below this example"
        assert answer.line - code.line - code.text.count("\n") <= 4, f"line {code.line}: its answer is not near"


def test_every_block_is_run_an_answer_or_shown_only() -> None:
    assert {block.language for block in blocks()} == {*RUN, *ANSWERS, *SHOWN_ONLY}


@pytest.mark.parametrize(
    ("shown", "printed", "wrong"),
    [
        ("HTTP/1.1 204 No Content\nA: 1", "HTTP/1.1 204 No Content\r\nB: 2\r\na: 1\r\n\r\n", None),
        ("HTTP/1.1 204 No Content", "HTTP/1.1 302 Found\r\n\r\n", "HTTP/1.1 204 No Content"),
        ("HTTP/1.1 200 OK\nA: 1", "HTTP/1.1 200 OK\r\nA: 2\r\n\r\n", "A: 1"),
        ("HTTP/1.1 200 OK\nA: 1…", "HTTP/1.1 200 OK\r\nA: 1 and more\r\n\r\n", None),
        ('HTTP/1.1 200 OK\n\n{"a":"…"}', 'HTTP/1.1 200 OK\r\n\r\n{"a":"x"}', None),
        ('HTTP/1.1 200 OK\n\n{"a":1}', 'HTTP/1.1 200 OK\r\n\r\n{"a":2}', '{"a":1}'),
    ],
)
def test_an_answer_that_is_not_the_shown_one_is_noticed(shown: str, printed: str, wrong: str | None) -> None:
    assert differs(Block(1, "http", shown), printed) == wrong


def test_the_page_names_every_reason_and_no_other() -> None:
    document = orjson.loads((ROOT / "ingest" / "openapi.json").read_bytes())
    table = PAGE[PAGE.index("## Reasons") :]
    named = {
        code for row in re.findall(r"^\| \d{3} \|(.*?)\|", table, re.MULTILINE) for code in re.findall(r"`(\w+)`", row)
    }
    assert named == set(document["components"]["schemas"]["Problem"]["properties"]["reason"]["enum"])


def test_the_page_names_every_field_parameter_identifier_event_and_method() -> None:
    bodies = (InstallBody, EventBody, DeviceBody, VisitBody)
    fields = {field for body in bodies for field in body.__struct_fields__}
    names = {*S2S_PARAMETERS, *fields, *ALIASES, *RESERVED_EVENTS, *CLICK_ID_NAMES, *get_args(Method)}
    prose = re.sub(r"^```.*?^```$", "", PAGE, flags=re.MULTILINE | re.DOTALL)
    said = set(re.findall(r"[\w-]+", " ".join(re.findall(r"`([^`\n]+)`", prose))))
    assert names - said == set()


def test_the_page_names_no_identifier_that_is_not_understood() -> None:
    table = PAGE[PAGE.index("### Identifiers") : PAGE.index("### Python")]
    rows = re.findall(r"^\| (`.*)$", table, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([\w-]+)`", row)} == set(ALIASES)


def test_the_page_names_the_reserved_events_and_no_others() -> None:
    sentence = PAGE[PAGE.index("Reserved names") : PAGE.index("Any other name is an event")]
    assert tuple(re.findall(r"`(\w+)`", sentence)) == RESERVED_EVENTS


@pytest.mark.parametrize(("ci", "outcome"), [("true", "Failed"), ("", "Skipped")])
def test_without_its_tool_an_example_is_skipped_at_home_and_fails_in_ci(
    ci: str, outcome: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    java.cache_clear()
    with pytest.raises(BaseException, match="no `java` found: install a JDK") as raised:  # neither is an Exception
        run_kotlin("", tmp_path)
    java.cache_clear()
    assert raised.typename == outcome
