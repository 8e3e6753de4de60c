"""A disk without space: machines are refused, people sent on, and all is well again once space returns."""

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.product import Product, eventually, query

LINK = "1019409635088005254"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB."""
    if os.geteuid() != 0:
        pytest.skip("a small file system needs root: run the tests as root to include this one")
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], check=False)
    if mounted.returncode:
        pytest.skip("no file system can be mounted here: allow it to include this test")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def ready(product: Product) -> tuple[int, str]:
    port = product.environment["TOUCHLINE_METRICS_PORT"]
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def fill(folder: Path) -> Path:
    """A file that takes all the space there is."""
    path = folder / "ballast"
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            pass
    return path


def test_full_and_free_again(small_disk: Path, tmp_path: Path, database_url: str) -> None:
    product = Product(tmp_path / "edge", TOUCHLINE_DATABASE_URL=database_url, TOUCHLINE_DATA=str(small_disk / "data"))
    edge = product.start_edge()

    def ping(click_id: str) -> int:
        facts = query(
            click_id=click_id, device_ip="198.51.100.7", device_ua="x" * 900, click_timestamp=int(time.time())
        )
        return product.get(f"/serve/{LINK}?{facts}&noredirect")[0]

    try:
        assert ping("first") == 204
        assert ready(product)[0] == 200
        ballast = fill(small_disk)
        eventually(lambda: ping("fills") == 503)
        assert product.get(f"/c/{LINK}", {"User-Agent": "iPhone"})[0] == 302
        status, why = ready(product)
        assert status == 503
        assert "No space left on device" in why
        for _ in range(30):
            assert ping("refused") == 503
        complaints = product.output().count("records are not durable")
        assert 1 <= complaints <= 5, "logged once a second at most"
        ballast.unlink()
        eventually(lambda: ready(product)[0] == 200)  # by itself: nobody sends anything meanwhile
        assert ping("after") == 204
    finally:
        edge.send_signal(signal.SIGTERM)
        assert edge.wait(30) == 0, product.output()
