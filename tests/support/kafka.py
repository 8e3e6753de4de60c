"""Real Apache Kafka brokers for tests: one shared by the session, or one or three to break on purpose."""

from __future__ import annotations

import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.maven import jars, java

PROJECT = Path(__file__).parents[2] / "deploy" / "kafka"
OR_RUNNING = ", or set TOUCHLINE_TEST_KAFKA to a running broker's host:port"
START_TIMEOUT_S = 90.0


class BrokerFailed(Exception):
    """A broker could not be started; the message ends with the last lines of the log."""


# Brokers must not outlive pytest, however it ends. The parent of that signal is the *thread* that
# started them, so all are started by one thread that lives as long as the interpreter.
DIE_WITH_PARENT = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)  # PR_SET_PDEATHSIG, SIGKILL
if os.getppid() != int(sys.argv[1]):
    sys.exit("the tests ended before the broker began")
os.execv(sys.argv[2], sys.argv[2:])
"""
_launcher = ThreadPoolExecutor(1, thread_name_prefix="kafka-launcher")

JVM_FLAGS = (
    "-Xmx512m",
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-XX:-UsePerfData",
    "-Dlog4j2.level=INFO",
)

# {n}: node id · {port}, {controller_port}: its own · {voters}: all · {copies}, {insync}: 1 and 1, or 3 and 2.
# Sessions and lags are shorter than Kafka's so that a test sees a dead broker replaced in about two seconds.
PROPERTIES = """\
process.roles=broker,controller
node.id={n}
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
log.dirs={data}

auto.create.topics.enable=false
unclean.leader.election.enable=false
default.replication.factor={copies}
min.insync.replicas={insync}
offsets.topic.replication.factor={copies}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr={insync}
transaction.state.log.num.partitions=2
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000

broker.heartbeat.interval.ms=300
broker.session.timeout.ms=2000
replica.lag.time.max.ms=5000
log.segment.bytes=16777216
log.index.size.max.bytes=1048576
log.cleaner.dedupe.buffer.size=4194304
num.network.threads=2
num.io.threads=4
"""


class KafkaCluster:
    """One or three KRaft brokers, each also a controller, on free ports of 127.0.0.1.

    `n` is a broker's node id, from 0. Data and logs stay in `folder`, so that a
    broker that was killed comes back with what it had on disk.
    """

    def __init__(self, folder: Path, brokers: int = 1) -> None:
        self.folder = folder
        self.brokers = brokers
        self._ports = free_ports(2 * brokers)
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._paused: set[int] = set()

    @property
    def bootstrap(self) -> str:
        return ",".join(f"127.0.0.1:{port}" for port in self._ports[: self.brokers])

    def start(self) -> None:
        """Starts the brokers that do not run, resumes the paused ones; waits until the started serve."""
        if not (self.folder / "data").exists():
            self._format()
        for n in tuple(self._paused):
            self.resume(n)
        read_from = {n: self._launch(n) for n in range(self.brokers) if not self._alive(n)}
        deadline = time.monotonic() + START_TIMEOUT_S
        for n, offset in read_from.items():
            self._await_started(n, offset, deadline)

    def stop(self) -> None:
        """Kills all: an orderly shutdown of a quorum waits for members that are leaving too."""
        for n in tuple(self._running):
            self.kill(n)

    def kill(self, n: int) -> None:
        process = self._running.pop(n)
        process.kill()
        process.wait()
        self._paused.discard(n)

    def restart(self, n: int) -> None:
        """Kills broker `n` if it runs, starts it on its old port and data, waits until it serves clients."""
        if n in self._running:
            self.kill(n)
        self._await_started(n, self._launch(n), time.monotonic() + START_TIMEOUT_S)

    def pause(self, n: int) -> None:
        """Freezes broker `n`: its connections stay open and nobody answers on them."""
        self._running[n].send_signal(signal.SIGSTOP)
        self._paused.add(n)

    def resume(self, n: int) -> None:
        self._running[n].send_signal(signal.SIGCONT)
        self._paused.discard(n)

    def _alive(self, n: int) -> bool:
        return n in self._running and self._running[n].poll() is None

    def _log(self, n: int) -> Path:
        return self.folder / f"broker-{n}.log"

    def _format(self) -> None:
        cluster_id = new_cluster_id()
        controllers = self._ports[self.brokers :]
        formatting = []
        for n in range(self.brokers):
            properties = self.folder / f"broker-{n}.properties"
            values = {
                "n": n,
                "port": self._ports[n],
                "controller_port": controllers[n],
                "voters": ",".join(f"{i}@127.0.0.1:{port}" for i, port in enumerate(controllers)),
                "data": self.folder / "data" / str(n),
                "copies": 3 if self.brokers >= 3 else 1,
                "insync": 2 if self.brokers >= 3 else 1,
            }
            properties.write_text(PROPERTIES.format_map(values))
            command = ("kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(properties))
            formatting.append(self._java(n, *command))
        for n, process in enumerate(formatting):
            if process.wait(START_TIMEOUT_S):
                raise BrokerFailed(f"broker {n} could not be formatted\n{tail(self._log(n))}")

    def _launch(self, n: int) -> int:
        """Starts broker `n`; returns the length its log had before."""
        log = self._log(n)
        before = log.stat().st_size if log.exists() else 0
        self._running[n] = self._java(n, "kafka.Kafka", str(self.folder / f"broker-{n}.properties"))
        return before

    def _java(self, n: int, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-I", "-S", "-c", DIE_WITH_PARENT, str(os.getpid())]
        lib = jars(PROJECT, OR_RUNNING)
        command += [java(OR_RUNNING), *JVM_FLAGS, "-cp", f"{lib}/*", *arguments]
        with self._log(n).open("ab") as log:
            return _launcher.submit(
                subprocess.Popen,
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            ).result()

    def _await_started(self, n: int, offset: int, deadline: float) -> None:
        # Kafka writes this line once the controller has unfenced the broker: from then on it serves clients.
        while b"Kafka Server started" not in self._log(n).read_bytes()[offset:]:
            if not self._alive(n):
                raise BrokerFailed(f"broker {n} ended while starting\n{tail(self._log(n))}")
            if time.monotonic() > deadline:
                raise BrokerFailed(f"broker {n} did not start in {START_TIMEOUT_S:g} s\n{tail(self._log(n))}")
            time.sleep(0.05)


def tail(log: Path, lines: int = 30) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def new_cluster_id() -> str:
    # Kafka wants 16 bytes in 22 characters; a leading dash would be read as an option.
    return urlsafe_b64encode(uuid.uuid4().bytes).decode()[:22].replace("-", "x").replace("_", "y")


def free_ports(count: int) -> list[int]:
    """Free ports of 127.0.0.1 below those the kernel hands out.

    A client that keeps dialling a dead broker's port from that range ends up
    connected to itself, and the broker cannot have its port back.
    """
    ports: list[int] = []
    candidates = random.SystemRandom().sample(range(20_000, 32_000), 500)
    for port in candidates:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == count:
            return ports
    raise BrokerFailed(f"fewer than {count} free ports between 20000 and 32000")


@contextmanager
def running(folder: Path, brokers: int) -> Iterator[KafkaCluster]:
    cluster = KafkaCluster(folder, brokers)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder / "data", ignore_errors=True)  # the logs stay for the reader of a failure


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap address of one broker, shared by the session: give every topic a `topic_prefix`."""
    if given := os.environ.get("TOUCHLINE_TEST_KAFKA"):
        yield given
        return
    with running(tmp_path_factory.mktemp("kafka"), brokers=1) as cluster:
        yield cluster.bootstrap


@pytest.fixture(scope="session")
def kafka_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], KafkaCluster]]:
    """Three brokers to break: the first call starts them, every later one mends what tests broke.

    Always own brokers, TOUCHLINE_TEST_KAFKA or not: nobody kills those of somebody else.
    """
    with ExitStack() as stack:
        clusters: list[KafkaCluster] = []

        def mended() -> KafkaCluster:
            if clusters:
                clusters[0].start()
            else:
                clusters.append(stack.enter_context(running(tmp_path_factory.mktemp("kafka-3"), brokers=3)))
            return clusters[0]

        yield mended


@pytest.fixture
def lone_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """One broker of this test's own, to break."""
    with running(tmp_path_factory.mktemp("kafka-1"), brokers=1) as cluster:
        yield cluster


@pytest.fixture
def topic_prefix() -> str:
    """Keeps the topics of one test apart from all others on the shared broker."""
    return f"t{secrets.token_hex(4)}."
