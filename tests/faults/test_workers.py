"""Several edge processes on one socket: restarted one by one, killed, made fewer, under load.

A client that keeps its connection may send just when the server closes it, and hears nothing: every
HTTP client sends such a request again. Here these are counted as `crossed`, apart from connections
that were refused or that broke with a request open, and the next ping is a new one.
"""

import asyncio
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from ingest.batch import Batcher
from ingest.journal import Journal
from ingest.leftovers import leftovers, ship_leftovers
from schemas import journal as format
from schemas.codec import encode
from schemas.ids import received_us
from schemas.settings import Settings
from schemas.topics import HITS, TOPICS
from tests.faults.test_kafka_away import PARTITIONS, arrived, expected
from tests.support.load import UA, Load
from tests.support.logs import hits
from tests.support.mock_kafka import MockKafka
from tests.support.product import TOUCHLINE, Product, eventually

LINK = "1019409635088005254"
WORKERS = 2
THINK_S = 0.02
"""Between an answer and the next ping, so that many connections are idle when a worker is told to end."""
PINGS_A_CONNECTION = 100
"""Then a client connects anew, so that connections spread over the workers again."""


class SteadyLoad(Load):
    """Clients that keep their connections, and tell how each request without an answer ended."""

    def __init__(self, product: Product) -> None:
        super().__init__(product.url, LINK, 10**9)
        self.refused = 0
        self.crossed = 0
        self.closed_in_order = 0
        """Answers that said `Connection: close`."""
        self.broken_ports: list[int] = []
        """Of clients whose connection broke with a request open."""

    async def _send(self, _: aiohttp.ClientSession, deadline: float) -> None:
        while len(self.acknowledged) < self._wanted and time.monotonic() < deadline:
            parts = urlsplit(self._url)
            try:
                reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            except OSError:
                self.refused += 1
                await asyncio.sleep(0.05)
                continue
            try:
                await self._use(reader, writer)
            finally:
                writer.close()

    async def _use(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for used in range(PINGS_A_CONNECTION):
            if len(self.acknowledged) >= self._wanted:
                return
            self._sent += 1
            click_id = f"load-{self._sent}"
            query = f"click_id={click_id}&device_ip=198.51.100.7&device_ua={UA}&click_timestamp={int(time.time())}"
            writer.write(f"GET /serve/{LINK}?{query}&noredirect HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            try:
                async with asyncio.timeout(15):
                    head = await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError, TimeoutError) as error:
                if used and not getattr(error, "partial", b""):
                    self.crossed += 1
                else:
                    self.broken += 1
                self.broken_ports.append(writer.get_extra_info("sockname")[1])
                return
            status = int(head.split(b" ", 2)[1])
            self.statuses[status] = self.statuses.get(status, 0) + 1
            if status != 204:
                return
            self.acknowledged.add(click_id)
            if b"\r\nconnection: close" in head.lower():
                self.closed_in_order += 1
                return
            await asyncio.sleep(THINK_S)


@pytest.fixture(params=["journal", pytest.param("kafka", marks=pytest.mark.kafka)])
def product(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Product]:
    settings = {"TOUCHLINE_WORKERS": str(WORKERS)}
    if request.param == "kafka":
        settings["TOUCHLINE_KAFKA"] = request.getfixturevalue("kafka")
        settings["TOUCHLINE_TOPIC_PREFIX"] = f"workers{time.time_ns() % 10**9}."
    product = Product(tmp_path / "product", **settings)
    product.start()
    yield product
    product.stop()


@pytest.mark.timeout(300)
def test_workers_restarted_one_by_one_refuse_and_lose_nothing_and_a_killed_one_breaks_only_its_own(
    product: Product,
) -> None:
    load = SteadyLoad(product)

    async def under_load() -> set[int]:
        running = asyncio.create_task(load.run(seconds=120))
        for worker in (*range(WORKERS), *range(WORKERS)):
            await load.further(500)
            await asyncio.to_thread(restart, product, worker)
        await load.further(500)
        assert (load.refused, load.broken, set(load.statuses)) == (0, 0, {204})
        assert load.closed_in_order > 10 * load.crossed
        load.broken_ports.clear()
        mine = await asyncio.to_thread(kill_busiest, product)
        await load.further(2000)
        load.enough()
        await running
        return mine

    mine = asyncio.run(under_load())
    assert load.refused == 0
    assert len(load.broken_ports) > 0
    assert set(load.broken_ports) <= mine
    assert set(load.statuses) == {204}

    def everything_stored() -> bool:
        facts = product.facts("verify", code=None)
        return bool(facts["unread_batches"] == 0 and facts["kafka_lag"] == 0)

    eventually(everything_stored, seconds=60, what=lambda: product.touchline("verify", code=None))
    rows = product.sql("SELECT click_id FROM touches WHERE click_id LIKE 'load-%'")
    stored = Counter(row["click_id"] for row in rows)
    assert load.acknowledged - set(stored) == set()
    assert [click_id for click_id, count in stored.items() if count > 1] == []
    assert product.facts("verify")["balanced"]


def test_what_waits_to_be_accepted_outlives_the_worker_that_could_have_taken_it(tmp_path: Path) -> None:
    product = Product(tmp_path / "product", TOUCHLINE_WORKERS=str(WORKERS))
    product.start()
    try:
        first, second = (product.children(f"edge --worker {worker}")[0] for worker in range(WORKERS))
        for pid in (first, second):
            os.kill(pid, signal.SIGSTOP)
        clients = [socket.create_connection(("127.0.0.1", product.port), timeout=10) for _ in range(50)]
        for client in clients:
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        os.kill(first, signal.SIGKILL)
        os.kill(second, signal.SIGCONT)
        answers = [client.recv(12) for client in clients]
        for client in clients:
            client.close()
        assert answers == [b"HTTP/1.1 404"] * 50
    finally:
        product.stop()


def test_the_only_worker_of_a_supervisor_is_restarted_without_a_refusal(tmp_path: Path) -> None:
    product = Product(tmp_path / "product")
    product.start()
    load = SteadyLoad(product)

    async def under_load() -> None:
        running = asyncio.create_task(load.run(seconds=60))
        await load.further(200)
        await asyncio.to_thread(restart, product, 0)
        await load.further(200)
        load.enough()
        await running

    try:
        asyncio.run(under_load())
        assert (load.refused, load.broken, set(load.statuses)) == (0, 0, {204})
        assert load.closed_in_order > 10 * load.crossed
    finally:
        product.stop()


def test_touchline_edge_keeps_its_workers_running_and_ends_them_in_order(tmp_path: Path, database_url: str) -> None:
    product = Product(tmp_path / "edge", TOUCHLINE_DATABASE_URL=database_url, TOUCHLINE_WORKERS=str(WORKERS))
    with product.log.open("ab") as log:
        parent = subprocess.Popen(
            [sys.executable, TOUCHLINE, "edge"], env=product.environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        for worker in range(WORKERS):
            eventually(lambda worker=worker: ready(product, worker), what=product.output)  # type: ignore[misc]
        pids = [product.children(f"edge --worker {worker}") for worker in range(WORKERS)]
        assert [len(found) for found in pids] == [1] * WORKERS
        assert parent.pid in product.children("edge")
        assert product.get("/")[0] == 404
        restart(product, 1)
        assert product.get("/")[0] == 404
    finally:
        parent.send_signal(signal.SIGTERM)
        assert parent.wait(30) == 0, product.output()
    assert product.children("edge") == []
    said = product.output()
    assert [said.count(f"edge {worker} INFO ended") for worker in range(WORKERS)] == [1, 2], said
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", product.port))


@pytest.mark.parametrize("product", ["journal"], indirect=True)
def test_a_changed_link_is_seen_by_every_worker(product: Product) -> None:
    """By its notice: without one the links are read again after 30 s."""
    connections = connection_to_each(product)
    try:
        for number in range(3):
            wanted = f"https://elsewhere.example.com/{number}"
            product.sql("UPDATE links SET targets = '[]', fallback_url = $2 WHERE id = $1", LINK, wanted)
            for connection in connections:
                until_it_leads_to(wanted, connection)
    finally:
        for connection in connections:
            connection.close()


def connection_to_each(product: Product) -> list[http.client.HTTPConnection]:
    """An open connection to every worker, in their order."""
    pids = [product.children(f"edge --worker {worker}")[0] for worker in range(WORKERS)]
    found: dict[int, http.client.HTTPConnection] = {}

    def one_more() -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", product.port, timeout=10)
        location(connection)
        port = connection.sock.getsockname()[1]
        (pid,) = (pid for pid in pids if port in clients_of(pid, product.port))
        if found.setdefault(pid, connection) is not connection:
            connection.close()
        return len(found) == WORKERS

    eventually(one_more, what=lambda: f"only {found} of {pids} take connections")
    return [found[pid] for pid in pids]


def until_it_leads_to(wanted: str, connection: http.client.HTTPConnection) -> None:
    eventually(lambda: location(connection) == wanted, seconds=10, what=lambda: location(connection))


def location(connection: http.client.HTTPConnection) -> str | None:
    """Where a person on this connection is sent to."""
    connection.request("GET", f"/c/{LINK}", headers={"User-Agent": "Desktop"})
    with connection.getresponse() as answer:
        answer.read()
        assert answer.status == 302
        return answer.headers["Location"]


def restart(product: Product, worker: int) -> None:
    """SIGTERM from outside; returns once its successor is ready."""
    (before,) = product.children(f"edge --worker {worker}")
    os.kill(before, signal.SIGTERM)
    eventually(lambda: product.children(f"edge --worker {worker}") not in ([], [before]), what=product.output)
    eventually(lambda: ready(product, worker), what=product.output)


def ready(product: Product, worker: int) -> bool:
    port = int(product.environment["TOUCHLINE_METRICS_PORT"]) + worker
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def kill_busiest(product: Product) -> set[int]:
    """SIGKILL of the worker with most connections; gives the ports of its clients."""
    pids = [pid for worker in range(WORKERS) for pid in product.children(f"edge --worker {worker}")]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    clients = {pid: clients_of(pid, product.port) for pid in pids}
    victim = max(pids, key=lambda pid: len(clients[pid]))
    os.kill(victim, signal.SIGKILL)
    for pid in pids:
        if pid != victim:
            os.kill(pid, signal.SIGCONT)
    return clients[victim]


def clients_of(pid: int, port: int) -> set[int]:
    """Client ports of the process's connections on a port."""
    sockets = {str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()}
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, *_, inode = line.split()[:10]
        if int(local.rpartition(":")[2], 16) == port and f"socket:[{inode}]" in sockets:
            found.add(int(remote.rpartition(":")[2], 16))
    return found


class FormerWorker:
    """A worker that wrote some batches, and is no more."""

    def __init__(self, data: Path, number: int) -> None:
        self.folder = data / "journals" / f"w{number}" / HITS
        self.journal = Journal(self.folder, HITS, bytes_max=10**9, done=lambda _: format.START, written=lambda _: None)

    async def write(self, *prefixes: str) -> None:
        """One batch a prefix."""
        self.journal.open()
        batcher = Batcher(HITS, self.journal, waits_for_kafka=lambda: False, flushed=lambda _: None)
        for prefix in prefixes:
            for hit in hits(5, prefix):
                batch = batcher.add(encode(hit), hit.link, received_us(hit.id))
            batcher.flush()
            assert batch is not None
            assert await batch.released
        await self.journal.close()


@pytest.fixture
async def data(tmp_path: Path) -> AsyncIterator[Path]:
    for number in range(3):
        await FormerWorker(tmp_path, number).write(f"w{number}a", f"w{number}b")
    yield tmp_path


async def taken_care_of(settings: Settings, folders: list[Path]) -> None:
    """Run until Kafka has every batch of the folders."""
    stop = asyncio.Event()
    shipping = asyncio.create_task(ship_leftovers(settings, 1, stop))
    async with asyncio.timeout(30):
        for folder in folders:
            end = format.read_end(folder)
            assert end is not None
            while format.published(folder / "shipped") < end.position:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    stop.set()
    await shipping


async def test_journals_of_former_workers_are_shipped(data: Path, mock_kafka: MockKafka) -> None:
    for topic in TOPICS:
        mock_kafka.create_topic(topic, PARTITIONS)
    settings = Settings.read({"TOUCHLINE_DATA": str(data), "TOUCHLINE_KAFKA": mock_kafka.bootstrap})
    assert leftovers(data, 1) == [1, 2]
    await taken_care_of(settings, [FormerWorker(data, number).folder for number in (1, 2)])
    assert (await arrived(mock_kafka.bootstrap))[0] == expected("w1a", "w1b", "w2a", "w2b")  # worker 0 ships its own


async def test_a_worker_that_still_runs_is_left_alone_until_it_has_ended(data: Path, mock_kafka: MockKafka) -> None:
    for topic in TOPICS:
        mock_kafka.create_topic(topic, PARTITIONS)
    settings = Settings.read({"TOUCHLINE_DATA": str(data), "TOUCHLINE_KAFKA": mock_kafka.bootstrap})
    still_running = FormerWorker(data, 1)
    still_running.journal.open()
    shipping = asyncio.create_task(taken_care_of(settings, [still_running.folder]))
    await asyncio.sleep(1.5)
    assert not shipping.done()
    await still_running.journal.close()
    await shipping


async def test_without_kafka_the_end_that_a_power_cut_took_back_is_published_again(data: Path) -> None:
    folder = FormerWorker(data, 2).folder
    end = format.read_end(folder)
    assert end is not None
    first, *_ = format.scan(format.segment_path(folder, format.segments(folder)[0]))
    (folder / "end").write_bytes(format.pack_end(format.End(first.next, first.number, first.boot)))
    stop = asyncio.Event()
    caring = asyncio.create_task(ship_leftovers(Settings.read({"TOUCHLINE_DATA": str(data)}), 1, stop))
    async with asyncio.timeout(10):
        while (now := format.read_end(folder)) is None or now.position < end.position:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    stop.set()
    await caring
    assert now.number == end.number
