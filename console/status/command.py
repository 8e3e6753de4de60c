"""`touchline status`."""

import asyncio

import typer

from process.terminal import Json, page, print_json, settings


def status(json: Json = False) -> None:
    """Is all well? Postgres, the log, what is unread and how old it is, rates, and every process of this host.

    What cannot be reached is said, not an error. Exit code 0 when Postgres, the log, the edge and the
    consumers of this host all answer that they are ready, 1 otherwise.
    """
    # here, because the other commands shall not wait for what only this one needs: a fifth of a second
    from console.status.gather import gather
    from console.status.page import show

    facts = asyncio.run(gather(settings()))
    if json:
        print_json(facts)
    else:
        show(page(), facts)
    raise typer.Exit(0 if facts["ready"] else 1)
