"""Partners: who shows the ads, and how they are spoken with."""

from datetime import datetime
from typing import Annotated, Any

import asyncpg
import msgspec
from msgspec import UNSET, Meta, UnsetType

from console.manage.checks import Text, checked_text
from console.manage.common import ALL, Conflict, Invalid, Missing, Part, Within, from_row, given, note, pack
from console.manage.concealed import concealed, restored
from console.manage.profiles import kept_parameters
from console.profiles import shipped
from schemas.errors import ConfigError
from schemas.links import Protection
from schemas.postbacks import Sending
from schemas.protection import check as check_protection
from schemas.sql import load

Macros = dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=500)]]


class NewPartner(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A partner to be made: a name is enough."""

    id: Text
    title: Text | None = None
    profile: Text | None = None
    """Name of the profile of an integrated partner."""
    parameters: Macros = {}
    """Our parameter → the partner's macro, beside or instead of the profile's."""
    protection: dict[str, Any] | None = None
    """What its pings must prove: `secrets` that sign them, or `addresses` that they come from."""
    sending: dict[str, Any] = {}
    """How postbacks to it are sent: `concurrency`, `rate` a second, `hold_s`, `secret`."""


class PartnerChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be another way."""

    title: Text | UnsetType = UNSET
    profile: Text | UnsetType | None = UNSET
    parameters: Macros | UnsetType = UNSET
    protection: dict[str, Any] | UnsetType | None = UNSET
    sending: dict[str, Any] | UnsetType = UNSET


class Partner(msgspec.Struct, frozen=True, kw_only=True):
    """A partner as it stands; secrets in `protection` and `sending` are not shown."""

    id: str
    title: str
    profile: str | None
    parameters: dict[str, str]
    protection: dict[str, Any] | None
    sending: dict[str, Any]
    created_at: datetime
    deleted_at: datetime | None


async def create_partner(connection: asyncpg.Connection, by: str, asked: NewPartner) -> Partner:
    """Raises Refused."""
    checked_text("id", asked.id)
    title = checked_text("title", asked.title) or asked.id
    try:
        async with connection.transaction():
            await connection.execute(load("partners")["put"], asked.id, title)
            made = await _stored(connection, asked.id)
            stated = msgspec.structs.asdict(asked) | {"title": title}
            after = await _set(connection, msgspec.structs.replace(made, **stated))
            await note(connection, by, "create", "partner", asked.id, before=None, after=after)
            return after
    except asyncpg.UniqueViolationError:
        raise Conflict("id", f"id {asked.id!r} is taken: `touchline partner show` shows whose it is.") from None


async def list_partners(
    connection: asyncpg.Connection, part: Part, *, within: Within = ALL, deleted: bool = False
) -> list[Partner]:
    """Partners by id."""
    values = (None, deleted, within.apps, within.partner, part.after, part.limit)
    return [_shown(_partner(row)) for row in await connection.fetch(load("partners")["partners"], *values)]


async def show_partner(connection: asyncpg.Connection, partner: str) -> Partner:
    """Deleted ones too. Raises Missing."""
    return _shown(await _stored(connection, partner))


async def change_partner(connection: asyncpg.Connection, by: str, partner: str, asked: PartnerChange) -> Partner:
    """Raises Refused."""
    async with connection.transaction():
        await _lock(connection, partner)
        before = await _stored(connection, partner)
        stated = given(asked)
        for name in ("protection", "sending"):
            if name in stated:
                stated[name] = restored(stated[name], getattr(before, name))
        after = await _set(connection, msgspec.structs.replace(before, **stated))
        await note(connection, by, "change", "partner", partner, before=_shown(before), after=after)
    return after


async def delete_partner(connection: asyncpg.Connection, by: str, partner: str) -> Partner:
    """Its rows stay. Raises Refused while campaigns belong to it."""
    async with connection.transaction():
        campaigns = (await _lock(connection, partner))["campaigns"]
        if campaigns:
            raise Conflict(None, f"partner {partner!r} has campaigns, {campaigns} of them: delete them first.")
        before = await show_partner(connection, partner)
        await connection.execute(load("partners")["delete"], partner)
        after = await show_partner(connection, partner)
        await note(connection, by, "delete", "partner", partner, before=before, after=after)
    return after


async def check_partner(connection: asyncpg.Connection, partner: str | None) -> None:
    """Whether something may belong to it. Raises Missing."""
    if partner is not None and await connection.fetchval(load("partners")["standing"], partner) is None:
        raise Missing("partner", partner, "partner")


async def _lock(connection: asyncpg.Connection, partner: str) -> asyncpg.Record:
    row = await connection.fetchrow(load("partners")["lock"], partner)
    if row is None:
        raise Missing("partner", partner)
    return row


async def _stored(connection: asyncpg.Connection, partner: str) -> Partner:
    row = await connection.fetchrow(load("partners")["partners"], partner, True, None, None, None, 1)
    if row is None:
        raise Missing("partner", partner)
    return _partner(row)


async def _set(connection: asyncpg.Connection, partner: Partner) -> Partner:
    checked_text("title", partner.title)
    checked_text("profile", partner.profile)
    _check_profile(partner)
    _check_settings(partner)
    protection = None if partner.protection is None else pack(partner.protection)
    values = (partner.title, partner.profile, pack(partner.parameters), protection, pack(partner.sending))
    await connection.execute(load("partners")["set"], partner.id, *values)
    return await show_partner(connection, partner.id)


def _check_profile(partner: Partner) -> None:
    """A profile that comes with the product, or an operator's own, whose parameters are kept with the partner."""
    if partner.profile is not None and partner.profile not in shipped() and not partner.parameters:
        known = ", ".join(shipped())
        raise Invalid("profile", f"{partner.profile!r} is none of {known}, and no parameters are given instead.")
    base = shipped().get(partner.profile) if partner.profile is not None else None
    kept_parameters(base, partner.parameters)


def _check_settings(partner: Partner) -> None:
    """Whether the edge and the sender can read what is stored."""
    for name, kind in (("protection", Protection | None), ("sending", Sending)):
        try:
            read = msgspec.convert(getattr(partner, name), kind)
        except msgspec.ValidationError as error:
            said, _, where = str(error).partition(" - at `$")
            raise Invalid(name + where.strip("`"), f"is wrong: {said}.") from None
        if isinstance(read, Protection):
            try:
                check_protection(read)
            except ConfigError as error:
                field, _, rest = str(error).partition(" ")
                raise Invalid(field, f"{rest}.") from None


def _partner(row: asyncpg.Record) -> Partner:
    return from_row(Partner, row, "parameters", "protection", "sending")


def _shown(partner: Partner) -> Partner:
    hidden = {"protection": concealed(partner.protection), "sending": concealed(partner.sending)}
    return msgspec.structs.replace(partner, **hidden)
