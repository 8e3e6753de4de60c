"""Clicks and impressions over aiohttp: the request to the rules, the outcome to journal and answer."""

import time
from collections.abc import Mapping
from urllib.parse import unquote

from aiohttp import web

from ingest import answer
from ingest.accept import Form, Outcome, Request, accept
from ingest.links import Links
from ingest.recorder import Recorder
from process.metrics import Meters
from schemas import metrics
from schemas.addresses import parse_address
from schemas.codec import encode
from schemas.topics import HITS, REJECTS


class HitHandler:
    """Answers /serve/, /c/ and /i/."""

    def __init__(self, links: Links, recorder: Recorder, meters: Meters) -> None:
        self._links = links
        self._recorder = recorder
        self._hits = meters.counter(metrics.HITS)
        self._answers = meters.counter(metrics.ANSWERS)

    async def handle(self, http: web.Request) -> web.Response:
        """GET or HEAD of a tracking link."""
        outcome = accept(_request(http), self._links)
        response = await self._record(outcome)
        self._answers.labels(str(response.status), outcome.reason or "").inc()
        return response

    async def _record(self, outcome: Outcome) -> web.Response:
        """2xx to a machine only when durable; a person is sent on after a moment."""
        if outcome.reject is not None:
            # a 4xx promises nothing: the reject is written, but nobody waits for the disk
            reject = outcome.reject
            if self._recorder.add(REJECTS, encode(reject), reject.link, reject.id) is None:
                return self._overloaded(outcome)
        if outcome.hit is not None:
            self._hits.labels(outcome.hit.kind, outcome.hit.mode).inc()
            batch = self._recorder.add(HITS, encode(outcome.hit), outcome.hit.link, outcome.hit.id)
            if outcome.patience == "person":
                await self._recorder.durable_for_person(batch)
            elif not await self._recorder.durable_for_machine(batch):
                outcome.reason = "not_durable"
                return answer.not_durable()
        return answer.of_outcome(outcome)

    def _overloaded(self, outcome: Outcome) -> web.Response:
        """Not even a reject finds room: the machine comes back later."""
        self._recorder.counters.add_refused()
        outcome.reason = "not_durable"
        return answer.not_durable()


def _request(http: web.Request) -> Request:
    """The facts the rules need, the query byte for byte."""
    host, path, query = split_target(http.raw_path, http.headers.get("Host", ""))
    form, link = form_and_link(path)
    return Request(
        form=form,
        link=link,
        host=host,
        query=query,
        headers=_lower(http.headers),
        peer=peer_text(http.remote),
        head=http.method == "HEAD",
        now_us=time.time_ns() // 1000,
    )


def split_target(target: str, host: str) -> tuple[str, str, str]:
    """(host, path, raw query) of a request target; the host of an absolute form counts before `Host`."""
    for scheme in ("http://", "https://"):
        if target[: len(scheme)].lower() == scheme:
            authority, slash, rest = target[len(scheme) :].partition("/")
            host, target = authority.rpartition("@")[2], slash + rest
            break
    path, _, query = target.partition("#")[0].partition("?")
    return host.lower(), path, query


def form_and_link(path: str) -> tuple[Form, str]:
    """How the path asks, and for which link: /serve/{id}, /c/{id}[.gif], /i/{id}[.gif]; a / may follow."""
    _, first, rest = path.split("/", 2)
    first = unquote(first)  # the router has matched the decoded path
    link = unquote(rest.removesuffix("/"))
    gif = link.endswith(".gif")
    if first == "serve":
        return "serve", link
    link = link.removesuffix(".gif")
    if first == "c":
        return ("click_gif" if gif else "click"), link
    return ("impression_gif" if gif else "impression"), link


def peer_text(remote: str | None) -> str:
    """Canonical text of the peer's address; "" when there is none."""
    network = parse_address(remote or "")
    return network.text if network else ""


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in headers.items():
        found.setdefault(name.lower(), value)
    return found
