"""Bodies in Postgres: each a row, one of an id counts."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import asyncpg
import pytest

from benchmarks.apple import kit_postback, payload, postback
from consumers.skan.handler import SkanHandler
from consumers.skan.housekeeping import tidy_once
from consumers.sources import Record
from process.metrics import Meters
from schemas.codec import encode
from schemas.ids import hour_of
from tests.consumers.skan.conftest import Skan, record
from tests.support import skan_vectors


@pytest.mark.data
async def test_every_vector_on_empty_tables(skan: Skan) -> None:
    skan.keys = skan_vectors.keys()
    for one in skan_vectors.file()["vectors"]:
        await skan.put(one["postback"], framework=one["framework"])
        assert await skan.verdicts() == ["valid" if one["expect_valid"] else "invalid"], one["id"]
        await skan.pool.execute("TRUNCATE skan_postbacks")


@pytest.mark.data
async def test_all_vectors_one_after_the_other_count_once_an_id(skan: Skan) -> None:
    vectors = skan_vectors.file()["vectors"]
    skan.keys = skan_vectors.keys()
    for one in vectors:
        await skan.put(one["postback"], framework=one["framework"])
    seen: set[str] = set()
    expected = []
    for one in vectors:
        body = one["postback"]
        id = body.get("transaction-id") or one.get("jws_payload", {}).get("postback-identifier")
        expected.append("invalid" if not one["expect_valid"] else "changed" if id in seen else "valid")
        seen |= {id} if one["expect_valid"] else set()
    assert await skan.verdicts() == expected


async def test_nine_retries_count_once(skan: Skan) -> None:
    body = postback()
    for _ in range(3):
        await skan.put(*[body] * 3)
    assert await skan.verdicts() == ["valid"] + ["duplicate"] * 8
    body = kit_postback()
    for _ in range(9):
        await skan.put(body, framework="adattributionkit")
    assert (await skan.verdicts())[9:] == ["valid"] + ["duplicate"] * 8


async def test_other_values_under_the_same_signature_are_changed(skan: Skan) -> None:
    body = postback()
    await skan.put(body, {**body, "conversion-value": 63}, body)
    assert await skan.verdicts() == ["valid", "changed", "duplicate"]
    assert await skan.pool.fetchval("SELECT fine FROM skan_postbacks WHERE verdict = 'valid'") == 20
    kit = kit_postback()
    await skan.put(kit, {**kit, "country-code": "FR"}, framework="adattributionkit")
    assert (await skan.verdicts())[3:] == ["valid", "changed"]


async def test_an_invalid_body_never_claims_an_id(skan: Skan) -> None:
    body = postback()
    await skan.put({**body, "app-id": 1}, body, {**body, "app-id": 2})
    assert await skan.verdicts() == ["invalid", "valid", "invalid"]


async def test_the_frameworks_have_ids_of_their_own(skan: Skan) -> None:
    body = postback()
    await skan.put(body)
    await skan.put(kit_postback(payload(postback_identifier=body["transaction-id"])), framework="adattributionkit")
    assert await skan.verdicts() == ["valid", "valid"]


async def test_an_earlier_body_that_the_log_brings_later_counts(skan: Skan) -> None:
    """Two workers write two journals: one of them may be read later."""
    body, now_us = postback(), time.time_ns() // 1000
    other = {**body, "conversion-value": 1}
    await skan.store(
        [record(other, at_us=now_us), record(other, at_us=now_us + 2_000), record(body, at_us=now_us + 4_000)]
    )
    assert await skan.verdicts() == ["valid", "duplicate", "changed"]
    await skan.store([record(body, at_us=now_us - 3_000_000)])
    assert await skan.verdicts() == ["valid", "changed", "changed", "duplicate"]
    reasons = await skan.pool.fetch("SELECT reason FROM skan_postbacks ORDER BY id")
    assert "another content" in reasons[1]["reason"]
    assert "another content" not in reasons[3]["reason"]


async def test_a_record_that_the_log_holds_twice_is_stored_once(skan: Skan) -> None:
    one = record(postback())
    assert await skan.store([one, one]) == 1
    assert await skan.store([one]) == 0
    assert await skan.verdicts() == ["valid"]


async def test_two_consumers_never_count_the_same_id_twice(skan: Skan) -> None:
    bodies = [postback() for _ in range(20)]
    copies = [[record(body) for body in bodies] for _ in range(4)]
    await asyncio.gather(*(skan.store(list(reversed(some)) if n % 2 else some) for n, some in enumerate(copies)))
    counted = await skan.pool.fetch(
        "SELECT count(*) FILTER (WHERE verdict = 'valid') AS n, count(*) AS all FROM skan_postbacks"
        " GROUP BY transaction"
    )
    assert len(counted) == 20
    assert {(row["n"], row["all"]) for row in counted} == {(1, 4)}


async def test_a_consumer_waits_for_the_one_that_is_about_to_count_the_same_id(skan: Skan) -> None:
    body = postback()
    handler = SkanHandler(skan.keys, Meters())
    async with skan.pool.acquire() as connection:
        async with connection.transaction():
            await handler.store(connection, [handler.decode(Record(0, encode(record(body))))])
            other = asyncio.create_task(skan.store([record(body)]))
            await asyncio.sleep(0.1)
        assert await other == 1
    assert await skan.verdicts() == ["valid", "duplicate"]


async def test_whatever_it_is_is_kept_as_it_came(skan: Skan) -> None:
    odd = (b"", b"\xff\x00\xfe", b'{"transaction-id":"\\u0000"}', b'{"transaction-id":"' + b"x" * 5000 + b'"}', b"[]")
    await skan.put(*odd)
    rows = await skan.pool.fetch("SELECT body, verdict, transaction FROM skan_postbacks ORDER BY id")
    assert [row["body"] for row in rows] == list(odd)
    assert {(row["verdict"], row["transaction"]) for row in rows} == {("invalid", None)}


async def test_all_that_a_postback_says_is_in_its_row(skan: Skan) -> None:
    await skan.put(postback(conversion_value=None, coarse_conversion_value="medium", fidelity_type=0, redownload=True))
    row = await skan.pool.fetchrow("SELECT * FROM skan_postbacks")
    assert row is not None
    said = {name: row[name] for name in ("network", "store_app", "source_kind", "source", "sequence", "did_win")}
    assert said == {
        "network": "example123.skadnetwork", "store_app": 525463029, "source_kind": "source_identifier",
        "source": "5239", "sequence": 0, "did_win": True,
    }  # fmt: skip
    assert [row[name] for name in ("conversion", "interaction", "source_app", "fine", "coarse", "version", "key")] == [
        "redownload", "view", 1234567891, None, "medium", "4.0", "extra 1",
    ]  # fmt: skip


async def test_the_database_itself_lets_one_body_of_an_id_count(skan: Skan) -> None:
    await skan.put(postback(transaction_id="6aafb7a5-0170-41b5-bbe4-fe71dedf1e30"))
    with pytest.raises(asyncpg.UniqueViolationError):
        await skan.pool.execute(
            "INSERT INTO skan_postbacks (id, framework, transaction, verdict, reason, hash, body, key, network,"
            " store_app, source_kind, source) SELECT gen_random_uuid(), framework, transaction, verdict, reason, hash,"
            " body, key, network, store_app, source_kind, source FROM skan_postbacks"
        )


async def test_bodies_that_do_not_count_go_after_a_time_and_those_that_count_stay(skan: Skan) -> None:
    day_us, now_us = 86_400_000_000, time.time_ns() // 1000
    old, new = now_us - 91 * day_us, now_us - 89 * day_us
    body = postback()
    await skan.store([record(body, at_us=old), record(body, at_us=old + 1000), record(b"x", at_us=old + 2000)])
    await skan.store([record(body, at_us=new), record(b"x", at_us=new + 1000)])
    await skan.pool.execute(
        "INSERT INTO skan_web_ads (nonce, network, source_identifier, store_app, issued_at) VALUES"
        " (gen_random_uuid(), 'a', 1, 1, now() - interval '31 days'),"
        " (gen_random_uuid(), 'b', 1, 1, now() - interval '29 days')"
    )
    await tidy_once(skan.pool)
    assert await skan.verdicts() == ["valid", "duplicate", "invalid"]
    assert [row["network"] for row in await skan.pool.fetch("SELECT network FROM skan_web_ads")] == ["b"]
    await skan.put(body)
    assert (await skan.verdicts())[-1] == "duplicate"


async def test_bodies_that_do_not_count_are_bounded_in_number_and_leave_the_accounting(
    skan: Skan, caplog: pytest.LogCaptureFixture
) -> None:
    body, now_us = postback(), time.time_ns() // 1000
    sent: list[Mapping[str, Any] | bytes] = [b"1", body, b"2", body, b"3", body]
    await skan.store([record(one, at_us=now_us + n * 1000) for n, one in enumerate(sent)])
    received = "INSERT INTO received VALUES ('skan', 'skadnetwork', $1, 6), ('hits', 'skadnetwork', $1, 6)"
    await skan.pool.execute(received, hour_of(now_us))
    await tidy_once(skan.pool, others_max=5)
    assert len(await skan.verdicts()) == 6
    await tidy_once(skan.pool, others_max=2)
    assert await skan.verdicts() == ["valid", "invalid", "duplicate"]
    left = await skan.pool.fetch("SELECT topic, records FROM received ORDER BY topic")
    assert [tuple(row) for row in left] == [("hits", 6), ("skan", 3)]
    assert "more than 2 bodies do not count: the oldest 3 are deleted" in caplog.text


async def test_a_postback_of_another_sequence_is_another_one(skan: Skan) -> None:
    for index in (0, 1, 2):
        await skan.put(postback(postback_sequence_index=index, conversion_value=None))
    assert await skan.verdicts() == ["valid"] * 3
