"""`touchline app rules`: which touches count for an app's installs."""

from typing import Annotated

import asyncpg
import msgspec
import typer

from console.apps import AppId, apps, no_such_app
from console.manage.common import note, shell_user
from process.terminal import Command, Json, page, print_json, table, with_postgres
from schemas.errors import ConfigError
from schemas.reasons import SENTENCES
from schemas.rules import DEFAULT, PRESETS, name_of, parse_rules, stored_rules
from schemas.sql import load
from schemas.validity import VERDICTS


@apps.command("rules", cls=Command)
def rules(
    app: AppId,
    preset: Annotated[str | None, typer.Option(help=f"Hold to these from now on: {', '.join(PRESETS)}.")] = None,
    file: Annotated[
        typer.FileText | None,
        typer.Option(
            help='Or to those of a file: {"rules": [{"method": "identifier", "touch_kind": "click",'
            ' "window_hours": 168}, …], "confidence_min": 0.7,'
            ' "validity": {"data_centre": "reject"}, "reattribution_days": 180}'
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Which touches count for an app's installs, the most certain first; with an option, change it.

    Every version is kept, and a decision names the one it was made by. A change holds for installs received
    from now on; `touchline replay` decides earlier ones again by it.
    """
    if preset is not None and file is not None:
        raise ConfigError("--preset and --file are two ways to say the rules: give one")
    if preset is not None and preset not in PRESETS:
        raise ConfigError(f"--preset {preset!r} is not known; there are {', '.join(PRESETS)}")
    new = parse_rules(file.read()) if file is not None else PRESETS[preset] if preset is not None else None

    async def work(connection: asyncpg.Connection) -> list[asyncpg.Record]:
        async with connection.transaction():
            if await connection.fetchrow(load("manage")["app"], app) is None:
                raise no_such_app(app)
            if new is not None:
                before = await connection.fetch(load("manage")["rules"], app)
                await connection.execute(load("manage")["put_rules"], app, preset, msgspec.json.encode(new).decode())
                latest = stored_rules(before[0]["rules"]) if before else None
                await note(connection, shell_user(), "change", "rules", app, before=latest, after=new)
            versions: list[asyncpg.Record] = await connection.fetch(load("manage")["rules"], app)
            return versions

    _print_rules(app, with_postgres(work), json=json)


def _print_rules(app: str, versions: list[asyncpg.Record], *, json: bool) -> None:
    latest = versions[0] if versions else None
    holds = stored_rules(latest["rules"]) if latest is not None else DEFAULT.rules
    name = name_of(app, latest["version"]) if latest is not None else DEFAULT.name
    preset = latest["preset"] if latest is not None else "touchline"
    modes = {verdict: holds.mode(verdict) for verdict in VERDICTS}
    if json:
        stated = {**msgspec.to_builtins(holds), "validity": modes}
        stated |= {name: getattr(holds, name) for name in ("confidence_min", "reattribution_days", "reengagement_days")}
        print_json({"app": app, "name": name, "preset": preset, **stated})
        return
    since = f"since {latest['created_at']:%Y-%m-%d %H:%M} UTC" if latest is not None else "of apps without their own"
    page().print(f"{name}, {f'preset {preset}' if preset else 'rules of your own'}, {since}:\n")
    rows = [(n, rule.method, rule.touch_kind, f"{rule.window_hours} h") for n, rule in enumerate(holds.rules, 1)]
    page().print(table(("order", "method", "touches", "window"), rows))
    page().print(f"\nA fingerprint counts from a confidence of {holds.confidence_min:.0%}.")
    page().print(f"A device's next install is attributed anew after {holds.reattribution_days} days.")
    away = f"after {holds.reengagement_days} days without an event" if holds.reengagement_days else "not looked for"
    page().print(f"A user's return is a conversion of its own: {away}.\n")
    page().print(table(("verdict", "mode", "what it says"), [(v, m, SENTENCES[v]) for v, m in modes.items()]))
