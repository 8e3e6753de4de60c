"""`touchline replay`: what today's rules, or others, would change about installs that are decided."""

from collections import Counter
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any

import asyncpg
import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from consumers.attribution.replay import Asked, Difference, Sums, replay
from process.postgres import prepare
from process.terminal import Json, page, print_json, table, with_postgres
from schemas.errors import ConfigError
from schemas.money import from_micros
from schemas.rules import Named, RuleSet, name_of, parse_rules
from schemas.sql import load

MOVES_SHOWN_MAX = 40


def replay_command(
    since: Annotated[str, typer.Option(help="Installs received from then on: 2026-11-01, or with a time; UTC.")],
    app: Annotated[str | None, typer.Option(help="Of this app only.")] = None,
    rules: Annotated[
        typer.FileText | None, typer.Option(help="By the rules of this file, as `touchline app rules --file` takes it.")
    ] = None,
    renew_days: Annotated[
        bool, typer.Option("--renew-days", help="Compute anew what links did on closed days: flooding, delays.")
    ] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Keep what differs; the history stays.")] = False,
    json: Json = False,
) -> None:
    """Decide stored installs again and show the difference; nothing changes without --apply.

    With --rules and --apply the file becomes the next version of the app's rules. No postback is sent. Installs
    whose whole look-back window is not stored any more are refused and listed.
    """
    since_us = _moment(since)
    text = rules.read() if rules is not None else None
    them = parse_rules(text) if text is not None else None
    if text is not None and apply and app is None:
        raise ConfigError("--rules with --apply needs --app: rules belong to an app")

    async def work(connection: asyncpg.Connection) -> Difference:
        await prepare(connection)
        named = await _named(connection, app, text, them, store=apply)
        asked = Asked(since_us=since_us, app=app, rules=named, renew_days=renew_days, apply=apply)
        return await replay(connection, asked, lambda count: progress.advance(task, count))

    columns = (SpinnerColumn(), TextColumn("{task.completed} installs"), TimeElapsedColumn())
    err = Console(stderr=True)
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("", total=None)
        found = with_postgres(work)
    if json:
        print_json(_facts(found, applied=apply))
    else:
        _print(page(), found, applied=apply)


async def _named(
    connection: asyncpg.Connection, app: str | None, text: str | None, rules: RuleSet | None, *, store: bool
) -> Named | None:
    """The file's rules under their name; stored first when decisions shall name them."""
    if app is not None and await connection.fetchrow(load("manage")["app"], app) is None:
        raise ConfigError(f"--app {app!r} does not exist; `touchline app list` names all")
    if rules is None or text is None:
        return None
    if store and app is not None:
        version = await connection.fetchval(load("manage")["put_rules"], app, None, text)
        return Named(name_of(app, version), rules)
    return Named(f"file-{sha256(text.encode()).hexdigest()[:8]}", rules)


def _moment(text: str) -> int:
    """Unix microseconds. Raises ConfigError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--since {text!r} is no time: 2026-11-01 or 2026-11-01T12:00:00") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000


def _facts(found: Difference, *, applied: bool) -> dict[str, Any]:
    moves = [{"from": was, "to": now, "installs": count} for (was, now), count in found.moves.most_common()]
    return {
        "installs": found.installs,
        "changed": found.changed,
        "changed_test_installs": found.tests,
        "verdicts_changed": found.verdicts,
        "changed_with_a_touch_too_late": found.too_late,
        "days_renewed": found.days,
        "waiting": found.waiting,
        "events_left_alone": found.events,
        "refused": found.refused,
        "refused_installs": found.refused_ids,
        "moves": moves,
        "campaigns": [
            {"campaign": name, "installs_lost": lost.installs, "installs_gained": gained.installs,
             "revenue_lost": _money(lost.revenue_micros), "revenue_gained": _money(gained.revenue_micros)}
            for name, lost, gained in _campaigns(found)
        ],
        "empty": found.empty,
        "applied": applied,
    }  # fmt: skip


def _campaigns(found: Difference) -> list[tuple[str, Sums, Sums]]:
    """(campaign, what it had of the changed installs, what it would have)."""
    names = sorted({*found.before, *found.after})
    return [(name, found.before.get(name) or Sums(), found.after.get(name) or Sums()) for name in names]


def _money(micros: Counter[str]) -> dict[str, str]:
    return {currency: from_micros(amount) for currency, amount in sorted(micros.items())}


def _print(out: Console, found: Difference, *, applied: bool) -> None:
    done = "kept" if applied else "not kept: --apply does"
    out.print(f"{found.installs} installs decided again, {found.changed} differ ({done}).", style="bold")
    lines = {
        "of those that differ are tests and count nowhere below": found.tests,
        "have the same winner and other verdicts on the rest": found.verdicts,
        "of those that differ had a touch that came too late": found.too_late,
        "wait to be decided anyway": found.waiting,
        "decisions about events, re-engagements and those of websites, are left alone": found.events,
        "refused: their look-back window is not stored any more (--json lists them)": found.refused,
    }
    for what, count in lines.items():
        if count:
            out.print(f"{count} {what}")
    if found.days:
        out.print(f"days by which links are judged in another way now: {', '.join(found.days)}")
    if not found.moves:
        return
    out.print()
    moves = [(was, now, count) for (was, now), count in found.moves.most_common(MOVES_SHOWN_MAX)]
    out.print(table(("from campaign", "to", "installs"), moves))
    out.print()
    rows = [
        (name, lost.installs, gained.installs, _shown(lost.revenue_micros), _shown(gained.revenue_micros))
        for name, lost, gained in _campaigns(found)
    ]
    out.print(table(("campaign", "loses installs", "gains", "loses revenue", "gains"), rows))


def _shown(micros: Counter[str]) -> str:
    return ", ".join(f"{amount} {currency}" for currency, amount in _money(micros).items()) or "–"
