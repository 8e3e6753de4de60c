"""Processes that fill the table of touches by COPY, copy after copy of a world, each with half of the work."""

import asyncio
import heapq
import multiprocessing
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from multiprocessing.connection import Connection, wait
from typing import NamedTuple

import asyncpg

from benchmarks.attribution import copies
from benchmarks.attribution.parameters import World
from benchmarks.attribution.shapes import shapes
from benchmarks.attribution.world import background
from benchmarks.errors import BenchError
from consumers.touches import copying
from consumers.touches.country import open_countries
from process.postgres import connect
from schemas.events import Install
from schemas.settings import Settings

BATCH = 10_000
WORKERS = 2

Stored = Callable[[int], None]
"""Says how many touches are stored in all."""


class Work(NamedTuple):
    """What every worker knows."""

    settings: Settings
    world: World
    """`touches` of it stand in one copy."""
    owners: Mapping[str, tuple[str, str]]
    """Link → (partner, campaign)."""
    installs: tuple[int, ...]
    """Of each copy."""


class Growers:
    """Workers that wait between orders, so that they cost nothing while time is taken."""

    def __init__(self, work: Work) -> None:
        self._copies = 0
        self._work = work
        self._stored = 0
        spawn = multiprocessing.get_context("spawn")  # this process has threads
        self._pipes: list[Connection] = []
        self._processes = []
        for number in range(WORKERS):
            ours, theirs = spawn.Pipe()
            process = spawn.Process(target=_serve, args=(theirs, work, number), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def grow(self, number: int, stored: Stored) -> list[list[Install]]:
        """Store copies until there are so many; gives the installs of the new ones. Raises BenchError."""
        wanted = range(self._copies, number)
        for pipe in self._pipes:
            pipe.send(wanted)
        found: dict[int, list[Install]] = {}
        busy = list(self._pipes)
        while busy:
            for ready in wait(busy):
                assert isinstance(ready, Connection)
                try:
                    said = ready.recv()
                except EOFError:
                    raise BenchError("a process that fills the table has died") from None
                if said is None:
                    busy.remove(ready)
                elif isinstance(said, int):
                    self._stored += said
                    stored(self._stored)
                else:
                    found |= said
        self._copies = number
        return [found[copy] for copy in wanted]

    def end(self) -> None:
        """Ask them to go, and wait until they have."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(10)
            if process.is_alive():
                process.kill()


@contextmanager
def growers(work: Work) -> Iterator[Growers]:
    """Gone at the end."""
    made = Growers(work)
    try:
        yield made
    finally:
        made.end()


def _serve(pipe: Connection, work: Work, number: int) -> None:
    """A worker's life: its half of the background is made once, and kept."""
    asyncio.run(_Worker(pipe, work, number).run())


class _Worker:
    def __init__(self, pipe: Connection, work: Work, number: int) -> None:
        self._pipe, self._work, self._number = pipe, work, number
        self._countries = open_countries()
        self._shapes = shapes()
        self._ends = {link: copying.owners(*owner) for link, owner in work.owners.items()}
        self._kept: list[copies.Kept] = []

    async def run(self) -> None:
        connection: asyncpg.Connection = await connect(self._work.settings)
        try:
            while True:
                try:
                    wanted: range = self._pipe.recv()
                except EOFError:
                    return
                await self._store(connection, wanted)
                self._pipe.send(None)
        finally:
            await connection.close()

    async def _store(self, connection: asyncpg.Connection, wanted: range) -> None:
        """This worker's half of the copies' background, and the stories of every other copy, by arrival: so that what
        arrived together stands together."""
        if not self._kept:
            self._make()
        told: list[Iterator[tuple[int, str, bytes]]] = []
        for copy in wanted:
            if copy % WORKERS == self._number:
                work = self._work
                touches, installs = copies.stories(work.world, self._shapes, copy, work.installs[copy])
                told.append(copies.story_rows(touches, self._countries))
                self._pipe.send({copy: installs})
        background = ((kept.arrives_us, kept.link, copies.row(kept, copy)) for kept in self._kept for copy in wanted)
        rows = heapq.merge(background, *told, key=lambda one: one[0])
        while batch := list(islice(rows, BATCH)):
            await self._copy(connection, [(row, self._ends[link]) for _, link, row in batch])
            self._pipe.send(len(batch))

    def _make(self) -> None:
        world = self._work.world
        count = world.touches // WORKERS
        made = background(world, self._shapes, count, part=f"background {self._number}")
        self._kept = sorted(copies.keep(touch, self._countries) for touch in made)

    async def _copy(self, connection: asyncpg.Connection, rows: list[tuple[bytes, bytes]]) -> None:
        async def source() -> AsyncIterator[bytes]:
            for piece in copying.pieces(rows):
                yield piece

        await connection.copy_to_table("touches", source=source(), columns=copying.COLUMNS, format="binary")
