"""The requests of a load: one format for Lua and Python, unique queries, and a mix that needs its figures."""

from pathlib import Path

import pytest

from benchmarks import traffic
from benchmarks.errors import Missing
from tests.support.data import data_folder

URL = "http://127.0.0.1:8080"


def test_a_ping_carries_its_number_and_nothing_else_changes() -> None:
    templates = traffic.s2s(URL, "4711", "run").templates

    first, second = (templates[0].encode() % (n, n) for n in (1, 2))
    assert first.startswith(b"GET /serve/4711?click_id=run-1&google_aid=38400000-8cf0-11bd-b23e-000000000001&")
    assert b"&device_ua=Mozilla%2F5.0%20" in first and first.endswith(
        b"&noredirect HTTP/1.1\r\n" + first[first.index(b"Host") :]
    )
    assert second == first.replace(b"run-1&", b"run-2&").replace(b"000000000001", b"000000000002")


def test_a_person_navigates() -> None:
    request = traffic.browsers(URL, "4711", "run").first()

    assert b"Sec-Fetch-Mode: navigate\r\n" in request and b"device_ip" not in request


def test_every_template_takes_the_number_twice(tmp_path: Path) -> None:
    for make in (traffic.s2s, traffic.browsers, traffic.impressions):
        for template in make(URL, "4711", "run").templates:
            assert (template.encode() % (7, 7)).endswith(b"\r\n\r\n")


@pytest.mark.data
def test_the_mix_is_skewed_like_the_click_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOUCHLINE_TEST_DATA", str(data_folder()))
    templates = traffic.mix(URL, [f"link-{n}" for n in range(161)], "run").templates

    # the most frequent app has 18 % of the log's clicks
    assert 0.12 < sum("/link-0?" in template for template in templates) / len(templates) < 0.25
    assert len({template.partition("?")[0] for template in templates}) > 20


def test_without_the_click_log_the_mix_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOUCHLINE_TEST_DATA", str(tmp_path))

    with pytest.raises(Missing, match=r"click_distributions\.json is not there"):
        traffic.mix(URL, ["4711"], "run")
