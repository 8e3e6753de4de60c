"""`touchline test-device`: devices of people who try things out. Their installs are in no report and no money."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

import asyncpg
import typer

from console.apps import no_such_app
from console.forgetting import read_names
from console.manage.checks import checked_text
from process.terminal import Command, Json, page, print_json, safe, table, with_postgres
from schemas.errors import ConfigError, TouchlineError
from schemas.identifiers import DeviceId, stored_digests
from schemas.sql import load

test_devices = typer.Typer(
    no_args_is_help=True, help="Devices for trying things out: attributed anew each time, in no report and no money."
)

App = Annotated[str, typer.Option(metavar="APP", help="The app that is tried out.")]
Id = Annotated[
    str,
    typer.Option(
        "--id",
        metavar="KIND:VALUE",
        help="google_aid, ios_ifa, oaid, windows_aid or android_id, such as google_aid:38400000-…; or its SHA-1 as"
        " google_aid_sha1:….",
    ),
]


@test_devices.command("add", cls=Command)
def add(
    app: App,
    id: Id,
    title: Annotated[str | None, typer.Option(help="Whose it is, or what it is.")] = None,
    json: Json = False,
) -> None:
    """Make a device a test device of an app: its installs received from now on are tests.

    A test install is attributed anew each time, also on the same link, and a second click on a link does not make it
    fall. It is in no report and no money. Earlier installs of the device stay what they are. Only the SHA-1 of the
    identifier is kept.
    """
    device = _device(id)
    name = checked_text("title", title) or ""
    row = _with_app(app, lambda connection, sql: connection.fetchrow(sql["put_test_device"], app, *device, name))
    if json:
        print_json(dict(row))
    else:
        page().print(safe(f"{id} is a test device of {app}: its installs received from now on are tests."))


@test_devices.command("list", cls=Command)
def list_(app: App, json: Json = False) -> None:
    """The test devices of an app, the newest first."""
    rows = _with_app(app, lambda connection, sql: connection.fetch(sql["test_devices"], app))
    if json:
        print_json([dict(row) for row in rows])
    elif rows:
        names = ("kind", "sha1", "title", "created_at")
        page().print(table(("kind", "SHA-1", "title", "since"), [[row[name] for name in names] for row in rows]))
    else:
        page().print(safe(f"{app} has no test devices; `touchline test-device add --help` says how to make one."))


@test_devices.command("remove", cls=Command)
def remove(app: App, id: Id, json: Json = False) -> None:
    """Make it a device like any other, for installs received from now on; what was a test stays one."""
    device = _device(id)
    row = _with_app(app, lambda connection, sql: connection.fetchrow(sql["delete_test_device"], app, *device))
    if row is None:
        raise TouchlineError(f"{id!r} is no test device of {app}; `touchline test-device list --app {app}` names all.")
    if json:
        print_json(dict(row))
    else:
        page().print(safe(f"{id} is no test device of {app} any more."))


def _device(text: str) -> tuple[str, str]:
    """(kind, SHA-1 of the vendor's case). Raises ConfigError that names the argument."""
    found: list[DeviceId] = sorted(read_names([text], []).devices)
    if ":" not in text or len(found) != 1:
        raise ConfigError(
            f"--id {text!r}: KIND:VALUE is one advertising id or android_id: nothing else matches a touch"
        )
    digest, _ = stored_digests(found[0])
    if digest is None:
        raise ConfigError(f"--id {text!r}: an MD5 does not tell the SHA-1 that is kept; give the identifier itself")
    return found[0].kind, digest


def _with_app(app: str, work: Callable[[asyncpg.Connection, Mapping[str, str]], Awaitable[Any]]) -> Any:
    async def checked(connection: asyncpg.Connection) -> Any:
        sql = load("manage")
        if await connection.fetchrow(sql["app"], app) is None:
            raise no_such_app(app)
        return await work(connection, sql)

    return with_postgres(checked)
