"""What a run was asked to do."""

import os
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import BenchError

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Plan:
    """The options of one run; seconds are per row or rate."""

    duration_s: int
    connections: int
    rounds: int = 1
    rate: int | None = None
    target: str | None = None
    link: str | None = None
    kafka: str | None = None
    database: str | None = None
    scratch: Path | None = None
    results: Path = RESULTS
    hits: int = 1_000_000
    """How many wait, for `backlog`."""
    broker_pid: int | None = None
    """A broker of --kafka that `latency` stops for a while."""

    def __post_init__(self) -> None:
        if self.target and not self.link:
            raise BenchError("--target loads a link of a running deployment: name one with --link ID.")
        if self.target and self.kafka:
            raise BenchError("--kafka is for the own edge; a --target has its log already.")
        if self.link and not self.target:
            raise BenchError("--link is a link of --target; the own edge has links of its own.")
        if self.broker_pid and not self.kafka:
            raise BenchError("--broker-pid is a process of --kafka: name its bootstrap servers too.")
        if self.database and not self.target:
            raise BenchError("--database is the database of --target; the own deployment has its own.")

    def settings(self) -> dict[str, object]:
        """What belongs beside the figures; addresses with passwords do not."""
        return {
            "duration_s": self.duration_s,
            "connections": self.connections,
            "rounds": self.rounds,
            "rate": self.rate,
            "target": self.target,
            "log": "the target's" if self.target else "Kafka" if self.kafka else "journal",
        }


@dataclass(frozen=True, slots=True)
class Cores:
    """The server under test alone on the first core, everything else on the others."""

    server: frozenset[int]
    load: frozenset[int]
    pinned: bool

    @classmethod
    def share(cls) -> "Cores":
        """Of the cores this process may use; one core is shared by both."""
        usable = sorted(os.sched_getaffinity(0))
        if len(usable) < 2:
            return cls(frozenset(usable), frozenset(usable), pinned=False)
        return cls(frozenset(usable[:1]), frozenset(usable[1:]), pinned=True)

    def facts(self) -> dict[str, object]:
        return {"pinned": self.pinned, "server_cores": sorted(self.server), "load_cores": sorted(self.load)}
