"""`python -m benchmarks.attribution --seed 1 --installs 1000`: what a simulated world holds."""

import time
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.attribution.describe import tables
from benchmarks.attribution.parameters import World
from benchmarks.attribution.world import build


def main(
    seed: Annotated[int, typer.Option(help="Of every draw.")] = 1,
    installs: Annotated[int, typer.Option(min=1, max=1_000_000, help="First launches.")] = 1000,
    touches: Annotated[int | None, typer.Option(min=0, help="Touches in all; else twenty for each install.")] = None,
) -> None:
    """Build a world and describe it."""
    started = time.perf_counter()
    history = build(World(seed=seed, installs=installs, touches=20 * installs if touches is None else touches))
    console = Console()
    for table in tables(history):
        console.print(table)
    console.print(f"{len(history.touches)} touches in {time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    typer.run(main)
