"""The forecast of a fill within 10 s, had the order been left alone: a logistic regression on where it would stand.

With z = min(δ/(σ√10), 6), δ the distance from the mid and σ the volatility of the last minute, the log-odds are
w₀ + w₁ z + w₂ z² + w₃ touch imbalance + w₄ imbalance within 3 bp; imbalances as the order faces them, positive against
it: a market that leans against an order comes to it. The prior is fitted to recorded sessions of Hyperliquid and
Binance; the estimator learns on from it with orders that nobody cancels (`shadows`).
"""

from typing import Final

import numpy as np

from papertrader.shared.kernels import njit
from papertrader.shared.market.logistic import probability
from papertrader.shared.market.mathematics import exp
from papertrader.shared.market.records import Row
from papertrader.shared.messages import FORECAST_HORIZON_S

FARTHEST_Z: Final = 6.0
LOWEST_SIGMA_BPS: Final = 0.05
PRIOR: Final = np.array([0.7, -1.7, 0.18, 0.6, 0.3])
PRIOR_SD: Final = np.array([1.0, 0.5, 0.1, 0.3, 0.3])


@njit(cache=True)
def distance_z(distance_bps: float, log_sigma_bps: float) -> float:
    """z of a distance from the mid in bp, given the logarithm of σ in bp per √s."""
    sigma_bps = max(exp(log_sigma_bps), LOWEST_SIGMA_BPS)
    return min(max(distance_bps, 0.0) / (sigma_bps * np.sqrt(FORECAST_HORIZON_S)), FARTHEST_Z)


@njit(cache=True)
def write_inputs(z: float, vector: Row, side: int, out: Row) -> None:
    """Write the regression's inputs, shape (5,), for an order of `side` given the market's feature vector."""
    out[0], out[1], out[2] = 1.0, z, z * z
    out[3], out[4] = -side * vector[0], -side * vector[3]


@njit(cache=True)
def p_fill(weights: Row, distance_bps: float, vector: Row, side: int) -> float:
    """P(filled within 10 s) of an order of `side` at a distance from the mid in bp."""
    z = distance_z(distance_bps, vector[5])
    lean = -side * (weights[3] * vector[0] + weights[4] * vector[3])
    return probability(weights[0] + (weights[1] + weights[2] * z) * z + lean)
