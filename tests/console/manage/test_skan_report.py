"""The report, of rows as the consumer leaves them: days, apps, schemas in force, sources, and installs beside."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from console.manage.common import Refused
from console.manage.skan_counting import TOLD
from console.manage.skan_figures import SkanRow
from console.manage.skan_report import SkanReport, skan_report
from console.manage.skan_schemas import set_skan_schema
from console.manage.skan_sources import NewSource, create_source, delete_source
from schemas.ids import floor_id, new_id
from schemas.skan.values import ConversionValues
from schemas.sql import load
from tests.console.conftest import Console
from tests.consumers.costs.bill import SHOP
from tests.support.logs import pool_of
from tests.support.skan import NETWORK, STORE_APP, insert_postback

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
DAY = NOON.date()
NUMBERED = "UPDATE apps SET stores = jsonb_build_object('app_store', $1::text) WHERE id = 'shop'"


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    pool = await pool_of(database_url)
    await pool.execute(SHOP)
    await pool.execute(NUMBERED, str(STORE_APP))
    async with pool.acquire() as connection:
        yield connection
    pool.terminate()


async def report(connection: asyncpg.Connection, **asked: Any) -> SkanReport:
    return await skan_report(connection, **{"since": DAY - timedelta(2), "until": DAY + timedelta(2)} | asked)


async def source(connection: asyncpg.Connection, digits: str, campaign: str = "spring", **asked: Any) -> int:
    asked = {"app": "shop", "source_identifier": digits, "campaign": campaign} | asked
    return (await create_source(connection, "me", NewSource(**asked))).id


async def schema(connection: asyncpg.Connection, since: datetime, said: dict[str, Any], app: str = "shop") -> None:
    made = await set_skan_schema(connection, "me", app, msgspec.convert(said, ConversionValues))
    await connection.execute(
        "UPDATE skan_schemas SET created_at = $3 WHERE app = $1 AND version = $2", app, made.version, since
    )


async def test_rows_are_by_day_app_campaign_and_source(connection: asyncpg.Connection) -> None:
    await source(connection, "5239")
    await source(connection, "40", "fall", network=NETWORK)
    for fields in (
        {}, {}, {"conversion": "redownload"}, {"source": "39"}, {"source": "1140"},
        {"source": "1140", "network": "other.skadnetwork"}, {"did_win": False}, {"sequence": 2},
        {"at": NOON + timedelta(days=1)}, {"store_app": 42},
        {"framework": "adattributionkit", "conversion": "re-engagement"},
        {"source_kind": "campaign_id", "source": "39", "did_win": None, "sequence": None, "version": "2.2"},
    ):  # fmt: skip
        await insert_postback(connection, **{"at": NOON} | fields)
    found = await report(connection)
    assert (found.by, found.since, found.until) == (
        ("day", "app", "campaign", "source"), date(2026, 11, 1), date(2026, 11, 5),
    )  # fmt: skip
    shown = [
        (row.day, row.app, row.store_app, row.campaign, row.campaign_id, row.source_identifier, row.postbacks)
        for row in found.rows
    ]
    shop, later = (DAY, "shop", STORE_APP), (DAY + timedelta(1), "shop", STORE_APP)
    assert shown == [
        (*shop, "fall", None, "1140", 1),
        (*shop, "spring", None, "39", 1),
        (*shop, "spring", None, "5239", 6),
        (*shop, None, 39, None, 1),
        (*shop, None, None, "1140", 1),
        (DAY, None, 42, None, None, "5239", 1),
        (*later, "spring", None, "5239", 1),
    ]
    one = found.rows[2]
    counts = (one.installs, one.redownloads, one.reengagements, one.later_postbacks, one.non_winning)
    assert counts == (2, 1, 1, 1, 1)
    assert one.device_installs is msgspec.UNSET
    assert one.network is msgspec.UNSET
    (spring,) = (await report(connection, by="campaign", campaign="spring")).rows
    assert (spring.campaign, spring.postbacks, spring.day) == ("spring", 8, msgspec.UNSET)
    by = await report(connection, by="framework,network", app="shop")
    assert [(row.framework, row.network, row.postbacks) for row in by.rows] == [
        ("adattributionkit", NETWORK, 1), ("skadnetwork", NETWORK, 9), ("skadnetwork", "other.skadnetwork", 1),
    ]  # fmt: skip


async def test_what_fits_several_campaigns_belongs_to_none(connection: asyncpg.Connection) -> None:
    await source(connection, "5239")
    await source(connection, "1139", "fall")
    for digits in ("39", "139", "239", "40"):
        await insert_postback(connection, at=NOON, source=digits)
    rows = (await report(connection, by="campaign,source")).rows
    assert [(row.campaign, row.source_identifier, row.ambiguous) for row in rows] == [
        ("fall", "139", 0), ("spring", "239", 0), (None, "39", 1), (None, "40", 0),
    ]  # fmt: skip
    assert [row.postbacks for row in (await report(connection, by="app", campaign="fall")).rows] == [1]


async def test_only_what_verifies_counts_and_once(connection: asyncpg.Connection) -> None:
    same: dict[str, Any] = {"transaction": "6aafb7a5-0170-41b5-bbe4-fe71dedf1e28", "at": NOON}
    await insert_postback(connection, **same)
    for _ in range(8):
        await insert_postback(connection, **same, verdict="duplicate")
    await insert_postback(connection, **same, verdict="changed", fine=63)
    await insert_postback(connection, **same, verdict="invalid")
    (row,) = (await report(connection)).rows
    assert (row.postbacks, row.installs, row.with_value) == (1, 1, 0)


async def test_days_are_of_receipt_in_utc_from_midnight_to_midnight(connection: asyncpg.Connection) -> None:
    midnight = datetime(2026, 11, 3, tzinfo=UTC)
    for at in (midnight - timedelta(milliseconds=1), midnight, midnight + timedelta(hours=24, milliseconds=-1)):
        await insert_postback(connection, at=at)
    await insert_postback(connection, at=midnight + timedelta(hours=24))
    rows = (await report(connection, by="day")).rows
    assert [(row.day, row.postbacks) for row in rows] == [
        (date(2026, 11, 2), 1), (date(2026, 11, 3), 2), (date(2026, 11, 4), 1),
    ]  # fmt: skip
    (row,) = (await report(connection, by="day", since=DAY, until=DAY)).rows
    assert row.postbacks == 2
    (row,) = (await report(connection, by="app", since=DAY, until=DAY)).rows
    assert row.postbacks == 2


async def test_the_schema_that_held_at_receipt_says_what_a_value_means(connection: asyncpg.Connection) -> None:
    hour = timedelta(hours=1)
    await schema(connection, NOON, {"fine": [{"from": 5, "to": 5, "events": ["launch"]}]})
    paid = {"from": 5, "to": 5, "events": ["purchase"], "revenue_min": "1", "revenue_max": "2"}
    await schema(connection, NOON + 2 * hour, {"currency": "EUR", "fine": [paid]})
    await schema(connection, NOON, {"fine": [{"from": 5, "to": 5, "events": ["of another app"]}]}, app="game")
    for at in (NOON - hour, NOON, NOON + hour, NOON + 2 * hour, NOON + 24 * hour):
        await insert_postback(connection, at=at, fine=5)
    for by in ("day", "app"):
        rows = (await report(connection, by=by)).rows
        events: dict[str, int] = {}
        for row in rows:
            for name, number in row.events.items():
                events[name] = events.get(name, 0) + number
        assert events == {"launch": 2, "purchase": 2}
        assert sum(row.without_schema for row in rows) == 1
    (row,) = (await report(connection, since=DAY + timedelta(1), by="app")).rows
    assert (row.events, row.revenue_max) == ({"purchase": 1}, {"EUR": "2.00"})


async def test_a_number_is_the_oldest_apps_that_is_not_deleted(connection: asyncpg.Connection) -> None:
    await insert_postback(connection, at=NOON)
    await connection.execute(
        "INSERT INTO apps (id, title, stores, created_at) SELECT 'old', '', stores, created_at - interval '1 day'"
        " FROM apps WHERE id = 'shop'"
    )
    assert [row.app for row in (await report(connection)).rows] == ["old"]
    with pytest.raises(Refused, match="older app"):
        await report(connection, app="shop")
    await connection.execute("UPDATE apps SET deleted_at = now() WHERE id = 'old'")
    assert [row.app for row in (await report(connection, app="shop")).rows] == ["shop"]
    await connection.execute("UPDATE apps SET stores = '{}' WHERE id = 'shop'")
    assert [(row.app, row.store_app) for row in (await report(connection)).rows] == [(None, STORE_APP)]


async def test_sources_are_those_of_today(connection: asyncpg.Connection) -> None:
    await insert_postback(connection, at=NOON)
    made = await source(connection, "39")
    assert [row.campaign for row in (await report(connection)).rows] == ["spring"]
    await delete_source(connection, "me", made)
    assert [row.campaign for row in (await report(connection)).rows] == [None]
    assert (await report(connection, campaign="spring")).rows == ()


async def credited(connection: asyncpg.Connection, at: datetime, *campaigns: str | None, **changes: Any) -> None:
    """An install that was decided so many times."""
    row = {"app": "shop", "os": "ios", "test": False, "said": at} | changes
    id = new_id(int(at.timestamp() * 1_000_000))
    await connection.execute(
        "INSERT INTO installs (app, install_id, id, installed_at, ids, os, device, app_version, ua, flags, test)"
        " VALUES ($1, $2, $2::text::uuid, $3, '{}', $4, '{}', '', '', '{}', $5)",
        *(row["app"], str(id), row["said"], row["os"], row["test"]),
    )
    for number, campaign in enumerate(campaigns, 1):
        method, touch = ("organic", None) if campaign is None else ("identifier", id)
        await connection.execute(
            "INSERT INTO decisions (conversion, number, method, touch, campaign, candidates, rules)"
            " VALUES ($1, $2, $3, $4, $5, '[]', '')",
            *(id, number, method, touch, campaign),
        )


async def test_device_level_installs_stand_beside(connection: asyncpg.Connection) -> None:
    hour = timedelta(hours=1)
    await source(connection, "39")
    for fields in ({}, {}, {"at": NOON + 24 * hour}, {"source": "1111"}):
        await insert_postback(connection, **{"at": NOON} | fields)
    await credited(connection, NOON, "spring")
    await credited(connection, NOON, "fall", "spring")
    await credited(connection, NOON, "spring", "fall")
    await credited(connection, NOON, "spring", None)
    await credited(connection, NOON, None)
    await credited(connection, NOON, "spring", os="android")
    await credited(connection, NOON, "spring", test=True)
    await credited(connection, NOON, "spring", app="game")
    await credited(connection, NOON + 13 * hour, "spring", said=NOON)
    await credited(connection, NOON + 80 * hour, "spring")

    def beside(rows: tuple[SkanRow, ...]) -> list[Any]:
        return [(row.campaign, row.installs, row.device_installs) for row in rows]

    by = await report(connection, by="day,app,campaign")
    assert beside(by.rows) == [("spring", 2, 3), (None, 1, None), ("spring", 1, 0)]
    assert beside((await report(connection, by="campaign", app="shop")).rows) == [("spring", 3, 3), (None, 1, None)]
    assert beside((await report(connection, by="campaign")).rows) == [("spring", 3, 4), (None, 1, None)]
    assert beside((await report(connection, by="campaign", since=DAY, until=DAY, app="shop")).rows)[0][2] == 3
    assert beside((await report(connection, by="campaign,source")).rows)[0][2] is msgspec.UNSET


@pytest.mark.parametrize(
    ("asked", "field", "says"),
    [
        ({"by": "day,hour"}, "by", "'hour'"),
        ({"by": ""}, "by", "is none of"),
        ({"app": "none"}, "app", "does not exist"),
        ({"app": "game"}, "app", "no number in the App Store"),
        ({"campaign": "none"}, "campaign", "does not exist"),
        ({"since": DAY, "until": DAY - timedelta(1)}, "since", "after the last day"),
        ({"since": DAY - timedelta(366), "until": DAY}, "since", "more than 366 days"),
        ({"since": date(1, 1, 1), "until": date(9999, 12, 31)}, "since", "is not from"),
        ({"until": date(9999, 12, 31)}, "until", "is not from"),
    ],
)
async def test_what_cannot_be_told_is_refused(
    connection: asyncpg.Connection, asked: dict[str, Any], field: str, says: str
) -> None:
    with pytest.raises(Refused) as caught:
        await report(connection, **asked)
    assert caught.value.field == field
    assert says in caught.value.sentence
    assert (await skan_report(connection, since=DAY - timedelta(365), until=DAY)).rows == ()


async def test_a_report_is_bounded(connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    for digits in ("1111", "2222", "3333"):
        await insert_postback(connection, at=NOON, source=digits, store_app=int(digits))
    await source(connection, "11", app="shop")
    await connection.execute("UPDATE skan_postbacks SET store_app = $1", STORE_APP)
    await insert_postback(connection, at=NOON, store_app=42)
    for bound, most in (
        ("skan_report.APPS_MAX", 1),
        ("skan_counting.GROUPS_MAX", 3),
        ("skan_counting.SOURCES_MAX", 2),
        ("skan_figures.ROWS_MAX", 3),
    ):
        assert len((await report(connection)).rows) == 4
        with monkeypatch.context() as patch:
            patch.setattr(f"console.manage.{bound}", most)
            with pytest.raises(Refused):
                await report(connection)


async def test_postbacks_are_counted_without_reading_their_bodies(connection: asyncpg.Connection) -> None:
    # a table of a few rows would be read whole
    await connection.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
    await insert_postback(connection, at=NOON)
    ids = floor_id(0), new_id(int(NOON.timestamp()) * 2_000_000)
    sources: list[list[Any]] = [[] for _ in TOLD]
    for name, values in (
        ("counts", ([STORE_APP], *ids, [ids[0]], True, True, True, *sources, None)),
        ("told_sources", ([STORE_APP], *ids, 1)),
    ):
        plan = await connection.fetch(f"EXPLAIN {load('skan_meaning')[name]}", *values)
        assert any("Index Only Scan using skan_postbacks_valid" in row[0] for row in plan), plan


async def test_the_command_shows_the_same(connection: asyncpg.Connection, console: Console) -> None:
    await source(connection, "39")
    paid = {"from": 5, "to": 5, "events": ["launch"], "revenue_min": "1"}
    await schema(connection, NOON, {"currency": "EUR", "fine": [paid]})
    await insert_postback(connection, at=NOON, fine=5)
    days = ("--since", "2026-11-01", "--until", "2026-11-30")
    found = console.facts("skan", "report", *days)
    (row,) = found["rows"]
    assert (row["day"], row["campaign"], row["installs"], row["events"]) == ("2026-11-03", "spring", 1, {"launch": 1})
    assert not {"network", "device_installs"} & set(row)
    page = console.run("skan", "report", *days, "--by", "day,app,campaign").stdout
    assert "spring" in page
    assert "launch 1" in page
    assert "1.00 EUR or more" in page
    assert "There are none." in console.run("skan", "report", "--until", "2026-10-01").stdout
    assert "'hour'" in console.refusal("skan", "report", "--by", "hour", code=2)
