import http.server
import json
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from schemas import journal
from schemas.counters import Counters
from schemas.ids import new_id
from schemas.ports import PORTS
from tests.console.conftest import Console, now_us
from tests.support.mock_kafka import MockKafka
from tests.support.product import free_ports

ROLES = {"edge 0": 0} | {role: PORTS[role] for role in ("touches", "attribution", "rejects", "postbacks", "skan")}
METRICS = """# HELP touchline_country_database x
# TYPE touchline_country_database gauge
touchline_country_database{source="Test \\"db\\"",date="2026-10-27"} 1.0
"""


class Process:
    """A metrics port that says what the test wants."""

    def __init__(self, port: int) -> None:
        self.status, self.says = 200, "ok\n"
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                ready = self.path == "/readyz"
                self.send_response(outer.status if ready else 200)
                self.end_headers()
                self.wfile.write((outer.says if ready else METRICS).encode())

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def end(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def processes(console: Console) -> Iterator[dict[str, Process]]:
    """The edge and the consumers, all ready; the console looks for them."""
    first = free_ports(240)
    console.environment["TOUCHLINE_METRICS_PORT"] = str(first)
    started = {role: Process(first + offset) for role, offset in ROLES.items()}
    yield started
    for process in started.values():
        process.end()


def write_journal(data: Path, topic: str, *, batches: int, age_s: float = 0.0) -> tuple[str, list[int]]:
    """A journal of one worker with whole batches, two a segment; gives its uuid and the position behind each."""
    folder = data / "journals" / "w0" / topic
    folder.mkdir(parents=True)
    identity = str(uuid.uuid4())
    (folder / "journal.json").write_text(json.dumps({"uuid": identity, "topic": topic, "host": "here"}))
    behind: list[int] = []
    for number in range(1, batches + 1):
        segment = (number + 1) // 2
        path = journal.segment_path(folder, segment)
        before = path.read_bytes() if path.exists() else journal.segment_header(uuid.UUID(identity).bytes, segment)
        record_id = new_id(now_us() - int(age_s * 1_000_000))
        whole = before + journal.pack_frame(1, number, b'{"id":"%s"}\n{"kind":"tally"}' % record_id.encode())
        path.write_bytes(whole)
        behind.append(journal.position(segment, len(whole)))
    end = journal.End(journal.Position(behind[-1]), batches, 1)
    (folder / "end").write_bytes(journal.pack_end(end))
    return identity, behind


def test_all_is_well(console: Console, processes: dict[str, Process]) -> None:
    console.add_touch(received_us=now_us() - 1_000_000)
    facts = console.facts("status")
    assert facts["ready"] is True
    assert facts["postgres"]["reachable"] is True
    assert facts["postgres"]["version"][:2].isdigit()
    assert [one["role"] for one in facts["processes"] if one["ready"]] == list(ROLES)
    assert facts["touches_per_second"] == pytest.approx(1 / 60, abs=0.01)
    assert facts["waiting_conversions"] == {"conversions": 0, "oldest_seconds": None}
    assert facts["country_database"] == {"source": 'Test "db"', "date": "2026-10-27"}
    page = console.run("status").stdout
    assert page.startswith("ready")
    assert "none: no edge has written here" in page


def test_a_process_that_is_not_ready_or_away_is_said(console: Console, processes: dict[str, Process]) -> None:
    processes["touches"].status, processes["touches"].says = 503, "Postgres is away\n"
    processes["edge 0"].says = "ok: Kafka is away (hits), the journal carries it\n"
    processes.pop("rejects").end()
    facts = console.facts("status", code=1)
    says = {one["role"]: (one["ready"], one["says"]) for one in facts["processes"]}
    assert says == {
        "edge 0": (True, "ok: Kafka is away (hits), the journal carries it"),
        "touches": (False, "Postgres is away"),
        "attribution": (True, "ok"),
        "rejects": (False, "nothing answers"),
        "postbacks": (True, "ok"),
        "skan": (True, "ok"),
    }
    assert facts["ready"] is False


def test_without_postgres_the_rest_is_still_told(console: Console, processes: dict[str, Process]) -> None:
    _, behind = write_journal(console.data, "hits", batches=2)
    journal.publish(console.data / "journals/w0/hits/read.touches", behind[0])
    away = "postgresql://someone:secret@127.0.0.1:1/nothing"
    facts = console.facts("status", code=1, TOUCHLINE_DATABASE_URL=away)
    assert facts["postgres"]["reachable"] is False
    assert facts["postgres"]["address"] == "127.0.0.1:1/nothing"
    assert facts["journals"][0]["unread_batches"] == 1
    page = console.run("status", code=1, TOUCHLINE_DATABASE_URL=away).stdout
    assert "No Postgres" in page
    assert "secret" not in page


def test_without_tables_it_says_what_to_run(console: Console, processes: dict[str, Process]) -> None:
    console.sql("DROP TABLE log_positions")
    facts = console.facts("status", code=1)
    assert facts["postgres"]["reachable"] is True
    assert "touchline migrate" in facts["postgres"]["why"]


def test_what_is_unread_is_counted_across_segments(console: Console) -> None:
    identity, behind = write_journal(console.data, "hits", batches=5, age_s=90)
    console.sql("INSERT INTO log_positions VALUES ('touches', $1, 0, $2)", f"journal:{identity}", behind[0])
    facts = console.facts("status", code=1)
    local = facts["journals"][0]
    frame = (behind[0] & 0xFFFF_FFFF) - journal.SEGMENT_HEADER.size
    assert (local["end"], local["last_batch"], local["read_by"]) == (f"3:{32 + frame}", 5, "touches")
    assert (local["unread_batches"], local["unread_bytes"]) == (4, 4 * frame)
    assert 90 <= local["oldest_unread_seconds"] < 150
    assert local["bytes_on_disk"] == 3 * 32 + 5 * frame
    assert facts["consumers"][0]["lag_batches"] == 4
    assert "4 batches" in console.run("status", code=1).stdout
    console.sql("UPDATE log_positions SET next_offset = $1", behind[4])
    read = console.facts("status", code=1)["journals"][0]
    assert (read["unread_batches"], read["unread_bytes"], read["oldest_unread_seconds"]) == (0, 0, None)


def test_counts_waiting_installs_and_holes_are_told(console: Console) -> None:
    counters = Counters(console.data / "journals" / "w0" / "counters")
    counters.add_unrecorded(3)
    counters.add_refused()
    counters.close()
    console.add_install("i-1", decided=False)
    console.sql("INSERT INTO log_holes VALUES ('touches', 'journal:x', 0, 1, 2)")
    facts = console.facts("status", code=1)
    assert facts["counts"] == [{"worker": "w0", "unrecorded": 3, "refused": 1}]
    assert facts["waiting_conversions"]["conversions"] == 1
    assert facts["holes"] == 1
    page = console.run("status", code=1).stdout
    assert "3 redirects without a durable hit" in page
    assert "1 conversions without a decision" in page
    assert "ALARM: 1 holes" in page


def test_kafkas_ends_give_the_lag(console: Console, mock_kafka: MockKafka) -> None:
    for topic in ("x.hits", "x.conversions", "x.skan", "x.rejects"):
        mock_kafka.create_topic(topic, 2)
    producer = Producer({"bootstrap.servers": mock_kafka.bootstrap})
    for _ in range(5):
        producer.produce("x.hits", b"{}", partition=1)
    producer.flush(10)
    for epoch, offset in ((1, 999), (2, 2)):
        console.sql("INSERT INTO log_positions VALUES ('touches', $1, 1, $2)", f"kafka:abc:x.hits:{epoch}", offset)
    kafka = {"TOUCHLINE_KAFKA": mock_kafka.bootstrap, "TOUCHLINE_TOPIC_PREFIX": "x."}
    facts = console.facts("status", code=1, **kafka)
    assert facts["log"] == {"kind": "kafka", "address": mock_kafka.bootstrap, "why": None}
    lags = {(one["consumer"], one["partition"]): one["lag_records"] for one in facts["consumers"]}
    assert lags == {(consumer, n): 0 for consumer in ("touches", "attribution", "skan", "rejects") for n in (0, 1)} | {
        ("touches", 1): 3
    }
    assert "3 records" in console.run("status", code=1, **kafka).stdout


def test_kafka_away_is_said_within_a_few_seconds(console: Console) -> None:
    began_at = time.monotonic()
    facts = console.facts("status", code=1, TOUCHLINE_KAFKA="127.0.0.1:1")
    assert facts["log"]["why"].startswith("no answer from 127.0.0.1:1")
    assert time.monotonic() - began_at < 9
