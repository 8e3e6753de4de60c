"""Raw requests that others wrote against their own server, sent to a running edge byte for byte."""

import asyncio
import base64
import json
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.ingest.edge import Edge, exchange, running_edge, status_of
from tests.ingest.samples import LINK, SDK_KEY
from tests.support.data import data_folder

pytestmark = pytest.mark.data

AT_ONCE = 16
PATIENCE_S = 1.5
GOOD = f"GET /serve/{LINK}?good HTTP/1.1\r\nHost: x\r\n\r\n".encode()
START = re.compile(rb"(GET|POST|PUT) (\S+) ")

# Requests that gunicorn refuses and that reach our handlers here.
LENIENT = {
    "invalid/006.http": "a line of 4 kB: ours may have 32 kB, queries are long",
    "invalid/007.http": "a header of 8 kB: ours may have 32 kB, cookies are long",
    "invalid/008.http": "headers of 12 kB: as above",
    "invalid/009.http": "100 small headers: aiohttp bounds their number a little above",
    "invalid/chunked_05.http": "a chunked body in HTTP/1.0: read as chunks, and the connection closes behind it",
    "invalid/rfc9110_trailer_forbidden_host_01.http": "a Host trailer: trailers are read and thrown away",
    "invalid/rfc9112_chunked_missing_final_crlf_01.http": "the last line end never comes: answered before the body",
    "invalid/version_02.http": "HTTP/2.0 in a request line: no client of HTTP/2 writes one, the framing is that of 1.1",
}


class Case(NamedTuple):
    """One request and what is known about it."""

    name: str
    raw: bytes
    refused: bool
    """By gunicorn with its default settings."""
    depends_on_a_setting: bool


class Answer(NamedTuple):
    """The edge's answer: 0 stands for a close without one."""

    status: int
    ours: bool
    """Made by our handlers: the parser has taken the head."""


def cases() -> list[Case]:
    lines = data_folder().joinpath("http/raw_requests.jsonl").read_text().splitlines()
    found: list[Case] = []
    for line in lines:
        case = json.loads(line)
        name = case["src"].removeprefix("gunicorn:tests/requests/")
        raw = base64.b64decode(case["raw_b64"])
        found.append(Case(name, raw, case["expect"] == "reject", "needs_gunicorn_config" in case))
    assert len(found) == 137
    return found


def retargeted(case: Case) -> Case | None:
    """The same request for our link or our API, None for other methods."""
    found = START.match(case.raw)
    if found is None:
        return None
    _, mark, query = found[2].partition(b"?")
    if found[1] == b"GET":
        target, key = b"/serve/" + LINK.encode() + mark + query, b""
    else:
        target, key = b"/v1/events", b"\r\nAuthorization: Bearer " + SDK_KEY.encode()
    raw = case.raw.replace(found[2], target, 1).replace(b"\r\n", key + b"\r\n", 1)
    return case._replace(name=f"{case.name} for {target.decode('latin-1')}", raw=raw)


async def ask(edge: Edge, case: Case) -> Answer:
    """The answer; a request that is not whole is ended by the client. Raises TimeoutError for a hang."""
    try:
        answered = await exchange(edge.port, case.raw, patience_s=PATIENCE_S)
    except TimeoutError:
        answered = await exchange(edge.port, case.raw, ended=True, patience_s=PATIENCE_S)
    assert status_of(await exchange(edge.port, GOOD)) == 302, f"after {case.name}"
    said = answered.lower()
    refused = b"x-touchline-reason: bad_request" in said
    return Answer(status_of(answered), (b"x-touchline-reason:" in said and not refused) or b"302 Found" in answered)


async def ask_all(data: Path, asked: list[Case]) -> dict[str, Answer | str]:
    async with running_edge(data) as edge:
        limit = asyncio.Semaphore(AT_ONCE)

        async def one(case: Case) -> Answer | str:
            async with limit:
                try:
                    return await ask(edge, case)
                except TimeoutError:
                    return "hang"

        answers = await asyncio.gather(*map(one, asked))
        good = [hit for hit in await edge.hits() if hit.query == "good"]
        assert len(good) == len(asked)
    return {case.name: answer for case, answer in zip(asked, answers, strict=True)}


def broken(answers: dict[str, Answer | str]) -> list[str]:
    return [name for name, answer in answers.items() if isinstance(answer, str) or answer.status >= 500]


async def test_no_request_hangs_or_breaks_the_edge(tmp_path: Path) -> None:
    assert broken(await ask_all(tmp_path, cases())) == []


async def test_no_request_for_a_link_or_the_api_hangs_or_breaks_the_edge(tmp_path: Path) -> None:
    asked = [case for case in map(retargeted, cases()) if case is not None]
    assert len(asked) > 100
    answers = await ask_all(tmp_path, asked)
    assert broken(answers) == []
    assert sum(answer.status == 302 for answer in answers.values() if isinstance(answer, Answer)) > 15


async def test_what_must_be_refused_is_refused(tmp_path: Path) -> None:
    asked = [case for case in cases() if case.refused and not case.depends_on_a_setting]
    answers = await ask_all(tmp_path, asked)
    assert len(answers) > 60
    taken = {
        name
        for name, answer in answers.items()
        if isinstance(answer, str) or not (answer.status == 0 or 400 <= answer.status < 500)
    }
    assert taken == set()
    lenient = {name for name, answer in answers.items() if isinstance(answer, Answer) and answer.ours}
    assert lenient == set(LENIENT)
