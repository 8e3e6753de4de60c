"""Every process of the product gets SIGKILL under load: nothing acknowledged is lost, nothing stands twice."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.load import Load
from tests.support.product import Product, eventually

LINK = "1019409635088005254"
HITS = 20_000


@pytest.fixture(params=["journal", pytest.param("kafka", marks=pytest.mark.kafka)])
def product(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Product]:
    settings = {}
    if request.param == "kafka":
        settings = {
            "TOUCHLINE_KAFKA": request.getfixturevalue("kafka"),
            "TOUCHLINE_TOPIC_PREFIX": f"kill{time.time_ns() % 10**9}.",
        }
    product = Product(tmp_path / "product", **settings)
    product.start()
    yield product
    product.stop()


@pytest.mark.timeout(300)
def test_sigkill_of_every_process_loses_nothing_acknowledged(product: Product) -> None:
    load = Load(product.url, LINK, HITS)

    def crash_and_restart() -> None:
        product.crash()
        product.start()

    async def under_load() -> None:
        kills = [
            load.reached(2_000, lambda: product.kill("edge")),
            load.reached(5_000, lambda: product.kill("consume touches")),
            load.reached(7_000, lambda: product.kill("consume attribution")),
            load.reached(8_000, lambda: product.kill("consume rejects")),
            load.reached(9_000, lambda: kill_postgres(product)),
            load.reached(10_000, crash_and_restart),
            load.reached(14_000, lambda: product.kill("edge")),
            load.reached(16_000, lambda: product.kill("consume touches")),
        ]
        await asyncio.gather(load.run(seconds=200), *kills)

    asyncio.run(under_load())
    assert load.broken > 0, "nothing was interrupted: the kills came to nothing"

    def everything_stored() -> bool:
        facts = product.facts("verify", code=None)
        return bool(facts["unread_batches"] == 0 and facts["kafka_lag"] == 0)

    eventually(everything_stored, seconds=60, what=lambda: product.touchline("verify", code=None))
    rows = product.sql("SELECT click_id FROM touches WHERE click_id LIKE 'load-%'")
    stored = Counter(row["click_id"] for row in rows)
    missing = load.acknowledged - set(stored)
    doubled = {click_id for click_id, count in stored.items() if count > 1}
    assert (len(missing), sorted(missing)[:5]) == (0, [])
    assert (len(doubled), sorted(doubled)[:5]) == (0, [])
    assert product.facts("verify")["balanced"]


def kill_postgres(product: Product) -> None:
    """The supervisor starts it again."""
    pid_file = product.folder / "data" / "postgres" / "cluster" / "postmaster.pid"
    os.kill(int(pid_file.read_text().splitlines()[0]), signal.SIGKILL)


def test_a_segment_deleted_before_it_was_read_is_named(tmp_path: Path) -> None:
    product = Product(tmp_path / "product")
    product.start()
    try:
        asyncio.run(Load(product.url, LINK, 200, "read").run())
        eventually(lambda: product.facts("verify", code=None)["unread_batches"] == 0)
        readers = product.children("consume touches")
        for pid in readers:
            os.kill(pid, signal.SIGSTOP)
        asyncio.run(Load(product.url, LINK, 200, "lost").run())
        for path in (product.folder / "data" / "journals").glob("*/hits/*.seg"):
            path.unlink()
        asyncio.run(Load(product.url, LINK, 200, "later").run())
        for pid in readers:
            os.kill(pid, signal.SIGCONT)
        wanted = "SELECT count(*) >= 200 FROM touches WHERE click_id LIKE 'later-%'"
        eventually(lambda: product.sql(wanted)[0][0], what=product.output)
        facts = product.facts("verify", code=1)
        lost = facts["missing_batches"][0]
        journal = (product.folder / "data" / "journals" / "w0" / "hits" / "journal.json").read_text()
        assert lost["journal"] in journal
        first, last = lost["numbers"]
        assert 1 < first <= last
        hour = time.strftime("%Y-%m-%dT%H:00Z", time.gmtime())
        assert hour in lost["hours"]
        words = product.touchline("verify", code=1)
        assert f"batches {first} to {last} of journal {lost['journal']}" in words
        assert hour in words
        assert facts["holes"]
    finally:
        product.stop()
