"""Sources: made once, told apart by network, listed for those whose they are, deleted for good."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from console.manage.apps import delete_app
from console.manage.campaigns import delete_campaign
from console.manage.common import ALL, Conflict, Missing, Part, Refused, Within
from console.manage.skan_sources import NewSource, Source, create_source, delete_source, list_sources
from tests.console.conftest import Console
from tests.consumers.costs.bill import SHOP
from tests.support.logs import pool_of


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    pool = await pool_of(database_url)
    await pool.execute(SHOP)
    async with pool.acquire() as connection:
        yield connection
    pool.terminate()


async def make(connection: asyncpg.Connection, **asked: Any) -> Source:
    values: dict[str, Any] = {"app": "shop", "campaign": "spring"} | asked
    return await create_source(connection, "me", NewSource(**values))


async def ids(connection: asyncpg.Connection, within: Within = ALL, **asked: Any) -> list[int]:
    return [one.id for one in await list_sources(connection, within=within, **{"part": Part(100)} | asked)]


async def test_a_source_is_made_once_and_again_when_it_was_deleted(connection: asyncpg.Connection) -> None:
    first = await make(connection, source_identifier="0239", network="Net.SKAdNetwork")
    assert (first.network, first.source_identifier, first.campaign_id) == ("net.skadnetwork", "0239", None)
    with pytest.raises(Conflict) as caught:
        await make(connection, source_identifier="0239", network="net.skadnetwork", campaign="fall")
    assert caught.value.field == "source_identifier"
    others = [
        await make(connection, source_identifier="0239"),
        await make(connection, source_identifier="239"),
        await make(connection, campaign_id=39),
        await make(connection, source_identifier="0239", network="net.skadnetwork", app="game"),
    ]
    with pytest.raises(Conflict):
        await make(connection, source_identifier="0239")
    gone = await delete_source(connection, "me", first.id)
    assert gone.deleted_at is not None
    with pytest.raises(Missing):
        await delete_source(connection, "me", first.id)
    again = await make(connection, source_identifier="0239", network="net.skadnetwork", campaign="fall")
    assert await ids(connection) == [*(one.id for one in others), again.id]
    rows = await connection.fetch("SELECT action FROM audit WHERE kind = 'skan_source' ORDER BY id")
    assert [row["action"] for row in rows] == ["create"] * 5 + ["delete", "create"]


async def test_lists_are_of_an_app_a_campaign_a_part_and_of_whom_they_concern(connection: asyncpg.Connection) -> None:
    await connection.execute("INSERT INTO campaigns (id, title) VALUES ('own', '')")
    one = (await make(connection, campaign_id=1)).id
    two = (await make(connection, campaign_id=2, campaign="fall")).id
    three = (await make(connection, campaign_id=3, app="game", campaign="own")).id
    assert await ids(connection) == [one, two, three]
    assert await ids(connection, app="shop") == [one, two]
    assert await ids(connection, campaign="fall") == [two]
    assert await ids(connection, part=Part(1, str(one))) == [two]
    assert await ids(connection, Within(apps=("game",))) == [three]
    assert await ids(connection, Within(partner="net")) == [one, two]
    with pytest.raises(Refused):
        await ids(connection, part=Part(1, "spring"))


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"app": "none"}, "app"),
    ({"campaign": "none"}, "campaign"),
    ({"campaign_id": None}, "source_identifier"),
    ({"source_identifier": "39"}, "campaign_id"),
    ({"campaign_id": 0}, "campaign_id"),
    ({"campaign_id": 101}, "campaign_id"),
    ({"campaign_id": None, "source_identifier": "9"}, "source_identifier"),
    ({"campaign_id": None, "source_identifier": "52390"}, "source_identifier"),
    ({"campaign_id": None, "source_identifier": "39\n"}, "source_identifier"),
    ({"campaign_id": None, "source_identifier": "٣٩"}, "source_identifier"),
    ({"network": ""}, "network"),
    ({"network": "two words"}, "network"),
]


@pytest.mark.parametrize(("changes", "field"), WRONG)
async def test_what_is_wrong_is_named(connection: asyncpg.Connection, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as caught:
        await make(connection, **{"campaign_id": 1} | changes)
    assert caught.value.field == field
    assert await ids(connection) == []


def test_the_commands_do_the_same(console: Console) -> None:
    console.sql("INSERT INTO apps (id, title) VALUES ('shop', '')")
    console.sql("INSERT INTO campaigns (id, title) VALUES ('spring', '')")
    of = ("--app", "shop", "--campaign", "spring")
    made = console.facts("skan", "source", "create", *of, "--source-identifier", "39", "--network", "N.skadnetwork")
    assert made["network"] == "n.skadnetwork"
    assert console.facts("skan", "source", "list", *of) == [made]
    assert "n.skadnetwork" in console.run("skan", "source", "list").stdout
    said = console.refusal("skan", "source", "create", *of, code=2)
    assert "source-identifier is missing" in said
    assert console.facts("skan", "source", "delete", str(made["id"]))["deleted_at"] is not None
    assert "does not exist" in console.refusal("skan", "source", "delete", str(made["id"]), code=1)


async def test_an_app_and_a_campaign_with_sources_are_not_deleted(connection: asyncpg.Connection) -> None:
    await connection.execute("INSERT INTO apps (id, title) VALUES ('lone', '')")
    await connection.execute("INSERT INTO campaigns (id, title) VALUES ('lone', '')")
    made = await make(connection, app="lone", campaign="lone", source_identifier="39")
    for refused in (delete_app(connection, "me", "lone"), delete_campaign(connection, "me", "lone")):
        with pytest.raises(Conflict, match="has sources, 1 of them: delete them first"):
            await refused
    await delete_source(connection, "me", made.id)
    assert (await delete_campaign(connection, "me", "lone")).deleted_at is not None
    assert (await delete_app(connection, "me", "lone")).deleted_at is not None
