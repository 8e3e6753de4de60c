"""The comparison of acknowledged hits with rows finds what is missing and what is double."""

import asyncpg
import pytest

from benchmarks.rows import Samples, account
from schemas.ids import new_id
from schemas.keys import click_id_key

NOW_S = 1_800_000_000

INSERT = """
INSERT INTO touches (id, kind, mode, link, app, touched_at, click_id, ua, os, os_version, brand, model, browser,
    language, query, headers, flags, click_key)
VALUES ($1::uuid, 'click', 's2s', 'link', 'demo', now(), $2, '', '', '', '', '', '', '', '', '{}', '{}', $3)
"""


async def store(connection: asyncpg.Connection, *click_ids: str, at_s: float = NOW_S) -> None:
    for click_id in click_ids:
        await connection.execute(INSERT, new_id(int(at_s * 1e6)), click_id, click_id_key("demo", "click", click_id))


async def test_missing_and_double_are_counted(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await store(connection, "p-1", "p-2", "p-2", "p-4", "other-3")
        found = await account(connection, NOW_S, "p", {1, 2, 3})
    finally:
        await connection.close()

    assert (found.acknowledged, found.stored, found.missing, found.double) == (3, 4, 1, 1)
    assert found.unacknowledged_stored == 1


async def test_samples_are_seen_when_their_rows_arrive(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: NOW_S * 10**9)
    connection = await asyncpg.connect(database_url)
    try:
        samples = Samples("demo", "p", [1, 11, 21])
        await samples.look(connection)
        assert samples.seen_at == {} and samples.waiting == 3

        await store(connection, "p-11", "p-12")
        await samples.look(connection)
        assert samples.seen_at.keys() == {11}

        samples.only({1, 11})
        assert samples.waiting == 1
    finally:
        await connection.close()
