"""`touchline link import` and `touchline link export`: links by the file."""

import sys
from pathlib import Path
from typing import Annotated

import asyncpg
import msgspec
import typer

from console.links import links
from console.links_csv import parse, print_rows
from console.manage.bulk_links import WrongFile, export_links, import_links
from console.manage.common import shell_user
from process.terminal import Command, Json, complain, page, print_json, with_postgres
from schemas.errors import ConfigError

WRONG_SHOWN = 20


@links.command("import", cls=Command)
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="UTF-8, the first line names the columns.")],
    json: Json = False,
) -> None:
    """Create links from a CSV file: all of them, or none and every mistake by its line and column.

    `touchline link export` prints a file with all columns. Only `app` is needed; an empty `id` gets a random number,
    and a vendor's id is kept. Campaigns and partners are created on first mention. 100 000 links at most.
    """
    try:
        text = file.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is no UTF-8: byte {error.start}") from None
    rows, wrong = parse(text)
    try:
        if wrong:
            raise WrongFile(wrong)
        made = with_postgres(lambda connection: import_links(connection, shell_user(), rows))
    except WrongFile as error:
        for one in error.wrong[:WRONG_SHOWN]:
            column = f", column {one.column}" if one.column else ""
            complain("touchline link import", f"{file.name}, line {one.line}{column}: {one.sentence}")
        more = len(error.wrong) - WRONG_SHOWN
        complain("touchline link import", f"Nothing was imported{f'; {more} more mistakes' if more > 0 else ''}.")
        raise typer.Exit(2) from None
    if json:
        print_json(msgspec.to_builtins(made))
        return
    page().print(f"Imported {made.links} links.")
    for name, new in (("campaigns", made.campaigns), ("partners", made.partners)):
        if new:
            page().print(f"New {name}: {', '.join(new)}")


@links.command("export", cls=Command)
def export(app: Annotated[str | None, typer.Option(help="Only links of this app.")] = None) -> None:
    """Print every link that is not deleted as CSV, which `touchline link import` reads."""

    async def work(connection: asyncpg.Connection) -> str:
        return print_rows([row async for row in export_links(connection, app)])

    sys.stdout.write(with_postgres(work))
