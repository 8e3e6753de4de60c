"""What every command does alike: a page or JSON, one sentence for what is wrong, exit codes.

0: good. 1: not found or wrong. 2: the command was not written as it must be.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Annotated, Any, NoReturn, TypeVar

import asyncpg
import msgspec
import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer.core import TyperCommand
from typer.exceptions import TyperException

from process.postgres import AWAY, connect
from schemas.errors import ConfigError, TouchlineError
from schemas.settings import Settings

T = TypeVar("T")

WIDTH_WITHOUT_TERMINAL = 200
"""Columns of tables in a file or a pipe, where nothing needs to fit a screen."""

Json = Annotated[bool, typer.Option("--json", help="Print the facts as JSON.")]


class Command(TyperCommand):
    """A command whose errors are one sentence that begins with its name."""

    def invoke(self, ctx: Any) -> Any:
        """Never lets a traceback through for what a person can mend."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # `| head` has seen enough; nothing may be written at exit either
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return None
        except (TouchlineError, asyncpg.PostgresError, *AWAY) as error:
            complain(ctx.command_path, sentence(error))
            raise typer.Exit(2 if isinstance(error, ConfigError) else 1) from None


def run_app(app: typer.Typer) -> NoReturn:
    """Run the command that the arguments name; a wrong argument is one sentence and exit code 2."""
    try:
        code: Any = app(prog_name="touchline", standalone_mode=False)
    except TyperException as error:
        context = getattr(error, "ctx", None)
        if said := error.format_message():  # empty when the help was printed instead
            complain(context.command_path if context else "touchline", said)
        sys.exit(error.exit_code)
    sys.exit(code)


def sentence(error: BaseException) -> str:
    """What went wrong, for a person."""
    if isinstance(error, TouchlineError):
        return str(error)
    said = " ".join((str(error) or type(error).__name__).split())
    if isinstance(error, asyncpg.UndefinedTableError | asyncpg.UndefinedColumnError):
        return f"The tables are missing or old ({said}): run `touchline migrate`."
    if isinstance(error, asyncpg.DataError):
        return f"An argument is nothing that Postgres could hold: {said}"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, AWAY):
        return said if said.startswith("No Postgres: ") else f"No Postgres: {said}"
    return f"Postgres refused: {said}"


def complain(command: str, said: str) -> None:
    """One line on standard error."""
    typer.echo(f"{command}: {safe(said)}", err=True)


def settings() -> Settings:
    """The settings of this process. Raises ConfigError."""
    return Settings.read(os.environ)


def with_postgres(work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    """Do the work with one connection. Raises one of AWAY while there is none to be had."""

    async def connected() -> T:
        connection = await connect(settings())
        try:
            return await work(connection)
        finally:
            await connection.close(timeout=2)

    return asyncio.run(connected())


def print_json(facts: object) -> None:
    """Indented JSON, of structs too; times are RFC 3339 in UTC."""
    text = orjson.dumps(facts, default=msgspec.to_builtins, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z)
    typer.echo(text.decode())


def page() -> Console:
    """Standard output for people: lines are never cut or broken, nothing in them is markup."""
    width = None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL
    return Console(soft_wrap=True, highlight=False, markup=False, emoji=False, width=width)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A plain table: no frame, so that a column can be copied; long values go on in the next line."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(value if isinstance(value, Text) else safe(value) for value in row))
    return made


def facts_lines(pairs: Sequence[tuple[str, object]]) -> Text:
    """`name  value` lines; without those that have no value."""
    stated = [(name, value) for name, value in pairs if value is not None]
    width = max((len(name) for name, _ in stated), default=0)
    return Text("\n").join(Text.assemble((f"{name:<{width}}", "dim"), f"  {safe(value)}") for name, value in stated)


def safe(value: object) -> str:
    """Text from outside, harmless in a terminal: control characters are spelt out, None is a dash."""
    if value is None:
        return "–"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(value))
