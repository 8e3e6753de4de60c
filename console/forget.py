"""`touchline forget`: erase what belongs to a device, now and in what comes later."""

import sys
from collections import Counter
from typing import Annotated

import asyncpg
import typer
from rich.console import Console

from console.apps import no_such_app
from console.erasing import TABLES, Asked
from console.erasing import forget as erase
from console.forgetting import read_names
from process.terminal import Json, page, print_json, table, with_postgres
from schemas.errors import ConfigError, TouchlineError
from schemas.sql import load

Ids = Annotated[
    list[str],
    typer.Option(
        "--id",
        metavar="[KIND:]VALUE",
        help="google_aid, ios_ifa, oaid, windows_aid, android_id, ios_ifv, user_id, install_id or"
        " visitor_id, such as google_aid:38400000-…; digests as google_aid_sha1:…; a bare UUID is any advertising id."
        " Again for more.",
    ),
]


def forget(
    id: Ids,
    app: Annotated[str | None, typer.Option(help="Only what this app holds; all apps that exist without it.")] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Only what was received until now; without it, for ever.")
    ] = False,
    every_touch: Annotated[
        bool,
        typer.Option(
            "--every-touch", help="Read every touch, also those with `lmt=1`, which no key leads to. May take hours."
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing: say what would be erased.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; needed in scripts.")] = False,
    json: Json = False,
) -> None:
    """Erase a device: touches, installs, events, visits and rejects lose what identifies it; counts and money stay.

    An identifier is found as it is, by its SHA-1 and by its MD5, and so is what the installs that hold it call
    their device. It is permanent: later touches, installs and events of the device, and those that the log
    holds and nobody has read yet, are stored without identifiers, address, agent and parameters.
    docs/privacy.md says what is kept. Interrupted, it is simply started again.
    """
    if not (dry_run or yes) and (json or not sys.stdin.isatty()):
        raise ConfigError("--yes is missing: nobody can be asked here (--dry-run says what would be erased)")
    read_names(id, [app] if app else [])
    if not (dry_run or yes):
        _confirm()
    status = Console(stderr=True).status("looking …")
    seen: Counter[str] = Counter()

    def progress(what: str, rows: int) -> None:
        seen[what] += rows
        status.update(f"{what}: {seen[what]:,}")

    async def work(connection: asyncpg.Connection) -> Counter[str]:
        apps = [row["id"] for row in await connection.fetch(load("forget")["apps"], app)]
        if app is not None and not apps:
            raise no_such_app(app)
        asked = Asked(read_names(id, apps), tuple(apps), app is not None, once, every_touch)
        return await erase(connection, asked, apply=not dry_run, progress=progress)

    if sys.stderr.isatty():
        with status:
            counts = with_postgres(work)
    else:
        counts = with_postgres(work)
    rows = {name: counts[name] for name in TABLES}
    if json:
        print_json({"found": any(rows.values()), "dry_run": dry_run, "permanent": not once, "rows": rows})
    else:
        _print(rows, dry_run=dry_run, once=once)


def _confirm() -> None:
    try:
        if typer.confirm("This cannot be undone. Erase the device?", err=True):
            return
    except typer.Abort:
        pass
    raise TouchlineError("Nothing was erased.")


def _print(rows: dict[str, int], *, dry_run: bool, once: bool) -> None:
    out = page()
    if not any(rows.values()):
        out.print("Nothing of this device is stored.")
    else:
        out.print("Would be erased:\n" if dry_run else "Erased:\n")
        out.print(table(("table", "rows"), [(name, f"{count:,}") for name, count in rows.items()]))
    if not (dry_run or once):
        out.print("\nWhat comes of it from now on is stored without what identifies it.")
