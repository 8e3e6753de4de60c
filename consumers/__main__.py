"""`touchline consume touches|attribution|skan|rejects|postbacks`, `touchline replay` and `touchline reprice`."""

import asyncio

import typer

from consumers.app import run_consumer
from consumers.attribution.replay_command import replay_command
from consumers.costs.reprice_command import reprice_command
from consumers.outcomes.role import run_postbacks
from process.life import run
from process.terminal import Command, run_app
from schemas.settings import Settings
from schemas.topics import Consumer

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
consume = typer.Typer(no_args_is_help=True, help="Read the log into Postgres.")
app.add_typer(consume, name="consume")
app.command("replay", cls=Command)(replay_command)
app.command("reprice", cls=Command)(reprice_command)


def _start(consumer: Consumer) -> None:
    async def main(settings: Settings, stop: asyncio.Event) -> None:
        await run_consumer(consumer, settings, stop)

    run(consumer, main)


@consume.command()
def touches() -> None:
    """Hits become rows of `touches`."""
    _start("touches")


@consume.command()
def attribution() -> None:
    """Installs and events become rows, and installs are decided."""
    _start("attribution")


@consume.command()
def skan() -> None:
    """Postbacks of Apple's devices are verified, and counted once."""
    _start("skan")


@consume.command()
def rejects() -> None:
    """What the edge refused, with its reasons."""
    _start("rejects")


@consume.command()
def postbacks() -> None:
    """What follows from decisions: costs, and postbacks to partners."""
    run("postbacks", run_postbacks)


if __name__ == "__main__":
    run_app(app)
