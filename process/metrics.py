"""The declared metrics as living counters of one process."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from schemas.metrics import METRICS, Metric

M = TypeVar("M", Counter, Gauge)


class Meters:
    """The metrics of a process; one that `schemas.metrics` does not declare cannot be had."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._made: dict[str, Counter | Gauge | Histogram] = {}

    def counter(self, metric: Metric) -> Counter:
        """The counter of a declaration."""
        return self._get(metric, Counter)

    def gauge(self, metric: Metric) -> Gauge:
        """The gauge of a declaration."""
        return self._get(metric, Gauge)

    def histogram(self, metric: Metric) -> Histogram:
        """The histogram of a declaration."""
        made = self._made.get(metric.name)
        if made is None:
            self._check(metric)
            made = Histogram(metric.name, metric.help, metric.labels, registry=self._registry, buckets=metric.buckets)
            self._made[metric.name] = made
        assert isinstance(made, Histogram)
        return made

    def counted(self, metric: Metric, counts: Mapping[tuple[object, ...], int]) -> None:
        """Show plain numbers, by label values, that their owner goes on counting: for what runs at every hit."""
        self._check(metric)
        self._registry.register(_Counts(metric, counts))

    def _get(self, metric: Metric, make: type[M]) -> M:
        made = self._made.get(metric.name)
        if made is None:
            self._check(metric)
            made = make(metric.name, metric.help, metric.labels, registry=self._registry)
            self._made[metric.name] = made
        assert isinstance(made, make)
        return made

    @staticmethod
    def _check(metric: Metric) -> None:
        if metric not in METRICS:
            raise LookupError(f"{metric.name} is not declared in schemas/metrics.py")

    def exposition(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self._registry)


class _Counts(Collector):
    """Reads somebody's numbers at every scrape."""

    def __init__(self, metric: Metric, counts: Mapping[tuple[object, ...], int]) -> None:
        self._metric = metric
        self._counts = counts

    def collect(self) -> Iterator[CounterMetricFamily]:
        family = CounterMetricFamily(self._metric.name, self._metric.help, labels=self._metric.labels)
        for labels, count in list(self._counts.items()):
            family.add_metric([str(label) for label in labels], count)
        yield family
