"""Chance without state: numbers that depend on the seed and on what they are for, and on nothing else."""

from typing import Final

import numpy as np

from papertrader.shared.kernels import njit
from papertrader.shared.market.hashing import splitmix64
from papertrader.shared.market.records import Row

FILL_COIN: Final = 1
ADVERSE_SHARE: Final = 2
PLACEMENT_LATENCY: Final = 3
CANCEL_LATENCY: Final = 4
QUEUE_DRAWS: Final = 5
QUEUE_DECISION: Final = 6
MODIFY_LATENCY: Final = 7
RESPONSE_LATENCY: Final = 8
LATENCY_BURST: Final = 9


@njit(cache=True)
def uniform(seed: int, purpose: int, order_id: int, trade_id: int) -> float:
    """A number in [0, 1): the counter-based hash of its arguments."""
    bits = chain(chain(chain(splitmix64(seed), purpose), order_id), trade_id)
    return np.float64(bits >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit(cache=True)
def chain(bits: np.uint64, value: int) -> np.uint64:
    """The hash of what is hashed already together with one more value."""
    return splitmix64(int(bits ^ np.uint64(value)))


@njit(cache=True)
def quantile(u: float, knots_u: Row, knots_value: Row) -> float:
    """The piecewise-linear quantile function through (0, 0) and the knots, level beyond the last."""
    low_u, low_value = 0.0, 0.0
    for index in range(len(knots_u)):
        if u < knots_u[index]:
            return low_value + (knots_value[index] - low_value) * (u - low_u) / (knots_u[index] - low_u)
        low_u, low_value = knots_u[index], knots_value[index]
    return low_value
