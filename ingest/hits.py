"""A click or impression on its way: from the request's facts to the journal, from durability to the answer.

Both lanes use it: the fast one, and aiohttp's handlers for whatever is unusual.
"""

import logging
import time
from urllib.parse import unquote

from aiohttp import web

from ingest import answer
from ingest.accept import accept, last_resort
from ingest.answer import Answer
from ingest.batch import Batch
from ingest.caller import caller
from ingest.client_address import TrustedProxies
from ingest.links import Links
from ingest.recorder import MACHINE_PATIENCE_S, PERSON_PATIENCE_S, Recorder
from ingest.touch import Form, Outcome, Request
from process.metrics import Meters
from schemas import metrics
from schemas.addresses import parse_address
from schemas.codec import encode
from schemas.topics import HITS, REJECTS

log = logging.getLogger(__name__)

PATIENCE_S = {"machine": MACHINE_PATIENCE_S, "person": PERSON_PATIENCE_S}


class Hits:
    """Takes the requests of tracking links and settles them."""

    def __init__(self, links: Links, recorder: Recorder, proxies: TrustedProxies, meters: Meters) -> None:
        self.links = links
        self.proxies = proxies
        self._recorder = recorder
        self._hits, self._rejects = recorder.batcher(HITS), recorder.batcher(REJECTS)
        self._taken: dict[tuple[object, ...], int] = {}
        """(kind, mode) → hits"""
        self._said: dict[tuple[object, ...], int] = {}
        """(status, reason) → answers"""
        meters.counted(metrics.HITS, self._taken)
        meters.counted(metrics.ANSWERS, self._said)

    def take(self, outcome: Outcome, now_us: int) -> Batch | Answer:
        """Record what is to be recorded: the batch that the answer waits for, or the answer when it waits for none.

        `now_us` is the time of receipt that the record's id carries.
        """
        hit = outcome.hit
        if hit is None:
            return self._take_reject(outcome, now_us)
        kind_and_mode = hit.kind, hit.mode
        self._taken[kind_and_mode] = self._taken.get(kind_and_mode, 0) + 1
        batch = self._hits.add(encode(hit), hit.link, now_us)
        return self.settle(outcome, None, durable=False) if batch is None else batch

    def _take_reject(self, outcome: Outcome, now_us: int) -> Answer:
        # a 4xx promises nothing: the reject is written, but nobody waits for the disk
        reject = outcome.reject
        kept = reject is None or self._rejects.add(encode(reject), reject.link, now_us) is not None
        if not kept and outcome.patience == "machine":
            return self._refuse()
        return self.say(answer.of_outcome(outcome))

    def last_resort(self, request: Request) -> Outcome:
        """Call it while the exception of the rules is handled: it is logged, and a redirect is counted `unrecorded`."""
        log.exception("the rules failed for link %s", request.link)
        outcome = last_resort(request, self.links)
        if outcome.location is not None:
            self._recorder.unrecorded(None)
        return outcome

    def settle(self, outcome: Outcome, batch: Batch | None, *, durable: bool) -> Answer:
        """The answer once durability is known; what is not durable is counted before it is said."""
        if not durable:
            if outcome.patience == "machine":
                return self._refuse()
            self._recorder.unrecorded(batch)
        return self.say(answer.of_outcome(outcome))

    def _refuse(self) -> Answer:
        self._recorder.refused()
        return self.say(answer.not_durable())

    def say(self, said: Answer) -> Answer:
        """Count an answer."""
        self.count(said.status, said.reason)
        return said

    def count(self, status: int, reason: str) -> None:
        """Count an answer of whatever kind."""
        label = status, reason
        self._said[label] = self._said.get(label, 0) + 1


class HitHandler:
    """The lane of unusual requests: aiohttp's."""

    def __init__(self, hits: Hits) -> None:
        self._hits = hits

    async def handle(self, http: web.Request) -> web.Response:
        """GET or HEAD of a tracking link."""
        host, path, query = split_target(http.raw_path, http.headers.get("Host", ""))
        form, link = form_and_link(path)
        request = Request(
            form=form,
            link=link,
            host=host,
            query=query,
            caller=caller(http.headers),
            peer=self._hits.proxies.client(peer_text(http.remote), http.headers),
            is_head=http.method == "HEAD",
            now_us=time.time_ns() // 1000,
        )
        try:
            outcome = accept(request, self._hits.links)
        except Exception:
            outcome = self._hits.last_resort(request)
        taken = self._hits.take(outcome, request.now_us)
        if isinstance(taken, Answer):
            return taken.response()
        durable = await taken.durable_within(PATIENCE_S[outcome.patience])
        return self._hits.settle(outcome, taken, durable=durable).response()


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
