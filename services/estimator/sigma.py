"""Volatility in bp per √s, from one-second returns of the mid in event time.

Realised variance is the mean of r², bipower variation the mean of (π/2)|r_t||r_(t−1)|, which one jump hardly moves
(Barndorff-Nielsen & Shephard 2004); their ratio tells jumps from diffusion. All means are exponential, and weighted
from the first return on, so that none is biased towards a start value.
"""

from typing import Final

import numpy as np

from papertrader.shared.kernels import njit
from papertrader.shared.market.mathematics import exp, halved, log
from papertrader.shared.market.records import Record

HISTORY_BINS: Final = 128
LOWEST_BPS: Final = 0.01
LOG_STEP: Final = log.py_func(1e5) / HISTORY_BINS
"""The history spans 0.01 to 1000 bp per √s in bins of 9 %."""

SIGMA: Final = np.dtype(
    [
        ("returns", "i8"),
        ("previous", "f8"),  # |r| of the second before, NaN after a gap
        ("realised", "f8"),
        ("realised_weight", "f8"),
        ("bipower", "f8"),
        ("bipower_weight", "f8"),
        ("short", "f8"),
        ("short_weight", "f8"),
        ("history", "f8", (HISTORY_BINS,)),  # how often the short volatility was in each bin, with forgetting
    ],
    align=True,
)


@njit(cache=True)
def on_return(
    sigma: Record, log_return: float, half_life_s: float, short_half_life_s: float, history_half_life_s: float
) -> None:
    """Fold the return of one second, NaN if it is not known."""
    magnitude = abs(log_return)
    if np.isnan(magnitude):
        sigma.previous = np.nan
        return
    keep, keep_short = halved(1 / half_life_s), halved(1 / short_half_life_s)
    sigma.realised = sigma.realised * keep + magnitude**2
    sigma.realised_weight = sigma.realised_weight * keep + 1.0
    sigma.short = sigma.short * keep_short + magnitude**2
    sigma.short_weight = sigma.short_weight * keep_short + 1.0
    if sigma.returns > 0 and not np.isnan(sigma.previous):
        sigma.bipower = sigma.bipower * keep + 0.5 * np.pi * magnitude * sigma.previous
        sigma.bipower_weight = sigma.bipower_weight * keep + 1.0
    sigma.previous = magnitude
    sigma.returns += 1
    _remember(sigma, halved(1 / history_half_life_s))


@njit(cache=True)
def on_gap(sigma: Record) -> None:
    """The returns before and after a gap are not neighbours."""
    sigma.previous = np.nan


@njit(cache=True)
def _remember(sigma: Record, keep: float) -> None:
    for index in range(HISTORY_BINS):
        sigma.history[index] *= keep
    place = log(max(short_bps(sigma), LOWEST_BPS) / LOWEST_BPS) / LOG_STEP
    sigma.history[min(int(place), HISTORY_BINS - 1)] += 1.0


@njit(cache=True)
def _root_bps(total: float, weight: float) -> float:
    return np.sqrt(total / weight) * 1e4 if weight > 0 else 0.0


@njit(cache=True)
def realised_bps(sigma: Record) -> float:
    """Realised volatility, 0 before the first return."""
    return _root_bps(sigma.realised, sigma.realised_weight)


@njit(cache=True)
def bipower_bps(sigma: Record) -> float:
    """Volatility without jumps, 0 before the second return."""
    return _root_bps(sigma.bipower, sigma.bipower_weight)


@njit(cache=True)
def short_bps(sigma: Record) -> float:
    """Realised volatility with the short memory."""
    return _root_bps(sigma.short, sigma.short_weight)


@njit(cache=True)
def jump_ratio(sigma: Record) -> float:
    """Realised over bipower variance, at most 100; 1 while unknown. About 1 without jumps, larger with them."""
    if not (sigma.bipower > 0 and sigma.realised > 0):
        return 1.0
    ratio = (sigma.realised / sigma.realised_weight) / (sigma.bipower / sigma.bipower_weight)
    return min(ratio, 100.0)


@njit(cache=True)
def percentile_bps(sigma: Record, share: float) -> float:
    """The short volatility that a share of the remembered seconds did not exceed, to 5 %; 0 before the first."""
    target = share * sigma.history.sum()
    if target <= 0:
        return 0.0
    index, total = 0, sigma.history[0]
    while total < target and index < HISTORY_BINS - 1:
        index += 1
        total += sigma.history[index]
    return LOWEST_BPS * exp((index + 0.5) * LOG_STEP)
