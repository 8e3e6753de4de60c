"""The group of `touchline skan`; the modules beside add their commands to it."""

import typer

skan = typer.Typer(no_args_is_help=True, help="SKAdNetwork and AdAttributionKit: sign ads, see and count postbacks.")
