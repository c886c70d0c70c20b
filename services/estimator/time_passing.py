"""How time passes for the estimators: second by second, and not at all in a gap of the market data."""

from typing import Final

import numpy as np

from papertrader.services.estimator import kappa as intensity
from papertrader.services.estimator import queues, shadows, sweeps, touch_fills
from papertrader.services.estimator import regime as regimes
from papertrader.services.estimator import sigma as volatility
from papertrader.shared.kernels import njit
from papertrader.shared.market import seconds as grid
from papertrader.shared.market.records import Record, Records

LONGEST_SILENCE_S: Final = 3600
"""Seconds of silence that are folded one by one; more of them change nothing any more."""


@njit(cache=True)
def close_seconds(
    book: Record,
    features: Record,
    seconds: Record,
    market: Record,
    estimators: Records,
    settings: Records,
    ts: int,
) -> None:
    """Feed every account's estimators with the seconds that ended before `ts`."""
    second = market.second
    if not grid.close(seconds, ts, second):
        return
    sweeps.finish(market.sweeps)
    shadows.on_second(market.forecaster, features, book, second.ts)
    for account in range(estimators.shape[0]):
        shadows.settle(estimators[account].shadows, second.ts, market.forecaster.model)
        on_seconds(estimators[account], settings[account], second, market.sweeps.count, market.sweeps.reach)
    market.sweeps.count = 0
    market.sweeps.reach = 0.0


@njit(cache=True)
def on_gap(
    book: Record,
    features: Record,
    seconds: Record,
    market: Record,
    estimators: Records,
    settings: Records,
    gap: Record,
) -> None:
    """Time without data is no exposure, and nothing is forgotten in it: it passes as if it had not been."""
    if gap.id > seconds.boundary:
        close_seconds(book, features, seconds, market, estimators, settings, gap.id)
    grid.on_gap(seconds)
    sweeps.on_gap(market.sweeps)
    touch_fills.on_gap(market.touch_fills)
    shadows.on_gap(market.forecaster.shadows)
    queues.forget(market.queues)
    in_gap = grid.close(seconds, gap.ts, market.second)
    for account in range(estimators.shape[0]):
        estimator = estimators[account]
        shadows.on_gap(estimator.shadows)
        intensity.on_gap(estimator.kappa, gap.id, gap.ts)
        volatility.on_gap(estimator.sigma)
        if in_gap:
            prints = market.second.prints
            intensity.on_second(estimator.kappa, 0, 1.0, market.sweeps.count, market.sweeps.reach, prints)
    if in_gap:
        market.sweeps.count = 0
        market.sweeps.reach = 0.0


@njit(cache=True)
def on_seconds(estimator: Record, settings: Record, second: Record, orders: int, reach: float) -> None:
    """One second in which something happened, and the silent ones after it."""
    half_life_s = settings.kappa_half_life_s
    intensity.on_second(estimator.kappa, second.seconds, half_life_s, orders, reach, second.prints)
    _on_second(estimator, settings, second.log_return, second.spread_bps, second.prints)
    silent_return = 0.0 if second.spread_bps >= 0 else np.nan
    for _ in range(min(second.seconds - 1, LONGEST_SILENCE_S)):
        _on_second(estimator, settings, silent_return, second.spread_bps, 0)


@njit(cache=True)
def _on_second(estimator: Record, settings: Record, log_return: float, spread_bps: float, prints: int) -> None:
    sigma = estimator.sigma
    volatility.on_return(
        sigma,
        log_return,
        settings.sigma_half_life_s,
        settings.sigma_short_half_life_s,
        settings.sigma_history_half_life_s,
    )
    if sigma.returns > 0:
        short_bps = volatility.short_bps(sigma)
        stay, reference_half_life_s = settings.regime_stay, settings.regime_reference_half_life_s
        regimes.on_second(estimator.regime, short_bps, spread_bps, prints, stay, reference_half_life_s)
