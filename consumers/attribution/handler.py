"""The attribution consumer's first step: installs, events and visits → rows, and what is to be decided because of
them."""

import re
from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec

from consumers.attribution.facts import conversion
from consumers.attribution.probes import device_keys, looked_for
from consumers.attribution.returning import keep_activity
from consumers.attribution.testing import tests_among
from consumers.attribution.visits import insert_visits, watch_visits
from consumers.forgotten import Forgotten
from consumers.outcomes.queue import leave
from consumers.runner import Row, Stored
from consumers.sources import Record
from consumers.touches.country import Countries
from schemas.codec import decode_conversion
from schemas.devices import normal_os
from schemas.errors import DeadLetter
from schemas.events import Event, Install, Visit
from schemas.forgetting import device_keys as stored_keys
from schemas.identifiers import device_ids
from schemas.ids import received_us
from schemas.sql import joined, load

ID_NAMES: dict[type, str] = {Install: "install_id", Event: "event_id", Visit: "visit_id"}

_encode = msgspec.json.Encoder().encode
_UNSTORABLE = re.compile(rb"\\u0000|\\u[dD][89a-fA-F]")


class ConversionsHandler:
    """Stores installs and events once; a sender's retry is kept as a reject `duplicate`."""

    def __init__(self, countries: Countries) -> None:
        self._countries = countries
        self.forgotten = Forgotten()

    def decode(self, record: Record) -> Row:
        """An install or an event. Raises DeadLetter."""
        value = decode_conversion(record.value)
        try:
            received_us(value.id)
        except ValueError as error:
            raise DeadLetter("undecodable", str(error), subject=value.app) from None
        return Row(record, value.id, value.app, value)

    async def store(self, connection: asyncpg.Connection, rows: Sequence[Row]) -> Stored:
        """Insert what is new, with the keys of new installs."""
        if await self.forgotten.read(connection):
            rows = [self._blanked(row) if self.forgotten.has_conversion(row.value) else row for row in rows]
        installs = [row.value for row in rows if isinstance(row.value, Install)]
        events = [row.value for row in rows if isinstance(row.value, Event)]
        new: set[str] = set()
        if installs:
            tests = await tests_among(connection, installs)
            values = [_install_values(one, self._countries, one.id in tests) for one in installs]
            found = await connection.fetch(load("conversions")["insert_installs"], *zip(*values, strict=True))
            new |= {str(row["id"]) for row in found}
            await _keep_keys(connection, [one for one in installs if one.id in new])
            await keep_activity(connection, sorted(new))
        if events:
            values = [_event_values(one) for one in events]
            found = await connection.fetch(load("conversions")["insert_events"], *zip(*values, strict=True))
            ids = {str(row["id"]) for row in found}
            new |= ids
            await _let_wait(connection, [one for one in events if one.id in ids])
            await leave(connection, sorted(ids))
        visits = [row.value for row in rows if isinstance(row.value, Visit)]
        if visits:
            ids = await insert_visits(connection, visits, self._countries)
            new |= ids
            await watch_visits(connection, [one for one in visits if one.id in ids])
        return Stored(len(new), await _duplicates(connection, rows, new))

    def _blanked(self, row: Row) -> Row:
        return Row(row.record, row.id, row.subject, self.forgotten.blank_conversion(row.value))


async def _duplicates(connection: asyncpg.Connection, rows: Sequence[Row], new: set[str]) -> list[tuple[Row, str, str]]:
    """Records that are neither new nor stand already: their install_id or event_id came before."""
    others = [row for row in rows if row.id not in new]
    if not others:
        return []
    found = await connection.fetch(load("conversions")["standing"], [row.id for row in others])
    standing = {str(row["id"]) for row in found}
    return [(row, "duplicate", ID_NAMES[type(row.value)]) for row in others if row.id not in standing]


async def _let_wait(connection: asyncpg.Connection, events: Sequence[Event]) -> None:
    """New events of websites wait to be decided; of those of apps it is looked later whether they do."""
    found = await connection.fetch(load("events")["websites"], sorted({one.app for one in events}))
    websites = {row["id"] for row in found}
    of_webs = [one.id for one in events if one.app in websites]
    if of_webs:
        await connection.execute(load("events")["websites_wait"], of_webs)
    await keep_activity(connection, [one.id for one in events if one.app not in websites])


async def _keep_keys(connection: asyncpg.Connection, installs: Sequence[Install]) -> None:
    """What new installs look for; and by what a later install of the same device, decided already, is found."""
    facts = [conversion(one, received_us(one.id)) for one in installs]
    keys = [(key, one.id) for one in facts for key in looked_for(one)]
    if keys:
        await connection.execute(load("conversions")["insert_keys"], *joined(keys))
    devices = [(one.id, sorted(device_keys(one))) for one in facts]
    await connection.executemany(load("conversions")["new_keys"], [one for one in devices if one[1]])


def _device_keys(record: Install | Event) -> str:
    """As an array's text: by these an event that names no install finds it."""
    return "{" + ",".join(map(str, sorted(stored_keys(record.app, "click", device_ids(record.ids))))) + "}"


def _install_values(install: Install, countries: Countries, test: bool) -> tuple[object, ...]:
    return (
        install.app,
        install.install_id,
        install.id,
        install.installed_us,
        install.user_id,
        install.preinstall_link,
        _encode(install.ids).decode(),
        normal_os(install.device.os),
        _encode(install.device).decode(),
        install.app_version,
        _encode(install.referrer).decode() if install.referrer else None,
        install.ip,
        install.ua,
        countries.country(install.ip) if install.ip else None,
        ",".join(install.flags),
        _device_keys(install),
        test,
    )


def _event_values(event: Event) -> tuple[object, ...]:
    return (
        event.app,
        event.event_id,
        event.id,
        event.name,
        event.occurred_us,
        event.install_id,
        _encode(event.ids).decode(),
        event.user_id,
        event.revenue.micros if event.revenue else None,
        event.revenue.currency if event.revenue else None,
        _storable_json(_encode(event.params)),
        event.ip,
        event.ua,
        ",".join(event.flags),
        _device_keys(event) if event.install_id is None else "{}",
    )


def _storable_json(text: bytes) -> str:
    """jsonb takes neither NUL nor lone surrogates: they become U+FFFD. Other JSON stays byte for byte."""
    if not _UNSTORABLE.search(text):
        return text.decode()
    return _encode(_cleaned(msgspec.json.decode(text))).decode()


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_cleaned(one) for one in value]
    return value
