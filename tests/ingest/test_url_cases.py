"""URLs as ad systems send them: their queries become those of our link, byte for byte."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.ingest.edge import exchange, running_edge, status_of
from tests.ingest.samples import ANDROID, LINK
from tests.support.data import data_folder

pytestmark = pytest.mark.data

AT_ONCE = 32
FACTS = f"device_ip=203.0.113.7&device_ua=Android&click_timestamp={int(time.time())}&noredirect=1"


def queries() -> list[str]:
    """The raw query of every URL."""
    lines = data_folder().joinpath("urls/prebid_urls.txt").read_text().splitlines()
    found = [line.partition("?")[2].partition("#")[0] for line in lines]
    assert len(found) > 200
    assert all(urlsplit(line).scheme for line in lines)
    return found


def click(query: str) -> tuple[str, str]:
    """(raw request, the query in it) of a person's click."""
    head = f"GET /serve/{LINK}?{query} HTTP/1.1\r\nHost: redirect.localhost\r\nUser-Agent: {ANDROID}\r\n"
    return f"{head}Sec-Fetch-Mode: navigate\r\n\r\n", query


def ping(query: str) -> tuple[str, str]:
    """(raw request, the query in it) of an ad server's ping."""
    query = f"{query}&{FACTS}"
    return f"GET /serve/{LINK}?{query} HTTP/1.1\r\nHost: redirect.localhost\r\n\r\n", query


@pytest.mark.parametrize(("make", "status"), [(click, 302), (ping, 204)])
async def test_every_query_is_taken_and_kept_byte_for_byte(
    tmp_path: Path, make: Callable[[str], tuple[str, str]], status: int
) -> None:
    made = [make(query) for query in queries()]
    async with running_edge(tmp_path) as edge:
        limit = asyncio.Semaphore(AT_ONCE)

        async def one(raw: str) -> int:
            async with limit:
                return status_of(await exchange(edge.port, raw.encode()))

        answers = await asyncio.gather(*(one(raw) for raw, _ in made))
        kept = sorted([hit.query for hit in await edge.hits()] + [one.query for one in await edge.rejects()])
    odd = [(answer, query) for answer, (_, query) in zip(answers, made, strict=True) if answer != status]
    # one names an address of its own, which is none, and the first value counts
    assert all(answer == 400 and "&device_ip=test-device-ip&" in query for answer, query in odd)
    assert len(odd) == (1 if status == 204 else 0)
    assert kept == sorted(query for _, query in made)
