"""`touchline edge`: the HTTP server, one process or several on one socket."""

import os
import runpy
from typing import Annotated

import typer

from process.life import run
from schemas.errors import ConfigError
from schemas.settings import Settings

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def _role() -> None:
    """The edge of Touchline."""


@app.command()
def edge(
    worker: Annotated[int | None, typer.Option(min=0, hidden=True)] = None,
    listen_fd: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Take clicks, impressions, installs and events over HTTP. Settings: see the README."""
    if worker is None and _workers() > 1:
        # the supervisor's folder; they never import each other: this process becomes theirs
        runpy.run_module("deploy.workers", run_name="__main__")
        return
    from ingest.app import run_edge

    name = "edge" if worker is None else f"edge {worker}"
    run(name, lambda settings, stop: run_edge(settings, stop, worker or 0, listen_fd))


def _workers() -> int:
    try:
        return Settings.read(os.environ).workers
    except ConfigError:
        return 1  # whatever it is, `run` says it


if __name__ == "__main__":
    app()
