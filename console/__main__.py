"""Management from the shell and over HTTP, and answers to: why, did it arrive, is all well?"""

import typer

from console import app_rules as app_rules  # registers `app rules`
from console.apps import apps
from console.campaigns import campaigns
from console.corrections import corrections
from console.explain import explain
from console.forget import forget
from console.links import links
from console.links_bulk import export, import_
from console.partners import partners
from console.postback_templates import postback_templates
from console.postbacks import postbacks
from console.profile_commands import profiles
from console.rates import rates
from console.sheet import sheet
from console.skan import bids as bids  # registers `skan bid`
from console.skan import meaning as meaning  # registers `skan schema` and `skan source`
from console.skan import reporting as reporting  # registers `skan report`
from console.skan import showing as showing  # registers `skan show`
from console.skan import signing as signing  # registers `skan sign` and `skan web-ad`
from console.skan.commands import skan
from console.status.command import status
from console.tail import tail
from console.tariffs import tariffs
from console.test_devices import test_devices
from console.tokens import tokens
from console.verify import verify
from process.life import run
from process.terminal import Command, run_app

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Apps and tracking links, and answers to: why, did it arrive, is all well?",
)
app.add_typer(apps, name="app")
app.add_typer(partners, name="partner")
app.add_typer(campaigns, name="campaign")
links.command("import", cls=Command)(import_)
links.command(cls=Command)(export)
links.command(cls=Command)(sheet)
app.add_typer(links, name="link")
app.add_typer(profiles, name="partner-profile")
app.add_typer(tokens, name="token")
app.add_typer(test_devices, name="test-device")
app.add_typer(tariffs, name="tariff")
app.add_typer(corrections, name="correction")
app.add_typer(rates, name="rate")
app.add_typer(postback_templates, name="postback-template")
app.add_typer(postbacks, name="postback")
app.add_typer(skan, name="skan")
for command in (explain, tail, status, verify, forget):
    app.command(cls=Command)(command)


@app.command()
def console() -> None:
    """Serve the management API. Settings: see the README."""
    from console.app import run_console

    run("console", run_console)


if __name__ == "__main__":
    run_app(app)
