"""`touchline bench edge|latency|pipeline|…`: each writes JSON and an HTML page."""

import importlib
import resource
import secrets
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from benchmarks.attribution.parameters import World
from benchmarks.attribution.plan import AttributionPlan, parse_grow
from benchmarks.errors import BenchError, Missing
from benchmarks.plan import RESULTS, Plan
from benchmarks.postbacks import PostbacksPlan
from benchmarks.skan import SkanPlan
from deploy.postgres import PostgresError
from deploy.topics import TopicsError
from schemas.errors import TouchlineError

PIPED_WIDTH = 110

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
bench = typer.Typer(no_args_is_help=True, help="Load benchmarks; each writes JSON and an HTML page.")
app.add_typer(bench, name="bench")

Duration = Annotated[int, typer.Option(min=1, max=3600, metavar="SECONDS", help="Seconds of load per row or rate.")]
Connections = Annotated[int, typer.Option(min=1, max=20_000, help="Keep-alive connections.")]
Rounds = Annotated[int, typer.Option(min=1, max=50, help="Short rounds, in which all rows take turns.")]
Rate = Annotated[int | None, typer.Option(min=1, help="Hits a second.")]
Target = Annotated[str | None, typer.Option(metavar="URL", help="Load a running deployment instead of an own one.")]
Link = Annotated[str | None, typer.Option(metavar="ID", help="The tracking link of --target to load.")]
Kafka = Annotated[str | None, typer.Option(metavar="BOOTSTRAP", help="Kafka for the own edge; else its journal.")]
Database = Annotated[str | None, typer.Option(metavar="URL", help="PostgreSQL of --target: to see its rows.")]
Scratch = Annotated[Path | None, typer.Option(help="Where the temporary folder is made: its disk is measured.")]
Results = Annotated[Path, typer.Option(help="Folder of the JSON and HTML files.")]


@bench.command()
def edge(
    duration: Duration = 30,
    connections: Connections = 512,
    rounds: Rounds = 3,
    rate: Rate = None,
    target: Target = None,
    link: Link = None,
    kafka: Kafka = None,
    scratch: Scratch = None,
    results: Results = RESULTS,
) -> None:
    """Closed loop: the most one edge acknowledges, beside nginx, FastAPI and a bare protocol.

    With --rate our own open loop sends at that rate instead of wrk.
    """
    _bench("edge", lambda: Plan(duration, connections, rounds, rate, target, link, kafka, None, scratch, results))


@bench.command()
def latency(
    duration: Duration = 20,
    connections: Connections = 512,
    rate: Rate = None,
    target: Target = None,
    link: Link = None,
    kafka: Kafka = None,
    broker_pid: Annotated[
        int | None,
        typer.Option(metavar="PID", help="A broker of --kafka to stop for the middle third of one more run."),
    ] = None,
    scratch: Scratch = None,
    results: Results = RESULTS,
) -> None:
    """Open loop: answer times at 25, 50 and 75 % of the peak, which is --rate or measured first."""
    _bench(
        "latency",
        lambda: Plan(
            duration, connections, 1, rate, target, link, kafka, None, scratch, results, broker_pid=broker_pid
        ),
    )


@bench.command()
def pipeline(
    duration: Duration = 15,
    connections: Connections = 256,
    rate: Rate = None,
    target: Target = None,
    link: Link = None,
    kafka: Kafka = None,
    database: Database = None,
    scratch: Scratch = None,
    results: Results = RESULTS,
) -> None:
    """The whole path at rising rates, or at --rate: from the ping to its row, and what is missing. Exit 1 if any is."""
    _bench("pipeline", lambda: Plan(duration, connections, 1, rate, target, link, kafka, database, scratch, results))


@bench.command()
def backlog(
    kafka: Annotated[str, typer.Option(metavar="BOOTSTRAP", help="Kafka that the backlog is shipped to.")],
    duration: Duration = 90,
    connections: Connections = 512,
    rate: Rate = None,
    hits: Annotated[int, typer.Option(min=1, help="How many wait in the journal.")] = 1_000_000,
    scratch: Scratch = None,
    results: Results = RESULTS,
) -> None:
    """Kafka comes back: how fast what waited is shipped beside live traffic of --rate, or 5 000 hits a second."""
    _bench("backlog", lambda: Plan(duration, connections, 1, rate, None, None, kafka, None, scratch, results, hits))


@bench.command()
def catch_up(
    kafka: Kafka = None,
    connections: Connections = 512,
    hits: Annotated[int, typer.Option(min=1, help="How many wait for the consumer.")] = 2_000_000,
    scratch: Scratch = None,
    results: Results = RESULTS,
) -> None:
    """How fast one touches consumer stores the hits that wait for it, in the journal or in Kafka."""
    _bench("catch_up", lambda: Plan(10, connections, 1, None, None, None, kafka, None, scratch, results, hits))


@bench.command()
def attribution(
    seed: Annotated[int | None, typer.Option(min=0, help="Of the simulated world; else a fresh one.")] = None,
    installs: Annotated[int, typer.Option(min=10, max=1_000_000, help="First launches of the world.")] = 20_000,
    touches: Annotated[int, typer.Option(min=100, max=20_000_000, help="Touches of the world.")] = 400_000,
    injections: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share of Play installs with an injected click; else the world's."),
    ] = None,
    speed: Annotated[bool, typer.Option(help="Also how fast, beside --grow touches.")] = False,
    grow: Annotated[str, typer.Option(metavar="MILLIONS", help="Touches beside which installs wait.")] = "1,5,20",
    waiting: Annotated[int, typer.Option(min=10, help="Installs that wait at each of these sizes.")] = 24_000,
    scratch: Scratch = None,
    results: Results = RESULTS,
) -> None:
    """A simulated world whose truth is known: how right attribution is; with --speed how fast beside millions."""

    def plan() -> AttributionPlan:
        world = World(seed=secrets.randbelow(2**32) if seed is None else seed, installs=installs, touches=touches)
        if injections is not None:
            world = msgspec.structs.replace(world, injection_share=injections)
        return AttributionPlan(world, parse_grow(grow) if speed else (), waiting, scratch, results)

    _bench("attribution", plan, "attribution.bench")


@bench.command()
def postbacks(
    postbacks: Annotated[int, typer.Option(min=1000, max=5_000_000, help="How many wait for the sender.")] = 150_000,
    rate: Annotated[int, typer.Option(min=10, help="Postbacks a second of the delays' part.")] = 400,
    duration: Annotated[int, typer.Option(min=1, max=600, metavar="SECONDS", help="Seconds of each round.")] = 12,
    rounds: Annotated[int, typer.Option(min=1, max=20, help="Rounds with a hanging partner, and as many without.")] = 3,
    scratch: Scratch = None,
    results: Results = RESULTS,
) -> None:
    """How many postbacks one sender on one core delivers, and how late others' come beside a hanging partner."""
    _bench("postbacks", lambda: PostbacksPlan(postbacks, rate, duration, rounds, scratch, results))


@bench.command()
def skan(
    postbacks: Annotated[int, typer.Option(min=1000, max=2_000_000, help="Different ones to send.")] = 60_000,
    kafka: Kafka = None,
    scratch: Scratch = None,
    results: Results = RESULTS,
) -> None:
    """How many of Apple's postbacks one edge takes and one consumer verifies."""
    _bench("skan", lambda: SkanPlan(postbacks, kafka, scratch, results))


def _bench(name: str, make_plan: Callable[[], object], module: str | None = None) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPED_WIDTH)
    _allow_connections()
    # ended by somebody else, it still ends its servers and removes its folder
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    try:
        plan = make_plan()
        # four times a second: drawing costs the load's core
        with Progress(*columns, console=console, transient=True, refresh_per_second=4) as progress:
            task = progress.add_task("starting …", total=1.0)
            report = importlib.import_module(f"benchmarks.{module or name}").run(
                plan, lambda what, share: progress.update(task, description=what, completed=share)
            )
    except (BenchError, Missing, TouchlineError, PostgresError, TopicsError) as error:
        sys.exit(f"touchline bench {name.replace('_', '-')}: {error}")
    written = report.write()
    report.print(console)
    for path in written:
        console.print(f"written: {path}", markup=False, soft_wrap=True)
    raise typer.Exit(1 if report.failed else 0)


def _allow_connections() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    app()
