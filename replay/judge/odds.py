"""The odds that a cancel is ahead, measured on order-by-order data: what `fill_sim.cancel_odds` should be there.

With f the share of a level that is ahead of an own order, a cancel of it was ahead with probability w·f/(w·f + 1 − f),
and it is known whether it was: w is the likeliest, its interval from a bootstrap of blocks of time.
"""

from typing import Final, NamedTuple

import numpy as np

from papertrader.replay.judge.cancels import cancels
from papertrader.replay.judge.orders import OrderData
from papertrader.replay.judge.scores import BLOCKS, INTERVAL, RESAMPLES

GRID: Final = np.geomspace(0.005, 20.0, 160)
LEAST_CANCELS: Final = 30


class Odds(NamedTuple):
    """w with its 95 % interval, and the cancels that it rests on."""

    value: float
    low: float
    high: float
    cancels: int


def odds_of(data: OrderData, seed: int = 1) -> Odds | None:
    """The odds over a whole file, None with fewer than 30 cancels to tell them by."""
    seen = cancels(data)
    if len(seen) < LEAST_CANCELS:
        return None
    share, ahead = seen["share"][None, :], seen["ahead"] == 1
    p = GRID[:, None] * share / (GRID[:, None] * share + 1 - share)
    likelihood = np.where(ahead, np.log(p), np.log1p(-p))
    ts = seen["ts"]
    block = (ts - ts[0]) * BLOCKS // max(int(ts[-1] - ts[0]) + 1, 1)
    sums = np.stack([np.bincount(block, weights=row, minlength=BLOCKS) for row in likelihood], axis=1)
    drawn = np.random.default_rng(seed).multinomial(BLOCKS, np.full(BLOCKS, 1 / BLOCKS), size=RESAMPLES) @ sums
    low, high = np.quantile(GRID[drawn.argmax(axis=1)], INTERVAL)
    return Odds(float(GRID[sums.sum(axis=0).argmax()]), float(low), float(high), len(seen))
