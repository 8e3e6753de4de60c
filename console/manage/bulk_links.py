"""Many links at once: a CSV file becomes links, all of them or none, and links become a CSV file."""

from collections.abc import AsyncIterator, Sequence

import asyncpg
import msgspec

from console.links_csv import Row, Wrong
from console.manage.common import note
from console.manage.targets import checked_targets
from schemas.errors import ConfigError
from schemas.links import Link, Target
from schemas.rules import LinkWindow
from schemas.sql import load

PAGE_ROWS = 5000
NOTED_MAX = 100

_targets = msgspec.json.Decoder(tuple[Target, ...])
_windows = msgspec.json.Decoder(tuple[LinkWindow, ...])


class WrongFile(ConfigError):
    """Nothing of the file was taken: `wrong` says why."""

    def __init__(self, wrong: Sequence[Wrong]) -> None:
        super().__init__("nothing was imported")
        self.wrong = wrong


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What an import made."""

    links: int
    campaigns: list[str]
    """New ones, on first mention, …"""
    partners: list[str]
    """… likewise."""


async def import_links(connection: asyncpg.Connection, by: str, rows: Sequence[Row]) -> Imported:
    """The rows as links; campaigns and partners that are not known are made. Raises WrongFile."""
    sql = load("bulk_links")
    async with connection.transaction():
        wrong, campaigns, partners = await _looked_at(connection, rows)
        if wrong:
            raise WrongFile(wrong)
        await connection.execute(sql["put_partners"], partners)
        await connection.execute(
            sql["put_campaigns"],
            list(campaigns),
            [row.partner for row in campaigns.values()],
            [_campaign_kind(row) for row in campaigns.values()],
        )
        values = [_values(row) for row in rows]
        try:
            if values:
                await connection.execute(sql["put_links"], *zip(*values, strict=True))
        except asyncpg.UniqueViolationError:  # somebody was faster
            raise WrongFile([Wrong(1, "id", "a link of the file was made by somebody else meanwhile")]) from None
        made = Imported(links=len(rows), campaigns=list(campaigns), partners=partners)
        after = {**msgspec.structs.asdict(made), "first": [row.link.id for row in rows[:NOTED_MAX]]}
        await note(connection, by, "import", "link", rows[0].link.id if rows else "", before=None, after=after)
    return made


async def export_links(connection: asyncpg.Connection, app: str | None) -> AsyncIterator[Row]:
    """Every link that is not deleted, by its id."""
    after = ""
    while rows := await connection.fetch(load("bulk_links")["links"], app, after, PAGE_ROWS):
        for row in rows:
            yield _row(row)
        after = rows[-1]["id"]


async def _looked_at(
    connection: asyncpg.Connection, rows: Sequence[Row]
) -> tuple[list[Wrong], dict[str, Row], list[str]]:
    """Mistakes that only the database knows; else new campaigns with the row that names each first, new partners."""
    sql = load("bulk_links")
    apps = {name for row in rows for name in (row.link.app, *(one.app for one in row.link.targets if one.app))}
    kinds = {row["id"]: row["kind"] for row in await connection.fetch(sql["apps"], sorted(apps))}
    names = sorted({row.campaign for row in rows if row.campaign})
    known = {
        row["id"]: (row["partner"], row["kind"], row["deleted"])
        for row in await connection.fetch(sql["campaigns"], names)
    }
    asked = sorted({row.partner for row in rows if row.partner})
    partners = {row["id"]: row["deleted"] for row in await connection.fetch(sql["partners"], asked)}
    taken = {row["id"] for row in await connection.fetch(sql["taken"], [row.link.id for row in rows])}
    wrong: list[Wrong] = []
    new: dict[str, Row] = {}
    for row in rows:
        if row.link.id in taken:
            wrong.append(Wrong(row.line, "id", f"{row.link.id!r} is taken"))
        wrong += _of_apps(row, kinds)
        if row.partner is not None and partners.get(row.partner):
            wrong.append(Wrong(row.line, "partner", f"{row.partner!r} is deleted"))
        if row.campaign is not None:
            if row.campaign not in known:
                known[row.campaign] = (row.partner, _campaign_kind(row), False)
                new[row.campaign] = row
            wrong += _of_campaign(row, *known[row.campaign])
    return wrong, new, [name for name in asked if name not in partners]


def _of_apps(row: Row, kinds: dict[str, str]) -> list[Wrong]:
    wrong = [Wrong(row.line, "app", f"{row.link.app!r} does not exist")] if row.link.app not in kinds else []
    wrong += [
        Wrong(row.line, f"{one.store}_app", f"{one.app!r} does not exist")
        for one in row.link.targets
        if one.app is not None and one.app not in kinds
    ]
    if kinds.get(row.link.app) == "web":
        try:
            checked_targets(row.link.targets, "web")
        except ConfigError as error:
            wrong.append(Wrong(row.line, "app", str(error)))
    return wrong


def _of_campaign(row: Row, partner: str | None, kind: str, deleted: bool) -> list[Wrong]:
    if deleted:
        return [Wrong(row.line, "campaign", f"{row.campaign!r} is deleted")]
    wrong: list[Wrong] = []
    if row.partner is not None and row.partner != partner:
        whose = f"partner {partner!r} does" if partner is not None else "it has no partner"
        wrong.append(Wrong(row.line, "partner", f"{row.partner!r} does not own the campaign {row.campaign!r}: {whose}"))
    if _campaign_kind(row) != kind:
        wrong.append(Wrong(row.line, "kind", f"{row.link.kind!r} has no place in a campaign of kind {kind}"))
    return wrong


def _campaign_kind(row: Row) -> str:
    return "preinstall" if row.link.kind == "preinstall" else "ad"


def _values(row: Row) -> tuple[object, ...]:
    link = row.link
    return (
        link.id,
        link.app,
        row.campaign,
        row.title,
        link.kind,
        msgspec.json.encode(link.targets).decode(),
        link.fallback_url,
        link.paused,
        row.host,
        msgspec.json.encode(row.windows).decode() if row.windows else None,
    )


def _row(row: asyncpg.Record) -> Row:
    link = Link(
        id=row["id"],
        app=row["app"],
        kind=row["kind"],
        targets=_targets.decode(row["targets"]),
        fallback_url=row["fallback_url"],
        paused=row["paused"],
    )
    windows = _windows.decode(row["windows"]) if row["windows"] else ()
    return Row(0, link, row["title"], row["campaign"], row["partner"], row["host"], windows)
