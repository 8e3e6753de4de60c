"""`touchline app`: advertised apps and their keys."""

import secrets
from hashlib import sha256
from typing import Annotated, Any

import asyncpg
import msgspec
import orjson
import typer

from console.link_form import checked_app_id, checked_fallback, checked_origins, checked_text
from process.terminal import Command, Json, facts_lines, page, print_json, settings, table, with_postgres
from schemas.errors import ConfigError, TouchlineError
from schemas.links import AppKind, KeyKind
from schemas.reasons import SENTENCES
from schemas.rules import DEFAULT, PRESETS, name_of, parse_rules, stored_rules
from schemas.sql import load
from schemas.validity import VERDICTS

LIST_MAX = 10_000
_KEY_NAMES: dict[KeyKind, str] = {"sdk": "SDK key", "server": "server key", "web": "web key"}
FIRST_KEYS: dict[AppKind, tuple[KeyKind, ...]] = {"mobile": ("sdk", "server"), "web": ("web", "server")}

apps = typer.Typer(no_args_is_help=True, help="Apps that are advertised, and the keys their installs come with.")

AppId = Annotated[str, typer.Argument(metavar="ID", help="Letters, digits, . _ and -, such as com.example.shop.")]


Coppa = Annotated[
    bool | None,
    typer.Option(
        "--coppa/--no-coppa",
        help="For children: identifiers, user ids and full addresses are left out before anything is written down.",
    ),
]
TruncateAddresses = Annotated[
    bool | None,
    typer.Option(
        "--truncate-addresses/--no-truncate-addresses",
        help="Keep networks instead of addresses: IPv4 /24, IPv6 /64.",
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
    fallback_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Where people land when a link of the app has no place for them.")
    ] = None,
    kind: Annotated[AppKind, typer.Option(help="mobile: an app of the stores. web: a website.")] = "mobile",
    origin: Origins = None,
    visit_window_hours: VisitWindow = None,
    coppa: Coppa = None,
    truncate_addresses: TruncateAddresses = None,
    json: Json = False,
) -> None:
    """Create an app with an SDK key and a server key; a website's first key is its web key.

    The SDK key goes into the app: whoever has it may report installs and events of the device it runs on.
    The web key stands in your pages for everybody to read: it may report visits and events of your --origin only.
    The server key stays with you: it may also say which device and address it speaks of.
    Both are printed once; only their SHA-256 is kept.
    """
    checked_app_id(app)
    name = checked_text("title", title) or app
    fallback = checked_fallback(fallback_url)
    origins = checked_origins(origin)
    if kind == "web" and not origins:
        raise ConfigError("a website needs its --origin, such as https://shop.example: whose pages may report")
    if kind != "web" and (origins or visit_window_hours is not None):
        raise ConfigError("--origin and --visit-window-hours are a website's: give --kind web too")
    keys: dict[KeyKind, str] = {one: _new_key(one) for one in FIRST_KEYS[kind]}

    async def work(connection: asyncpg.Connection) -> None:
        try:
            async with connection.transaction():
                await connection.execute(load("manage")["put_app"], app, name, fallback)
                if coppa or truncate_addresses:
                    await connection.execute(load("manage")["set_privacy"], app, coppa, truncate_addresses)
                if kind == "web":
                    await connection.execute(load("manage")["set_website"], app, kind, origins, visit_window_hours)
                for its, key in keys.items():
                    await _put_key(connection, app, its, key, "")
        except asyncpg.UniqueViolationError:
            raise TouchlineError(f"id {app!r} is taken: `touchline app show {app}` shows whose it is.") from None

    with_postgres(work)
    if json:
        printed = [{"kind": its, "key": key} for its, key in keys.items()]
        privacy = {"coppa": bool(coppa), "truncate_addresses": bool(truncate_addresses)}
        facts = {"id": app, "kind": kind, "title": name, "fallback_url": fallback, "origins": origins or []}
        print_json({**facts, **privacy, "keys": printed})
        return
    page().print(f"Created the app {app}. Its keys are printed this once:\n")
    page().print(facts_lines([(_KEY_NAMES[its], key) for its, key in keys.items()]))
    if kind == "web":
        edge = settings().public_url or "https://EDGE"
        page().print(f'\nInto your pages: <script async src="{edge}/touchline.js" data-key="{keys["web"]}"></script>')
    target = "web=https://…" if kind == "web" else "google_play=https://play.google.com/…"
    page().print(f"\nNext: touchline link create --app {app} --target {target}")


@apps.command("set", cls=Command)
def set_(
    app: AppId,
    coppa: Coppa = None,
    truncate_addresses: TruncateAddresses = None,
    origin: Origins = None,
    visit_window_hours: VisitWindow = None,
    json: Json = False,
) -> None:
    """Change what is kept of an app's users, and a website's origins, for everything that comes from now on.

    The edges know it within a second. What stands already stays as it is. --origin says all of them anew.
    """
    if (coppa, truncate_addresses, visit_window_hours) == (None, None, None) and not origin:
        raise ConfigError("nothing to change: --help names what can be")
    origins = checked_origins(origin)

    async def work(connection: asyncpg.Connection) -> None:
        async with connection.transaction():
            standing = await connection.fetchrow(load("manage")["app"], app)
            if standing is None:
                raise no_such_app(app)
            if standing["kind"] != "web" and (origins or visit_window_hours is not None):
                raise TouchlineError(f"app {app!r} is no website: it has neither origins nor visits.")
            await connection.fetchval(load("manage")["set_privacy"], app, coppa, truncate_addresses)
            if origins or visit_window_hours is not None:
                await connection.fetchval(load("manage")["set_website"], app, None, origins, visit_window_hours)

    with_postgres(work)
    _print_app(app, json=json)


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
    made = _new_key(kind)
    checked_text("title", title or None)

    async def work(connection: asyncpg.Connection) -> None:
        async with connection.transaction():
            standing = await connection.fetchrow(load("manage")["app"], app)
            if standing is None:
                raise no_such_app(app)
            if kind == "web" and standing["kind"] != "web":
                raise TouchlineError(f"app {app!r} is no website: a web key is for pages.")
            await _put_key(connection, app, kind, made, title)

    with_postgres(work)
    if json:
        print_json({"app": app, "kind": kind, "title": title, "key": made})
    else:
        page().print(f"A {kind} key of {app}, printed this once:\n\n{made}")


@apps.command("list", cls=Command)
def list_(json: Json = False) -> None:
    """All apps."""
    found = _read(None)
    if json:
        print_json(found)
    elif found:
        names = ("id", "kind", "title", "fallback_url")
        rows = [(*(one[name] for name in names), _privacy(one), _kinds(one)) for one in found]
        page().print(table(("app", *names[1:3], "fallback", "privacy", "keys"), rows))
    else:
        page().print("No apps yet; `touchline app create --help` says how to make one.")


@apps.command("show", cls=Command)
def show(app: AppId, json: Json = False) -> None:
    """One app, and which keys it has."""
    _print_app(app, json=json)


def _print_app(app: str, *, json: bool) -> None:
    found = _read(app)
    if not found:
        raise no_such_app(app)
    one = found[0]
    if json:
        print_json(one)
        return
    lines = [("app", one["id"]), ("kind", one["kind"]), ("title", one["title"]), ("fallback", one["fallback_url"])]
    if one["kind"] == "web":
        lines += [("origins", ", ".join(one["origins"])), ("visits count for", f"{one['visit_window_hours']} h")]
    page().print(facts_lines([*lines, ("privacy", _privacy(one)), ("created", one["created_at"])]))
    page().print(table(("key", "title", "created"), [(k["kind"], k["title"], k["created_at"]) for k in one["keys"]]))


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
                await connection.execute(load("manage")["put_rules"], app, preset, msgspec.json.encode(new).decode())
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


def no_such_app(app: str) -> TouchlineError:
    """The error that teaches how to make one."""
    return TouchlineError(
        f"app {app!r} does not exist; `touchline app list` names all, `touchline app create` makes one."
    )


def _new_key(kind: KeyKind) -> str:
    return f"{kind}_{secrets.token_urlsafe(24)}"


async def _put_key(connection: asyncpg.Connection, app: str, kind: KeyKind, key: str, title: str) -> None:
    digest = sha256(key.encode()).hexdigest()
    await connection.execute(load("manage")["put_key"], digest, app, kind, title)


def _read(app: str | None) -> list[dict[str, Any]]:
    rows = with_postgres(lambda connection: connection.fetch(load("manage")["apps"], app, LIST_MAX))
    return [{**dict(row), "keys": orjson.loads(row["keys"])} for row in rows]


def _privacy(app: dict[str, Any]) -> str | None:
    asked = [name for name, holds in (("coppa", app["coppa"]), ("truncated", app["truncate_addresses"])) if holds]
    return ", ".join(asked) or None


def _kinds(app: dict[str, Any]) -> str:
    return ", ".join(key["kind"] for key in app["keys"])
