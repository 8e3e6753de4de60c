"""`touchline edge`: the HTTP server."""

import typer

from ingest.app import run_edge
from process.life import run

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def _role() -> None:
    """The edge of Touchline."""


@app.command()
def edge() -> None:
    """Take clicks, impressions, installs and events over HTTP. Settings: see the README."""
    run("edge", run_edge)


if __name__ == "__main__":
    app()
