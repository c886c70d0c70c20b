"""Prometheus metrics of calibration."""

import math
from collections.abc import Iterator
from typing import Any

from papertrader.services.calibration import scores
from papertrader.services.calibration.service import Calibration
from papertrader.shared.log.subjects import Market
from papertrader.shared.messages import RELIABILITY_BINS
from papertrader.shared.service.metrics import ACCOUNT, Metric, Sample

FORECAST = (*ACCOUNT, "forecast")
BIN = (*ACCOUNT, "forecast", "bin")

GAUGES = {
    "cal_progress": Metric("paper_cal_progress", "gauge", "How far the estimates can be trusted, 0 to 1"),
    "cal_gamma": Metric("paper_cal_gamma", "gauge", "Multiplier of the half-spread above the fee"),
    "as_progress": Metric("paper_as_progress", "gauge", "Progress of adverse-selection learning, 0 to 1"),
    "kappa_progress": Metric("paper_kappa_progress", "gauge", "Progress of kappa learning, 0 to 1"),
    "fill_rate_progress": Metric("paper_fill_rate_progress", "gauge", "Fill rate over its target, at most 1"),
}
COUNTERS = {
    "fills": Metric("paper_calibration_fills", "counter", "Fills heard by calibration"),
    "resolved": Metric("paper_calibration_outcomes", "counter", "Resolved labels heard by calibration"),
    "window_overflow": Metric("paper_calibration_window_overflow", "counter", "Fills forgotten before their time"),
}
FORECASTS = Metric("paper_forecasts_scored", "counter", "Forecasts judged", FORECAST)
BRIER = Metric("paper_forecast_brier", "gauge", "Brier score, NaN without forecasts", FORECAST)
SKILL = Metric("paper_forecast_skill", "gauge", "Brier skill against the base rate", FORECAST)
LOG_LOSS = Metric("paper_forecast_log_loss", "gauge", "Mean log loss", FORECAST)
ECE = Metric("paper_forecast_calibration_error", "gauge", "Expected calibration error", FORECAST)
BIN_COUNT = Metric("paper_reliability_bin_count", "gauge", "Forecasts in the bin", BIN)
BIN_FORECAST = Metric("paper_reliability_bin_forecast", "gauge", "Mean forecast in the bin", BIN)
BIN_OBSERVED = Metric("paper_reliability_bin_observed", "gauge", "Share that came true in the bin", BIN)
EXPECTED = Metric(
    "paper_fill_forecast_expected_orders", "counter", "Orders that the forecasts expected to fill while they were live"
)
FILLED = Metric("paper_fill_forecast_filled_orders", "counter", "Orders with a forecast that filled in time")
WAITING = Metric("paper_fill_forecasts_waiting", "gauge", "Orders whose forecast is not judged yet")
DROPPED = Metric("paper_fill_forecasts_dropped", "counter", "Orders not judged for lack of room or because of a gap")

METRICS: tuple[Metric, ...] = (
    *GAUGES.values(),
    *COUNTERS.values(),
    FORECASTS,
    BRIER,
    SKILL,
    LOG_LOSS,
    ECE,
    BIN_COUNT,
    BIN_FORECAST,
    BIN_OBSERVED,
    EXPECTED,
    FILLED,
    WAITING,
    DROPPED,
)


def samples(market: Market, fold: Calibration) -> Iterator[Sample]:
    """Every metric of every account of one market."""
    for account, controller in zip(fold.accounts, fold.controllers, strict=True):
        labels = (*market, account)
        for field, metric in (GAUGES | COUNTERS).items():
            yield Sample(metric, labels, float(controller[field]))
        forecasts = controller["fill_forecasts"]
        for metric, field in (
            (EXPECTED, "expected_fills"),
            (FILLED, "filled"),
            (WAITING, "waiting"),
            (DROPPED, "dropped"),
        ):
            yield Sample(metric, labels, float(forecasts[field]))
        yield from _scores((*labels, "fill"), controller["fill_forecasts"]["scores"])
        yield from _scores((*labels, "toxicity"), controller["toxicity_forecasts"])


def _scores(labels: tuple[str, ...], state: Any) -> Iterator[Sample]:
    yield Sample(FORECASTS, labels, float(state["count"]))
    yield Sample(BRIER, labels, float(scores.brier(state)))
    yield Sample(SKILL, labels, float(scores.skill(state)))
    yield Sample(LOG_LOSS, labels, float(scores.log_loss(state)))
    yield Sample(ECE, labels, float(scores.expected_calibration_error(state)))
    for place in range(RELIABILITY_BINS):
        where, count = (*labels, str(place)), float(state["bin_count"][place])
        yield Sample(BIN_COUNT, where, count)
        yield Sample(BIN_FORECAST, where, float(state["bin_forecast"][place]) / count if count else math.nan)
        yield Sample(BIN_OBSERVED, where, float(state["bin_happened"][place]) / count if count else math.nan)
