"""How well probability forecasts hold: Brier score, skill, log loss, reliability (Brier 1950; Murphy 1973)."""

from typing import Final

import numpy as np

from papertrader.shared.kernels import njit
from papertrader.shared.market.mathematics import log
from papertrader.shared.market.records import Record
from papertrader.shared.messages import RELIABILITY_BINS

CLAMP: Final = 1e-6
"""Forecasts are kept this far from 0 and 1 in the log loss."""

SCORES: Final = np.dtype(
    [
        ("count", "i8"),
        ("happened", "i8"),
        ("squared_error", "f8"),
        ("log_loss", "f8"),
        ("bin_count", "f8", (RELIABILITY_BINS,)),
        ("bin_forecast", "f8", (RELIABILITY_BINS,)),  # sum of the forecasts in the bin
        ("bin_happened", "f8", (RELIABILITY_BINS,)),
    ],
    align=True,
)


@njit(cache=True)
def score(scores: Record, forecast: float, happened: bool) -> None:
    """Judge one forecast: a probability in [0, 1]."""
    clamped = min(max(forecast, CLAMP), 1.0 - CLAMP)
    scores.count += 1
    scores.happened += happened
    scores.squared_error += (forecast - happened) ** 2
    scores.log_loss -= log(clamped) if happened else log(1.0 - clamped)
    place = min(int(forecast * RELIABILITY_BINS), RELIABILITY_BINS - 1)
    scores.bin_count[place] += 1.0
    scores.bin_forecast[place] += forecast
    scores.bin_happened[place] += happened


@njit(cache=True)
def brier(scores: Record) -> float:
    """Mean squared error, 0 is perfect; NaN without forecasts."""
    return scores.squared_error / scores.count if scores.count > 0 else np.nan


@njit(cache=True)
def skill(scores: Record) -> float:
    """1 − Brier/(ō(1 − ō)): 1 is perfect, 0 no better than always saying the base rate ō; NaN while ō is 0 or 1."""
    if scores.happened == 0 or scores.happened == scores.count:
        return np.nan
    base_rate = scores.happened / scores.count
    return 1.0 - brier(scores) / (base_rate * (1.0 - base_rate))


@njit(cache=True)
def log_loss(scores: Record) -> float:
    """Mean of −ln of the probability given to what happened; NaN without forecasts."""
    return scores.log_loss / scores.count if scores.count > 0 else np.nan


@njit(cache=True)
def expected_calibration_error(scores: Record) -> float:
    """Σ (n_b/n)·|mean forecast − observed share| over the reliability bins; NaN without forecasts."""
    if scores.count == 0:
        return np.nan
    total = 0.0
    for place in range(RELIABILITY_BINS):
        total += abs(scores.bin_forecast[place] - scores.bin_happened[place])
    return total / scores.count
