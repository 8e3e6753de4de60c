"""Metrics are declared once; what is not declared cannot be counted."""

import pytest

from process.metrics import Meters
from schemas import metrics
from schemas.metrics import Metric


def test_a_declared_metric_appears_with_its_meaning() -> None:
    meters = Meters()
    meters.counter(metrics.HITS).labels("click", "s2s").inc()
    text = meters.exposition().decode()
    assert 'touchline_hits_total{kind="click",mode="s2s"} 1.0' in text
    assert metrics.HITS.help in text


def test_an_undeclared_metric_fails() -> None:
    with pytest.raises(LookupError, match="touchline_surprise is not declared"):
        Meters().counter(Metric("touchline_surprise", "counter", "?"))


def test_no_metric_has_a_link_label() -> None:
    assert all("link" not in metric.labels for metric in metrics.METRICS)


def test_every_name_is_declared_once() -> None:
    names = [metric.name for metric in metrics.METRICS]
    assert len(names) == len(set(names)) > 15
