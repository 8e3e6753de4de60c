"""Management from the shell and over HTTP, and answers to: why, did it arrive, is all well?

A command waits for the modules of its own group only: to load all of them takes twice as long.
"""

import sys
from collections.abc import Sequence
from importlib import import_module

import typer

from process.life import run
from process.terminal import Command, run_app

GROUPS: dict[str, tuple[str, ...]] = {
    "app": ("console.apps:apps", "console.app_rules"),
    "partner": ("console.partners:partners",),
    "campaign": ("console.campaigns:campaigns",),
    "link": ("console.links:links", "console.links_bulk", "console.sheet"),
    "partner-profile": ("console.profile_commands:profiles",),
    "token": ("console.tokens:tokens",),
    "test-device": ("console.test_devices:test_devices",),
    "tariff": ("console.tariffs:tariffs",),
    "correction": ("console.corrections:corrections",),
    "rate": ("console.rates:rates",),
    "postback-template": ("console.postback_templates:postback_templates",),
    "postback": ("console.postbacks:postbacks",),
    "skan": (
        *("console.skan.commands:skan", "console.skan.signing", "console.skan.bids", "console.skan.showing"),
        *("console.skan.meaning", "console.skan.reporting"),
    ),
}
"""Group → where it is, and the modules that add their commands to it."""

COMMANDS: dict[str, str] = {
    "explain": "console.explain",
    "tail": "console.tail",
    "status": "console.status.command",
    "verify": "console.verify",
    "forget": "console.forget",
}
"""Command → the module whose function of that name it is."""


def make_app(arguments: Sequence[str]) -> typer.Typer:
    """With the group or command that the arguments begin with; with all when they begin with none, as for help."""
    app = typer.Typer(
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help="Apps and tracking links, and answers to: why, did it arrive, is all well?",
    )
    app.command()(console)
    first = arguments[0] if arguments else None
    is_known = first in GROUPS or first in COMMANDS
    for name, (where, *further) in GROUPS.items():
        if first == name or not is_known:
            module, _, group = where.partition(":")
            app.add_typer(getattr(import_module(module), group), name=name)
            for one in further:
                import_module(one)
    for name, module in COMMANDS.items():
        if first == name or not is_known:
            app.command(cls=Command)(getattr(import_module(module), name))
    return app


def console() -> None:
    """Serve the management API. Settings: see the README."""
    from console.app import run_console

    run("console", run_console)


if __name__ == "__main__":
    run_app(make_app(sys.argv[1:]))
