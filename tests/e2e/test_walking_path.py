"""The way of a click to an attributed install, over HTTP and SQL only: on the journals and on Apache Kafka."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.data import data_folder
from tests.support.product import TOUCHLINE, Product, eventually, query

LINK = "1019409635088005254"
PHONE = (
    "Mozilla/5.0 (Linux; Android 13; SM-G991B) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/125.0.0.0 Mobile Safari/537.36"
)
DEVICE = {
    "os": "Android",
    "os_version": "13",
    "model": "SM-G991B",
    "manufacturer": "Samsung",
    "locale": "de-DE",
}
# protocols of the vendor, its own sample with the id of the demo's link
SAMPLE = (
    f"/serve/{LINK}?click_id=123456789&device_ip=192.0.2.0/24&device_ua=Mozilla/5.0%20(Linux;%20Android%204.4.4;"
    "%205042D%20Build/KTU84P)%20AppleWebKit/537.36%20(KHTML,%20like%20Gecko)%20Version/4.0%20Chrome/33.0.0.0"
    "%20Mobile%20Safari/537.36&click_timestamp=1453895044"
)


@pytest.fixture(scope="module", params=["journal", pytest.param("kafka", marks=pytest.mark.kafka)])
def product(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    settings = {}
    if request.param == "kafka":
        settings = {
            "TOUCHLINE_KAFKA": request.getfixturevalue("kafka"),
            "TOUCHLINE_TOPIC_PREFIX": f"e2e{time.time_ns() % 10**9}.",
        }
    product = Product(tmp_path_factory.mktemp(f"product-{request.param}"), **settings)
    try:
        product.start()
        yield product
    finally:
        product.stop()


def explained(product: Product, install_id: str) -> dict[str, object]:
    def ask() -> dict[str, object] | None:
        if not product.sql(
            "SELECT FROM installs i JOIN decisions d ON d.conversion = i.id WHERE i.install_id = $1", install_id
        ):
            return None
        facts: dict[str, object] = product.facts("explain", install_id)
        return facts

    return eventually(ask)


def a_minute_ago() -> int:
    """Nobody installs within seconds of a touch."""
    return int(time.time()) - 60


def install(product: Product, **fields: object) -> str:
    status, _, body = product.post("/v1/installs", {"installed_at": int(time.time()), "device": DEVICE} | fields)
    assert status == 202, body
    return str(json.loads(body)["install_id"])


def test_the_three_printed_requests(product: Product) -> None:
    printed = [line for line in product.output().splitlines() if line.startswith("curl ")][:3]
    answers = [subprocess.run(shlex.split(line), capture_output=True, text=True, check=True).stdout for line in printed]
    click, ping, installed = answers
    assert click.startswith("HTTP/1.1 302")
    assert "Location: https://play.google.com/store/apps/details?id=" in click
    assert "&referrer=touchline_id%3D" in click
    assert ping.startswith("HTTP/1.1 204")
    assert installed.startswith("HTTP/1.1 202")
    install_id = json.loads(installed.rpartition("\n")[2])["install_id"]
    facts = explained(product, install_id)
    decision = facts["decision"]
    assert isinstance(decision, dict)
    assert decision["method"] == "identifier"
    assert decision["click_id"].startswith("demo-")
    assert decision["link"] == LINK


def test_same_address_and_phone_match_by_fingerprint(product: Product) -> None:
    ping = query(click_id="print-1", device_ip="198.51.100.23", device_ua=PHONE, click_timestamp=a_minute_ago())
    assert product.get(f"/serve/{LINK}?{ping}&noredirect")[0] == 204
    install_id = install(product, ids={}, ip="198.51.100.23")
    decision = explained(product, install_id)["decision"]
    assert isinstance(decision, dict)
    assert (decision["method"], decision["click_id"]) == ("fingerprint", "print-1")
    assert 0 < decision["confidence"] < 1


def test_store_referrer_names_the_click(product: Product) -> None:
    facts = query(device_ip="198.51.100.24", device_ua=PHONE, click_timestamp=a_minute_ago(), noredirect=0)
    _, headers, _ = product.get(f"/c/{LINK}?click_id=ref-1&{facts}", {"User-Agent": PHONE})
    referrer = headers["Location"].partition("referrer=")[2]
    install_id = install(product, ids={}, referrer={"install_referrer": referrer})
    decision = explained(product, install_id)["decision"]
    assert isinstance(decision, dict)
    assert (decision["method"], decision["click_id"]) == ("referrer", "ref-1")


def test_an_install_waits_for_the_touches_before_it(product: Product) -> None:
    readers = product.children("consume touches")
    for pid in readers:
        os.kill(pid, signal.SIGSTOP)
    try:
        google_aid = "7e57ab1e-0000-4000-8000-0000000000b1"
        ping = query(
            click_id="waits",
            google_aid=google_aid,
            device_ip="198.51.100.5",
            device_ua=PHONE,
            click_timestamp=a_minute_ago(),
        )
        assert product.get(f"/serve/{LINK}?{ping}&noredirect")[0] == 204
        install_id = install(product, ids={"google_aid": google_aid})
        eventually(lambda: product.sql("SELECT FROM installs WHERE install_id = $1", install_id))
        time.sleep(1.5)
        undecided = product.facts("explain", install_id)
        assert (undecided["decision"], undecided["candidates"]) == (None, [])
        assert product.get(f"/v1/installs/{install_id}", {"Authorization": "Bearer demo-sdk-key"})[0] == 202
    finally:
        for pid in readers:
            os.kill(pid, signal.SIGCONT)
    decision = explained(product, install_id)["decision"]
    assert isinstance(decision, dict)
    assert (decision["method"], decision["click_id"]) == ("identifier", "waits")


def test_an_install_nobody_caused_is_organic(product: Product) -> None:
    install_id = install(product, ids={"google_aid": "5d9cf0a2-0000-4000-8000-00000000beef"}, ip="203.0.113.99")
    facts = explained(product, install_id)
    assert facts["decision"] == {
        "method": "organic",
        "touch_id": None,
        "link": None,
        "click_id": None,
        "touch_kind": None,
        "confidence": None,
    }


def test_the_app_reads_its_own_attribution(product: Product) -> None:
    ping = query(
        click_id="own 1",
        google_aid="0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9",
        device_ip="198.51.100.77",
        device_ua=PHONE,
        click_timestamp=a_minute_ago(),
    )
    assert product.get(f"/serve/{LINK}?{ping}")[0] == 204
    install_id = install(product, ids={"google_aid": "0A1B2C3D-4E5F-4071-8293-A4B5C6D7E8F9"})
    path = f"/v1/installs/{install_id}"
    assert product.get(path)[0] == 401
    explained(product, install_id)
    status, _, body = product.get(path, {"Authorization": "Bearer demo-sdk-key"})
    found = json.loads(body)
    assert status == 200
    assert found["attribution"]["method"] == "identifier"
    assert found["deep_link"] == "demo://open?click=own%201"
    assert product.get("/v1/installs/nobody", {"Authorization": "Bearer demo-sdk-key"})[0] == 202


@pytest.mark.parametrize(("host", "kind"), [("redirect.localhost", "click"), ("impression.localhost", "impression")])
def test_the_vendors_own_sample_request(product: Product, host: str, kind: str) -> None:
    status, _, body = product.get(f"{SAMPLE}&noredirect", {"Host": host})
    assert (status, body) == (204, b"")
    assert product.get(SAMPLE, {"Host": host})[0] == 204
    status, headers, _ = product.get(SAMPLE, {"Host": host, "Sec-Fetch-Mode": "navigate"})
    assert (status, headers["Cache-Control"]) == (302, "no-store")
    rows = eventually(
        lambda: product.sql(
            "SELECT * FROM touches WHERE kind = $1 AND click_id = '123456789' AND mode = 's2s'",
            kind,
        )
    )
    row = rows[0]
    assert row["link"] == LINK
    assert row["query"].startswith(SAMPLE.partition("?")[2])
    assert row["click_id"] == "123456789"
    assert str(row["ip"]) == "192.0.2.0/24"
    assert row["ua"].startswith("Mozilla/5.0 (Linux; Android 4.4.4; 5042D Build/KTU84P) AppleWebKit/537.36")
    assert row["touched_at"].timestamp() == 1453895044
    assert (row["os"], row["os_version"]) == ("android", "4.4.4")
    assert "late" in row["flags"]


def test_a_refused_ping_is_kept_as_a_reject(product: Product) -> None:
    wrong = query(click_id="wrong-1", device_ip="not an address", device_ua=PHONE, click_timestamp=1)
    status, headers, _ = product.get(f"/serve/{LINK}?{wrong}&noredirect")
    assert (status, headers["X-Touchline-Reason"]) == (400, "bad_device_ip")
    rows = eventually(lambda: product.sql("SELECT * FROM rejects WHERE reason = 'bad_device_ip'"))
    assert rows[0]["subject"] == LINK
    assert b"wrong-1" in rows[0]["record"]


def test_a_postback_of_apples_is_verified_by_its_consumer(product: Product) -> None:
    for _ in range(2):
        status, _, _ = product.post("/.well-known/skadnetwork/report-attribution/", {"transaction-id": "Walk-1"})
        assert status == 200
    eventually(lambda: len(product.sql("SELECT FROM skan_postbacks WHERE transaction = 'walk-1'")) == 2)
    found = product.facts("skan", "show", "WALK-1")["postbacks"]
    assert [(one["verdict"], one["reason"]) for one in found] == [("invalid", "ad-network-id is missing.")] * 2


def test_nul_and_broken_escapes_do_not_stop_the_consumer(product: Product) -> None:
    before = int(time.time())
    for number, odd in enumerate(("a%00b", "%ff%fe", "%", "%zz", "a+b%20c", "%F0%9F%98%80")):
        ping = query(device_ip="198.51.100.1", device_ua="x", click_timestamp=before)
        assert product.get(f"/serve/{LINK}?click_id=odd-{number}&odd={odd}&{ping}&noredirect")[0] == 204
    rows = eventually(
        lambda: len(found := product.sql("SELECT query FROM touches WHERE click_id LIKE 'odd-%'")) == 6 and found
    )
    assert {"a%00b" in row["query"] for row in rows} == {True, False}


def test_a_timestamp_of_zero_is_stored(product: Product) -> None:
    ping = query(click_id="zero", device_ip="198.51.100.1", device_ua="x", click_timestamp=0)
    assert product.get(f"/serve/{LINK}?{ping}&noredirect")[0] == 204
    row = eventually(lambda: product.sql("SELECT * FROM touches WHERE click_id = 'zero'"))[0]
    assert row["touched_at"].timestamp() == 0


def test_events_are_stored_once(product: Product) -> None:
    event = {
        "event_id": "order-17",
        "install_id": "some-install",
        "name": "payment",
        "occurred_at": "2026-11-20T10:00:00Z",
        "revenue": {"amount": "4.99", "currency": "USD"},
        "params": {"sku": "gold\u0000bar"},
    }
    for _ in range(3):
        assert product.post("/v1/events", event)[0] == 202
    eventually(lambda: len(product.sql("SELECT FROM rejects WHERE reason = 'duplicate'")) >= 2)
    rows = product.sql("SELECT * FROM events WHERE event_id = 'order-17'")
    assert [(row["revenue_micros"], row["currency"]) for row in rows] == [(4_990_000, "USD")]


@pytest.mark.data
def test_third_party_queries_are_preserved_byte_for_byte(product: Product) -> None:
    sent: list[str] = []
    for line in (data_folder() / "urls" / "prebid_urls.txt").read_bytes().splitlines():
        raw = line.partition(b"?")[2].partition(b"#")[0]
        if not raw:
            continue
        mark = b"&tl_case=%d" % len(sent)
        with socket.create_connection(("127.0.0.1", product.port), timeout=10) as client:
            target = b"/serve/%s?%s%s" % (LINK.encode(), raw, mark)
            client.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % target)
            status = int(client.makefile("rb").readline().split()[1])
        assert status < 500, line
        if status == 302:
            sent.append((raw + mark).decode())
    assert len(sent) > 200
    wanted = "SELECT query FROM touches WHERE query LIKE '%tl_case=%'"
    stored = eventually(lambda: len(found := product.sql(wanted)) >= len(sent) and found)
    assert {row["query"] for row in stored} == set(sent)


def test_the_books_balance(product: Product) -> None:
    facts = eventually(lambda: (found := product.facts("verify")) and found["unread_batches"] == 0 and found)
    assert facts["balanced"]
    assert facts["received"] == facts["stored"] + facts["rejected"] > 0
    assert facts["kafka_lag"] == 0


def test_a_deleted_row_is_noticed(product: Product) -> None:
    row = product.sql("DELETE FROM touches WHERE id = (SELECT id FROM touches ORDER BY id LIMIT 1) RETURNING link, id")[
        0
    ]
    at = int(str(row["id"]).replace("-", "")[:12], 16) / 1000
    hour = time.strftime("%Y-%m-%dT%H:00Z", time.gmtime(at))
    words = product.touchline("verify", code=1)
    assert f"link {row['link']}, hour {hour}" in words


def test_restart_goes_on_with_the_same_data(product: Product) -> None:
    before = product.sql("SELECT count(*) FROM touches")[0][0]
    product.stop()
    product.start()
    assert product.sql("SELECT count(*) FROM touches")[0][0] == before
    status, headers, _ = product.get(f"/c/{LINK}?click_id=after", {"User-Agent": "iPhone"})
    assert (status, headers["Location"]) == (302, "https://apps.apple.com/app/id123456789")
    eventually(lambda: product.sql("SELECT FROM touches WHERE click_id = 'after'"))


def test_a_second_instance_is_refused_with_a_sentence(product: Product) -> None:
    words = subprocess.run(
        [sys.executable, TOUCHLINE, "up"],
        env=product.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert words.returncode == 1
    assert "another Touchline is already running on" in words.stderr
    assert "Traceback" not in words.stderr


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("TOUCHLINE_SKAN_KEYS", "MFkw", "key 1 is no public key"),
        ("TOUCHLINE_SKAN_NETWORKS", "a.skadnetwork=/no/such/file", "the key of a.skadnetwork cannot be read"),
    ],
)
def test_a_bad_key_stops_the_start_with_a_sentence(tmp_path: Path, setting: str, value: str, words: str) -> None:
    done = subprocess.run(
        [sys.executable, TOUCHLINE, "up", "--data", str(tmp_path / "data")],
        env={**os.environ, setting: value},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert f"{setting}: {words}" in done.stderr
    assert not (tmp_path / "data").exists()
