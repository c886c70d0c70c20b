"""One way to export metrics: a service declares them, a collector reads them off the folds' state when scraped.

Nothing is counted on the hot path for Prometheus: a fold's state already holds every number.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.core import (
    Metric as MetricFamily,
)
from prometheus_client.registry import Collector

from papertrader.shared.log.subjects import Market

MARKET = ("venue", "asset")
ACCOUNT = ("venue", "asset", "account")


class Metric(NamedTuple):
    """A metric: name without `_total`, kind, help text and the labels of its samples."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ACCOUNT


class Histogram(NamedTuple):
    """Cumulative counts per upper bound (the last bound is `+Inf`) and the sum of all observations."""

    buckets: Sequence[tuple[str, float]]
    sum: float


class Sample(NamedTuple):
    """The value of a metric for one combination of labels, in the order in which the metric declares them."""

    metric: Metric
    labels: tuple[str, ...]
    value: float | Histogram


class FoldCollector(Collector):
    """Exports the samples of every owned market's fold, and drops a market's series when it is handed over."""

    def __init__(
        self,
        metrics: Sequence[Metric],
        samples: Callable[[Market, Any], Iterable[Sample]],
        owned: Callable[[], dict[Market, Any]],
    ) -> None:
        self._metrics = metrics
        self._samples = samples
        self._owned = owned

    def describe(self) -> Iterable[MetricFamily]:
        """Nothing is known before the first scrape; an empty answer keeps registration from collecting."""
        return ()

    def collect(self) -> Iterator[MetricFamily]:
        """One family per declared metric."""
        families = {metric.name: _family(metric) for metric in self._metrics}
        for market, fold in self._owned().items():
            for metric, labels, value in self._samples(market, fold):
                if isinstance(value, Histogram):
                    _add_histogram(families[metric.name], labels, value)
                else:
                    families[metric.name].add_metric(labels, value)
        yield from families.values()


def _family(metric: Metric) -> Any:
    kinds: dict[str, Any] = {
        "counter": CounterMetricFamily,
        "gauge": GaugeMetricFamily,
        "histogram": HistogramMetricFamily,
    }
    return kinds[metric.kind](metric.name, metric.help, labels=metric.labels)


def _add_histogram(family: Any, labels: tuple[str, ...], histogram: Histogram) -> None:
    family.add_metric(labels, buckets=list(histogram.buckets), sum_value=histogram.sum)
    if float(histogram.buckets[0][0]) < 0:  # the client then leaves both of these out; a mean markout needs them
        named = dict(zip(family._labelnames, labels, strict=True))
        family.add_sample(f"{family.name}_count", named, histogram.buckets[-1][1])
        family.add_sample(f"{family.name}_sum", named, histogram.sum)


def registry_of(*collectors: Collector) -> CollectorRegistry:
    """What a service exports: its own metrics, and those of its process and Python."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    for collector in collectors:
        registry.register(collector)
    return registry
