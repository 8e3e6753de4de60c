"""`touchline up`: the whole product on one machine, under one supervisor."""

import asyncio
import errno
import fcntl
import logging
import os
import time
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from deploy import kafka_log
from deploy.children import Child, end_all
from deploy.demo import create_demo, requests_to_try
from deploy.migrate import first_token, migrate, said_of
from deploy.postgres import Postgres, PostgresError
from deploy.topics import TopicsError
from deploy.workers import bound_socket, workers
from process.life import sleep_unless
from process.postgres import AWAY
from schemas.errors import ConfigError, TouchlineError
from schemas.ports import PORTS
from schemas.settings import Settings
from schemas.skan.ads import signing_keys
from schemas.skan.keys import AppleKeys

log = logging.getLogger(__name__)

ROLES = ("console", "consume touches", "consume attribution", "consume skan", "consume rejects", "consume postbacks")
READY_PATIENCE_S = 60.0
WATCH_S = 1.0
KAFKA_PATIENCE_MS = 10_000

_background: set[asyncio.Task[None]] = set()


async def up(settings: Settings, stop: asyncio.Event, *, demo: bool, started_at: float) -> None:
    """Postgres, migrations, edge, consumers, console; until `stop`, then the other way round."""
    console = Console(soft_wrap=True, highlight=False)
    settings = replace(settings, data=settings.data.absolute())
    # the roles would refuse them one by one, again and again
    AppleKeys(settings.skan_keys)
    signing_keys(settings.skan_networks)
    lock = _lock(settings.data)
    postgres = None if settings.database_url else Postgres(settings.own_postgres())
    edges: list[Child] = []
    others: list[Child] = []
    bound = None
    try:
        with console.status("Starting Postgres …") as status:
            if postgres is not None:
                await asyncio.to_thread(_start, postgres)
            status.update("Preparing the tables …")
            await _migrate_patiently(console, settings, stop)
            if settings.kafka:
                status.update("Preparing Kafka's topics …")
                await _prepare_topics(settings, stop)
            if demo:
                await create_demo(settings)
            status.update("Starting the edge, the consumers and the console …")
            environment = {**os.environ, "TOUCHLINE_DATA": str(settings.data)}
            bound = await bound_socket(settings, stop)
            edges = workers(settings, bound, environment)
            others = [Child(role, environment) for role in ROLES]
            for child in (*edges, *others):
                child.start()
            ready = await _until_ready(settings, stop)
        if ready:
            _print_welcome(console, settings, demo=demo, seconds=time.monotonic() - started_at)
        await _watch(postgres, stop)
    except (PostgresError, TopicsError) as error:
        raise TouchlineError(str(error)) from None
    finally:
        console.print("Stopping …")
        # the edge first, so that nothing new comes; then the console and the consumers; Postgres when nobody needs it
        if bound is not None:
            bound.close()
        await end_all(edges)
        for child in others:
            await child.end()
        if postgres is not None:
            await asyncio.to_thread(postgres.stop)
        os.close(lock)
        console.print("Stopped; everything is kept.")


def _lock(data: Path) -> int:
    try:
        data.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(data / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise ConfigError(f"the data folder {data} is not usable: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        owner = os.pread(descriptor, 20, 0).decode().strip() or "unknown"
        os.close(descriptor)
        raise ConfigError(
            f"another Touchline is already running on {data} (process {owner});"
            " stop it first or choose another folder with --data."
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def _start(postgres: Postgres) -> None:
    postgres.start()


async def _migrate_patiently(console: Console, settings: Settings, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            for name in await migrate(settings):
                log.info("migration %s applied", name)
            if (token := await first_token(settings)) is not None:
                console.print(said_of(token), markup=False)
            return
        except AWAY as error:
            log.warning("Postgres is away (%s), trying again", error or type(error).__name__)
            await sleep_unless(stop, 1.0)


async def _prepare_topics(settings: Settings, stop: asyncio.Event) -> None:
    """Now if Kafka is there, else as soon as it is: until then the journal carries everything."""
    try:
        await kafka_log.prepare(settings, wait_ms=KAFKA_PATIENCE_MS)
        return
    except TopicsError as error:
        log.warning("%s The journal carries everything until it is back.", error)

    async def later() -> None:
        while not stop.is_set():
            try:
                await kafka_log.prepare(settings)
                return
            except (TopicsError, *AWAY) as error:
                log.warning("Kafka's topics: %s", error)
                await sleep_unless(stop, 5.0)

    _background.add(task := asyncio.create_task(later()))
    task.add_done_callback(_background.discard)


async def _until_ready(settings: Settings, stop: asyncio.Event) -> bool:
    """Whether every process says /readyz in time."""
    waiting = {*range(settings.workers), *(PORTS[role.split()[-1]] for role in ROLES)}
    deadline = time.monotonic() + READY_PATIENCE_S
    while waiting and not stop.is_set():
        for offset in sorted(waiting):
            if await asyncio.to_thread(_answers, settings, settings.metrics_port + offset, "/readyz"):
                waiting.discard(offset)
        if time.monotonic() > deadline:
            log.error("not ready after %.0f s; see the messages above", READY_PATIENCE_S)
            return False
        await sleep_unless(stop, 0.05)
    return not stop.is_set()


def _answers(settings: Settings, port: int, path: str) -> bool:
    try:
        address = settings.address("127.0.0.1")
        host = f"[{address}]" if ":" in address else address
        with urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


async def _watch(postgres: Postgres | None, stop: asyncio.Event) -> None:
    while not await sleep_unless(stop, WATCH_S):
        if postgres is not None and not postgres.alive():
            log.error("Postgres ended, starting it again")
            try:
                await asyncio.to_thread(_start, postgres)
            except PostgresError as error:
                log.error("%s", error)
                await sleep_unless(stop, 5.0)


def _print_welcome(console: Console, settings: Settings, *, demo: bool, seconds: float) -> None:
    log_name = f"Kafka {settings.kafka}" if settings.kafka else f"the journals under {settings.data}"
    console.print(f"\n[bold]Touchline is ready[/bold] after {seconds:.1f} s.")
    console.print(f"  edge      {settings.printed_url()}")
    console.print(f"  console   http://localhost:{settings.console_port}/api/v1/openapi.json")
    console.print(f"  metrics   http://localhost:{settings.metrics_port}/metrics and following ports")
    console.print(f"  log       {log_name}")
    if demo:
        console.print("\nTry it:")
        for what, line in requests_to_try(settings):
            console.print(f"\n# {what}", style="dim")
            console.print(line, markup=False)
        console.print("\nThen, with the install_id of the last answer: [bold]touchline explain INSTALL_ID[/bold]")
    else:
        console.print(f"\n  a link    {settings.printed_url()}/serve/{{id}}; make one: touchline link create --help")
    console.print("\nCtrl-C stops it; the data stays.\n")
