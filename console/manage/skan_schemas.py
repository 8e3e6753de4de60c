"""What an app's conversion values mean: every version is kept, and holds for postbacks received from then on."""

from datetime import datetime

import asyncpg
import msgspec

from console.manage.common import Invalid, Missing, from_row, note, pack
from schemas.skan.values import ConversionValues, WrongValues, check
from schemas.sql import load


class SkanSchema(msgspec.Struct, frozen=True, kw_only=True):
    """A version of an app's conversion-value schema."""

    app: str
    version: int
    schema: ConversionValues
    created_at: datetime
    """It holds for postbacks received from then on."""


class NoSchema(Missing):
    """Nothing is known of what its conversion values mean."""

    def __init__(self, app: str) -> None:
        super().__init__("conversion-value schema of app", app)
        self.args = (f"App {app!r} has no conversion-value schema; `touchline skan schema set` gives it one.",)


async def set_skan_schema(connection: asyncpg.Connection, by: str, app: str, asked: ConversionValues) -> SkanSchema:
    """A further version, unless the newest says the same. Raises Missing, Refused."""
    try:
        check(asked)
    except WrongValues as error:
        raise Invalid(error.field, error.rest) from None
    sql = load("skan_meaning")
    async with connection.transaction():
        if await connection.fetchval(sql["lock_app"], app) is None:
            raise Missing("app", app)
        before = await connection.fetchrow(sql["schema"], app)
        stood = None if before is None else _shown(before)
        if stood is not None and stood.schema == asked:
            return stood
        made = _shown(await connection.fetchrow(sql["put_schema"], app, pack(asked)))
        await note(connection, by, "change" if stood else "create", "skan_schema", app, before=stood, after=made)
    return made


async def show_skan_schema(connection: asyncpg.Connection, app: str) -> SkanSchema:
    """The newest, also of a deleted app. Raises Missing."""
    row = await connection.fetchrow(load("skan_meaning")["schema"], app)
    if row is None:
        raise NoSchema(app)
    return _shown(row)


def _shown(row: asyncpg.Record) -> SkanSchema:
    return from_row(SkanSchema, row, "schema")
