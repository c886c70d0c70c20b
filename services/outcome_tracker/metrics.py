"""Prometheus metrics of the outcome tracker."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from papertrader.services.outcome_tracker.kernel import BUCKETS_BPS
from papertrader.services.outcome_tracker.service import OutcomeTracker
from papertrader.shared.log.subjects import Market
from papertrader.shared.messages import HORIZONS_S
from papertrader.shared.service.metrics import ACCOUNT, Histogram, Metric, Sample

HORIZON = (*ACCOUNT, "horizon")

COUNTERS = {
    "fills": Metric("paper_outcome_fills", "counter", "Fills queued for their markouts"),
    "labels": Metric("paper_outcome_labels", "counter", "Fills that got their one label, resolved or not"),
    "resolved": Metric("paper_outcomes_resolved", "counter", "Labels with a known mid at the label horizon"),
    "unresolved": Metric("paper_outcomes_unresolved", "counter", "Labels lost to a gap, to overflow or to no mid"),
    "adverse": Metric("paper_outcomes_adverse", "counter", "Resolved labels that were adverse"),
    "adverse_volatility_scaled": Metric(
        "paper_outcomes_adverse_volatility_scaled", "counter", "Resolved labels adverse by the volatility-scaled rule"
    ),
    "overflow": Metric("paper_outcome_overflow", "counter", "Fills that found no room and were left unresolved"),
    "without_mid": Metric("paper_outcome_without_mid", "counter", "Horizons at which the mid was not known"),
    "quotes": Metric("paper_outcome_unfilled_quotes", "counter", "Unfilled quotes followed for the selection effect"),
    "quotes_dropped": Metric("paper_outcome_unfilled_quotes_dropped", "counter", "Sampled quotes not followed"),
}
PENDING = Metric("paper_outcomes_pending", "gauge", "Fills whose label is still to come")
MARKOUT = Metric("paper_markout_bps", "histogram", "Markout of fills in bp, positive is good for us", HORIZON)
QUOTE_MARKOUT_MEAN = Metric(
    "paper_unfilled_quote_markout_mean_bps", "gauge", "Mean markout of sampled quotes that ended unfilled, bp", HORIZON
)
SIGMA = Metric("paper_outcome_sigma_bps", "gauge", "Volatility behind the scaled label, bp per square root second")

METRICS: tuple[Metric, ...] = (*COUNTERS.values(), PENDING, MARKOUT, QUOTE_MARKOUT_MEAN, SIGMA)


def samples(market: Market, fold: OutcomeTracker) -> Iterator[Sample]:
    """Every metric of every account of one market."""
    for account, tracker in zip(fold.accounts, fold.trackers, strict=True):
        labels = (*market, account)
        for field, metric in COUNTERS.items():
            yield Sample(metric, labels, float(tracker[field]))
        yield Sample(PENDING, labels, float(tracker["fills_waiting"]))
        variance = tracker["variance"] / tracker["weight"] if tracker["weight"] > 0 else 0.0
        yield Sample(SIGMA, labels, float(np.sqrt(variance)) * 1e4)
        yield from _by_horizon(labels, tracker)


def _by_horizon(labels: tuple[str, ...], tracker: Any) -> Iterator[Sample]:
    for index, horizon in enumerate(HORIZONS_S):
        where = (*labels, f"{horizon:g}s")
        cumulative = np.cumsum(tracker["markout_histogram"][index])
        bounds = [*(f"{bound:g}" for bound in BUCKETS_BPS), "+Inf"]
        buckets = [(bound, float(count)) for bound, count in zip(bounds, cumulative, strict=True)]
        yield Sample(MARKOUT, where, Histogram(buckets, float(tracker["markout_sum_bps"][index])))
        count, total = tracker["quote_markout_count"][index], tracker["quote_markout_sum_bps"][index]
        yield Sample(QUOTE_MARKOUT_MEAN, where, float(total / count) if count else 0.0)
