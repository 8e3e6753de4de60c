"""`touchline app`, `link`, `explain`, `tail`, `status`, `verify`, `forget`: management and questions from the shell."""

import sys
from typing import Any

import typer
from typer.exceptions import TyperException

from console.apps import apps
from console.explain import explain
from console.forget import forget
from console.links import links
from console.status.command import status
from console.tail import tail
from console.terminal import Command, complain
from console.verify import verify

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Apps and tracking links, and answers to: why, did it arrive, is all well?",
)
app.add_typer(apps, name="app")
app.add_typer(links, name="link")
for command in (explain, tail, status, verify, forget):
    app.command(cls=Command)(command)


def main() -> None:
    """Run the command that the arguments name; a wrong argument is one sentence and exit code 2."""
    try:
        code: Any = app(prog_name="touchline", standalone_mode=False)
    except TyperException as error:
        context = getattr(error, "ctx", None)
        if said := error.format_message():  # empty when the help was printed instead
            complain(context.command_path if context else "touchline", said)
        sys.exit(error.exit_code)
    sys.exit(code)


if __name__ == "__main__":
    main()
