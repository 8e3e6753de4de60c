"""`touchline app`, `link`, `test-device`, `explain`, `tail`, `status`, `verify`, `forget`: management and questions
from the shell."""

import typer

from console.apps import apps
from console.explain import explain
from console.forget import forget
from console.links import links
from console.links_bulk import export, import_
from console.sheet import sheet
from console.status.command import status
from console.tail import tail
from console.test_devices import test_devices
from console.verify import verify
from process.terminal import Command, run_app

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Apps and tracking links, and answers to: why, did it arrive, is all well?",
)
app.add_typer(apps, name="app")
links.command("import", cls=Command)(import_)
links.command(cls=Command)(export)
links.command(cls=Command)(sheet)
app.add_typer(links, name="link")
app.add_typer(test_devices, name="test-device")
for command in (explain, tail, status, verify, forget):
    app.command(cls=Command)(command)


if __name__ == "__main__":
    run_app(app)
