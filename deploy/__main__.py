"""The `touchline` command: its own sub-commands, and the way to those of the other folders."""

import asyncio
import os
import runpy
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from schemas.errors import TouchlineError
from schemas.settings import Settings

T = TypeVar("T")

ELSEWHERE = {
    "edge": ("ingest", "Take clicks, impressions, installs and events over HTTP."),
    "consume": ("consumers", "Read the log into Postgres: touches, attribution, skan, rejects; send postbacks."),
    "partner-profile": ("console", "Ad networks: the macros of their addresses, their postbacks."),
    "console": ("console", "Serve the management API."),
    "app": ("console", "Create, change, list and show apps."),
    "partner": ("console", "Create, change, list and show partners."),
    "campaign": ("console", "Create, change, list and show campaigns."),
    "link": ("console", "Create, change, list and show tracking links."),
    "token": ("console", "Create, rotate and revoke tokens of the management API."),
    "test-device": ("console", "Devices for trying things out: in no report and no money."),
    "tariff": ("console", "Create, list, end and delete tariffs: how campaigns are paid for."),
    "correction": ("console", "Create, list and delete corrections of what campaigns cost."),
    "rate": ("console", "Set, load and list daily rates of currencies."),
    "postback-template": ("console", "What partners, or you, are told of installs and events."),
    "postback": ("console", "What partners were told and answered; send it once more."),
    "skan": ("console", "SKAdNetwork and AdAttributionKit: sign ads, see and count Apple's postbacks."),
    "explain": ("console", "Why an install was attributed as it was."),
    "replay": ("consumers", "Decide installs again by today's rules, or by others, and show what would change."),
    "reprice": ("consumers", "Price a campaign's past by its tariffs of today, and show what would change."),
    "tail": ("console", "Hits and rejects as they come: did my ping arrive?"),
    "status": ("console", "Lag, journals and rates of every role."),
    "verify": ("console", "The accounting: received = stored + rejected; exit 1 when something is missing."),
    "forget": ("console", "Erase what belongs to a device, now and in what comes later."),
    "bench": (
        "benchmarks",
        "Benchmarks: edge, latency, pipeline, backlog, catch-up, attribution, postbacks, skan; JSON and an HTML page.",
    ),
}
"""Command → the folder whose `__main__` has it. They never import each other; this process becomes theirs."""

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Records ad clicks and impressions, never loses one it has acknowledged,"
    " and tells for every app install which touch caused it and why.",
)


def main() -> None:
    """Entry point of `touchline`."""
    if len(sys.argv) > 1 and sys.argv[1] in ELSEWHERE:
        runpy.run_module(ELSEWHERE[sys.argv[1]][0], run_name="__main__", alter_sys=False)
        return
    app()


@app.command()
def up(
    data: Annotated[Path | None, typer.Option(help="Folder for everything that is kept.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Create a demo app and link, print requests to try.")] = False,
) -> None:
    """Postgres, migrations, edge, consumers and console on this machine; Ctrl-C stops them in order."""
    started_at = time.monotonic()
    from deploy.up import up as run_up
    from process.life import run

    if data is not None:
        os.environ["TOUCHLINE_DATA"] = str(data)
    run("up", lambda settings, stop: run_up(settings, stop, demo=demo, started_at=started_at))


@app.command()
def migrate() -> None:
    """Create or upgrade the tables; the first time, print an admin token of the management API."""
    from deploy.migrate import first_token, said_of
    from deploy.migrate import migrate as run_migrate

    applied = _run(run_migrate(_settings()))
    typer.echo("\n".join(f"applied {name}" for name in applied) or "nothing to do")
    if (token := _run(first_token(_settings()))) is not None:
        typer.echo(said_of(token))


@app.command()
def topics(
    partitions: Annotated[int, typer.Option(min=1, help="Of topics that are created now.")] = 6,
    renew: Annotated[bool, typer.Option("--renew", help="The topics were made anew: forget old positions.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print facts as JSON.")] = False,
) -> None:
    """Create Kafka's topics and say where they are weaker than promised."""
    import orjson

    from deploy.kafka_log import prepare

    settings = _settings()
    if not settings.kafka:
        sys.exit("touchline topics: TOUCHLINE_KAFKA is empty: the journal is the log, there are no topics.")
    reports = _run(prepare(settings, partitions=partitions, renew=renew))
    if json:
        facts = [
            {
                "topic": r.topic,
                "created": r.created,
                "partitions": r.partitions,
                "replication": r.replication,
                "min_insync_replicas": r.insync_min,
                "weaknesses": r.weaknesses,
            }
            for r in reports
        ]
        typer.echo(orjson.dumps(facts, option=orjson.OPT_INDENT_2).decode())
        return
    for report in reports:
        made = "created" if report.created else "exists"
        typer.echo(f"{report.topic}: {made}, {report.partitions} partitions, replication {report.replication}")
        for weakness in report.weaknesses:
            typer.echo(f"  weaker than promised: {weakness}")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(context: typer.Context) -> None:
    """Open the product's database; further arguments go to psql."""
    from deploy.cluster import binaries
    from deploy.postgres import PostgresError

    settings = _settings()
    try:
        url = settings.postgres_url()
        program = binaries() / "psql"
    except (TouchlineError, PostgresError) as error:
        sys.exit(f"touchline psql: {error}")
    os.execv(program, [str(program), url, *context.args])


def _settings() -> Settings:
    try:
        return Settings.read(os.environ)
    except TouchlineError as error:
        sys.exit(f"touchline: {error}")


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except (TouchlineError, OSError) as error:
        sys.exit(f"touchline: {error}")


def _elsewhere(name: str, help: str) -> None:
    @app.command(name, help=help, add_help_option=False)
    def _listed() -> None:
        raise AssertionError("main() goes to the other folder before typer is asked")


for _name, (_, _help) in ELSEWHERE.items():
    _elsewhere(_name, _help)


if __name__ == "__main__":
    main()
