import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import asyncpg

from schemas.ids import floor_id
from schemas.sql import load
from tests.console.conftest import S2S_QUERY, Console, now_us


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


@contextmanager
def following(console: Console, *arguments: str) -> Iterator[IO[str]]:
    """Its standard output; at the end Ctrl-C, which must be a quiet end."""
    process = console.start("tail", *arguments)
    assert process.stdout is not None
    try:
        yield process.stdout
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=10)
        assert (process.returncode, said) == (0, "")
    finally:
        process.kill()
        process.communicate()


def test_the_last_rows_are_shown_in_order(console: Console) -> None:
    touch = console.add_touch(click_id="c-1")
    reject = console.add_reject()
    shown = lines(console.run("tail", "--no-follow", "--json").stdout)
    assert [(row["what"], row["id"]) for row in shown] == [("touch", touch), ("reject", reject)]
    assert (shown[0]["click_id"], shown[0]["query"], shown[0]["ip"]) == ("c-1", S2S_QUERY, "192.0.2.7")
    assert (shown[1]["reason"], shown[1]["parameter"], shown[1]["query"]) == (
        "bad_device_ip", "device_ip", "device_ip=nonsense"
    )  # fmt: skip
    page = console.run("tail", "--no-follow").stdout.splitlines()
    assert page[0].split()[2:] == ["click", "s2s", "1", "click_id=c-1", "192.0.2.7", "late"]
    assert page[1].split()[2:6] == ["reject", "click", "1", "bad_device_ip"]
    assert page[1].endswith("parameter=device_ip  It is no address.")


def test_limit_since_and_link_choose(console: Console) -> None:
    old = console.add_touch(received_us=now_us() - 3_600_000_000, link="1")
    new = [console.add_touch(link=link) for link in ("1", "2", "1")]
    reject = console.add_reject(link="2")
    console.add_reject(link="2", consumer="attribution")  # an app of that name

    def shown(*arguments: str) -> list[object]:
        return [row["id"] for row in lines(console.run("tail", "--no-follow", "--json", *arguments).stdout)]

    assert shown("--link", "1") == [old, new[0], new[2]]
    assert shown("--link", "2") == [new[1], reject]
    assert shown("--link", "1", "--since", "60") == [new[0], new[2]]
    assert shown("--link", "1", "--limit", "1") == [new[2]]
    assert shown("--link", "3") == []


def test_new_rows_appear_once_until_ctrl_c(console: Console) -> None:
    first = console.add_touch()
    with following(console, "--json") as shown:
        assert json.loads(shown.readline())["id"] == first
        second = console.add_touch()
        assert json.loads(shown.readline())["id"] == second
        time.sleep(0.7)
        # committed later than rows with higher ids
        late = console.add_touch(received_us=now_us() - 5_000_000)
        assert json.loads(shown.readline())["id"] == late
        # behind what is read again: a consumer's rejects do not wait for the touches
        console.add_touch(received_us=now_us() - 60_000_000)
        time.sleep(0.7)
        reject = console.add_reject()
        assert json.loads(shown.readline())["id"] == reject


def test_it_waits_for_the_first_row(console: Console) -> None:
    with following(console, "--link", "7") as shown:
        time.sleep(1)
        console.add_touch(link="8")
        console.add_touch(link="7", click_id="c-\x1b[31m")
        line = shown.readline()
        assert "  7  " in line
        assert r"click_id=c-\x1b[31m" in line


def test_a_clock_that_runs_ahead_hides_nothing(console: Console) -> None:
    ahead = console.add_touch(received_us=now_us() + 600_000_000)
    with following(console, "--json") as shown:
        assert json.loads(shown.readline())["id"] == ahead
        time.sleep(0.7)
        now = console.add_touch()
        assert json.loads(shown.readline())["id"] == now


def test_no_postgres_at_the_start_is_a_sentence(console: Console) -> None:
    said = console.refusal("tail", code=1, TOUCHLINE_DATABASE_URL="postgresql://127.0.0.1:1/nothing")
    assert said.startswith("touchline tail: No Postgres: ")


def test_a_pipe_that_ends_is_a_quiet_end(console: Console) -> None:
    console.add_touch()
    with console.start("tail", "--json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        console.add_touch()
        assert (process.wait(10), process.stderr.read()) == (0, "")


async def test_a_poll_reads_by_id_and_only_the_days_it_needs(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        now = now_us()
        bounds = f"'{floor_id(now)}', '{floor_id(now + 3_600_000_000)}'"
        # what a long-lived session gets: the plan for any parameters
        await connection.execute("SET plan_cache_mode = force_generic_plan")
        for name, rest in (("newest_touches", "NULL, 9, 9"), ("newest_touches", "'1', 9, 9"), ("touches_between", "9")):
            await connection.execute(f"PREPARE asked AS {load('console')[name]}")
            rows = await connection.fetch(f"EXPLAIN (ANALYZE) EXECUTE asked({bounds}, {rest})")
            plan = "\n".join(row[0] for row in rows)
            assert "Subplans Removed" in plan, plan
            assert "Seq Scan" not in plan, plan
            assert "->  Sort" not in plan, plan
            await connection.execute("DEALLOCATE asked")
    finally:
        await connection.close()
