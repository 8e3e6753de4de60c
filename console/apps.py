"""`touchline app`: advertised apps and their keys."""

from typing import Annotated, Any

import msgspec
import typer
from msgspec import UNSET

from console.manage.apps import (
    App,
    AppChange,
    AskedStores,
    Key,
    NewApp,
    NewKey,
    change_app,
    create_app,
    create_key,
    delete_app,
    list_apps,
    revoke_key,
    show_app,
)
from console.manage.common import Missing, Part, shell_user
from process.terminal import Command, Json, facts_lines, page, print_json, settings, table, with_postgres
from schemas.errors import ConfigError
from schemas.links import AppKind, KeyKind

LIST_MAX = 10_000
_KEY_NAMES: dict[KeyKind, str] = {"sdk": "SDK key", "server": "server key", "web": "web key"}

apps = typer.Typer(no_args_is_help=True, help="Apps that are advertised, and the keys their installs come with.")

AppId = Annotated[str, typer.Argument(metavar="ID", help="Letters, digits, . _ and -, such as com.example.shop.")]


Coppa = Annotated[
    bool,
    typer.Option(
        "--coppa",
        help="For children: identifiers, user ids and full addresses are left out before anything is written down. For"
        " ever: it cannot be taken back.",
    ),
]
TruncateAddresses = Annotated[
    bool | None,
    typer.Option(
        "--truncate-addresses/--no-truncate-addresses",
        help="Keep networks instead of addresses: IPv4 /24, IPv6 /64.",
    ),
]

FallbackUrl = Annotated[
    str | None, typer.Option(metavar="URL", help="Where people land when a link of the app has no place for them.")
]
Stores = Annotated[
    list[str] | None,
    typer.Option(
        "--store",
        metavar="NAME=ID",
        help=f"What stores and phones call the app: {', '.join(AskedStores.__struct_fields__)}. Repeat it.",
    ),
]
Origins = Annotated[
    list[str] | None,
    typer.Option("--origin", metavar="ORIGIN", help="Whose pages may report, such as https://shop.example; repeat it."),
]
VisitWindow = Annotated[
    int | None,
    typer.Option(
        "--visit-window-hours",
        min=1,
        max=2160,
        help="How long a tagged visit counts, once that is reported: 720.",
    ),
]


@apps.command("create", cls=Command)
def create(
    app: AppId,
    title: Annotated[str | None, typer.Option(help="A name for people; the id if you give none.")] = None,
    fallback_url: FallbackUrl = None,
    kind: Annotated[AppKind, typer.Option(help="mobile: an app of the stores. web: a website.")] = "mobile",
    origin: Origins = None,
    visit_window_hours: VisitWindow = None,
    store: Stores = None,
    coppa: Coppa = False,
    truncate_addresses: TruncateAddresses = None,
    json: Json = False,
) -> None:
    """Create an app with an SDK key and a server key; a website's first key is its web key.

    The SDK key goes into the app: whoever has it may report installs and events of the device it runs on.
    The web key stands in your pages for everybody to read: it may report visits and events of your --origin only.
    The server key stays with you: it may also say which device and address it speaks of.
    Both are printed once; only their SHA-256 is kept.
    """
    asked = NewApp(
        id=app,
        title=title,
        kind=kind,
        fallback_url=fallback_url,
        origins=tuple(origin or ()),
        visit_window_hours=visit_window_hours,
        stores=_stores(store) or AskedStores(),
        coppa=coppa,
        truncate_addresses=bool(truncate_addresses),
    )
    made = with_postgres(lambda connection: create_app(connection, shell_user(), asked))
    if json:
        print_json(made)
        return
    page().print(f"Created the app {app}. Its keys are printed this once:\n")
    page().print(facts_lines([(_KEY_NAMES[one.kind], one.key) for one in made.keys]))
    if kind == "web":
        edge = settings().public_url or "https://EDGE"
        page().print(
            f'\nInto your pages: <script async src="{edge}/touchline.js" data-key="{made.keys[0].key}"></script>'
        )
    target = "web=https://…" if kind == "web" else "google_play=https://play.google.com/…"
    page().print(f"\nNext: touchline link create --app {app} --target {target}")


@apps.command("set", cls=Command)
def set_(
    app: AppId,
    title: Annotated[str | None, typer.Option(help="A name for people.")] = None,
    fallback_url: FallbackUrl = None,
    truncate_addresses: TruncateAddresses = None,
    origin: Origins = None,
    visit_window_hours: VisitWindow = None,
    store: Stores = None,
    json: Json = False,
) -> None:
    """Change an app for everything that comes from now on. --coppa is said at creation and holds for ever.

    The edges know it within a second. What stands already stays as it is. --origin and --store say all of them anew.
    """
    asked = AppChange(
        title=UNSET if title is None else title,
        fallback_url=UNSET if fallback_url is None else fallback_url or None,
        truncate_addresses=UNSET if truncate_addresses is None else truncate_addresses,
        origins=tuple(origin) if origin else UNSET,
        visit_window_hours=UNSET if visit_window_hours is None else visit_window_hours,
        stores=_stores(store) or UNSET,
    )
    if asked == AppChange():
        raise ConfigError("nothing to change: --help names what can be")
    _print(with_postgres(lambda connection: change_app(connection, shell_user(), app, asked)), json=json)


@apps.command("key", cls=Command)
def key(
    app: AppId,
    kind: Annotated[
        KeyKind, typer.Option(help="sdk: for the app itself. server: for a server of yours. web: for pages.")
    ],
    title: Annotated[str, typer.Option(help="What the key is for, so that you find it again.")] = "",
    json: Json = False,
) -> None:
    """Add a key to an app; it is printed once, only its SHA-256 is kept."""
    asked = NewKey(kind=kind, title=title)
    made = with_postgres(lambda connection: create_key(connection, shell_user(), app, asked))
    if json:
        print_json({"app": app, **msgspec.structs.asdict(made)})
    else:
        page().print(f"A {kind} key of {app}, printed this once:\n\n{made.key}")


@apps.command("revoke-key", cls=Command)
def revoke(
    app: AppId,
    key: Annotated[str, typer.Argument(metavar="KEY", help="Its id, as `touchline app show` names it.")],
    json: Json = False,
) -> None:
    """Let a key count for nothing any more; the edges know it within a second."""
    _print(with_postgres(lambda connection: revoke_key(connection, shell_user(), app, key)), json=json)


@apps.command("delete", cls=Command)
def delete(app: AppId, json: Json = False) -> None:
    """Delete an app that no link leads to, and revoke its keys; what it brought in is kept."""
    _print(with_postgres(lambda connection: delete_app(connection, shell_user(), app)), json=json)


@apps.command("list", cls=Command)
def list_(json: Json = False) -> None:
    """All apps."""
    found = with_postgres(lambda connection: list_apps(connection, Part(LIST_MAX)))
    if json:
        print_json(found)
    elif found:
        rows = [(one.id, one.kind, one.title, one.fallback_url, _privacy(one), _kinds(one.keys)) for one in found]
        page().print(table(("app", "kind", "title", "fallback", "privacy", "keys"), rows))
    else:
        page().print("No apps yet; `touchline app create --help` says how to make one.")


@apps.command("show", cls=Command)
def show(app: AppId, json: Json = False) -> None:
    """One app, and which keys it has."""
    _print(with_postgres(lambda connection: show_app(connection, app)), json=json)


def _print(one: App, *, json: bool) -> None:
    if json:
        print_json(one)
        return
    lines: list[tuple[str, object]] = [("app", one.id), ("kind", one.kind), ("title", one.title)]
    lines.append(("fallback", one.fallback_url))
    if one.kind == "web":
        lines += [("origins", ", ".join(one.origins)), ("visits count for", f"{one.visit_window_hours} h")]
    lines += [(name, said if isinstance(said, str) else ", ".join(said)) for name, said in _said_stores(one)]
    lines += [("privacy", _privacy(one)), ("created", one.created_at), ("deleted", one.deleted_at)]
    page().print(facts_lines(lines))
    page().print(table(("key", "kind", "title", "created"), [(k.id, k.kind, k.title, k.created_at) for k in one.keys]))


def no_such_app(app: str) -> Missing:
    """The error that says where to look."""
    return Missing("app", app)


def _stores(texts: list[str] | None) -> AskedStores | None:
    """Of `NAME=ID` texts; certificates and hosts may stand there several times. Raises ConfigError."""
    if not texts:
        return None
    found: dict[str, Any] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if name not in AskedStores.__struct_fields__ or not value:
            raise ConfigError(
                f"store {text!r} is not NAME=ID; NAME is one of {', '.join(AskedStores.__struct_fields__)}."
            )
        found[name] = (*found.get(name, ()), value) if name in ("android_sha256", "hosts") else value
    return AskedStores(**found)


def _said_stores(app: App) -> list[tuple[str, Any]]:
    return [(name, said) for name, said in msgspec.structs.asdict(app.stores).items() if said]


def _privacy(app: App) -> str | None:
    asked = [name for name, holds in (("coppa", app.coppa), ("truncated", app.truncate_addresses)) if holds]
    return ", ".join(asked) or None


def _kinds(keys: tuple[Key, ...]) -> str:
    return ", ".join(key.kind for key in keys)
